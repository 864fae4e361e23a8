"""What a person sees while a run trains: a live table on a terminal, lines elsewhere, next to nothing with --quiet.

Each view is given the run's events one by one. The live table keeps the whole past on the screen: it has one row for
each stretch of the run, and the stretches grow as the run does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rltrain.cli import output, words
from rltrain.cli.history import History, Row
from rltrain.cli.output import Clean, Output
from rltrain.spelling import shown

if TYPE_CHECKING:
    from rltrain.run.loop import Event

REDRAW_SECONDS = 0.25
LINE_SECONDS = 10.0
HISTORY_ROWS = 20
FRAME_LINES = 13  # of the live table, besides its history rows
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
WIDTHS = (8, 23, 8, 9, 8, 13)  # below the rows: three names and their values; "9,999,999 of 10,000,000" fits
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


class Scores:
    """The last evaluation and the best, with the counts at which they were made."""

    def __init__(self) -> None:
        self.last: tuple[float, int] | None = None
        self.best: tuple[float, int] | None = None

    def add(self, score: float, position: int) -> None:
        self.last = (score, position)
        if self.best is None or score > self.best[0]:
            self.best = (score, position)


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


class Live80:
    """The live table, made for a window of 80 columns. It is redrawn in place; its last state stays on the screen."""

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
        if event.kind != "step" or self._clock() - self._drawn >= REDRAW_SECONDS:
            self._draw()

    def close(self) -> None:
        self._draw()
        self._live.stop()

    def _draw(self) -> None:
        self._drawn = self._clock()
        self._live.update(Clean(self.render()), refresh=True)

    def render(self) -> RenderableType:
        rows = self._history.spread(self._console.size.height - FRAME_LINES - bool(self._facts.note))
        parts: list[RenderableType] = [self._past(rows)] if rows else [Text("  starting ...", style="dim")]
        parts.append(Rule(style="dim"))
        parts.extend(self._present(rows[-1] if rows else None))
        title = Text.assemble((shown(self._facts.title), "bold"), " · ", shown(self._facts.folder))
        title.truncate(72, overflow="ellipsis")
        return Panel(
            Group(*parts),
            title=title,
            title_align="left",
            subtitle=Text(meaning(rows[-1].metrics if rows else {}), style="dim"),
            subtitle_align="right",
            width=min(80, self._console.width),
            padding=(0, 1),
        )

    def _past(self, rows: list[Row]) -> Table:
        columns = chosen(rows[-1].metrics)
        unit = measure(self._facts.budget)
        table = Table(box=None, expand=True, padding=(0, 0, 0, 1), header_style="dim", pad_edge=False)
        table.add_column(words.counter(unit), justify="right", no_wrap=True)
        counters = rows[-1].counters  # a table's world may have no end, and so no games
        show_episodes = unit != "episodes" and "episodes" in counters
        show_episodes &= bool(counters.get("episodes")) or not is_tabular(rows[-1].metrics)
        if show_episodes:
            table.add_column("games", justify="right", no_wrap=True)
        for heading, _ in columns.values():
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("evaluated", justify="right", no_wrap=True)
        for row in rows:
            cells = [words.count(row.position)]
            if show_episodes:
                cells.append(words.count(row.counters["episodes"]))
            cells += [form(row.metrics.get(key, math.nan)) for key, (_, form) in columns.items()]
            table.add_row(
                *cells, "" if row.score is None else words.score(row.score), style="bold" if row is rows[-1] else ""
            )
        return table

    def _present(self, row: Row | None) -> list[RenderableType]:
        progress = self._facts.progress()
        counters: Mapping[str, int] = row.counters if row else {}
        metrics: Mapping[str, float] = row.metrics if row else {}
        unit = measure(self._facts.budget)
        position, goal = counters.get(unit, 0), self._facts.budget.get(unit)
        share = progress["share"]
        bar = Table.grid(padding=(0, 1))
        bar.add_row(ProgressBar(total=1.0, completed=share, width=66), words.percent(share))
        grid = Table.grid(padding=(0, 1))
        for width in WIDTHS:
            grid.add_column(width=width, no_wrap=True)
        if is_tabular(metrics):
            return [bar, *self._of_a_table(counters, metrics, progress), *self._below()]
        pairs = [
            (
                "gen." if unit == "generations" else words.counter(unit)[:8],
                words.count(position) + (f" of {words.count(goal)}" if goal else ""),
            ),
            ("elapsed", words.duration(progress["elapsed_seconds"])),
            ("champion" if POPULATION in metrics else "mean 100", words.score(metrics.get("return/mean"))),
            ("frames", words.count(counters.get("env_steps", 0) * self._facts.frames_per_step)),
            ("left", words.duration(remaining(progress))),
            extremes(metrics),
            ("games", words.count(counters.get("episodes", 0))),
            ("steps/s", words.count(progress["steps_per_second"])),
            ("replayed", words.count(metrics.get("champion/games", math.nan)))
            if POPULATION in metrics
            else ("replay", words.percent(metrics["replay/fill"]))
            if "replay/fill" in metrics
            else ("length", words.score(metrics.get("length/mean"))),
        ]
        return [bar, filled(grid, pairs), *self._below()]

    def _of_a_table(
        self, counters: Mapping[str, int], metrics: Mapping[str, float], progress: Mapping[str, float]
    ) -> list[RenderableType]:
        """What stands below the rows of a run that keeps a table of values."""
        grid = Table.grid(padding=(0, 1))
        for width in WIDTHS:
            grid.add_column(width=width, no_wrap=True)
        unit = measure(self._facts.budget)
        goal = self._facts.budget.get(unit)
        sweeps = "bound" in metrics
        pairs = [
            (
                words.counter(unit)[:8],
                words.count(counters.get(unit, 0)) + (f" of {words.count(goal)}" if goal else ""),
            ),
            ("elapsed", words.duration(progress["elapsed_seconds"])),
            ("error", words.number(metrics.get("error/max"))),
            (f"{words.counter(unit)}/s"[:8], words.count(progress["steps_per_second"])),
            ("left", words.duration(remaining(progress, metrics))),
            ("right", words.percent(metrics.get("policy/right", math.nan))),
            ("bound", words.number(metrics.get("bound")))
            if sweeps
            else ("games", words.count(counters.get("episodes", 0))),
            ("change", words.number(metrics.get("change/max")))
            if sweeps
            else ("epsilon", words.share(metrics.get("epsilon"))),
            ("V(start)", words.number(metrics.get("value/start")))
            if sweeps
            else ("regret", words.number(metrics.get("regret"))),
        ]
        return [filled(grid, pairs)]

    def _below(self) -> list[RenderableType]:
        saved = Text.assemble((f"saved   {self._saved or 'not yet':<20}", "dim"), (f"   {self._busy}", "bold"))
        note = [Text(self._facts.note, style="yellow")] if self._facts.note else []
        return [self._evaluations(), saved, *note]

    def _evaluations(self) -> Text:
        if self._scores.last is None or self._scores.best is None:
            return Text("no evaluation yet", style="dim")
        (last, at), (best, best_at) = self._scores.last, self._scores.best
        return Text.assemble(
            ("last evaluation ", "dim"),
            (f"{words.score(last)} at {words.count(at)}", ""),
            ("     best ", "dim"),
            (f"{words.score(best)} at {words.count(best_at)}", "bold green"),
        )


def view(facts: Facts, stream: Output, quiet: bool) -> View:
    """The view that suits where the output goes."""
    if quiet:
        return Quiet(stream)
    console = output.console(stream)
    return Live80(facts, console) if console.is_terminal else Lines(facts, stream)


def measure(budget: Mapping[str, int]) -> str:
    """The counter that stands for how far a run is: the first that the budget limits."""
    return next(iter(budget), "env_steps")


def filled(grid: Table, pairs: Sequence[tuple[str, str]]) -> Table:
    """Three names with their values a row."""
    for start in range(0, len(pairs), 3):
        cells = [cell for name, value in pairs[start : start + 3] for cell in (Text(name, style="dim"), Text(value))]
        grid.add_row(*cells)
    return grid


def is_tabular(metrics: Mapping[str, float]) -> bool:
    """Whether these are of a run that keeps a table of values, which the truth may be known of."""
    return any(name in metrics for name in TABULAR)


def meaning(metrics: Mapping[str, float]) -> str:
    """What the headings stand for."""
    if is_tabular(metrics):
        return "error: greatest distance from the truth; right: optimal actions"
    if POPULATION in metrics:
        return "mean: of the champion's own games; best, median, spread: of those tried"
    return "mean, min, max: raw scores of the last 100 games"


def extremes(metrics: Mapping[str, float]) -> tuple[str, str]:
    """The least and the greatest return of games; of many policies that were tried, the best score."""
    if POPULATION in metrics:
        return "best", words.score(metrics[POPULATION])
    low, high = (words.score(metrics.get(f"return/{end}")) for end in ("min", "max"))
    return "min, max", f"{low}, {high}"


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
