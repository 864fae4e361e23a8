"""What is seen of a run that trains: its whole past, one row for each stretch of it, and how it stands now.

The stretches grow as the run does. The picture is made for a window of 80 columns; a narrower one, down to 30, has
fewer columns and never a number that is cut. A log has a line every ten seconds and one for each evaluation and save.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rltrain import words
from rltrain.cli import columns, frame
from rltrain.cli.columns import Column
from rltrain.cli.display import LINE_SECONDS
from rltrain.cli.frame import MOST_WIDTH, Pair
from rltrain.verbs.history import History, HistoryRow
from rltrain.verbs.metrics import POPULATION, chosen, is_tabular, measure, remaining

if TYPE_CHECKING:
    from rltrain.run.loop import Event

HISTORY_ROWS = 20
FRAME_LINES = 7  # besides the rows and what stands below them: the frame, headings, a rule; room for what came before
EVALUATED, GAMES = 2, 5  # how soon these columns are left out: after the position and the first metric
SAVED = 28  # characters of where it was saved, so that what follows does not jump
GAP = "   "


@dataclass(frozen=True)
class RunFacts:
    """What a view knows of a run besides its events."""

    title: str
    folder: str
    budget: Mapping[str, int]
    frames_per_step: int
    progress: Callable[[], Mapping[str, float]]  # share of the budget, elapsed_seconds, steps_per_second
    past: Sequence[HistoryRow] = ()  # of the sessions that led here
    note: str = ""  # what its reader should know from the start


class RunDisplay:
    """A run, as its events tell of it."""

    def __init__(self, facts: RunFacts) -> None:
        self._facts = facts
        self._history = History(HISTORY_ROWS)
        self._last: tuple[float, int] | None = None  # the last evaluation's score, and the count at which it was made
        self._best: tuple[float, int] | None = None
        self._saved = ""
        self._busy = ""
        self._unsaid: Event | None = None  # a step of which the log has not told
        self._spoke = -math.inf
        for row in facts.past:
            self._history.add(row)
            if row.score is not None:
                self._score(row.score, row.position)

    # As a picture

    def take(self, event: Event) -> bool:
        position = event.counters.get(measure(self._facts.budget), 0)
        begins = event.kind == "busy" and not self._busy
        self._busy = event.text if event.kind == "busy" else ""
        if event.kind == "step":
            self._history.add(HistoryRow(position, dict(event.counters), dict(event.metrics)))
        elif event.kind == "eval":
            self._score(evaluated(event), position)
            past = self._history.rows[-1].metrics if self._history.rows else {}
            self._history.add(HistoryRow(position, dict(event.counters), past, evaluated(event)))
        elif event.kind == "save":
            self._saved = event.text
        return begins or event.kind not in ("step", "busy")

    def _score(self, score: float, position: int) -> None:
        self._last = (score, position)
        if self._best is None or score > self._best[0]:
            self._best = (score, position)

    def picture(self, width: int, height: int) -> RenderableType:
        width = min(MOST_WIDTH, width) - frame.SIDES
        present = self._present(self._history.rows[-1] if self._history.rows else None, width)
        rows = self._history.spread(height - FRAME_LINES - len(present))
        parts: list[RenderableType] = [self._past(rows, width)] if rows else [Text("  starting ...", style="dim")]
        return frame.panel(
            [*parts, Rule(style="dim"), *present],
            (self._facts.title, self._facts.folder),
            meaning(rows[-1].metrics if rows else {}),
            width,
        )

    def _past(self, rows: list[HistoryRow], width: int) -> Table:
        """The rows; where they are too wide, without the columns that are needed least."""
        metrics = chosen(rows[-1].metrics)
        unit = measure(self._facts.budget)
        counters = rows[-1].counters  # a table's world may have no end, and so no games
        show_episodes = unit != "episodes" and "episodes" in counters
        show_episodes &= bool(counters.get("episodes")) or not is_tabular(rows[-1].metrics)
        shown = [Column(words.counter(unit), [words.count(row.position) for row in rows])]
        if show_episodes:
            shown.append(Column("games", [words.count(row.counters["episodes"]) for row in rows], need=GAMES))
        for number, (key, (heading, form)) in enumerate(metrics.items()):
            need = 1 if number == 0 else EVALUATED + number
            shown.append(Column(heading, [form(row.metrics.get(key, math.nan)) for row in rows], need))
        scores = ["" if row.score is None else words.score(row.score) for row in rows]
        shown.append(Column("evaluated", scores, EVALUATED))
        return columns.table(shown, width, expand=True, styles=["bold" if row is rows[-1] else "" for row in rows])

    def _present(self, row: HistoryRow | None, width: int) -> list[RenderableType]:
        """What stands below the rows, line by line."""
        progress = self._facts.progress()
        counters: Mapping[str, int] = row.counters if row else {}
        metrics: Mapping[str, float] = row.metrics if row else {}
        pairs = (_of_a_table if is_tabular(metrics) else _of_games)(self._facts, counters, metrics, progress)
        return [frame.bar(progress["share"], width), *frame.filled(pairs, width), *self._below(width)]

    def _below(self, width: int) -> list[RenderableType]:
        note = [Text(part, style="yellow") for part in textwrap.wrap(self._facts.note, width)]
        saved = Text.assemble(("saved   ", "dim"), (self._saved or "not yet", "dim"))
        busy = Text(self._busy, style="bold")
        if saved.cell_len + len(GAP) + busy.cell_len <= width:
            saved.pad_right(max(0, SAVED - saved.cell_len))
            return [*self._evaluations(width), Text.assemble(saved, GAP, busy), *note]
        return [*self._evaluations(width), *(frame.one_line(text, width) for text in (saved, busy)), *note]

    def _evaluations(self, width: int) -> list[RenderableType]:
        if self._last is None or self._best is None:
            return [Text("no evaluation yet", style="dim")]
        (last, at), (best, best_at) = self._last, self._best
        last_text, best_text = (
            f"{words.score(score)} at {words.count(when)}" for score, when in ((last, at), (best, best_at))
        )
        one_line = Text.assemble(
            ("last evaluation ", "dim"), last_text, ("     best ", "dim"), (best_text, "bold green")
        )
        if one_line.cell_len <= width:
            return [one_line]
        return [
            frame.one_line(Text.assemble(("last ", "dim"), last_text), width),
            frame.one_line(Text.assemble(("best ", "dim"), (best_text, "bold green")), width),
        ]

    # As a log

    def opening(self, now: float) -> Sequence[str]:
        note = [f"  note        {self._facts.note}"] if self._facts.note else []
        return [f"{self._facts.title} · {self._facts.folder}", *note]

    def lines(self, event: Event, now: float) -> Sequence[str]:
        if event.kind == "step":
            self._unsaid = event
            return self._step(now) if now - self._spoke >= LINE_SECONDS else []
        if event.kind == "eval":
            return [*self._step(now), f"  evaluation  mean {words.score(evaluated(event))}{spread(event)}"]
        return [f"  saved       {event.text}"] if event.kind == "save" else []

    def closing(self, now: float) -> Sequence[str]:
        return self._step(now)

    def _step(self, now: float) -> list[str]:
        """The line of the last step, unless it was said."""
        if self._unsaid is None:
            return []
        event, self._unsaid, self._spoke = self._unsaid, None, now
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
        return ["  ".join(parts)]


def _of_games(
    facts: RunFacts, counters: Mapping[str, int], metrics: Mapping[str, float], progress: Mapping[str, float]
) -> list[Pair]:
    """What stands below the rows of a run that plays games."""
    unit = measure(facts.budget)
    replayed = Pair("length", words.score(metrics.get("length/mean")), 7)
    if POPULATION in metrics:
        replayed = Pair("replayed", words.count(metrics.get("champion/games", math.nan)), 7)
    elif "replay/fill" in metrics:
        replayed = Pair("replay", words.percent(metrics["replay/fill"]), 7)
    return [
        _position(facts, counters, "gen." if unit == "generations" else words.counter(unit)[:8]),
        Pair("elapsed", words.duration(progress["elapsed_seconds"]), 3),
        Pair("champion" if POPULATION in metrics else "mean 100", words.score(metrics.get("return/mean")), 1),
        Pair("frames", words.count(counters.get("env_steps", 0) * facts.frames_per_step), 8),
        Pair("left", words.duration(remaining(progress)), 2),
        extremes(metrics),
        Pair("games", words.count(counters.get("episodes", 0)), 6),
        Pair("steps/s", words.count(progress["steps_per_second"]), 5),
        replayed,
    ]


def _of_a_table(
    facts: RunFacts, counters: Mapping[str, int], metrics: Mapping[str, float], progress: Mapping[str, float]
) -> list[Pair]:
    """What stands below the rows of a run that keeps a table of values."""
    unit = measure(facts.budget)
    sweeps = "bound" in metrics
    return [
        _position(facts, counters, words.counter(unit)[:8]),
        Pair("elapsed", words.duration(progress["elapsed_seconds"]), 3),
        Pair("error", words.number(metrics.get("error/max")), 1),
        Pair(f"{words.counter(unit)}/s"[:8], words.count(progress["steps_per_second"]), 8),
        Pair("left", words.duration(remaining(progress, metrics)), 2),
        Pair("right", words.percent(metrics.get("policy/right", math.nan)), 4),
        Pair("bound", words.number(metrics.get("bound")), 5)
        if sweeps
        else Pair("games", words.count(counters.get("episodes", 0)), 7),
        Pair("change", words.number(metrics.get("change/max")), 7)
        if sweeps
        else Pair("epsilon", words.share(metrics.get("epsilon")), 6),
        Pair("V(start)", words.number(metrics.get("value/start")), 6)
        if sweeps
        else Pair("regret", words.number(metrics.get("regret")), 5),
    ]


def _position(facts: RunFacts, counters: Mapping[str, int], name: str) -> Pair:
    """How far it is, and of how much, if there is room for both."""
    unit = measure(facts.budget)
    position, goal = words.count(counters.get(unit, 0)), facts.budget.get(unit)
    return Pair(name, f"{position} of {words.count(goal)}" if goal else position, 0, position)


def meaning(metrics: Mapping[str, float]) -> str:
    """What the headings stand for."""
    if is_tabular(metrics):
        return "error: greatest distance from the truth; right: optimal actions"
    if POPULATION in metrics:
        return "mean: of the champion's own games; best, median, spread: of those tried"
    if "error/root" in metrics:
        return "V(root): found by search; exact: the truth; error: their distance; right: optimal moves"
    return "mean, min, max: raw scores of the last 100 games"


def extremes(metrics: Mapping[str, float]) -> Pair:
    """The least and the greatest return of games; of many policies that were tried, the best score."""
    if POPULATION in metrics:
        return Pair("best", words.score(metrics[POPULATION]), 4)
    low, high = (words.score(metrics.get(f"return/{end}")) for end in ("min", "max"))
    return Pair("min, max", f"{low}, {high}", 4, f"{low} {high}")


def evaluated(event: Event) -> float:
    """The score of an evaluation."""
    return float(event.metrics["mean"])


def spread(event: Event) -> str:
    """± sd, min to max, where an evaluation tells them."""
    metrics = event.metrics
    if not {"sd", "min", "max"} <= metrics.keys():
        return ""
    return f"  sd {words.score(metrics['sd'])}  min {words.score(metrics['min'])}  max {words.score(metrics['max'])}"
