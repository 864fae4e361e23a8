"""What is written beside a picture: where the game stands, and what the policy thinks of every action."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rltrain import words

if TYPE_CHECKING:
    from rltrain.core import Array
    from rltrain.run.play import Moment

SHORTEST = 0.06  # the bar of the least value, as a share of the longest
IMPOSSIBLE = "impossible"  # in place of a value


@dataclass(frozen=True)
class Subject:
    """What stays the same while a policy plays."""

    title: str  # "dqn on CartPole-v1"
    action_names: tuple[str, ...]
    score_name: str  # "Q", "probability"; "" for a policy that does not say
    episodes: int
    bounds: tuple[tuple[float, float], ...] = ()  # of several choices or numbers at once: of each, least and greatest


class Bar(NamedTuple):
    """One action, or one of several choices or numbers."""

    name: str
    value: str  # "" where the policy has no opinion; of what cannot be done now: IMPOSSIBLE
    share: float  # of the full length
    chosen: bool


class Caption(NamedTuple):
    """All that is written beside one picture."""

    title: str
    facts: tuple[tuple[str, str], ...]  # name and value
    heading: str  # of the bars
    bars: tuple[Bar, ...]
    note: str  # "" or what is special now


def caption(subject: Subject, moment: Moment) -> Caption:
    """What to write beside this moment."""
    bars = several(subject, moment) if subject.bounds else one_of_some(subject, moment)
    facts = [
        ("game", f"{moment.game} of {subject.episodes}" if subject.episodes > 1 else str(moment.game)),
        ("step", words.count(moment.step)),
        ("return", words.score(moment.total)),
    ]
    if moment.state:
        facts.append(("state", moment.state))
    note = "random action" if moment.explored else ""
    if moment.last:
        note = "cut off by the time limit" if moment.cut else "game over"
    heading = "action" if subject.bounds else subject.score_name or "action"
    return Caption(subject.title, tuple(facts), heading, bars, note)


def one_of_some(subject: Subject, moment: Moment) -> tuple[Bar, ...]:
    """A bar for each action: what the policy thinks of it, or that it cannot be done."""
    names = subject.action_names
    able = np.ones(len(names), np.bool_) if moment.possible is None else moment.possible
    scores = np.full(len(names), np.nan) if moment.scores is None else np.asarray(moment.scores, np.float64)
    scores = np.where(able, scores, np.nan)
    lengths = shares(scores, subject.score_name == "probability")
    values = ["" if math.isnan(score) else written(score) for score in scores.tolist()]
    values = [value if can else IMPOSSIBLE for value, can in zip(values, able.tolist(), strict=True)]
    return tuple(
        Bar(name, value, length, number == moment.action)
        for number, (name, value, length) in enumerate(zip(names, values, lengths.tolist(), strict=True))
    )


def several(subject: Subject, moment: Moment) -> tuple[Bar, ...]:
    """A bar for each of several choices or numbers: where it is between its bounds."""
    if moment.action is None:
        return tuple(Bar(name, "", 0.0, False) for name in subject.action_names)
    values = np.asarray(moment.action).tolist()
    return tuple(
        Bar(name, str(value) if isinstance(value, int) else f"{value:+.3g}", between(value, *ends), True)
        for name, value, ends in zip(subject.action_names, values, subject.bounds, strict=True)
    )


def between(value: float, low: float, high: float) -> float:
    """How far a value is from low, 0, to high, 1; a half where either is infinite."""
    if not math.isfinite(high - low):
        return 0.5
    return (value - low) / (high - low) if high > low else 1.0


def shares(scores: Array, probabilities: bool) -> Array:
    """Lengths of the bars, 0 to 1, of scores [A]; NaN: 0. A probability is its own length.

    Other values are stretched over the range that they have now: how the actions compare, not how good they all are.
    """
    known = np.isfinite(scores)
    lengths = np.zeros(len(scores))
    if probabilities:
        lengths[known] = np.clip(scores[known], 0, 1)
    elif known.any():
        low, high = scores[known].min(), scores[known].max()
        span = high - low
        lengths[known] = SHORTEST + (1 - SHORTEST) * ((scores[known] - low) / span) if span > 0 else 1.0
    return lengths


def written(score: float) -> str:
    """Digits enough to tell actions apart: 0.997, 21.90, 250.3, 1,204."""
    size = abs(score)
    if not 0.1 <= size < 1e6:
        return words.number(score)
    return f"{score:,.{0 if size >= 1_000 else 1 if size >= 100 else 2 if size >= 10 else 3}f}"
