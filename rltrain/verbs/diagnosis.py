"""What is wrong with a run, if something is: the usual faults of learning, each found by one rule in its numbers.

    one action            the last evaluation's policy chose the same action nearly always
    Q above returns       mean Q-values beyond the best return that any game had (van Hasselt et al. 2016)
    values cut off        mean Q-values near an end of the histogram that says them (loss: c51, hl_gauss)
    exploring still       the chance of a random action is far from its final one when the budget is spent
    one return            every training game returned the same: no reward tells good from bad
    no update             the run ended before its first update
    memory unfilled       the replay memory is nearly empty at the end
    entropy collapsed     the policy became sure of itself early, and got no better since
    gradients clipped     every gradient is many times as long as it may be
    evaluation apart      evaluations are far from the training games of the same time; which settings differ

A rule says what it saw, in numbers, and what may be done. It is silent where the score counts as solved, and where a
number that it needs is missing. No rule is a proof: a policy that is right may play one action.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rltrain import envs, words
from rltrain.core import Array
from rltrain.errors import RltrainError
from rltrain.experiment.config import Experiment
from rltrain.report import reading
from rltrain.report.reading import Record
from rltrain.run import believed, protocols, unverified
from rltrain.spaces import Discrete

STUCK = 0.99  # share of the choices that are one action
OVERESTIMATE = 1.5  # times the best return of any game
END = 0.02  # of the way from v_min to v_max
STILL = 0.25  # of the way from the first to the final epsilon that is left
UNFILLED = 0.1  # of the replay memory
SURE = 0.02  # of the first entropy
CLIPPED = 20.0  # times algorithm.max_grad_norm, in the median
APART = 0.3  # of the spread of all scores of the run; and outside the interval of the evaluation's games
FEW = 10  # fewer say nothing


@dataclass(frozen=True)
class LearningFault:
    """A fault of a run that its numbers show."""

    rule: str  # its name: "one action", "Q above returns", ...
    text: str  # what was seen, a clause
    advice: str  # what may be done, a clause


class DiagnosedRun(NamedTuple):
    """What the rules look at."""

    record: Record
    experiment: Experiment
    finished: bool  # the budget is spent, or the score reached

    @property
    def algorithm(self) -> Mapping[str, Any]:
        """The algorithm's settings."""
        found: Mapping[str, Any] = self.record.config["algorithm"]
        return found

    def training(self, name: str) -> Array:
        """A column of training [n], NaN where a row lacks it; [0] if no row has it."""
        return np.array(self.record.training.get(name, []), np.float64)

    def evaluated(self, name: str) -> float:
        """What the last evaluation says; NaN if there is none."""
        return float((self.record.evaluations.get(name) or [math.nan])[-1])

    @property
    def solved(self) -> bool:
        """Whether the last evaluation reached the score that counts as solved."""
        return self.record.threshold is not None and self.evaluated("mean") >= self.record.threshold


def diagnose(place: Path) -> tuple[LearningFault, ...]:
    """The faults that a run's folder shows, in the order of `RULES`. InputError for a run without numbers."""
    return of(
        reading.load(place), believed.experiment(place)[0], unverified.status(place).state in ("finished", "solved")
    )


def of(record: Record, experiment: Experiment, finished: bool) -> tuple[LearningFault, ...]:
    """The faults that a run's numbers show. `finished`: it is at its end, by its budget or its score."""
    seen = DiagnosedRun(record, experiment, finished)
    return tuple(LearningFault(name, *found) for name, rule in RULES.items() if (found := rule(seen)) is not None)


Found = tuple[str, str] | None  # text and advice


def one_action(seen: DiagnosedRun) -> Found:
    share, most = seen.evaluated("action/share"), seen.evaluated("action/most")
    if not share >= STUCK or not poor(seen):
        return None
    name = f"number {most:.0f}"
    with suppress(RltrainError):
        actions = envs.describe(seen.experiment.environment, task=seen.experiment.task).actions
        if isinstance(actions, Discrete) and actions.names:
            name = f"'{actions.names[int(most)]}'"
    text = f"the policy plays one action: {name} was {words.percent(share)} of its choices in the last evaluation"
    return text, "more exploration (an entropy bonus, or random actions for longer), or a smaller learning rate"


def q_above_returns(seen: DiagnosedRun) -> Found:
    values, best = tail(seen.training("q/mean")), seen.training("return/max")
    best = best[np.isfinite(best)]
    scaled = any(
        seen.algorithm.get(name, usual) != usual for name, usual in (("reward_scale", 1), ("munchausen", False))
    )
    if not len(values) or not len(best) or scaled or any("Reward" in each.name for each in wrappers(seen)):
        return None
    value, most = float(np.median(values)), max(float(best.max()), seen.evaluated("max"), 0.0)
    bound = OVERESTIMATE * most if most > 0 else 0.1 * abs(float(best.max()))
    if not value > bound:
        return None
    text = f"Q-values are {words.number(value)} in the mean, and no game returned more than {words.number(most)}"
    return text, "a smaller learning rate, algorithm.double, or a target network that is copied less often"


