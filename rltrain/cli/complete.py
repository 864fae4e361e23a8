"""What the shell offers to complete: names that are found without importing what they name.

Each takes what was typed so far. Nothing is said and nothing fails: a shell shows what a completion prints.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import typer

from rltrain.errors import RltrainError


def configs(incomplete: str) -> list[str]:
    """Files of configs and folders from here, and the names of the configs that come with rltrain."""
    from rltrain.experiment import catalog

    return _beginning(incomplete, [*_files(incomplete), *catalog.names()])


def sweeps(incomplete: str) -> list[str]:
    """Files of sweeps and folders from here, and the names of the sweeps that come with rltrain."""
    from rltrain.experiment import catalog

    return _beginning(incomplete, [*_files(incomplete), *catalog.sweeps()])


def algorithms(incomplete: str) -> list[str]:
    """The algorithms that are installed."""
    from rltrain import registry

    return _beginning(incomplete, registry.names())


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """The runs in the folder of runs that was typed, or in ./runs."""
    from rltrain.run import folder

    with suppress(RltrainError):
        return _beginning(incomplete, folder.names(Path(context.params.get("runs_dir") or "runs")))
    return []


def sweep_folders(context: typer.Context, incomplete: str) -> list[str]:
    """The sweeps in the folder of runs that was typed, or in ./runs."""
    from rltrain.run import folder

    with suppress(RltrainError):
        return _beginning(incomplete, folder.sweeps(Path(context.params.get("runs_dir") or "runs")))
    return []


def configs_and_runs(context: typer.Context, incomplete: str) -> list[str]:
    """What `check` takes."""
    return [*configs(incomplete), *runs(context, incomplete)]


def _files(incomplete: str) -> list[str]:
    parent = incomplete.rpartition("/")[0]
    try:
        found = sorted(Path(parent).iterdir())
    except OSError:
        return []
    kept = [path for path in found if path.suffix in (".yaml", ".yml") or (parent and path.is_dir())]
    return [f"{path}/" if path.is_dir() else str(path) for path in kept]


def _beginning(incomplete: str, names: list[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]
