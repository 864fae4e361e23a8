"""Models of any size that are made rather than written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rltrain.errors import InputError
from rltrain.mdp import files, problems
from rltrain.mdp.model import Model
from rltrain.spelling import did_you_mean, shown


def generate(
    family: str, target: Path, settings: Mapping[str, Any], discount: float | None = None, overwrite: bool = False
) -> Model:
    """Make a model of one of `problems.PROBLEMS` and write it into a file, whose suffix says how.

    InputError for a family, a setting or a file that is none; DiskError when the disk refuses.
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
    model = problem.make(**settings, discount=discount)
    files.write(model, target, overwrite=overwrite)
    return model
