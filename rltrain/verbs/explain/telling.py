"""How the steps of an explained game are told, in a terminal and on a page alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rltrain.film.caption import shares, written
from rltrain.verbs.explain.game import ExplainedGame

ENDS = {"over": "", "cut": ", cut off by the time limit", "left": ", left before its end"}
MOST_BARS = 24


class ToldBar(NamedTuple):
    """One action, or one of several numbers or choices."""

    name: str
    value: str
    share: float  # of the full length
    chosen: bool


def thinned(numbers: Sequence[int], most: int) -> list[int]:
    """At most so many of some, at equal distances, the first and the last among them."""
    if len(numbers) <= most:
        return list(numbers)
    return [numbers[round(place * (len(numbers) - 1) / (most - 1))] for place in range(most)]


def number(value: float) -> str:
    """Digits enough to tell actions apart: 0.997, 21.90, 250.3, 1,204; `-` where it is not known."""
    return written(value) if math.isfinite(value) else "-"


def signed(value: float) -> str:
    """A number as `number` writes it, with a sign where it says more."""
    return f"+{number(value)}" if math.isfinite(value) and value > 0 else number(value)


def facts_of(game: ExplainedGame, step: int) -> list[str]:
    """What is known of a step beside its scores, such as "gap 0.12"."""
    facts = (
        ("gap", game.gap[step], number),
        ("value", game.value[step], number),
        ("TD error", game.td[step], signed),
        ("reward", game.reward[step], number),
        ("return to go", game.returns[step], number),
    )
    return [f"{name} {write(float(value))}" for name, value, write in facts if math.isfinite(value)]


def bar_shares(game: ExplainedGame, step: int) -> list[ToldBar]:
    """A bar for each action with a score; for each number its mean, and for each choice its probability."""
    if game.scores.shape[1]:
        row, chosen = game.scores[step], int(game.chosen[step])
        lengths = shares(row, game.score_name == "probability")
        order = np.arange(len(row))
        if len(row) > MOST_BARS:  # the best of many
            order = np.argsort(-np.nan_to_num(row, nan=-np.inf), kind="stable")[:MOST_BARS]
        return [ToldBar(game.actions[n], number(float(row[n])), float(lengths[n]), n == chosen) for n in order.tolist()]
    if game.mean.shape[1]:
        taken = np.atleast_1d(game.action[step])
        return [
            ToldBar(f"{name}: {float(taken[k]):+.3g}", f"{mean:+.3g} ± {deviation:.2g}", 0.0, False)
            for k, (name, mean, deviation) in enumerate(
                zip(game.actions, game.mean[step].tolist(), game.deviation[step].tolist(), strict=True)
            )
        ]
    return _choices(game, step) if game.probability.shape[1] else []


def _choices(game: ExplainedGame, step: int) -> list[ToldBar]:
    """Of several choices the probability of each value of each, such as 1=0."""
    found, at, taken = list[ToldBar](), 0, np.atleast_1d(game.action[step])
    for choice, size in enumerate(game.sizes):
        for value in range(size):
            share = float(game.probability[step, at + value])
            name = f"{game.actions[choice]}={value}"
            found.append(ToldBar(name, number(share), min(1.0, share), int(taken[choice]) == value))
        at += size
    return found[:MOST_BARS]
