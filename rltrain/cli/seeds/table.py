"""What a person sees of several seeds: a live table on a terminal, lines elsewhere, next to nothing with --quiet.

The table has a row for each seed and is made for a window of 80 columns; a narrower one, down to 30, has fewer columns.
Where the window has fewer lines than there are seeds, those that run are shown first, then those that ended badly.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rltrain import words
from rltrain.cli import columns, frame, output, table
from rltrain.cli.columns import Column
from rltrain.cli.frame import Pair
from rltrain.cli.output import Clean, Output
from rltrain.cli.seeds.result import Measure, interval, together
from rltrain.run.across_seeds import Across
from rltrain.spelling import shown
from rltrain.verbs.seeds.asked import share_of
from rltrain.verbs.seeds.progress import Row

REDRAW_SECONDS = 0.5
LINE_SECONDS = 10.0
FRAME_LINES = 6  # besides the seeds and what stands below them: the frame, headings, a rule, two empty lines
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
            console.print(seeds_table(self._facts, self._moment, len(self._moment.rows), 80))

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


class LiveTable:
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
        width = min(frame.MOST_WIDTH, self._console.width) - frame.SIDES
        below = self._below(moment, width)
        most = self._console.size.height - FRAME_LINES - len(below)
        parts = [seeds_table(self._facts, moment, most, width), Rule(style="dim"), *below]
        panel = frame.panel(parts, (self._facts.title, self._facts.folder), self._facts.what, width)
        return Group(panel, Text(""))  # an empty line for the ^C that a terminal echoes, which would shift the table

    def _below(self, moment: Moment, width: int) -> list[RenderableType]:
        """What is said of all seeds together, line by line."""
        budget = self._facts.budget
        pairs = [
            Pair("finished", f"{moment.count('finished')} of {len(moment.rows)}", 0),
            Pair("elapsed", words.duration(moment.seconds), 2),
            Pair("left", words.duration(moment.left(budget, self._facts.jobs)) if moment.count("running") else "-", 1),
        ]
        found = together(moment.measure, moment.rows, unfinished_too=True)
        so_far = [Text("no score yet", style="dim")] if found is None else _so_far(moment.measure, found, width)
        if moment.note:
            so_far = [Text(moment.note, style="bold")]
        return [frame.bar(moment.share(budget), width), *frame.filled(pairs, width, (8, 20, 8, 11, 8, 14)), *so_far]


def _so_far(measure: Measure, found: Across, width: int) -> list[Text]:
    """The mean over seeds and its interval, on as many lines as they need."""
    name, over = Text(f"{measure.name} ", style="dim"), Text(f"  {words.many(found.n, 'seed')}", style="dim")
    whole = Text.assemble(name, interval(found, measure.form), over)
    if whole.cell_len <= width:
        return [whole]
    lines = [name, Text.assemble(measure.form(found.mean), over)]
    if found.ci95 is not None:
        low, high = (measure.form(end) for end in found.ci95)
        lines.append(Text.assemble(f"{low} to {high}", ("  95 %", "dim")))
    return [frame.one_line(line, width) for line in lines]


def seeds_table(facts: Facts, moment: Moment, most_rows: int, width: int) -> Table:
    """A row for each seed, or for those that matter most; where they are too wide, fewer columns."""
    unit = table.measure(facts.budget)
    metrics: dict[str, float] = {}
    for row in moment.rows:
        metrics |= {name: value for name, value in row.progress.metrics.items() if math.isfinite(value)}
    known = [column for column in table.chosen(metrics).items() if column[0] not in NO_COLUMN]
    shown = first_rows(moment.rows, max(FEWEST_ROWS, most_rows))
    every = [row.progress for row in shown]
    seeds = [str(row.seed) if row.seed < 10**7 else f"…{row.seed % 10**6:06d}" for row in shown]
    states = ["starting" if row.state == "running" and not row.progress.counters else row.state for row in shown]
    coloured = [Text(state, COLOURS.get(row.state, "red")) for state, row in zip(states, shown, strict=True)]

    def numbers(heading: str, cells: list[str], need: int) -> Column:
        return Column(heading, cells, need, least=7)

    made = [
        Column("seed", seeds),
        Column("state", coloured, 1, words=True, least=9),
        numbers("done", [words.percent(_share(row, facts.budget)) for row in shown], 2),
        numbers(words.counter(unit), [words.count(each.counters.get(unit, math.nan)) for each in every], 6),
    ]
    for number, (name, (heading, form)) in enumerate(known[:1] if facts.evaluated else known[:3]):
        need = 7 if facts.evaluated else 3 if number == 0 else 6 + number
        made.append(numbers(heading, [form(each.metrics.get(name, math.nan)) for each in every], need))
    if facts.evaluated:
        made.append(numbers("evaluated", [words.score(each.last) for each in every], 3))
        made.append(numbers("best", [words.score(each.best) for each in every], 4))
    made.append(numbers("time", [words.duration(each.seconds) for each in every], 5))
    grid = columns.table(made, width, expand=True)
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
    return LiveTable(facts, console) if console.is_terminal else Lines(facts, stream)


def _share(row: Row, budget: Mapping[str, int]) -> float:
    return 1.0 if row.state == "finished" else share_of(row.progress.counters, budget)
