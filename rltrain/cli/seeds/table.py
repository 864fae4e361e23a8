"""What a person sees of several seeds: a live table on a terminal, lines elsewhere, next to nothing with --quiet.

The table has a row for each seed and is made for a window of 80 columns. Where the window has fewer lines than there
are seeds, those that run are shown first, then those that ended badly.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rltrain.cli import output, table, words
from rltrain.cli.output import Clean, Output
from rltrain.cli.seeds.asked import share_of
from rltrain.cli.seeds.progress import Row
from rltrain.cli.seeds.result import Measure, interval, together
from rltrain.spelling import shown

REDRAW_SECONDS = 0.5
LINE_SECONDS = 10.0
FRAME_LINES = 9  # of the live table, besides a line for each seed
FEWEST_ROWS = 3
COLOURS = {"running": "bold", "finished": "green", "waiting": "dim", "stopped": "yellow"}  # the others: red
URGENCY = {"running": 0, "failed": 1, "diverged": 1, "stopped": 2, "finished": 3, "waiting": 4}
NO_COLUMN = ("return/min", "return/max", "epsilon")  # of the metrics: a row for each seed has room for few others


@dataclass(frozen=True)
class Facts:
    """What a view knows besides the rows."""

    title: str
    folder: str
    what: str  # seeds 0 to 4, 2 at a time
    budget: Mapping[str, int]
    evaluated: bool  # whether the config asks for evaluations
    jobs: int


@dataclass(frozen=True)
class Moment:
    """How all seeds stand."""

    rows: Sequence[Row]
    seconds: float  # of this command
    measure: Measure
    note: str = ""  # what goes on besides

    def share(self, budget: Mapping[str, int]) -> float:
        """Of all work, how much is done: the mean of the seeds' shares."""
        return sum(_share(row, budget) for row in self.rows) / len(self.rows)

    def left(self, budget: Mapping[str, int], jobs: int) -> float:
        """Seconds to go, if each seed takes as long as those that have ended, or else those that have begun."""
        shares = [(_share(row, budget), row.progress.seconds) for row in self.rows]
        known = [(share, seconds) for share, seconds in shares if share > 0 and math.isfinite(seconds)]
        whole = [seconds for share, seconds in known if share == 1] or [seconds / share for share, seconds in known]
        todo = sum(1 - share for (share, _), row in zip(shares, self.rows, strict=True) if row.state in ACTIVE)
        return todo * sum(whole) / len(whole) / max(1, min(jobs, math.ceil(todo))) if whole else math.nan

    def count(self, *states: str) -> int:
        return sum(row.state in states for row in self.rows)


ACTIVE = ("running", "waiting")


class View(Protocol):
    def show(self, moment: Moment, at_once: bool) -> None: ...
    def warn(self, seed: int, text: str) -> None: ...
    def close(self) -> None: ...


class Quiet:
    """Warnings alone."""

    def __init__(self, stream: Output) -> None:
        self._stream = stream

    def show(self, moment: Moment, at_once: bool) -> None:
        pass

    def warn(self, seed: int, text: str) -> None:
        print(shown(f"warning: seed {seed}: {text}"), file=self._stream, flush=True)

    def close(self) -> None:
        pass


class Lines:
    """A line for whatever a seed begins or ends, and one for all of them every ten seconds: for logs."""

    def __init__(self, facts: Facts, stream: Output, clock: Callable[[], float] = time.monotonic) -> None:
        self._facts, self._stream, self._clock = facts, stream, clock
        self._states: dict[int, str] = {}
        self._spoke = clock()
        self._moment: Moment | None = None
        self._print(f"{facts.title} · {facts.folder} · {facts.what}")

    def show(self, moment: Moment, at_once: bool) -> None:
        self._moment, first = moment, not self._states
        for row in moment.rows:
            before = self._states.get(row.seed, "waiting")
            self._states[row.seed] = row.state
            if row.state != before:
                self._print(f"  seed {row.seed:<6} {row.state:<9}{self._standing(row, moment.measure, first)}")
        if self._clock() - self._spoke >= LINE_SECONDS:
            self._spoke = self._clock()
            self._print(self._overall(moment))

    def warn(self, seed: int, text: str) -> None:
        self._print(f"warning: seed {seed}: {text}")

    def close(self) -> None:
        if self._moment is not None:
            console = output.console(self._stream, width=80)
            console.print(seeds_table(self._facts, self._moment, len(self._moment.rows)))

    def _standing(self, row: Row, measure: Measure, first: bool) -> str:
        """Where a seed stands when its state changes; nothing to tell where it begins."""
        unit = table.measure(self._facts.budget)
        if unit not in row.progress.counters or (row.state == "running" and not first):
            return ""
        score = measure.of(row.progress)
        reached = f"  {words.count(row.progress.counters[unit])} {words.counter(unit)}"
        return reached + (f"  {measure.name} {measure.form(score)}" if score is not None else "")

    def _overall(self, moment: Moment) -> str:
        budget = self._facts.budget
        left = words.duration(moment.left(budget, self._facts.jobs))
        done = f"{moment.count('finished')} of {len(moment.rows)} finished"
        parts = [f"{words.percent(moment.share(budget)):>9}", f"{words.duration(moment.seconds)} / {left} left", done]
        found = together(moment.measure, moment.rows, unfinished_too=True)
        if found is not None:
            parts.append(f"{moment.measure.name} so far {interval(found, moment.measure.form)}")
        return "  ".join(parts)

    def _print(self, text: str) -> None:
        print(shown(text.rstrip()), file=self._stream, flush=True)


