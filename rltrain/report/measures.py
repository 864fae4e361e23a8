"""The axes of a comparison: `--x` and `--y` as two columns of a run.

x    a counter of the run, or `seconds` that it trained for
y    return: the mean of the last training games · eval: the mean of an evaluation · eval/median and the like
     a metric by its name: loss/td, error/max, ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.plain_files import as_number, is_count, json_lines, reason
from rltrain.report import reading
from rltrain.report.reading import Record, finite
from rltrain.spelling import did_you_mean

SCORES = ("eval", "return", "population/best")  # without --y the first that all runs have is drawn
OTHERS = ("error/max", "bound", "value/start", "error/root")  # of tabular algorithms, for want of a score
DECREASING = ("error", "bound", "change", "regret")  # first parts of metrics that learning makes small
TABLES = {"train": "metrics.jsonl", "eval": "eval.jsonl"}


class Curve(NamedTuple):
    """Finite points of one run, x increasing."""

    x: Array  # [n] float64
    y: Array  # [n] float64


def choose_x(runs: Sequence[Record], asked: str | None, table: str = "train") -> str:
    """The counter that is the x axis of all runs: `asked`, or the first that they share. InputError if one lacks it.

    table   `train`, or `eval` where only evaluations matter
    """
    counters = {run.folder: reading.counters_of(run.folder / TABLES[table]) for run in runs}
    if asked == "seconds":
        return asked
    if asked is not None:
        for folder, known in counters.items():
            if asked not in known:
                raise InputError(f"--x {asked}: {folder} does not count it{did_you_mean(asked, [*known, 'seconds'])}")
        return asked
    wanted = list(dict.fromkeys([*(run.counter for run in runs), *counters[runs[0].folder]]))
    for name in wanted:
        if all(name in known for known in counters.values()):
            return name
    said = "; ".join(f"{folder} counts {', '.join(known)}" for folder, known in counters.items())
    raise InputError(f"the runs share no counter to be the x axis: {said}; write --x seconds")


def choose_y(runs: Sequence[Record], asked: str | None) -> str:
    """The metric that is the y axis of all runs: `asked`, or the first that they share. InputError if one lacks it."""
    if asked is None:
        for name in (*SCORES, *OTHERS):
            if all(_has(run, name) for run in runs):
                return name
        raise InputError("the runs share no measure to be the y axis; write --y METRIC, each of them alone")
    for run in runs:
        if not _has(run, asked):
            known = [name for name in ("eval", "return") if _has(run, name)] + sorted(run.training)
            never = " was never evaluated" if asked == "eval" else f" has no finite {asked}"
            raise InputError(f"--y {asked}: {run.folder}{never}{did_you_mean(asked, [n for n in known if n != asked])}")
    return asked


def values(run: Record, y: str) -> Array:
    """All finite values [n] of the metric `y`, as they were measured. InputError if the file cannot be read."""
    table, column = _column(y)
    rows = reading.read(run.folder / TABLES[table], (column,), most=None)
    found = np.array(rows.get(column, []), dtype=np.float64)
    return found[np.isfinite(found)]


def better(y: str) -> Callable[[Array], float] | None:
    """The function of values [n] that gives the best one: max for scores, min for errors; None where it is unknown."""
    if y in SCORES or y in ("eval/median", "eval/min", "eval/max"):
        return lambda values: float(values.max())
    if y.split("/")[0] in DECREASING:
        return lambda values: float(values.min())
    return None


def curve(run: Record, x: str, y: str, smooth: int = 1) -> Curve:
    """The finite points of a run, each y the mean of the last `smooth` ones; of long runs an even sample of them.

    InputError if a file cannot be read.
    """
    table, column = _column(y)
    path = run.folder / TABLES[table]
    names = {run.counter, column} | ({x} if x != "seconds" else set())
    rows = reading.read(path, names, most=None)
    unknown = [np.nan] * len(next(iter(rows.values()), []))
    across = np.array(rows.get(x if x != "seconds" else run.counter, unknown), dtype=np.float64)
    up = np.array(rows.get(column, unknown), dtype=np.float64)
    if x == "seconds":
        clock = seconds(run.folder / "timings.jsonl", table, run.counter)
        across = np.array([clock.get(int(count), np.nan) if np.isfinite(count) else np.nan for count in across])
    known = np.isfinite(across) & np.isfinite(up)
    across, up = across[known], smoothed(up[known], smooth)
    order = np.argsort(across, kind="stable")
    across, up = across[order], up[order]
    last_of_its_x = np.append(np.diff(across) > 0, True)[: len(across)]
    across, up = across[last_of_its_x], up[last_of_its_x]
    stride = max(1, -(-len(across) // reading.MOST_POINTS))
    kept = np.unique(np.append(np.arange(0, len(across), stride), max(0, len(across) - 1)))[: len(across)]
    return Curve(across[kept], up[kept])


def smoothed(values: Array, window: int) -> Array:
    """The mean of the last `window` values, of fewer at the beginning; values [n] -> [n]."""
    if window <= 1 or not len(values):
        return values
    sums = np.concatenate([[0.0], np.cumsum(values)])
    end = np.arange(1, len(values) + 1)
    begin = np.maximum(0, end - window)
    mean: Array = (sums[end] - sums[begin]) / (end - begin)
    return mean


def seconds(path: Path, table: str, counter: str) -> dict[int, float]:
    """{count: seconds of training until it was reached} from timings.jsonl, for rows of `table`. InputError.

    A count that was reached again after a kill has the time of its last row.
    """
    found: dict[int, float] = {}
    try:
        for row in json_lines(path):
            count = row.get(counter)
            if row.get("table") == table and is_count(count):
                found[count] = as_number(row.get("elapsed_seconds"))
    except OSError as error:
        raise InputError(f"--x seconds: {path}: cannot be read: {reason(error)}") from error
    return found


def described(y: str, smooth: int = 1) -> str:
    """The label of the y axis of metric `y`."""
    said = {"eval": "return in evaluation", "return": "return in training"}.get(y, y)
    return said if smooth <= 1 else f"{said}\nmean of the last {smooth:,} points"


def _column(y: str) -> tuple[str, str]:
    """The table that holds a measure, and the name of its column there."""
    if y == "eval" or y.startswith("eval/"):
        return "eval", y.removeprefix("eval").removeprefix("/") or "mean"
    return "train", "return/mean" if y == "return" else y


def _has(run: Record, y: str) -> bool:
    table, column = _column(y)
    return finite((run.evaluations if table == "eval" else run.training).get(column, []))
