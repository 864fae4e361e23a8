"""What a person sees while a run trains: a live table on a terminal, lines elsewhere, next to nothing with --quiet.

Each view is given the run's events one by one. The live table is in `cli.live_table`; here are the others, and what all
of them need to know of metrics.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rltrain import words
from rltrain.cli import output
from rltrain.cli.output import Output
from rltrain.spelling import shown
from rltrain.verbs.history import Row

if TYPE_CHECKING:
    from rltrain.run.loop import Event

LINE_SECONDS = 10.0
Form = Callable[[float | None], str]
COLUMNS: dict[
    str, tuple[str, Form]
] = {  # metric -> heading and format; other metrics follow as far as the width allows
    "return/mean": ("mean", words.score),
    "return/min": ("min", words.score),
    "return/max": ("max", words.score),
    "population/best": ("best", words.score),
    "population/median": ("median", words.score),
    "population/sd": ("spread", words.score),
    "loss/td": ("loss", words.number),
    "q/mean": ("Q", words.number),
    "epsilon": ("epsilon", words.share),
    "value/start": ("V(start)", words.number),
    "error/max": ("error", words.number),
    "bound": ("bound", words.number),
    "policy/right": ("right", words.share),
    "regret": ("regret", words.number),
    "change/max": ("change", words.number),
}
ELSEWHERE = (
    "episodes",
    "replay/fill",
    "return/last",
    "length/mean",
    "champion/games",
)  # shown below the rows, or not worth a column
TABULAR = ("error/max", "bound")  # a metric of those that tell how far a table is from the truth
MOST_COLUMNS = 6
POPULATION = "population/best"  # a metric of those that try many policies at a time


@dataclass(frozen=True)
class Facts:
    """What a view knows of a run besides its events."""

    title: str
    folder: str
    budget: Mapping[str, int]
    frames_per_step: int
    progress: Callable[[], Mapping[str, float]]  # share of the budget, elapsed_seconds, steps_per_second
    past: Sequence[Row] = ()  # of the sessions that led here
    note: str = ""  # what its reader should know from the start


class View(Protocol):
    def show(self, event: Event) -> None: ...
    def close(self) -> None: ...


class Quiet:
    """Warnings alone."""

    def __init__(self, stream: Output) -> None:
        self._stream = stream

    def show(self, event: Event) -> None:
        if event.kind == "warning":
            print(shown(f"warning: {event.text}"), file=self._stream, flush=True)

    def close(self) -> None:
        pass


class Lines:
    """A line every ten seconds and one for each evaluation, save and warning: for logs."""

    def __init__(self, facts: Facts, stream: Output, clock: Callable[[], float] = time.monotonic) -> None:
        self._facts = facts
        self._stream = stream
        self._clock = clock
        self._spoke = -math.inf
        self._unsaid: Event | None = None
        self._print(f"{facts.title} · {facts.folder}")
        if facts.note:
            self._print(f"  note        {facts.note}")

    def show(self, event: Event) -> None:
        if event.kind == "step":
            self._unsaid = event
            if self._clock() - self._spoke >= LINE_SECONDS:
                self._say_step()
        elif event.kind == "warning":
            self._print(f"warning: {event.text}")
        elif event.kind == "eval":
            self._say_step()
            self._print(f"  evaluation  mean {words.score(evaluated(event))}{spread(event)}")
        elif event.kind == "save":
            self._print(f"  saved       {event.text}")

    def close(self) -> None:
        self._say_step()

    def _say_step(self) -> None:
        if self._unsaid is None:
            return
        event, self._unsaid, self._spoke = self._unsaid, None, self._clock()
        progress = self._facts.progress()
        unit = measure(self._facts.budget)
        left = words.duration(remaining(progress, event.metrics))
        parts = [
            f"{words.count(event.counters[unit]):>11} {words.counter(unit)}",
            f"{words.percent(progress['share']):>7}",
            f"{words.duration(progress['elapsed_seconds'])} / {left} left",
            f"{words.count(progress['steps_per_second'])}/s",
        ]
        tabular = is_tabular(event.metrics)  # its world may have no end, and so no games
        if unit != "episodes" and "episodes" in event.counters and (event.counters["episodes"] or not tabular):
            parts.append(f"episodes {words.count(event.counters['episodes'])}")
        for key, (heading, form) in chosen(event.metrics).items():
            parts.append(f"{heading} {form(event.metrics[key])}")
        if "replay/fill" in event.metrics:
            parts.append(f"replay {words.percent(event.metrics['replay/fill'])}")
        self._print("  ".join(parts))

    def _print(self, text: str) -> None:
        print(shown(text), file=self._stream, flush=True)


def view(facts: Facts, stream: Output, quiet: bool) -> View:
    """The view that suits where the output goes."""
    if quiet:
        return Quiet(stream)
    console = output.console(stream)
    if not console.is_terminal:
        return Lines(facts, stream)
    from rltrain.cli.live_table import LiveTable

    return LiveTable(facts, console)


def measure(budget: Mapping[str, int]) -> str:
    """The counter that stands for how far a run is: the first that the budget limits."""
    return next(iter(budget), "env_steps")


def is_tabular(metrics: Mapping[str, float]) -> bool:
    """Whether these are of a run that keeps a table of values, which the truth may be known of."""
    return any(name in metrics for name in TABULAR)


def chosen(metrics: Mapping[str, float]) -> dict[str, tuple[str, Form]]:
    """The metrics that get a column: those that are known first, then as many others as fit."""
    columns = {key: column for key, column in COLUMNS.items() if key in metrics}
    if is_tabular(metrics):  # without those that this world never has, and the curves of single learners
        known = [key for key in columns if not math.isnan(metrics[key])]
        return {key: columns[key] for key in known[:MOST_COLUMNS]}
    for key in metrics:
        if len(columns) < MOST_COLUMNS and key not in columns and key not in ELSEWHERE:
            columns[key] = (shown(key.rsplit("/", 1)[-1])[:9], words.number)
    return columns


def remaining(progress: Mapping[str, float], metrics: Mapping[str, float] | None = None) -> float:
    """Seconds to go, at the average speed so far; no more than `run.max_wall` allows.

    Sweeps end when their bound is proven, and seldom with their budget: of them only `run.max_wall` says anything.
    """
    share = 0.0 if metrics is not None and "bound" in metrics else progress["share"]
    left = progress["elapsed_seconds"] * (1 - share) / share if share > 0 else math.inf
    left = min(left, progress.get("wall_seconds_left", math.inf))
    return left if left < math.inf else math.nan


def evaluated(event: Event) -> float:
    """The score of an evaluation."""
    return float(event.metrics["mean"])


def spread(event: Event) -> str:
    """± sd, min to max, where an evaluation tells them."""
    metrics = event.metrics
    if not {"sd", "min", "max"} <= metrics.keys():
        return ""
    return f"  sd {words.score(metrics['sd'])}  min {words.score(metrics['min'])}  max {words.score(metrics['max'])}"
