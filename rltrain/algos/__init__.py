"""The algorithms: one file each, the whole story on one page. `rltrain.registry` finds them by file name."""
