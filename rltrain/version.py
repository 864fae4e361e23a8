"""The version of this package, as its files, its checkpoints and `rltrain --version` say it, and those of others."""

__version__ = "0.1.0"


def installed(package: str) -> str | None:
    """The version of an installed package; None where there is none."""
    from importlib.metadata import PackageNotFoundError, version  # takes longer than all that a command needs of this

    try:
        return version(package)
    except PackageNotFoundError:
        return None
