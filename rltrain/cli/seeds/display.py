"""What is seen of several seeds: a table with a row for each, and how all of them stand together.

It is made for a window of 80 columns; a narrower one, down to 30, has fewer columns. Where the window has fewer lines
than there are seeds, those that run are shown first, then those that ended badly. A log has a line for whatever a seed
begins or ends, one for all of them every ten seconds, and the table at the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rltrain import words
from rltrain.cli import columns, frame
from rltrain.cli.columns import Column
from rltrain.cli.display import LINE_SECONDS, LOG_WIDTH
from rltrain.cli.frame import Pair
from rltrain.cli.seeds.result import interval
from rltrain.run.across_seeds import Across
from rltrain.verbs import metrics
from rltrain.verbs.seeds.measure import Measure, together
from rltrain.verbs.seeds.progress import SeedRow
from rltrain.verbs.seeds.train import SeedsMoment, share_of_row

FRAME_LINES = 6  # besides the seeds and what stands below them: the frame, headings, a rule, two empty lines
FEWEST_ROWS = 3
COLOURS = {"running": "bold", "finished": "green", "waiting": "dim", "stopped": "yellow"}  # the others: red
URGENCY = {"running": 0, "failed": 1, "diverged": 1, "stopped": 2, "finished": 3, "waiting": 4}
NO_COLUMN = ("return/min", "return/max", "epsilon")  # of the metrics: a row for each seed has room for few others


@dataclass(frozen=True)
class SeedsFacts:
    """What a view knows besides the rows."""

    title: str
    folder: str
    what: str  # seeds 0 to 4, 2 at a time
    budget: Mapping[str, int]
    evaluated: bool  # whether the config asks for evaluations
    jobs: int


class SeedsDisplay:
    """Several seeds, as moments tell of them."""

    def __init__(self, facts: SeedsFacts) -> None:
        self._facts = facts
        self._moment: SeedsMoment | None = None
        self._states: dict[int, str] = {}  # of which the log has told
        self._spoke = -math.inf

    # As a picture

    def take(self, moment: SeedsMoment) -> bool:
        self._moment = moment
        return moment.urgent

    def picture(self, width: int, height: int) -> RenderableType | None:
        moment = self._moment
        if moment is None:
            return None
        width = min(frame.MOST_WIDTH, width) - frame.SIDES
        below = self._below(moment, width)
        most = height - FRAME_LINES - len(below)
        parts = [seeds_table(self._facts, moment, most, width), Rule(style="dim"), *below]
        panel = frame.panel(parts, (self._facts.title, self._facts.folder), self._facts.what, width)
        return Group(panel, Text(""))  # an empty line for the ^C that a terminal echoes, which would shift the table

    def _below(self, moment: SeedsMoment, width: int) -> list[RenderableType]:
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

    # As a log

    def opening(self, now: float) -> Sequence[str]:
        self._spoke = now
        return [f"{self._facts.title} · {self._facts.folder} · {self._facts.what}"]

    def lines(self, moment: SeedsMoment, now: float) -> Sequence[str]:
        self._moment, first = moment, not self._states
        said = []
        for row in moment.rows:
            before = self._states.get(row.seed, "waiting")
            self._states[row.seed] = row.state
            if row.state != before:
                said.append(f"  seed {row.seed:<6} {row.state:<9}{self._standing(row, moment.measure, first)}")
        if now - self._spoke >= LINE_SECONDS:
            self._spoke = now
            said.append(self._overall(moment))
        return said

    def closing(self, now: float) -> Sequence[RenderableType]:
        if self._moment is None:
            return []
        return [seeds_table(self._facts, self._moment, len(self._moment.rows), LOG_WIDTH)]

    def _standing(self, row: SeedRow, measure: Measure, first: bool) -> str:
        """Where a seed stands when its state changes; nothing to tell where it begins."""
        unit = metrics.measure(self._facts.budget)
        if unit not in row.progress.counters or (row.state == "running" and not first):
            return ""
        score = measure.of(row.progress)
        reached = f"  {words.count(row.progress.counters[unit])} {words.counter(unit)}"
        return reached + (f"  {measure.name} {measure.form(score)}" if score is not None else "")

    def _overall(self, moment: SeedsMoment) -> str:
        budget = self._facts.budget
        left = words.duration(moment.left(budget, self._facts.jobs))
        done = f"{moment.count('finished')} of {len(moment.rows)} finished"
        parts = [f"{words.percent(moment.share(budget)):>9}", f"{words.duration(moment.seconds)} / {left} left", done]
        found = together(moment.measure, moment.rows, unfinished_too=True)
        if found is not None:
            parts.append(f"{moment.measure.name} so far {interval(found, moment.measure.form)}")
        return "  ".join(parts)


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


def seeds_table(facts: SeedsFacts, moment: SeedsMoment, most_rows: int, width: int) -> Table:
    """A row for each seed, or for those that matter most; where they are too wide, fewer columns."""
    unit = metrics.measure(facts.budget)
    values: dict[str, float] = {}
    for row in moment.rows:
        values |= {name: value for name, value in row.progress.metrics.items() if math.isfinite(value)}
    known = [column for column in metrics.chosen(values).items() if column[0] not in NO_COLUMN]
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
        numbers("done", [words.percent(share_of_row(row, facts.budget)) for row in shown], 2),
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


def first_rows(rows: Sequence[SeedRow], most: int) -> list[SeedRow]:
    """At most so many rows, the most urgent, in their old order."""
    if len(rows) <= most:
        return list(rows)
    urgent = sorted(rows, key=lambda row: URGENCY[row.state])[: most - 1]  # one line says what is left out
    return [row for row in rows if row in urgent]
