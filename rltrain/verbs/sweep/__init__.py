"""What `rltrain sweep` does: many trials of a config, each a group of runs, and what is tried next."""
