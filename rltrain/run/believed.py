"""Which settings of a run are believed: one rule for every verb that reads a run.

config.yaml may be edited after the run has begun. What the run was made with stands in its newest whole checkpoint, so
where the two contradict each other the checkpoint is believed, and the edit is told. Settings that may change on a
resume, such as the budget, are those of config.yaml, whether a resume wrote them there or a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rltrain import yaml_subset
from rltrain.errors import InputError
from rltrain.experiment import config
from rltrain.experiment.config import Experiment
from rltrain.plain_files import read_plain
from rltrain.run import edits
from rltrain.run.edits import Edit
from rltrain.run.folder import MARKER
from rltrain.run.reading import newest_meta
from rltrain.spelling import shown

MOST_BYTES = 100_000  # of config.yaml
DISTRIBUTE = "run.distribute"


def settings(folder: Path, text: str, tree: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The believed settings of the run in this folder, nested blocks, and a line for each edit of its config.yaml.

    text, tree   config.yaml, and its blocks as they stand there. Nothing is raised for what a file holds.
    """
    found = newest_meta(folder)
    made = None if found is None else found[1].get("config")
    if found is None or not isinstance(made, str) or made == text:
        return dict(tree), []
    before = yaml_subset.read(made).value
    if not isinstance(before, Mapping):
        return dict(tree), []
    changed = [edit for edit in edits.between(before, tree) if edit.refused]
    return _overlaid(before, tree) if changed else dict(tree), told(found[0], changed)


def experiment(
    folder: Path, overrides: Sequence[str] = (), made: tuple[str, Mapping[str, Any]] | None = None
) -> tuple[Experiment, list[str]]:
    """The believed configuration of the run in this folder, and a line for each edit of its config.yaml. InputError.

    made   the name and the metadata of a checkpoint that is believed; None: the newest whole one
    """
    found = newest_meta(folder) if made is None else made
    before = None if found is None else yaml_subset.read(str(found[1].get("config", ""))).value
    if found is None or not isinstance(before, Mapping):
        return config.load(folder / MARKER, overrides), []
    try:
        written = config.load(folder / MARKER)
        changed = [edit for edit in edits.since(found[1], written) if edit.refused]
        if not changed:
            return config.load(folder / MARKER, overrides), []
        now: Mapping[str, Any] = written.to_dict()
        lines = told(found[0], changed)
    except InputError as error:  # what was edited is no config any more
        text = ""
        with suppress(OSError, UnicodeDecodeError):
            text = read_plain(folder / MARKER, MOST_BYTES).decode()
        now = yaml_subset.read(text).value
        if not isinstance(now, Mapping):
            raise
        try:
            config.loads(yaml_subset.write(_overlaid(before, now)), MARKER)
        except InputError:  # what it says of what a resume may change is none either
            raise error from None
        changed = [edit for edit in edits.between(before, now) if edit.refused]
        lines = told(found[0], changed) or [_edited(found[0], shown(str(error).splitlines()[0]))]
    believed = yaml_subset.write(_overlaid(before, now))
    return config.loads(believed, str(folder / MARKER), overrides), lines


def told(checkpoint: str, changed: Sequence[Edit]) -> list[str]:
    """A line for each edit since a checkpoint."""
    return [_edited(checkpoint, shown(str(edit))) for edit in changed]


def _edited(checkpoint: str, what: str) -> str:
    return f"{MARKER} was edited since {checkpoint}, which is believed: {what}"


def _overlaid(made: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint was made with, and in its place of config.yaml what may change on a resume."""
    blocks = {name: dict(block) if isinstance(block, Mapping) else block for name, block in made.items()}
    own, run = blocks.get("run"), now.get("run")
    if isinstance(own, dict) and isinstance(run, Mapping):
        fixed = DISTRIBUTE if _mode(own) != _mode(run) or _mode(own) == "async" else ""
        for key in config.SAFE_KEYS:
            name = key.partition(".")[2]
            if key != fixed and name in run:
                own[name] = run[name]
    world, there = blocks.get("environment"), now.get("environment")
    if isinstance(world, dict) and isinstance(there, Mapping) and edits.same_model(world.get("id"), there.get("id")):
        world["id"] = there["id"]
    return blocks


def _mode(run: Mapping[str, Any]) -> Any:
    block = run.get("distribute")
    return block.get("mode", "exact") if isinstance(block, Mapping) else "exact"
