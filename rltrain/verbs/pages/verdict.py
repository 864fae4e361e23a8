"""What came of a run, or of several, in a sentence or two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

import numpy as np

from rltrain import words
from rltrain.errors import InputError
from rltrain.report import groups as grouping
from rltrain.report import measures
from rltrain.report.groups import PlotGroup
from rltrain.report.reading import Record
from rltrain.run import how_far
from rltrain.run.across_seeds import across

UNKNOWN = "of unknown state"
MOST_NAMES = 5  # of runs in a sentence
LAST_GAMES = 100  # of which a run reports the mean
Mood = Literal["good", "bad", ""]  # by which a page colours it


def state(record: Record) -> str:
    """What status.json says of a run; of one that had no time to say how it ended, that it was killed."""
    return how_far.state_of(record.folder) or UNKNOWN


def of_run(record: Record) -> tuple[str, Mood]:
    """What came of a run, in a sentence or two."""
    text, mood = _score(record)
    found = state(record)
    if found == "running":
        text = f"Still training. So far: {text}"
    elif found != "finished":
        text = f"Not at its end ({found}). {text}"
    return text, mood


def unfinished(records: Sequence[Record]) -> str:
    """Of several runs, which are not at their ends, in a sentence; "": all are."""
    found: dict[str, list[str]] = {}
    for record, name in zip(records, grouping.folder_names(records), strict=True):
        found.setdefault(state(record), []).append(name)
    running = found.pop("running", [])
    for other in ("finished", UNKNOWN):
        found.pop(other, None)
    said = [f"still training: {_some(running)}"] if running else []
    said += [f"not at its end ({how}): {_some(names)}" for how, names in found.items()]
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}." if said else ""


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _score(record: Record) -> tuple[str, Mood]:
    means = [mean for mean in record.evaluations.get("mean", []) if math.isfinite(mean)]
    if not means:
        return _without_evaluations(record)
    last, best = means[-1], max(means)
    low, high = (record.evaluations.get(f"ci95/{end}", [math.nan])[-1] for end in ("low", "high"))
    random = record.baselines.get("random")
    text = f"the last evaluation has a mean of {words.score(last)} (95 % interval of its games {ends(low, high)})"
    if best > last:
        text += f", the best {words.score(best)}"
    text = "; ".join([text, *_beside(record)]) + "."
    if record.threshold is not None and last >= record.threshold:
        return f"Solved: {text}", "good"
    if random is not None and not low > random:
        return f"No better than random play: {text}", "bad"
    return f"{text[0].upper()}{text[1:]}", ""


def _beside(record: Record) -> list[str]:
    """What others score, and what counts as solved."""
    found = [f"{name} play has {words.score(mean)}" if name == "random" else f"the rule {name} {words.score(mean)}"
             for name, mean in record.baselines.items() if name != record.rule]  # fmt: skip
    if record.threshold is not None:
        found.append(f"{words.score(record.threshold)} counts as solved")
    return found


def ends(low: float, high: float) -> str:
    """Of an interval."""
    return f"{words.score(low)} to {words.score(high)}"


def _without_evaluations(record: Record) -> tuple[str, Mood]:
    with suppress(InputError):
        metric = measures.choose_y([record], None)
        value = float(measures.values(record, metric)[-1])
        if metric == "return":
            games = int(min(LAST_GAMES, np.nanmax(record.training.get("episodes", [LAST_GAMES]))))
            lost = any(note.startswith("eval.") for note in record.notes)
            never = "Its evaluations cannot be read" if lost else "Never evaluated"
            text = f"{never}; the last {games} training games have a mean of {words.score(value)}"
            return "; ".join([text, *_beside(record)]) + ".", ""
        names = {"error/max": "the greatest error of any value", "bound": "the proven bound of every value's error"}
        return f"At the end {names.get(metric, metric)} is {words.number(value)}.", ""
    return "No game has ended yet.", ""


def of_groups(groups: Sequence[PlotGroup]) -> tuple[str, Mood]:
    """What came of several runs: of one config over its seeds, or of several configs."""
    metric = measures.choose_y([run for group in groups for run in group.runs], None)
    told = []
    for group in groups:
        found = across([float(measures.values(run, metric)[-1]) for run in group.runs])
        assert found is not None
        interval = "" if found.ci95 is None or found.n < 3 else f" (95 % interval over seeds {ends(*found.ci95)})"
        many = words.many(found.n, "seed")
        told.append(f"{group.label + ': ' if len(groups) > 1 else ''}{many}, mean {words.score(found.mean)}{interval}")
    what = {"eval": "of the last evaluation", "return": "of the last 100 training games"}.get(metric, f"of {metric}")
    text = f"{'; '.join(told)}, {what}."
    thresholds = {run.threshold for group in groups for run in group.runs if run.threshold is not None}
    if metric != "eval" or len(groups) > 1 or len(thresholds) != 1:
        return text, ""
    least, runs = thresholds.pop(), groups[0].runs
    solved = sum(float(measures.values(run, metric)[-1]) >= least for run in runs)
    return f"{text} {words.score(least)} counts as solved: {solved} of {len(runs)}.", "good" if solved == len(
        runs
    ) else ""
