"""Which runs belong together, and what each group is called: by what differs between their configs.

Runs that differ in the seed alone are one group. What the algorithm and the environment imply is not said again: of two
algorithms the names are enough, whatever settings one has and the other lacks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rltrain.errors import InputError
from rltrain.experiment.config import leaves
from rltrain.experiment.settings import environment_name
from rltrain.report.reading import Record
from rltrain.spelling import did_you_mean

SEED = "run.seed"
WITHOUT_EFFECT = (SEED, "run.save", "run.threads", "run.device", "run.max_wall", "run.track")  # on what is learned
ALWAYS_SAID = ("algorithm.name", "environment.id")
LONGEST = 70  # characters of a label


@dataclass(frozen=True)
class PlotGroup:
    """Runs that a comparison draws as one line, with a band over their seeds, and its name in the legend."""

    label: str
    runs: tuple[Record, ...]

    @property
    def seeds(self) -> list[int]:
        """The seed of each run, in their order."""
        return [run.seed for run in self.runs]


def _settings(run: Record) -> dict[str, Any]:
    """All that may tell runs apart: their settings, and what they began with."""
    return dict(leaves(run.config)) | ({} if run.started_from is None else {"from": run.started_from})


def group(runs: Sequence[Record], by: str = "auto") -> tuple[list[PlotGroup], list[str]]:
    """The runs in groups, in the order given, and a line on each that is left out because it repeats another.

    by: auto, none (each run alone), or a config key whose values make the groups. InputError for an unknown key.
    """
    if by == "none":
        return [PlotGroup(label, (run,)) for label, run in zip(folder_names(runs), runs, strict=True)], []
    configs = [_settings(run) for run in runs]
    if by != "auto":
        key = _full_key(by, configs)
        return _by_key(runs, key, [config.get(key) for config in configs]), []
    found: dict[str, dict[int, Record]] = {}
    repeated = []
    for run, config in zip(runs, configs, strict=True):
        same = found.setdefault(json.dumps(_that_matters(config), sort_keys=True, default=str), {})
        if same.setdefault(run.seed, run) is not run:
            repeated.append(f"{run.folder} repeats {same[run.seed].folder}: the same config and seed")
    members = [tuple(same.values()) for same in found.values()]
    labels = named([_that_matters(_settings(same[0])) for same in members])
    if len(set(labels)) < len(labels):  # what differs is too long to be told apart
        labels = folder_names([same[0] for same in members])
    return [PlotGroup(label, same) for label, same in zip(labels, members, strict=True)], repeated


def folder_names(runs: Sequence[Record]) -> list[str]:
    """The name of each run's folder, preceded by that of the folder around it where names repeat."""
    names = [run.folder.name for run in runs]
    if len(set(names)) == len(names):
        return names
    return [f"{run.folder.parent.name}/{run.folder.name}" for run in runs]


def named(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A label for each config, {dotted key: value}: the settings that differ; `dqn on CartPole-v1` of a single one."""
    if len(configs) == 1:
        return [_title(configs[0])]
    keys = [key for key in dict.fromkeys(key for config in configs for key in config) if _tells(key, configs)]
    last = [key.rpartition(".")[2] for key in keys]
    names = {key: name if last.count(name) == 1 else key for key, name in zip(keys, last, strict=True)}
    return [_cut(", ".join(_said(names, config)) or _title(config)) for config in configs]


def _tells(key: str, configs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a key tells configs apart that algorithm and environment do not."""
    if key in ALWAYS_SAID:
        return len({_text(config.get(key)) for config in configs}) > 1
    values: dict[tuple[str, ...], set[str]] = {}
    for config in configs:
        kind = tuple(_text(config.get(name)) for name in ALWAYS_SAID)
        values.setdefault(kind, set()).add(_text(config.get(key)))
    return any(len(different) > 1 for different in values.values())


def _said(names: Mapping[str, str], config: Mapping[str, Any]) -> Iterator[str]:
    for key, name in names.items():
        if key in ALWAYS_SAID:
            yield environment_name(_text(config.get(key)))
        elif key in config:
            yield f"{name.replace('_', ' ')} {_text(config[key])}"


def _title(config: Mapping[str, Any]) -> str:
    return f"{config['algorithm.name']} on {environment_name(_text(config['environment.id']))}"


def _that_matters(config: Mapping[str, Any]) -> dict[str, Any]:
    """Without what may differ between runs of one group."""
    return {key: value for key, value in config.items() if not _within(key, WITHOUT_EFFECT)}


def _within(key: str, blocks: Iterable[str]) -> bool:
    return any(key == block or key.startswith(f"{block}.") for block in blocks)


def _by_key(runs: Sequence[Record], key: str, values: Sequence[Any]) -> list[PlotGroup]:
    found: dict[str, list[Record]] = {}
    for run, value in zip(runs, values, strict=True):
        found.setdefault(_text(value), []).append(run)
    name = "" if key in ALWAYS_SAID else f"{key.rpartition('.')[2].replace('_', ' ')} "
    return [PlotGroup(_cut(f"{name}{value}"), tuple(same)) for value, same in found.items()]


def _full_key(given: str, configs: Sequence[Mapping[str, Any]]) -> str:
    """`learning_rate` is short for `algorithm.learning_rate`."""
    known = list(dict.fromkeys(key for config in configs for key in config))
    found = [key for key in known if key == given] or [key for key in known if key.endswith(f".{given}")]
    if len(found) != 1:
        rule = f"is {' or '.join(found)}; write one of them" if found else f"no run has it{did_you_mean(given, known)}"
        raise InputError(f"--group {given}: {rule}; or auto, or none")
    return found[0]


def _text(value: Any) -> str:
    """A value as a label says it."""
    match value:
        case None:
            return "none"
        case bool():
            return "on" if value else "off"
        case float():
            return f"{value:g}"
        case int():
            return f"{value:,}"
    return str(value)


def _cut(label: str) -> str:
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"
