"""Models of any size that are made rather than written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rltrain.errors import InputError
from rltrain.mdp import files, problems
from rltrain.mdp.files.folder_tables import WrittenModel, write_table
from rltrain.mdp.model import Model
from rltrain.progress import Progress, Silent
from rltrain.spelling import did_you_mean, shown


def generate(
    family: str,
    target: Path,
    settings: Mapping[str, Any],
    discount: float | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Model | WrittenModel:
    """Make a model of one of `problems.PROBLEMS` and write it into a file, whose suffix says how.

    Into a folder, .mdpd, a garnet or a grid is written in a stream, and only its sizes are returned. InputError for a
    family, a setting or a file that is none; DiskError when the disk refuses.
    """
    problem = problems.PROBLEMS.get(family)
    if problem is None:
        raise InputError(f"unknown family '{shown(family)}'{did_you_mean(family, problems.PROBLEMS)}")
    for key in settings:
        if key not in problem.settings:
            options = ", ".join(f"--{name}" for name in problem.settings)
            raise InputError(f"--{key} is not for {family}, which has {options} and --discount")
    for key, default in problem.settings.items():
        if default is None and key not in settings:
            raise InputError(f"{family} needs --{key}")
    files.check_target(target, overwrite)
    if files.is_folder(target) and problem.table is not None:
        table = problem.table(**settings, discount=discount)
        with (progress or Silent()).phase(f"writing {shown(str(target))}"):
            return write_table(
                target, table.states, table.actions, table.rows,
                discount=discount, name=table.name, overwrite=overwrite, progress=progress,
            )  # fmt: skip
    model = problem.make(**settings, discount=discount)
    files.write(model, target, overwrite=overwrite)
    return model