class Live80:
    """The live table. It is redrawn in place; its last state stays on the screen."""

    def __init__(self, facts: Facts, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._facts, self._console, self._clock = facts, console, clock
        self._moment: Moment | None = None
        self._drawn = -math.inf
        self._live = Live(Text(""), console=console, auto_refresh=False, vertical_overflow="crop")
        self._live.start()

    def show(self, moment: Moment, at_once: bool) -> None:
        self._moment = moment
        if at_once or self._clock() - self._drawn >= REDRAW_SECONDS:
            self._drawn = self._clock()
            self._live.update(Clean(self.render(moment)), refresh=True)

    def warn(self, seed: int, text: str) -> None:
        self._console.print(Text(f"warning: seed {seed}: {text}", style="yellow"))

    def close(self) -> None:
        if self._moment is not None:
            self._live.update(Clean(self.render(self._moment)), refresh=True)
        self._live.stop()

    def render(self, moment: Moment) -> RenderableType:
        title = Text.assemble((shown(self._facts.title), "bold"), " · ", shown(self._facts.folder))
        title.truncate(72, overflow="ellipsis")
        parts = [
            seeds_table(self._facts, moment, self._console.size.height - FRAME_LINES),
            Rule(style="dim"),
            *self._below(moment),
        ]
        panel = Panel(
            Group(*parts),
            title=title,
            title_align="left",
            subtitle=Text(self._facts.what, style="dim"),
            subtitle_align="right",
            width=min(80, self._console.width),
            padding=(0, 1),
        )
        return Group(panel, Text(""))  # an empty line for the ^C that a terminal echoes, which would shift the table

    def _below(self, moment: Moment) -> list[RenderableType]:
        budget = self._facts.budget
        share = moment.share(budget)
        bar = Table.grid(padding=(0, 1))
        bar.add_row(ProgressBar(total=1.0, completed=share, width=66), words.percent(share))
        grid = Table.grid(padding=(0, 1))
        for width in (8, 20, 8, 11, 8, 14):
            grid.add_column(width=width, no_wrap=True)
        pairs = [
            ("finished", f"{moment.count('finished')} of {len(moment.rows)}"),
            ("elapsed", words.duration(moment.seconds)),
            ("left", words.duration(moment.left(budget, self._facts.jobs)) if moment.count("running") else "-"),
        ]
        found = together(moment.measure, moment.rows, unfinished_too=True)
        if found is None:
            so_far = Text("no score yet", style="dim")
        else:
            over = f"  {found.n} seed{'s' if found.n > 1 else ''}"
            so_far = Text.assemble(
                (f"{moment.measure.name} ", "dim"), interval(found, moment.measure.form), (over, "dim")
            )
        if moment.note:
            so_far = Text(moment.note, style="bold")
        return [bar, table.filled(grid, pairs), so_far]


def seeds_table(facts: Facts, moment: Moment, most_rows: int) -> Table:
    """A row for each seed, or for those that matter most."""
    unit = table.measure(facts.budget)
    metrics: dict[str, float] = {}
    for row in moment.rows:
        metrics |= {name: value for name, value in row.progress.metrics.items() if math.isfinite(value)}
    known = [column for column in table.chosen(metrics).items() if column[0] not in NO_COLUMN]
    columns = dict(known[:1] if facts.evaluated else known[:3])
    grid = Table(box=None, expand=True, padding=(0, 0, 0, 1), header_style="dim", pad_edge=False)
    grid.add_column("seed", justify="right", no_wrap=True)
    grid.add_column("state", no_wrap=True, width=9)
    headings = ["done", words.counter(unit), *(heading for heading, _ in columns.values())]
    headings += ["evaluated", "best"] if facts.evaluated else []
    for heading in [*headings, "time"]:
        grid.add_column(heading, justify="right", no_wrap=True, min_width=7)
    shown = first_rows(moment.rows, max(FEWEST_ROWS, most_rows))
    for row in shown:
        progress = row.progress
        cells = [words.percent(_share(row, facts.budget)), words.count(progress.counters.get(unit, math.nan))]
        cells += [form(progress.metrics.get(name, math.nan)) for name, (_, form) in columns.items()]
        cells += [words.score(progress.last), words.score(progress.best)] if facts.evaluated else []
        state = "starting" if row.state == "running" and not progress.counters else row.state
        style = COLOURS.get(row.state, "red")
        seed = str(row.seed) if row.seed < 10**7 else f"…{row.seed % 10**6:06d}"
        grid.add_row(seed, Text(state, style=style), *cells, words.duration(progress.seconds))
    hidden = [row for row in moment.rows if row not in shown]
    if hidden:
        kinds = {state: sum(row.state == state for row in hidden) for state in URGENCY}
        more = ", ".join(f"{count} {state}" for state, count in kinds.items() if count)
        grid.caption = Text(f"and {len(hidden)} more seeds: {more}", style="dim")
        grid.caption_justify = "left"
    return grid


def first_rows(rows: Sequence[Row], most: int) -> list[Row]:
    """At most so many rows, the most urgent, in their old order."""
    if len(rows) <= most:
        return list(rows)
    urgent = sorted(rows, key=lambda row: URGENCY[row.state])[: most - 1]  # one line says what is left out
    return [row for row in rows if row in urgent]


def view(facts: Facts, stream: Output, quiet: bool) -> View:
    """The view that suits where the output goes."""
    if quiet:
        return Quiet(stream)
    console = output.console(stream)
    return Live80(facts, console) if console.is_terminal else Lines(facts, stream)


def _share(row: Row, budget: Mapping[str, int]) -> float:
    return 1.0 if row.state == "finished" else share_of(row.progress.counters, budget)
