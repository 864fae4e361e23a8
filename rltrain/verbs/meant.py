"""Which experiment, run or checkpoint a program means that gives one to a function of `api`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rltrain.errors import InputError
from rltrain.experiment.config import Experiment, loads
from rltrain.experiment.config import load as load_config
from rltrain.imports import hand_over
from rltrain.run import group
from rltrain.spelling import shown
from rltrain.verbs import check, saved_policy
from rltrain.verbs.given import Overrides, path_of, settings_of, text_of, written, yes_or_no
from rltrain.verbs.saved_policy import SavedRun
from rltrain.yaml_subset import write

Place = str | os.PathLike[str]  # a path; `RunResult` is one too
Config = Place | Mapping[str, Any] | Experiment
Environment = Callable[..., Any]  # a class, or a function that makes one


def experiment_of(
    config: Config,
    overrides: Overrides = (),
    seed: int | None = None,
    max_wall: str | int | None = None,
    environment: Environment | None = None,
) -> Experiment:
    """The experiment that is meant, with these settings before its own. InputError holds every error, one a line."""
    changes = settings_of(overrides, seed, max_wall)
    if environment is not None:
        changes.append(f"environment.id={hand_over(environment)}")
    if isinstance(config, Experiment):
        return config.replace(*changes)
    if isinstance(config, Mapping):
        return loads(written("config", write, config), "config", changes)
    text = text_of("config", config)
    if "\n" in text or text.lstrip().startswith("{") or (": " in text and not os.path.exists(text)):
        return loads(text, "config", changes)
    return load_config(text, changes)


def is_config(target: Place, runs_dir: Path) -> bool:
    """Whether a config is meant, its file, name or text, and no run."""
    text = os.fspath(target)
    return "\n" in text or text.lstrip().startswith("{") or ": " in text or check.is_config(text, runs_dir)


def alone(run: Place, runs_dir: Place) -> str:
    """The run that is meant. InputError for the folder of several seeds."""
    text = text_of("run", run)
    several = group.find(Path(runs_dir), text)
    if several is not None:
        raise InputError(
            f"{shown(text)}: the runs of several seeds; name one, such as {several.member(several.seeds[0])}"
        )
    return text


def start_of(run: Place | None, runs_dir: Place) -> SavedRun | None:
    """The checkpoint that a new run starts from; its warnings become those of the new run."""
    if run is None:
        return None
    return saved_policy.read(alone(text_of("start_from", run), runs_dir), Path(runs_dir), last=False)


def saved_run(run: Place, runs_dir: Place, last: bool, environment: Environment | None) -> SavedRun:
    """The checkpoint that is meant. It warns whoever called the function that asks, as Python does."""
    last, where = yes_or_no("last", last), path_of("runs_dir", runs_dir)
    given = alone(run, where)
    saved_policy.hand_over(saved_policy.locate(given, where, last)[0], environment)
    found = saved_policy.read(given, where, last)
    for warning in found.warnings:
        warnings.warn(warning, stacklevel=3)
    return found