def values_cut_off(seen: DiagnosedRun) -> Found:
    values, settings = tail(seen.training("q/mean")), seen.algorithm
    if settings.get("loss") not in ("c51", "hl_gauss") or not len(values) or seen.solved:
        return None
    value, low, high = float(np.median(values)), settings["v_min"], settings["v_max"]
    above, near = value > (low + high) / 2, END * (high - low)
    key, end, name = ("v_max", high, "return/max") if above else ("v_min", low, "return/min")
    plain = settings.get("reward_scale", 1) == 1 and settings.get("reward_clip") is None
    passed = ((seen.training(name) - end) * (1 if above else -1) > 0).any() if plain else end != 0
    if abs(value - end) > near or not passed:
        return None
    text = f"Q-values are {words.number(value)} in the mean, at the end of their histogram, algorithm.{key}={end:g}"
    return text, f"an algorithm.{key} that no discounted return passes"


def exploring_still(seen: DiagnosedRun) -> Found:
    chances = seen.training("epsilon")
    chances = chances[np.isfinite(chances)]
    final, steps = seen.algorithm.get("exploration_final_eps"), seen.algorithm.get("exploration_steps")
    if not len(chances) or final is None or steps is None or not seen.finished or seen.solved:
        return None
    if seen.algorithm.get("exploration", "epsilon") != "epsilon":  # always at random, as was asked for
        return None
    first, last = float(seen.algorithm.get("exploration_initial_eps", 1.0)), float(chances[-1])
    if first <= final or last - final <= STILL * (first - final):
        return None
    played = int(np.nanmax(seen.training("env_steps")))
    falls = f"epsilon falls over {words.count(steps)} steps, and the run had {words.count(played)}"
    return (
        f"{words.percent(last)} of the actions were still random at the end: {falls}",
        "a lower algorithm.exploration_steps, or a larger budget",
    )


def one_return(seen: DiagnosedRun) -> Found:
    low, high = (seen.training(name) for name in ("return/min", "return/max"))
    if not len(low):
        low = high = seen.training("return/mean")
    known = np.isfinite(low) & np.isfinite(high)
    games = seen.training("episodes")
    if not known.any() or not len(games) or np.nanmax(games) < FEW or seen.solved:
        return None
    least, most = float(low[known].min()), float(high[known].max())
    if least != most:
        return None
    nothing = ": no reward has ever been seen" if least == 0 else ""
    text = f"all {words.count(float(np.nanmax(games)))} training games returned {words.number(least)}{nothing}"
    return text, "more exploration, longer games, an easier start, or rewards on the way"


def no_update(seen: DiagnosedRun) -> Found:
    updates = seen.training("updates")
    if not len(updates) or not np.isfinite(updates).any() or np.nanmax(updates) > 0 or not seen.finished:
        return None
    key = next((key for key in ("learning_starts", "n_steps") if key in seen.algorithm), None)
    because = "" if key is None else f" (algorithm.{key} is {seen.algorithm[key]:,})"
    return f"nothing was learned: the run ended before its first update{because}", "a larger budget"


def memory_unfilled(seen: DiagnosedRun) -> Found:
    fill = seen.training("replay/fill")
    size = seen.algorithm.get("buffer_size")
    if not len(fill) or not np.isfinite(fill[-1]) or fill[-1] >= UNFILLED or size is None or not seen.finished:
        return None
    share = words.percent(float(fill[-1]))
    text = f"the replay memory is {share} full at the end: it has room for {size:,} transitions"
    return text, "a smaller algorithm.buffer_size, or a larger budget"


def entropy_collapsed(seen: DiagnosedRun) -> Found:
    entropy, mean = seen.training("entropy"), seen.training("return/mean")
    known = np.isfinite(entropy)
    if known.sum() < FEW or len(mean) != len(entropy) or not poor(seen):
        return None
    first = float(entropy[known][0])
    sure = np.flatnonzero(known & (entropy < SURE * first))
    if first <= 0 or not len(sure) or float(np.median(tail(entropy))) >= SURE * first:
        return None
    at = int(sure[0])
    after = mean[at:][np.isfinite(mean[at:])]
    spread = spread_of(seen)
    if at > 0.75 * len(entropy) or not len(after) or after[-1] > after[0] + 0.1 * spread:
        return None
    when = seen.record.training[seen.record.counter][at]
    unit = words.counter(seen.record.counter)
    text = f"the policy's entropy fell below {words.percent(SURE)} of its first after {words.count(when)} {unit}"
    return f"{text}, and the score has not risen since", "a larger algorithm.ent_coef, or a smaller learning rate"


