"""Which of two or more sets of runs is better, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from rltrain import words
from rltrain.errors import InputError
from rltrain.progress import Progress
from rltrain.report import canvas, conditions, inference, reading, score_profile, scored, verdict
from rltrain.report import groups as grouping
from rltrain.report import sides as sorting
from rltrain.report.inference import Strata
from rltrain.report.reading import Record
from rltrain.report.scored import On, ScoreScale
from rltrain.report.sides import Side
from rltrain.report.verdict import Duel
from rltrain.run import unverified
from rltrain.spelling import brief, described, did_you_mean, shown
from rltrain.verbs import plot as plots

LABEL = 60  # characters of a side's name
BY = ("environment",)
SAME_LENGTH = 0.9  # of the longest run: shorter ones are said


@dataclass(frozen=True)
class SideScore:
    """The runs of one side and what they scored; where there are several environments the means are of shares."""

    label: str
    runs: list[str]  # their folders
    seeds: dict[str, list[int]]  # by environment
    scores: dict[str, list[float]]  # raw, in the order of the seeds
    mean: float
    mean_low: float | None  # Student's 95 % interval over seeds; None: fewer than three seeds
    mean_high: float | None
    iqm: float
    iqm_low: float | None  # 95 % interval of the stratified bootstrap
    iqm_high: float | None


@dataclass(frozen=True)
class ComparedSides:
    """Sides, what each scored, and the best held against each other one."""

    on: On
    measure: str  # what a run's score is, in words
    environments: list[str]
    scale: dict[str, ScoreScale] | None  # what is 0 and 1, by environment; None: of one environment scores are raw
    sides: list[SideScore]  # patterns and folders first, each in the order given
    duels: list[Duel]  # the side of the highest mean against the others, the best of these first
    notes: list[str]  # runs that are left out, and what makes the comparison less than fair
    picture: str | None  # the file
    ranges: dict[str, tuple[float, float]] | None = None  # of auc: the counts that the means are over, by environment

    @property
    def verdict(self) -> str:
        """What is better, in a sentence for each pair."""
        return "\n".join(duel.verdict for duel in self.duels)

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return {**asdict(self), "verdict": self.verdict}

    def __repr__(self) -> str:
        rows = [f"{side.label}: mean {between(side.mean, side.mean_low, side.mean_high)}" for side in self.sides]
        said = [*rows, *self.verdict.splitlines()]
        return f"<{self.measure} on {', '.join(self.environments)}: {'; '.join(said)}>"


def compare(
    runs: Sequence[str],
    output: Path | None = None,
    *,
    on: str = "final",
    by: str | None = None,
    runs_dir: Path = Path("runs"),
    progress: Progress | None = None,
) -> ComparedSides:
    """Compare runs that are given by names, folders or patterns; of several patterns or folders each is a side.

    on      final, best or auc: see `rltrain.report.scored`
    by      environment: average over several, of which scores become shares
    output  where the picture goes; None: there is none
    InputError for what cannot be compared, DiskError where the picture cannot be written, MissingError.
    """
    if not runs:
        raise InputError("compare what? Runs, patterns or folders of several seeds: 'dqn-*', 'ppo-*'")
    if output is not None:
        canvas.check(output)
    chosen = _among("--on", on, get_args(On))
    if by is not None:
        _among("--by", by, BY)
    given, alone, notes = _records(runs, runs_dir)
    sides, environments, repeated = sorting.sides(given, alone, by is not None)
    notes += repeated
    ranges: dict[str, tuple[float, float]] = {}
    raw: list[dict[str, Any]] = [{} for _ in sides]
    scales: dict[str, ScoreScale] = {}
    for name in environments:
        every = [run for side in sides for run in side.runs[name]]
        conditions.check(every)
        found = iter(scored.scores(every, chosen).tolist())
        for own, side in zip(raw, sides, strict=True):
            own[name] = np.array([next(found) for _ in side.runs[name]])
        if len(environments) > 1:
            known = scored.has_scale(every)
            scales[name] = scored.scale(every if known else [plots.with_baselines(every[0], progress)])
        counter = scored.steps_of(every)
        if chosen == "auc":
            ranges[name] = scored.common_range(every)
        notes += _unequal(name, every, counter, ranges.get(name))
    strata = [[scales[name].normalised(own[name]) if scales else own[name] for name in environments] for own in raw]
    over = _between(ranges[environments[0]], counter) if len(ranges) == 1 else f"over {words.counter(counter)}"
    measure = scored.SAID[chosen].format(over=over)
    labels = [brief(side.label, LABEL) for side in sides]
    picture = None
    if output is not None:
        axis = f"{measure}, normalised: 0 random play, 1 {_ones(scales)}" if scales else measure
        figure = score_profile.draw(list(zip(labels, strata, strict=True)), _title(environments), axis, bool(scales))
        picture = str(canvas.write(figure, output))
    return ComparedSides(
        on=chosen,
        measure=measure,
        environments=environments,
        scale=scales or None,
        sides=[_score(*each) for each in zip(labels, sides, raw, strata, strict=True)],
        duels=_duels(labels, sides, strata),
        notes=notes,
        picture=picture,
        ranges=ranges or None,
    )


def between(value: float, low: float | None, high: float | None) -> str:
    """A score with its interval: `412 (380 to 444)`."""
    return words.score(value) + ("" if low is None else f" ({words.score(low)} to {words.score(high)})")


def _among(option: str, given: str, known: Sequence[str]) -> Any:
    if given not in known:
        raise InputError(f"{option} {described(given)}: is not known{did_you_mean(str(given), known)}")
    return given


def _records(runs: Sequence[str], runs_dir: Path) -> tuple[dict[str, list[Record]], list[Record], list[str]]:
    """The runs of each pattern or folder, where there are several arguments; those named one by one; what is left out.

    InputError for a run that belongs to two sides.
    """
    found = {text: plots.chosen([text], runs_dir) for text in runs}
    of_several = {
        text: folders
        for text, folders in found.items()
        if len(found) > 1 and (len(folders) > 1 or any(sign in text for sign in "*?["))
    }
    homes: dict[Path, str] = {}
    for text, folders in of_several.items():
        for folder in folders:
            if homes.setdefault(folder.resolve(), text) != text:
                first = homes[folder.resolve()]
                raise InputError(
                    f"{shown(str(folder))}: is of both {shown(first)} and {shown(text)}; a run has one side"
                )
    rest = {
        folder.resolve(): folder
        for text, folders in found.items()
        if text not in of_several
        for folder in folders
        if folder.resolve() not in homes
    }
    notes: list[str] = []
    given = {}
    for text, folders in of_several.items():
        given[text], empty = plots.loaded(folders, forgiving=len(folders) > 1, evaluated=True)
        notes += empty
    alone: list[Record] = []
    if rest:
        alone, empty = plots.loaded(list(rest.values()), forgiving=len(rest) > len(runs), evaluated=True)
        notes += empty
    notes = [f"{note}; it is left out" for note in notes]
    return given, alone, notes + reading.notes_of([run for runs in (*given.values(), alone) for run in runs])


def _score(label: str, side: Side, raw: dict[str, Any], strata: Strata) -> SideScore:
    mean, middle = inference.mean(strata), inference.iqm_interval(strata)
    ends = [None if math.isnan(end) else end for end in (mean.low, mean.high, middle.low, middle.high)]
    return SideScore(
        label,
        [str(run.folder) for own in side.runs.values() for run in own],
        {name: side.seeds(name) for name in side.runs},
        {name: scores.tolist() for name, scores in raw.items()},
        mean.value,
        ends[0],
        ends[1],
        middle.value,
        ends[2],
        ends[3],
    )


def _duels(labels: Sequence[str], sides: Sequence[Side], strata: Sequence[Strata]) -> list[Duel]:
    """The side of the highest mean against each other one, in the order of these."""
    order = sorted(range(len(sides)), key=lambda number: -inference.mean(strata[number]).value)
    best, level = order[0], verdict.level_of(len(sides))
    return [
        verdict.duel(
            (labels[best], strata[best]),
            (labels[other], strata[other]),
            sorting.paired(sides[best], sides[other]),
            level,
        )
        for other in order[1:]
    ]


def _between(ends: tuple[float, float], counter: str) -> str:
    return f"from {words.count(ends[0])} to {words.count(ends[1])} {words.counter(counter)}"


def _unequal(environment: str, runs: Sequence[Record], counter: str, compared: tuple[float, float] | None) -> list[str]:
    """What makes a comparison of these runs of an environment less than fair, a line each.

    compared   the counts between which the runs are compared; None: each at its own end
    """
    notes, names = [], dict(zip((run.folder for run in runs), grouping.folder_names(runs), strict=True))
    unfinished = [names[run.folder] for run in runs if unverified.status(run.folder).state not in (None, "finished")]
    if unfinished:
        notes.append(f"not at its end: {_first_of(unfinished)}")
    until = [names[run.folder] for run in runs if _reached(run)]
    if until:
        notes.append(f"ended by an evaluation that reached run.evaluate.until, which flatters: {_first_of(until)}")
    last = {names[run.folder]: run.evaluations.get(counter, [math.nan])[-1] for run in runs}
    short, long = min(last, key=lambda name: last[name]), max(last, key=lambda name: last[name])
    if last[short] < SAME_LENGTH * last[long]:
        one, other = (f"{shown(name)} at {words.count(last[name])}" for name in (short, long))
        if compared is not None:
            within = f"compared {_between(compared, counter)}, which all runs have"
            return [*notes, f"{shown(environment)}: {within}; last evaluated: {one}, {other}"]
        notes.append(f"{shown(environment)}: last evaluated after unequal {words.counter(counter)}: {one}, {other}")
    return notes


def _reached(run: Record) -> bool:
    """Whether an evaluation ended the run, which was then a lucky one."""
    until, means = conditions.evaluation_of(run).get("until"), run.evaluations.get("mean", [])
    return isinstance(until, int | float) and bool(means) and means[-1] >= until


def _first_of(names: Sequence[str]) -> str:
    return shown(", ".join(names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _title(environments: Sequence[str]) -> str:
    return shown(environments[0]) if len(environments) == 1 else f"{len(environments)} environments"


def _ones(scales: Mapping[str, ScoreScale]) -> str:
    """What a share of 1 is."""
    return " or ".join(dict.fromkeys(scale.named for scale in scales.values()))
