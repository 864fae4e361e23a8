"""A sweep's folder as its files describe it: which sweep it is, and what came of its trials so far.

    runs/NAME/sweep.yaml    what is varied, and how
    runs/NAME/base.yaml     the config that is varied
    runs/NAME/trials.csv    a row for each trial, written whole at the end of each batch

The folder may be somebody else's, half written or edited by hand: what does not fit is one error with file and line.
"""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rltrain.cells import table_of, unguarded
from rltrain.errors import CheckpointError, InputError
from rltrain.experiment.space import OneOf, Varied
from rltrain.experiment.sweep import SweepConfig, outline
from rltrain.plain_files import LARGEST, read_plain, reason
from rltrain.run import folder as folders
from rltrain.spelling import brief, described, last_of, nearest, shown
from rltrain.yaml_subset import flow, resolve

SWEEP, BASE, TRIALS = "sweep.yaml", "base.yaml", "trials.csv"
COLUMNS = ("trial", "state", "rung", "counter", "score", "seeds", "ci95_low", "ci95_high")  # then the space's keys
STATES = ("running", "finished", "paused", "diverged", "failed")
MAX_BYTES = 1 << 27  # of trials.csv: 100,000 trials of twenty settings have 30 MB


def trial_name(number: int) -> str:
    """Of the folder of a trial: t0007."""
    return f"t{number:04d}"


@dataclass(frozen=True)
class TrialRow:
    """A trial as trials.csv has it; None where there is nothing yet."""

    number: int
    state: str  # of STATES
    rung: int | None  # the last at which it was scored, from 0; None without halving
    counter: int | None  # how far it came
    score: float | None
    seeds: int  # that were scored
    ci95: tuple[float, float] | None  # of the score, over seeds
    cells: tuple[str, ...]  # what it tried, a text for each setting of the space

    @property
    def name(self) -> str:
        """Of its folder: t0007."""
        return trial_name(self.number)


@dataclass(frozen=True)
class Study:
    """A sweep and the trials that were begun, by their numbers."""

    folder: Path
    settings: SweepConfig
    space: Mapping[str, Varied]
    rows: Sequence[TrialRow]

    def values(self, row: TrialRow) -> dict[str, Any]:
        """{setting: value} of a trial, each one of the space. CheckpointError."""
        return {
            key: value_of(varied, cell, f"{self.folder / TRIALS}: trial {row.number}: {key}")
            for (key, varied), cell in zip(self.space.items(), row.cells, strict=True)
        }


def find(runs_dir: Path, given: str) -> Path:
    """The folder of a sweep that is given by its name or its path. InputError with the nearest name."""
    named = [runs_dir / given] if folders.NAME.fullmatch(given) else []
    places = [path for path in (*named, Path(given)) if given and os.path.isdir(path)]
    for path in places:
        if os.path.isfile(path / folders.SWEEP_MARKER):
            return path
    known = folders.sweeps(runs_dir)
    near = nearest(given, known)
    if places:
        is_run = any(os.path.isfile(places[0] / marker) for marker in (folders.MARKER, folders.GROUP_MARKER))
        what = "a run, no sweep" if is_run else f"no sweep: it holds no {folders.SWEEP_MARKER}"
        raise InputError(f"{shown(str(places[0]))} is {what}")
    hint = f"did you mean {near}?" if near else f"it has {last_of(known)}" if known else "there are none yet"
    raise InputError(f"no sweep '{brief(given, 200)}' in {shown(str(runs_dir))}; {shown(hint)}")


def read(folder: Path) -> Study:
    """The sweep in a folder. InputError for its sweep.yaml, CheckpointError for its trials.csv, with file and line."""
    settings, space = outline(folder / SWEEP)
    return Study(folder, settings, space, list(_rows(folder / TRIALS, list(space))))


def value_of(varied: Varied, cell: str, place: str = "") -> Any:
    """The value of a space that this cell of trials.csv stands for. CheckpointError, which begins with `place`."""
    if isinstance(varied, OneOf):
        return varied.values[index_of(varied, cell, place)]
    number = resolve(cell)
    if isinstance(number, bool) or not isinstance(number, int | float) or not varied.low <= number <= varied.high:
        rule = f"expected a number from {flow(varied.low)} to {flow(varied.high)}"
        raise CheckpointError(f"{shown(place)}: {rule}, as {SWEEP} says, found {described(cell)}")
    return int(number) if varied.whole else float(number)


def index_of(varied: OneOf, cell: str, place: str = "") -> int:
    """Which of its values this cell of trials.csv stands for. CheckpointError, which begins with `place`."""
    if cell not in varied.index:
        raise CheckpointError(f"{shown(place)}: {described(cell)} is none of the values in {SWEEP}")
    return varied.index[cell]


def short(key: str, keys: Sequence[str]) -> str:
    """A setting's name without its block, where that is enough to tell it from the others."""
    last = key.rpartition(".")[2]
    return last if [other.rpartition(".")[2] for other in keys].count(last) == 1 else key


def _rows(path: Path, keys: list[str]) -> Iterator[TrialRow]:
    """The rows of trials.csv; none where there is no such file, as before the first batch ends."""
    if not os.path.lexists(path):
        return
    try:
        head, rows = table_of(read_plain(path, MAX_BYTES).decode())
    except (OSError, ValueError, csv.Error) as error:
        raise CheckpointError(f"{shown(str(path))}: cannot be read: {shown(reason(error))}") from error
    if head != [*COLUMNS, *keys]:
        wanted = ", ".join([*COLUMNS, *keys])
        raise CheckpointError(
            f"{shown(str(path))}:1: expected the columns {wanted}, found {brief(', '.join(head), 200)}"
        )
    last = -1
    for line, cells in enumerate(rows, start=2):
        place = f"{shown(str(path))}:{line}"
        if len(cells) != len(head):
            raise CheckpointError(f"{place}: expected {len(head)} cells, found {len(cells)}")
        row = _row(place, cells)
        if row.number <= last:
            raise CheckpointError(f"{place}: trial {row.number} comes after trial {last}")
        last = row.number
        yield row


def _row(place: str, cells: list[str]) -> TrialRow:
    number, state, rung, counter, score, seeds, low, high = cells[: len(COLUMNS)]
    if state not in STATES:
        raise CheckpointError(f"{place}: state: expected one of {', '.join(STATES)}, found {described(state)}")
    ends = _number(place, "ci95_low", low), _number(place, "ci95_high", high)
    return TrialRow(
        _count(place, "trial", number),
        state,
        None if rung == "" else _count(place, "rung", rung),
        None if counter == "" else _count(place, "counter", counter),
        _number(place, "score", score),
        _count(place, "seeds", seeds or "0"),
        None if ends[0] is None or ends[1] is None else (ends[0], ends[1]),
        tuple(map(unguarded, cells[len(COLUMNS) :])),
    )


def _count(place: str, column: str, cell: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", cell):
        raise CheckpointError(f"{place}: {column}: expected a whole number, found {described(cell)}")
    return int(cell)


def _number(place: str, column: str, cell: str) -> float | None:
    if cell == "":
        return None
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not abs(number) <= LARGEST:  # nor NaN
        raise CheckpointError(f"{place}: {column}: expected a number, found {described(cell)}")
    return number
