"""Whether config.yaml still says what a checkpoint was made with.

A checkpoint's manifest holds every setting and the hash of the model's file. What may change on a resume may be edited
in the file as well, and is told; any other edit would continue another experiment under this one's name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rltrain import yaml_subset
from rltrain.errors import InputError
from rltrain.experiment import config
from rltrain.experiment.config import Experiment
from rltrain.experiment.settings import MODEL_FOLDER_SUFFIX, MODEL_SUFFIXES
from rltrain.mdp.files.folder import FACTS
from rltrain.plain_files import open_plain
from rltrain.run.disk import PIECE, disk_errors
from rltrain.yaml_subset import flow

WRAPPERS = "environment.wrappers"
MODE = "run.distribute.mode"


class Edit(NamedTuple):
    """A setting that differs from what the checkpoint was made with."""

    key: str
    before: Any
    now: Any

    @property
    def refused(self) -> bool:
        """Whether a resume does not take it."""
        return self.key == MODE or not config.is_safe(self.key)

    def __str__(self) -> str:
        return f"{self.key}: {self.before!r} -> {self.now!r}"


def since(meta: Mapping[str, Any], written: Experiment) -> list[Edit]:
    """The settings that differ between a checkpoint's manifest and `written`; none if the manifest has no settings."""
    return _edits(*_settings(meta, written))


def between(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Edit]:
    """The settings that differ between two configs as nested blocks, which nobody vouches for."""
    sides = [_leaves(tree) for tree in (before, now)]
    key = "environment.id"
    if same_model(*(side.get(key) for side in sides)):
        sides[0][key] = sides[1][key]
    return _edits(*sides)


def same_model(one: Any, other: Any) -> bool:
    """Whether two ids of environments are the same known model, whose path is another in each place."""
    names = [Path(name).name for name in (one, other) if isinstance(name, str) and name.endswith(MODEL_SUFFIXES)]
    return len(names) == 2 and names[0] == names[1]


def _edits(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Edit]:
    # A setting that one of them lacks has been added since, or removed, by another version.
    return [Edit(key, before[key], now[key]) for key in before if key in now and before[key] != now[key]]


def _settings(meta: Mapping[str, Any], written: Experiment) -> tuple[dict[str, Any], dict[str, Any]]:
    """A checkpoint's settings and those of `written`, by their dotted names; none where the checkpoint keeps none."""
    text = meta.get("config")
    settings = yaml_subset.read(text).value if isinstance(text, str) else None
    if not isinstance(settings, Mapping):
        return {}, {}
    before, now = (_leaves(tree) for tree in (settings, written.to_dict()))
    if written.environment.is_model:  # its path is another in each place; what it says must not be
        for tree in (before, now):
            tree["environment.id"] = Path(str(tree.get("environment.id"))).name
        before["the model's sha256"], now["the model's sha256"] = meta.get("model"), model_hash(written)
    return before, now


def _leaves(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The settings by their dotted names; an environment's arguments, whose names are not ours, as one, in YAML.

    A config without wrappers has none: it does not say so, and to add the first or to remove the last is an edit. One
    without actors is as exact as with those that are.
    """
    arguments = {key: value for key, value in config.leaves(tree) if key.startswith("environment.kwargs")}
    others = {key: value for key, value in config.leaves(tree) if key not in arguments}
    arguments = {key: value for key, value in arguments.items() if value != {}}  # none are as many as no word of them
    return {WRAPPERS: [], MODE: "exact"} | others | {"environment.kwargs": flow(dict(sorted(arguments.items())))}


def recorded(experiment: Experiment) -> dict[str, Any]:
    """What a manifest records of the configuration: config, its YAML, and model, the sha256 of a model's file."""
    model = model_hash(experiment)
    return {"config": experiment.to_yaml(), **({"model": model} if model else {})}


def check(folder: Path, meta: Mapping[str, Any], written: Experiment) -> list[str]:
    """A warning for each edit of config.yaml that a resumed run takes. InputError if there is one that it does not."""
    before, now = _settings(meta, written)
    found = _edits(before, now)
    refused = [str(edit) for edit in found if edit.refused or not config.is_safe(edit.key, written)]
    if refused:
        head = f"{folder / 'config.yaml'} was edited since the checkpoint; a resumed run keeps its settings"
        hint = f"put them back, or go on with them in a run of its own: rltrain resume {folder} --fork NAME"
        raise InputError("\n".join([f"{head}:", *refused, hint]))
    lines = [f"config.yaml was edited: {edit}" for edit in found]
    for what, some, others in (("added", now, before), ("taken away", before, now)):
        named = [f"{key}: {some[key]!r}" for key in some if key not in others and not config.is_safe(key)]
        if before and named:  # by another version
            lines.append(f"settings that were {what} since the checkpoint: {', '.join(named)}")
    return lines


def model_hash(experiment: Experiment) -> str | None:
    """The sha256, in hex, of the file of a known model; None for other environments. DiskError.

    Of a folder that of model.json, which has those of all its files; who reads them holds them against these.
    """
    if not experiment.environment.is_model:
        return None
    path, digest = Path(experiment.environment.id), hashlib.sha256()
    if path.name.endswith(MODEL_FOLDER_SUFFIX):
        path = path / FACTS
    with disk_errors(f"cannot read {path}"), open_plain(path, follow=True) as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
