"""The version of this package, as its files, its checkpoints and `rltrain --version` say it."""

__version__ = "0.1.0"
