"""What is seen of a sweep at work: the best so far, the runs that are under way, and how long it takes.

A log has a line for each trial that is told, and one a minute that says how far all of it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.text import Text

from rltrain import words
from rltrain.cli import columns, frame
from rltrain.cli.columns import Column
from rltrain.cli.frame import Pair
from rltrain.verbs.sweep.dimensions import Space, values
from rltrain.verbs.sweep.journal import JournaledTrial
from rltrain.verbs.sweep.standing import SweepMoment
from rltrain.verbs.sweep.study import trial_name
from rltrain.yaml_subset import flow

LINE_SECONDS = 60.0  # between two lines of a log that say how far it is
FRAME_LINES = 9  # besides the runs
FEWEST_ROWS = 3


@dataclass(frozen=True)
class SweepFacts:
    """What a view knows besides the moments."""

    title: str
    folder: str
    what: str  # tpe, 64 trials of 3 seeds, 4 at a time
    space: Space


class SweepDisplay:
    """A sweep, as moments tell of it."""

    def __init__(self, facts: SweepFacts) -> None:
        self._facts = facts
        self._moment: SweepMoment | None = None
        self._spoke = -math.inf

    # As a picture

    def take(self, moment: SweepMoment) -> bool:
        self._moment = moment
        return moment.urgent

    def picture(self, width: int, height: int) -> RenderableType | None:
        moment = self._moment
        if moment is None:
            return None
        width = min(frame.MOST_WIDTH, width) - frame.SIDES
        most = max(FEWEST_ROWS, height - FRAME_LINES)
        runs = sorted(moment.runs, key=lambda run: run.state != "running")[:most]
        rows = [
            Column("run", [run.name for run in runs], words=True),
            Column("state", [run.state for run in runs], 1, words=True, least=9),
            Column("done", [words.percent(run.share) for run in runs], 2, least=7),
        ]
        pairs = [
            Pair("trials", f"{moment.told:,} of {moment.trials:,}", 0),
            Pair("elapsed", words.duration(moment.seconds), 2),
            Pair("left", words.duration(moment.left), 1),
        ]
        best = Text("no score yet", style="dim")
        if moment.best is not None:
            best = Text.assemble(("best ", "dim"), (trial_line(self._facts.space, moment.best), "green"))
        doing = Text(moment.note or moment.doing, style="bold" if moment.note else "")
        below = [
            frame.bar(moment.share, width),
            *frame.filled(pairs, width, (8, 20, 8, 11, 8, 14)),
            frame.one_line(best, width),
            frame.one_line(doing, width),
        ]
        parts = [columns.table(rows, width, expand=True), Rule(style="dim"), *below]
        panel = frame.panel(parts, (self._facts.title, self._facts.folder), self._facts.what, width)
        return Group(panel, Text(""))  # an empty line for the ^C that a terminal echoes

    # As a log

    def opening(self, now: float) -> Sequence[str]:
        self._spoke = now
        return [f"{self._facts.title} · {self._facts.folder} · {self._facts.what}"]

    def lines(self, moment: SweepMoment, now: float) -> Sequence[str]:
        first, self._moment = self._moment is None, moment
        said = [f"  {trial_line(self._facts.space, trial)}" for trial in moment.news]
        if now - self._spoke >= LINE_SECONDS or (first and moment.told):
            self._spoke = now
            times = f"{words.duration(moment.seconds)} / {words.duration(moment.left)} left"
            parts = [f"{words.percent(moment.share):>9}", times, f"{moment.told:,} of {moment.trials:,} trials"]
            parts += [moment.note or moment.doing]
            if moment.best is not None:
                parts.append(f"best {words.score(moment.best.score)} ({trial_name(moment.best.number)})")
            said.append("  ".join(part for part in parts if part))
        return said

    def closing(self, now: float) -> Sequence[RenderableType]:
        return []


def trial_line(space: Space, trial: JournaledTrial) -> str:
    """t0007  212.4  learning_rate 0.00316, hidden [64, 64]"""
    last = trial.tells[-1]
    score = "diverged" if last.diverged else words.score(last.score)
    tried = ", ".join(f"{key.rpartition('.')[2]} {_short(value)}" for key, value in values(space, trial.point).items())
    return f"{trial_name(trial.number)}  {score}  {tried}"


def _short(value: Any) -> str:
    return words.number(value) if isinstance(value, float) else flow(value)
