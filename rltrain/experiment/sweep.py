"""A sweep file -> a typed, frozen `Sweep`: one config, what is varied of it, and how. Every error of it is born here.

    sweep: {config: dqn_cartpole.yaml, search: tpe, trials: 64, seeds: 3,
            halving: {counter: env_steps, from: 10_000, to: 120_000}}
    space:
      algorithm.learning_rate: {from: 1e-5, to: 1e-2, log: true}
      algorithm.hidden: [[64, 64], [128, 128]]

Each value of a list and both ends of a range are tried on the config when the file is read, so a setting that is
misspelt or refuses a value is found before anything runs. Overrides `sweep.KEY=` and `space.SETTING=` go before the
file's lines; all others go before the config's.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rltrain.errors import InputError
from rltrain.experiment import catalog, config, on_disk, space
from rltrain.experiment.config import Experiment
from rltrain.experiment.draft import Draft
from rltrain.experiment.faults import fields_at, sentences
from rltrain.experiment.space import OneOf, Range, Varied
from rltrain.experiment.sweep_checks import (
    CONFIG_BLOCKS,
    check_models,
    check_score,
    check_typed,
    check_varied,
    tried_models,
    try_points,
    try_values,
)
from rltrain.experiment.sweep_settings import DEFAULT_TRIALS, MOST_TRIALS, HalvingConfig, SweepConfig
from rltrain.spelling import did_you_mean, shown
from rltrain.yaml_subset import flow, write

__all__ = ["HalvingConfig", "OneOf", "Range", "Sweep", "SweepConfig", "Varied", "grid", "load", "loads", "outline"]

MOST_SETTINGS = 100  # that are varied
MOST_TRIED_TOGETHER = 200  # points of a grid that are all tried when the file is read
_BLOCKS = ("sweep", "space")


@dataclass(frozen=True)
class Sweep:
    """A sweep, checked and complete."""

    base: Experiment  # the config that is varied
    settings: SweepConfig
    space: Mapping[str, Varied]  # dotted key of a setting -> what is tried of it
    source: str = field(default="", compare=False)  # the file that it came from

    @property
    def trials(self) -> int:
        assert self.settings.trials is not None  # filled in
        return self.settings.trials

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of the runs of every trial."""
        first = self.base.run.seed
        return tuple(range(first, first + self.settings.seeds))

    @property
    def models(self) -> tuple[Experiment, ...]:
        """The config, and with each known model that is tried in place of its environment."""
        varied = self.space.get("environment.id")
        tried = () if varied is None else tried_models(varied)
        return (self.base, *(self.base.replace(f"environment.id={flow(name)}") for name in tried))

    @property
    def rungs(self) -> tuple[int, ...]:
        """Where trials are scored with halving, from the first to the last; empty without."""
        return () if self.settings.halving is None else self.settings.halving.rungs

    def overrides(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """{setting: value} of a trial as `key=value` for the base config, in the order of the space."""
        return tuple(f"{key}={flow(values[key])}" for key in self.space)

    def points(self) -> Iterator[dict[str, Any]]:
        """Every combination of a grid as {setting: value}; the last setting changes first."""
        for values in itertools.product(*(varied.points for varied in self.space.values())):
            yield dict(zip(self.space, values, strict=True))

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Both blocks with every setting, as JSON has them."""
        settings = self.settings.model_dump(mode="json", by_alias=True)
        return {"sweep": settings, "space": {key: varied.to_yaml() for key, varied in self.space.items()}}

    def to_yaml(self, base: str | None = None) -> str:
        """The complete sweep file. `base` is what it calls its config; None: what it was called."""
        found = self.to_dict()
        if base is not None:
            found["sweep"]["config"] = base
        return write(found)


def load(path: Path | str, overrides: Sequence[str] = ()) -> Sweep:
    """The sweep in a file, or of a name (`catalog.find`). InputError: every error, one a line."""
    found = catalog.find(Path(path))
    return loads(on_disk.text(found), str(found), overrides)


def loads(text: str, source: str, overrides: Sequence[str] = ()) -> Sweep:
    """The sweep in a text; `source` is what errors call it, and where relative paths begin. InputError."""
    draft = Draft(text, source, _BLOCKS, {}, flat="space")
    for override in overrides:
        if not _is_of_config(override):
            draft.override(override)
    if "sweep" not in draft.tree and draft.tree.keys() & set(CONFIG_BLOCKS):
        name = shown(source)
        raise InputError(
            f"{name}: one config, no sweep; type: rltrain train {name}"
            f"; or vary it: rltrain train {name} algorithm.KEY=VALUE,VALUE"
        )
    _check_keys(draft)
    settings = _settings(draft)
    base = None
    if settings is not None:
        own = [override for override in overrides if _is_of_config(override)]
        base = _base(draft, settings, source, own)
        check_typed(draft, own)
    return _checked(draft, settings, base, source)


def outline(path: Path) -> tuple[SweepConfig, Mapping[str, Varied]]:
    """The settings and the space of a complete sweep file, whatever became of its config. InputError: every error."""
    draft = Draft(on_disk.text(path), str(path), _BLOCKS, {}, flat="space")
    _check_keys(draft)
    settings = _settings(draft)
    said = _space(draft, None)
    if draft.faults or settings is None:
        draft.raise_faults()
    return settings, said


def grid(base: Experiment, varied: Sequence[str], seeds: int = 1) -> Sweep:
    """The grid over `key=value,value,...` as `grid_syntax` finds them, whose points are one batch. InputError."""
    draft = Draft("sweep:\n", "command line", _BLOCKS, {}, flat="space")
    for word in varied:
        key, _, values = word.partition("=")
        draft.override(f"space.{key}=[{values}]", typed=word)
    settings = SweepConfig(config=base.source, search="grid", seeds=seeds)
    try:
        made = _checked(draft, settings, base, "command line")
    except InputError as error:  # of a block that nobody wrote
        raise InputError(str(error).replace("command line:1: sweep.config: ", "")) from error
    return replace(made, settings=made.settings.model_copy(update={"at_once": made.trials}))


def _is_of_config(override: str) -> bool:
    head = override.partition("=")[0].partition(".")[0]
    return head in CONFIG_BLOCKS


def _check_keys(draft: Draft) -> None:
    known = (*_BLOCKS, *CONFIG_BLOCKS)
    own = fields_at(SweepConfig, ())
    for key in draft.tree:
        if key in _BLOCKS:
            continue
        if key in CONFIG_BLOCKS:
            rule = "settings stand in the config that sweep.config names, those to be varied in space"
        elif key in own:
            rule = f"unknown key; did you mean 'sweep.{key}'?"
        elif "." in key:
            rule = f"unknown key; did you mean 'space.{key}'?"
        else:
            rule = f"unknown key{did_you_mean(key, known)}"
        draft.fault((key,), rule)


def _settings(draft: Draft) -> SweepConfig | None:
    block = draft.tree.get("sweep")
    if block is not None and not isinstance(block, dict):
        draft.fault(("sweep",), "expected a block of settings")
        return None
    try:
        return SweepConfig.model_validate_json(json.dumps(block or {}), strict=True)
    except ValidationError as error:
        elsewhere = {key: key for key in draft.tree if key != "sweep"}
        for path, rule in sentences(error, SweepConfig, block or {}, elsewhere):
            draft.fault(("sweep", *path), rule)
        return None


def _base(draft: Draft, settings: SweepConfig, source: str, overrides: Sequence[str]) -> Experiment | None:
    """The config that is varied; None where there is none, which is noted. InputError: its own faults."""
    beside = Path(source).parent / settings.config
    found = beside if os.path.isfile(beside) else catalog.find(Path(settings.config))
    if not os.path.isfile(found):
        try:
            on_disk.text(found)
        except InputError as error:
            draft.fault(("sweep", "config"), str(error))
        return None
    return config.load(found, overrides)


def _checked(draft: Draft, settings: SweepConfig | None, base: Experiment | None, source: str) -> Sweep:
    """The sweep, once nothing is wrong with it. InputError: every fault."""
    said = _space(draft, None if settings is None else settings.search)
    if settings is not None and base is not None:
        check_score(draft, settings, base)
        check_varied(draft, settings, said)
        for key, varied in said.items():
            try_values(draft, base, key, varied)
        if not draft.faults:
            check_models(draft, base, said)
    if draft.faults or settings is None or base is None:
        draft.raise_faults()
    made = Sweep(base, settings, said, source)
    trials = settings.trials
    if settings.search == "grid":
        count = math.prod(v.count if isinstance(v, Range) else len(v.values) for v in said.values())
        if trials is not None and trials > count:
            draft.fault(("sweep", "trials"), f"the grid has {count:,} points, fewer than {trials:,}; leave it out")
        elif trials is None and count > MOST_TRIALS:
            rule = f"the grid has {count:,} points, more than {MOST_TRIALS:,}; list fewer values, or search: sobol"
            draft.fault(("space",), rule)
        elif count <= MOST_TRIED_TOGETHER and len(said) > 1:
            try_points(draft, base, map(made.overrides, made.points()))
        trials = count if trials is None else trials
    if draft.faults:
        draft.raise_faults()
    return replace(made, settings=settings.model_copy(update={"trials": trials or DEFAULT_TRIALS}))


def _space(draft: Draft, search: str | None) -> dict[str, Varied]:
    """What is varied, without whether the config takes it."""
    block = draft.tree.get("space")
    if not isinstance(block, dict) or not 1 <= len(block) <= MOST_SETTINGS:
        example = "algorithm.learning_rate: {from: 1e-5, to: 1e-2, log: true}"
        draft.fault(("space",), f"expected 1 to {MOST_SETTINGS} settings and what to try of each, such as {example}")
        return {}
    found: dict[str, Varied] = {}
    for key, said in block.items():
        varied = space.read(draft, ("space", key), said)
        if varied is None:
            continue
        found[key] = varied
        if isinstance(varied, Range) and search == "grid" and varied.step is None:
            rule = (
                f"a grid needs a step, as {{from: {flow(varied.low)}, to: {flow(varied.high)}, step: ...}}, or a list"
            )
            draft.fault(("space", key), rule)
        elif isinstance(varied, OneOf) and search == "cmaes":
            draft.fault(("space", key), "cmaes moves numbers only: write {from: LOW, to: HIGH}, or search: tpe")
    if search == "cmaes" and len(block) == 1 and not draft.faults:
        draft.fault(("space",), "cmaes needs two settings or more; for one write search: tpe")
    return found