def gradients_clipped(seen: DiagnosedRun) -> Found:
    limit, norms = seen.algorithm.get("max_grad_norm"), tail(seen.training("loss/grad_norm"))
    if not isinstance(limit, int | float) or len(norms) < FEW:
        return None
    times = float(np.median(norms)) / limit
    if norms.min() <= limit or times < CLIPPED or not poor(seen):
        return None
    text = f"every gradient is clipped: they are {words.count(times)} times algorithm.max_grad_norm={limit:g} long"
    return text, "smaller rewards (a wrapper NormalizeReward, or algorithm.reward_scale), or a larger limit"


def evaluation_apart(seen: DiagnosedRun) -> Found:
    evaluations, counter = seen.record.evaluations, seen.record.counter
    at, mean = evaluations.get(counter, []), seen.evaluated("mean")
    rows, train = np.array(seen.record.training[counter]), seen.training("return/mean")
    if not at or len(train) != len(rows) or seen.solved or np.nanmax(seen.training("episodes"), initial=0) < FEW:
        return None
    before = np.flatnonzero((rows <= at[-1]) & np.isfinite(train))
    if not len(before) or math.isnan(mean):
        return None
    trained, low, high = float(train[before[-1]]), seen.evaluated("ci95/low"), seen.evaluated("ci95/high")
    gap = mean - trained
    if abs(gap) < APART * spread_of(seen) or low <= trained <= high:
        return None
    apart, explores = settings_apart(seen)
    if gap > 0 and (explores or not apart):  # better without its own exploration, or the mean of old games lags
        return None
    text = f"the last evaluation has {words.score(mean)}, the training games of its time {words.score(trained)}"
    return text, "what differs between them: " + ("; ".join([*explores, *apart]) or "nothing in the config")


RULES: Mapping[str, Callable[[DiagnosedRun], Found]] = {
    "one action": one_action,
    "Q above returns": q_above_returns,
    "values cut off": values_cut_off,
    "exploring still": exploring_still,
    "one return": one_return,
    "no update": no_update,
    "memory unfilled": memory_unfilled,
    "entropy collapsed": entropy_collapsed,
    "gradients clipped": gradients_clipped,
    "evaluation apart": evaluation_apart,
}


def settings_apart(seen: DiagnosedRun) -> tuple[list[str], list[str]]:
    """How evaluation's rules differ from training's, and how its policy does: lines of both."""
    settings, rules, explores = seen.experiment.environment, list[str](), list[str]()
    epsilon, played = 0.0, settings
    with suppress(RltrainError):
        _, played, epsilon = protocols.conditions(
            settings, seen.experiment.run.evaluate.protocol, None, seen.experiment.task
        )
    here, there = settings.model_dump(), played.model_dump()
    for key, value in here.items():
        if there.get(key) != value:
            rules.append(f"environment.{key} {said(value)} in training, {said(there.get(key))} in evaluation")
    chances = seen.training("epsilon")
    chance = float(chances[-1]) if len(chances) else 0.0
    if chance != epsilon and (len(chances) or epsilon):
        explores.append(f"epsilon {chance:.3g} in training, {epsilon:g} in evaluation")
    if seen.algorithm.get("act") == "greedy":
        explores.append("actions drawn in training, the likeliest in evaluation (algorithm.act)")
    return rules, explores


def said(value: Any) -> str:
    """A setting as a config writes it."""
    return json.dumps(value, default=str)


def wrappers(seen: DiagnosedRun) -> Sequence[Any]:
    """Those that the config names."""
    return seen.experiment.environment.wrappers


def tail(values: Array) -> Array:
    """The finite numbers of the second half of a column."""
    half = values[len(values) // 2 :]
    found: Array = half[np.isfinite(half)]
    return found


def spread_of(seen: DiagnosedRun) -> float:
    """From the least to the greatest score of the run: baselines, evaluations and means of training games."""
    scores = [*seen.training("return/mean"), *seen.record.evaluations.get("mean", []), *seen.record.baselines.values()]
    known = [score for score in scores if math.isfinite(score)]
    return max(known) - min(known) if known else 0.0


def poor(seen: DiagnosedRun) -> bool:
    """Whether the run ends below half way from where it began, which is random play or about that, to its best."""
    means = seen.training("return/mean")
    means = means[np.isfinite(means)]
    last = seen.evaluated("mean")
    scores = [*means, *(score for score in seen.record.evaluations.get("mean", []) if math.isfinite(score))]
    if not scores or (math.isnan(last) and not len(means)):
        return False
    start: float = seen.record.baselines.get("random", scores[0])
    end = float(means[-1]) if math.isnan(last) else last
    return end <= (start + max(start, *map(float, scores))) / 2
