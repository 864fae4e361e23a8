"""A run folder as columns of numbers: its config, training, evaluations and baselines.

Long files are thinned evenly while they are read, so that a picture of a run of any length costs the same memory.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.experiment.settings import environment_name
from rltrain.plain_files import as_number, is_count, read_object
from rltrain.report import row_files
from rltrain.run import unverified
from rltrain.spelling import shown

LOGS = ("metrics.jsonl", "eval.jsonl")
MOST_COLUMNS = 1_000  # of a file: ours have dozens
MOST_BASELINES = 20  # that a picture has room for
MOST_POINTS = 2_000  # of a line: more than a picture shows
Series = dict[str, list[float]]  # columns of one length, NaN where a row lacks the value
COUNTERS = {"env_steps": "steps", "seconds": "seconds of training"}  # how people call them; others as they are


@dataclass(frozen=True)
class Record:
    """A run as its files say it is; none of them is trusted to be as a run writes it."""

    folder: Path
    config: Mapping[str, Any]
    counter: str  # the first that the budget limits
    training: Series
    evaluations: Series  # empty if the run was never evaluated
    baselines: Mapping[str, float]  # means by name; empty where they were not measured
    threshold: float | None  # the return at which the environment counts as solved
    started_from: str | None = None  # the run whose weights it began with
    notes: tuple[str, ...] = ()  # where its files are not as a run writes them, and what was believed instead

    @property
    def algorithm(self) -> str:
        """The algorithm's name."""
        return str(self.config["algorithm"]["name"])

    @property
    def environment(self) -> str:
        """What people call the environment: its id, or the name of a known model's file."""
        return environment_name(str(self.config["environment"]["id"]))

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.config["run"].get("seed") or 0)

    @property
    def rule(self) -> str | None:
        """The hard-coded policy that this run plays by; None for a run that learns."""
        policy = self.config["algorithm"].get("policy")
        return str(policy) if self.algorithm == "basic" and policy else None

    def column(self, name: str) -> list[float]:
        """A training metric, one number a row; NaN in every row where the run does not report it."""
        return self.training.get(name, [math.nan] * len(self.training[self.counter]))

    @property
    def title(self) -> str:
        """The head of the run's picture: `dqn on CartPole-v1, discount 0.99`."""
        gamma = self.config["algorithm"].get("gamma")
        discount = f", discount {gamma:g}" if isinstance(gamma, int | float) else ""
        return f"{self.algorithm} on {self.environment}{discount}"


def load(folder: Path, evaluated: bool = False) -> Record:
    """The run in this folder. InputError if its config is not one that a run wrote, or it has no numbers yet.

    evaluated   its evaluations are enough: without rows of training `training` is empty
    """
    config, notes = config_of(folder)
    counter = next(iter(config["run"]["budget"]))
    damaged = [line for name in LOGS for line in row_files.damage(folder / name)]
    training, evaluations = (read(folder / name) for name in LOGS)
    if not training.get(counter) and not (evaluated and evaluations.get(counter)):
        why = "".join(f"; {line}" for line in damaged)
        if evaluations:
            why += f"; {LOGS[0]} is missing or holds none, though the run was evaluated"
        raise InputError(f"{shown(str(folder))}: no numbers yet{why}")
    if not training:
        damaged.append(f"{LOGS[0]}: is missing or holds no row, so nothing is known of its training")
    baselines, threshold = references(folder)
    return Record(
        folder, config, counter, training, evaluations, baselines, threshold, _started_from(folder), (*notes, *damaged)
    )


def notes_of(runs: Iterable[Record]) -> list[str]:
    """The notes of runs, with their folders."""
    return [f"{shown(str(run.folder))}: {note}" for run in runs for note in run.notes]


def _started_from(folder: Path) -> str | None:
    try:
        run = read_object(folder / "run.json", unverified.MOST_BYTES)["started_from"]["run"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return shown(Path(run).name) if isinstance(run, str) else None


def config_of(folder: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The complete configuration of a run, nested blocks, and a line for each edit of it that is not believed.

    InputError if config.yaml is not one that a run wrote.
    """
    found = unverified.config(folder)
    if found.value is None or found.faults:
        rule = "not the complete configuration that a run writes"
        raise InputError(f"{shown(str(folder))}: {rule}: {found.faults[0]}")
    return dict(found.value), found.edits


def references(folder: Path) -> tuple[dict[str, float], float | None]:
    """{baseline: mean return} of baselines.json, and the return that counts as solved; empty and None if unknown."""
    try:
        found = read_object(folder / "baselines.json", unverified.MOST_BYTES)
        means = {name: as_number(mean) for name, mean in list(found["baselines"].items())[:MOST_BASELINES]}
        threshold = as_number(found["reward_threshold"])
        known = {name: mean for name, mean in means.items() if math.isfinite(mean)}
        return known, threshold if math.isfinite(threshold) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}, None


def read(path: Path, only: Collection[str] | None = None, most: int | None = MOST_POINTS) -> Series:
    """The columns of a log, or `only` these, by the path of its JSON lines; see `row_files`. Empty without the file.

    most   more than twice as many rows are thinned evenly, and the last one kept; None: every row
    InputError if the file cannot be read.
    """
    rows: list[dict[str, Any]] = []
    last: dict[str, Any] | None = None
    stride = 1
    for number, found in enumerate(row_files.rows(path)):
        row = (
            dict(islice(found.items(), MOST_COLUMNS))
            if only is None
            else {name: found[name] for name in only if name in found}
        )
        if number % stride == 0:
            rows.append(row)
        if most is not None and len(rows) > 2 * most:
            rows, stride = rows[::2], 2 * stride
        last = row
    if last is not None and rows[-1] is not last:
        rows.append(last)
    names = dict.fromkeys(chain.from_iterable(rows))
    return {name: [as_number(row.get(name)) for row in rows] for name in islice(names, MOST_COLUMNS)}


def counters_of(path: Path) -> list[str]:
    """The counters of a log, by the path of its JSON lines: the whole numbers in its first row; metrics are floats."""
    first = next(row_files.rows(path), {})
    return [name for name, value in islice(first.items(), MOST_COLUMNS) if is_count(value)]


def column(values: Sequence[float], counts: bool) -> Array:
    """[n] int64 of a counter, -1 where a row lacks it; float64 of a metric."""
    found = np.array(values, np.float64)
    return np.where(np.isnan(found), -1, found).astype(np.int64) if counts else found


def finite(values: Collection[float]) -> bool:
    """Whether any of the values is a finite number, so that there is something to draw."""
    return any(map(math.isfinite, values))
