"""The live table of a run that trains: its whole past, one row for each stretch of it, and how it stands now.

The stretches grow as the run does. It is made for a window of 80 columns; a narrower one, down to 30, has fewer columns
and never a number that is cut.
"""

from __future__ import annotations

import math
import textwrap
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rltrain import words
from rltrain.cli import columns, frame
from rltrain.cli.columns import Column
from rltrain.cli.frame import MOST_WIDTH, Pair
from rltrain.cli.output import Clean
from rltrain.cli.table import POPULATION, Facts, chosen, evaluated, is_tabular, measure, remaining
from rltrain.verbs.history import History, Row

if TYPE_CHECKING:
    from rltrain.run.loop import Event

REDRAW_SECONDS = 0.25
HISTORY_ROWS = 20
FRAME_LINES = 7  # besides the rows and what stands below them: the frame, headings, a rule; room for what came before
EVALUATED, GAMES = 2, 5  # how soon these columns are left out: after the position and the first metric
SAVED = 28  # characters of where it was saved, so that what follows does not jump
GAP = "   "


class Scores:
    """The last evaluation and the best, with the counts at which they were made."""

    def __init__(self) -> None:
        self.last: tuple[float, int] | None = None
        self.best: tuple[float, int] | None = None

    def add(self, score: float, position: int) -> None:
        self.last = (score, position)
        if self.best is None or score > self.best[0]:
            self.best = (score, position)


class LiveTable:
    """It is redrawn in place; its last state stays on the screen."""

    def __init__(self, facts: Facts, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._facts = facts
        self._console = console
        self._clock = clock
        self._drawn = -math.inf
        self._history = History(HISTORY_ROWS)
        self._scores = Scores()
        self._saved = ""
        self._busy = ""
        for row in facts.past:
            self._history.add(row)
            if row.score is not None:
                self._scores.add(row.score, row.position)
        self._live = Live(Clean(self.render()), console=console, auto_refresh=False, vertical_overflow="crop")
        self._live.start(refresh=True)

    def show(self, event: Event) -> None:
        position = event.counters.get(measure(self._facts.budget), 0)
        begins = event.kind == "busy" and not self._busy
        self._busy = event.text if event.kind == "busy" else ""
        if event.kind == "step":
            self._history.add(Row(position, dict(event.counters), dict(event.metrics)))
        elif event.kind == "eval":
            self._scores.add(evaluated(event), position)
            past = self._history.rows[-1].metrics if self._history.rows else {}
            self._history.add(Row(position, dict(event.counters), past, evaluated(event)))
        elif event.kind == "save":
            self._saved = event.text
        elif event.kind == "warning":
            self._console.print(Text(f"warning: {event.text}", style="yellow"))
        if begins or event.kind not in ("step", "busy") or self._clock() - self._drawn >= REDRAW_SECONDS:
            self._draw()

    def close(self) -> None:
        self._draw()
        self._live.stop()

    def _draw(self) -> None:
        self._drawn = self._clock()
        self._live.update(Clean(self.render()), refresh=True)

    def render(self) -> RenderableType:
        width = min(MOST_WIDTH, self._console.width) - frame.SIDES
        present = self._present(self._history.rows[-1] if self._history.rows else None, width)
        rows = self._history.spread(self._console.size.height - FRAME_LINES - len(present))
        parts: list[RenderableType] = [self._past(rows, width)] if rows else [Text("  starting ...", style="dim")]
        return frame.panel(
            [*parts, Rule(style="dim"), *present],
            (self._facts.title, self._facts.folder),
            meaning(rows[-1].metrics if rows else {}),
            width,
        )

    def _past(self, rows: list[Row], width: int) -> Table:
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

    def _present(self, row: Row | None, width: int) -> list[RenderableType]:
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
        if self._scores.last is None or self._scores.best is None:
            return [Text("no evaluation yet", style="dim")]
        (last, at), (best, best_at) = self._scores.last, self._scores.best
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


def _of_games(
    facts: Facts, counters: Mapping[str, int], metrics: Mapping[str, float], progress: Mapping[str, float]
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
    facts: Facts, counters: Mapping[str, int], metrics: Mapping[str, float], progress: Mapping[str, float]
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


def _position(facts: Facts, counters: Mapping[str, int], name: str) -> Pair:
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
    return "mean, min, max: raw scores of the last 100 games"


def extremes(metrics: Mapping[str, float]) -> Pair:
    """The least and the greatest return of games; of many policies that were tried, the best score."""
    if POPULATION in metrics:
        return Pair("best", words.score(metrics[POPULATION]), 4)
    low, high = (words.score(metrics.get(f"return/{end}")) for end in ("min", "max"))
    return Pair("min, max", f"{low}, {high}", 4, f"{low} {high}")
