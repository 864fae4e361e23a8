"""What is wrong with the rows of a model, each with the place where it was written: numbers, sums, ends, repetitions.

A row is (state, action, next, probability, reward), as in `mdp.build`; `mdp.checks` has the rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import checks
from rltrain.mdp.checks import Faults, quoted
from rltrain.mdp.model import Names

MAX_STATES = 2**31 - 1


def say_double(
    states: Names,
    actions: Names,
    s: Array,
    a: Array,
    next: Array,
    double: Array,
    place: Callable[[int], str] | None,
    numbers: Array,
    strict: bool,
    said: list[str],
) -> None:
    """Rows that repeat the transition before them: a warning in `said`; with `strict` an InputError.

    s, a, next [rows] are sorted, `double` [K] are the rows that repeat, `numbers` [rows] where each stood before.
    """

    def where(row: int) -> str:
        return f"{_at(place, int(numbers[row]))}{_pair(states, actions, s[row], a[row])}, {_next(states, next[row])}"

    if strict:
        faults = Faults()
        rule = "given twice; write a transition once, with its whole probability"
        faults.add_all(double, lambda row: f"{where(row)}: {rule}")
        faults.stop()
    many = "1 row repeats" if len(double) == 1 else f"{len(double):,} rows repeat"
    first = int(numbers[double].argmin())
    said.append(f"{many} a transition: probabilities added, rewards averaged; first {where(int(double[first]))}")


def check_rows(
    states: Names,
    actions: Names,
    s: Array,
    a: Array,
    next: Array,
    prob: Array,
    reward: Array,
    place: Callable[[int], str] | None,
) -> None:
    """InputError unless each number of each row [rows] can be what it is: an index, a probability, a reward."""
    if not len(states) or not len(actions):
        raise InputError(f"a model has at least one {'state' if not len(states) else 'action'}")
    if len(states) > MAX_STATES:
        raise InputError(f"{len(states):,} states; at most {MAX_STATES:,} are possible")
    faults = Faults()

    def at(row: int) -> str:
        return f"{place(row)}: " if place else f"row {row + 1}: "

    for what, column, count in (("state", s, len(states)), ("action", a, len(actions)), ("next", next, len(states))):
        if len(column) and (column.min() < 0 or column.max() >= count):
            faults.add_all(
                np.flatnonzero((column < 0) | (column >= count)),
                lambda row, what=what, column=column, count=count: (  # type: ignore[misc]
                    f"{at(row)}{what} number {column[row]}; expected 0 to {count - 1}"
                ),
            )
    faults.stop_if_any()

    def full(row: int) -> str:
        return at(row) + f"{_pair(states, actions, s[row], a[row])}, {_next(states, next[row])}"

    bad = ~((prob >= 0) & (prob <= 1 + checks.MOST_TOLERANCE))  # the sum says the rest
    faults.add_all(
        np.flatnonzero(bad),
        lambda row: f"{full(row)}: the probability {prob[row]:g} is not a number from 0 to 1",
    )
    faults.add_all(
        np.flatnonzero(~(np.abs(reward) <= checks.MOST_REWARD) & (prob != 0)),
        lambda row: f"{full(row)}: {checks.reward_rule(float(reward[row]))}",
    )
    faults.stop_if_any()


def check_sums(
    states: Names,
    actions: Names,
    s: Array,
    a: Array,
    prob: Array,
    first_next: Array,
    place: Callable[[int], str] | None,
    numbers: Array,
    strict: bool,
) -> None:
    """InputError unless the probabilities of each pair sum to 1, as near as their digits allow.

    Here too, and not in `checks` alone: zeros still count, and a row of zeros is one that sums to 0.
    """
    if len(first_next) == 1:
        return
    sums = np.add.reduceat(prob, first_next[:-1])
    counts = np.diff(first_next)
    allowed = checks.tolerances(prob, first_next[:-1], sums, strict)
    faults = Faults()

    def line(pair: int) -> str:
        first = int(first_next[pair])
        at = _at(place, int(numbers[first]))
        rule = checks.sum_rule(sums[pair], int(counts[pair]), allowed[pair])
        return f"{at}{_pair(states, actions, s[first], a[first])}: {rule}"

    wrong = np.flatnonzero(np.abs(sums - 1) > allowed)
    faults.add_all(wrong[np.argsort(numbers[first_next[wrong]], kind="stable")], line)
    faults.stop_if_any()


def check_actions(states: Names, first_pair: Array, terminal: Any | None) -> None:
    """InputError unless the states without an action are those that are `terminal` [S] bool; None: not said."""
    if terminal is None:
        return
    acts, ends = first_pair[1:] > first_pair[:-1], np.asarray(terminal, dtype=bool)
    faults = Faults()
    faults.add_all(
        np.flatnonzero(~acts & ~ends),
        lambda state: f"state {quoted(states[state])}: has no action and is not declared terminal",
    )
    faults.add_all(
        np.flatnonzero(acts & ends),
        lambda state: f"state {quoted(states[state])}: is declared terminal and has actions",
    )
    faults.stop_if_any()


def _at(place: Callable[[int], str] | None, row: int) -> str:
    return f"{place(row)}: " if place else ""


def _next(states: Names, state: Any) -> str:
    return f"next {quoted(states[int(state)])}"


def _pair(states: Names, actions: Names, state: Any, action: Any) -> str:
    return f"state {quoted(states[int(state)])}, action {quoted(actions[int(action)])}"
