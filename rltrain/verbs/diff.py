"""What is different between two runs: settings, versions, machine, and where their numbers part."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rltrain.errors import RltrainError
from rltrain.experiment.config import leaves, named
from rltrain.plain_files import reason
from rltrain.report import reading, row_files, rows
from rltrain.report.groups import ALWAYS_SAID
from rltrain.report.rows import RowsApart
from rltrain.run import facts, folder, machine
from rltrain.spelling import shown
from rltrain.yaml_subset import flow

VERSIONS = ("python", *machine.PACKAGES)
TABLES = {"training": "metrics.jsonl", "evaluations": "eval.jsonl"}


@dataclass(frozen=True)
class SettingApart:
    """A setting that two configs do not share, by its dotted name, as YAML writes the values; None: it has none."""

    key: str
    one: str | None
    other: str | None
    one_default: bool  # whether it is what a config gets that does not name it
    other_default: bool


@dataclass(frozen=True)
class FactApart:
    """What run.json says otherwise of one run than of the other; None: nothing."""

    name: str
    one: str | None
    other: str | None


@dataclass(frozen=True)
class RunsApart:
    """Two runs, and what is different between them."""

    one: str  # folders
    other: str
    settings: list[SettingApart]
    versions: list[FactApart]
    machine: list[FactApart]  # and all else that run.json says, but when and by which command the run began
    tables: dict[str, RowsApart]  # training and evaluations
    scores: dict[str, tuple[float | None, float | None]]  # last and best evaluation; None: never evaluated
    notes: list[str]  # what could not be compared, or not as it stands
    facts_known: bool = True  # whether run.json could be read of both

    @property
    def equal(self) -> bool:
        """Whether nothing is; what could not be compared is not counted."""
        return not (self.settings or self.versions or self.machine) and self.equal_numbers

    @property
    def equal_numbers(self) -> bool:
        """Whether all rows of training and evaluations are the same."""
        return all(table.equal for table in self.tables.values())

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return {"equal": self.equal, "equal_numbers": self.equal_numbers, **asdict(self)}


def diff(one: str, other: str, runs_dir: Path = Path("runs")) -> RunsApart:
    """Hold two runs, each a name or a folder, against each other. InputError for what is no run."""
    places = folder.find(runs_dir, one), folder.find(runs_dir, other)
    notes: list[str] = []
    said = [_facts(place, notes) for place in places]
    apart = list(_facts_apart(*said)) if all(said) else []
    configs = []
    for place in places:
        notes += [f"{shown(str(place))}: {line}" for file in TABLES.values() for line in row_files.damage(place / file)]
        config, edited = reading.config_of(place)
        configs.append(config)
        notes += [f"{shown(str(place))}: {line}" for line in edited]
    return RunsApart(
        str(places[0]),
        str(places[1]),
        list(_settings_apart(*configs)),
        [fact for fact in apart if fact.name in VERSIONS],
        [fact for fact in apart if fact.name not in VERSIONS],
        {name: rows.apart(places[0] / file, places[1] / file) for name, file in TABLES.items()},
        {
            "last evaluation": (_evaluation(places[0], -1), _evaluation(places[1], -1)),
            "best evaluation": (_evaluation(places[0], None), _evaluation(places[1], None)),
        },
        notes,
        all(said),
    )


def _settings_apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[SettingApart]:
    """The settings that differ, in the order of the first config; of a model's file its name alone."""
    sides = [_written(config) for config in (one, other)]
    defaults = [_defaults(config) for config in (one, other)]
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        values = [side.get(key) for side in sides]
        if values[0] != values[1]:
            usual = [
                value is not None and default.get(key) == value for value, default in zip(values, defaults, strict=True)
            ]
            yield SettingApart(key, values[0], values[1], usual[0], usual[1])


def _written(config: Mapping[str, Any]) -> dict[str, str]:
    found = {key: flow(value) for key, value in leaves(config)}
    name = str(config["environment"]["id"])
    if "/model/" in name or name.startswith("model/"):  # a copy in the run's folder
        found["environment.id"] = flow(Path(name).name)
    return found


def _defaults(config: Mapping[str, Any]) -> dict[str, str]:
    """What a config of this algorithm and environment says that names no setting; nothing where they are not here."""
    with suppress(RltrainError):
        plain = named(str(config["algorithm"]["name"]), str(config["environment"]["id"]))
        return {key: flow(value) for key, value in leaves(plain.to_dict()) if key not in ALWAYS_SAID}
    return {}


def _facts(place: Path, notes: list[str]) -> dict[str, str]:
    """What run.json says in one level, without when and how the run was begun; nothing, and a note, if unreadable."""
    try:
        known = facts.read(place)
    except (OSError, ValueError) as error:
        notes.append(f"{shown(str(place))}: run.json cannot be read ({shown(reason(error))}): versions are not known")
        return {}
    found = dict(known["machine"])
    found |= {name: str(value).split(":")[0] for name, value in known.get("chosen", {}).items()}
    for name, imported in known.get("imports", {}).items():
        found |= {f"{name} {key}": str(value) for key, value in imported.items()}
    found["exact"] = "true" if known["exact"] else f"false: {known.get('why', '')}"
    for key in ("started_from", "forked"):
        if isinstance(known.get(key), dict):
            found[key.replace("_", " ")] = f"{known[key].get('run')} {known[key].get('checkpoint')}"
    return found


def _facts_apart(one: Mapping[str, str], other: Mapping[str, str]) -> Iterator[FactApart]:
    for name in dict.fromkeys([*one, *other]):
        if one.get(name) != other.get(name):
            yield FactApart(name, one.get(name), other.get(name))


def _evaluation(place: Path, which: int | None) -> float | None:
    """The mean of an evaluation by its place; None: of the best."""
    means = reading.read(place / TABLES["evaluations"], ("mean",), most=None).get("mean", [])
    known = [mean for mean in means if math.isfinite(mean)]
    if not known:
        return None
    return max(known) if which is None else known[which]
