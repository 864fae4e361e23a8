"""What a model must be before anyone solves it: every fault by place, state and action, in pieces that fit the cache.

    sum_s' T(s, a, s') = 1  within the unit of its numbers, times their count      T, R finite      0 <= discount <= 1

The unit is what rounding may have taken from each: 1e-6 where all numbers of a row have six digits after the point,
2^-23 where all are numbers of 32 bits, else 1e-9; and no row may be off by more than 1e-5. `strict` is 1e-9 always.
A row that is off by rounding alone is as good as one can write. One that is off by more, but within the tolerance, is
divided by its sum in `mdp.build`. Faults are gathered: the first 5 are shown, the rest counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp.model import Model, Names, Numbered
from rltrain.spelling import shown

TOLERANCE = 1e-9  # of a row's sum, a successor
MOST_TOLERANCE = 1e-5  # of a row's sum, however few digits were written: that of pomdp-solve's parser
DIGITS = (5, 6, 7, 8)  # after the point, which a row's probabilities may be rounded to
FLOAT32 = 2.0**-23  # the relative distance of neighbouring numbers of 32 bits
EPSILON = float(np.finfo(np.float64).eps)  # of a row's sum, a successor: what rounding explains
SHOWN = 5  # faults, before the rest is counted
PIECE = 1 << 21  # successors that are looked at together
MAX_NAME = 200  # characters
MOST_REWARD = 1e150  # either way: sums without end, and their squares, stay numbers

Where = Callable[[int], str]  # the place of a successor, by its number: "book.yaml:12"


class Faults:
    """What is wrong, one line each. Those of a kind can be millions: only the first few are put into words."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0

    def add(self, line: str) -> None:
        self.count += 1
        if len(self.lines) < SHOWN:
            self.lines.append(line)

    def add_all(self, which: Array, line: Callable[[int], str]) -> None:
        """One fault for every number in `which`."""
        self.lines += [line(int(number)) for number in which[: SHOWN - len(self.lines)]]
        self.count += len(which)

    def stop_if_any(self) -> None:
        if self.count:
            self.stop()

    def stop(self) -> NoReturn:
        more = [f"and {self.count - len(self.lines):,} more"] if self.count > len(self.lines) else []
        raise InputError("\n".join(self.lines + more))


def quoted(name: str) -> str:
    """A state's or an action's name for a message."""
    return f"'{shown(name)}'"


def pair_text(model: Model, pair: int) -> str:
    """`state 's1', action 'a2'`"""
    state = int(np.searchsorted(model.first_pair, pair, side="right")) - 1
    return f"state {quoted(model.states[state])}, action {quoted(model.actions[int(model.action[pair])])}"


def check_names(names: Names, what: str) -> None:
    """InputError unless all differ and can be printed. `what` is "state" or "action"."""
    if isinstance(names, Numbered):
        return
    faults = Faults()
    if len(set(names)) < len(names):
        seen: set[str] = set()
        for name in names:
            if name in seen:
                faults.add(f"two {what}s are called {quoted(name)}")
            seen.add(name)
    for name in names:
        if not name or not name.isprintable() or name != name.strip() or len(name) > MAX_NAME:
            text = quoted(name if len(name) <= 60 else name[:57] + "...")
            faults.add(f"the {what}'s name {text} must be 1 to {MAX_NAME} printable characters, no blank at either end")
    faults.stop_if_any()


def check_discount(discount: float | None, place: str = "") -> None:
    """InputError unless 0 <= discount <= 1 or nothing was said."""
    if discount is not None and not 0 <= discount <= 1:  # NaN is outside too
        raise InputError(f"{place}discount: must be from 0 to 1, got {discount!r}")


def tolerances(prob: Array, starts: Array, sums: Array, strict: bool = False) -> Array:
    """[rows] how far the sum of each row of `prob` may be from 1. `starts` [rows] are the places where rows begin."""
    counts = np.diff(np.append(starts, len(prob)))
    allowed: Array = TOLERANCE * counts
    if strict:
        return allowed
    off = np.flatnonzero((np.abs(sums - 1) > allowed) & (np.abs(sums - 1) <= MOST_TOLERANCE))
    if not len(off):
        return allowed
    inside = np.repeat(np.isin(np.arange(len(starts)), off), counts)
    numbers = prob[inside]
    firsts = np.concatenate(([0], np.cumsum(counts[off])[:-1]))
    unit = np.full(len(off), TOLERANCE)
    unit[np.logical_and.reduceat(numbers == numbers.astype(np.float32), firsts)] = FLOAT32
    for digits in reversed(DIGITS):  # the fewest digits last: they leave the most open
        unit[np.logical_and.reduceat(numbers == np.round(numbers, digits), firsts)] = 10.0**-digits
    allowed[off] = np.minimum(unit * counts[off], MOST_TOLERANCE)
    return allowed


def check(model: Model, where: Where | None = None, source: str = "", strict: bool = False) -> None:
    """InputError with everything that is wrong. Seconds for 32 million successors, in pieces of 2 million."""
    prefix = f"{source}: " if source else ""
    check_names(model.states, "state")
    check_names(model.actions, "action")
    check_discount(model.discount, prefix)
    _check_layout(model, prefix)
    if model.start is not None:
        check_starts(model.start, model.states, prefix, strict)

    def of_pair(pair: int) -> str:
        place = where(int(model.first_next[pair])) + ": " if where else prefix
        return f"{place}{pair_text(model, pair)}"

    def of_next(number: int) -> str:
        pair = int(np.searchsorted(model.first_next, number, side="right")) - 1
        place = where(number) + ": " if where else prefix
        return f"{place}{pair_text(model, pair)}, next {quoted(model.states[int(model.next[number])])}"

    faults = Faults()
    check_pairs(model, faults, of_pair)
    for first, last in pieces(model):
        check_successors(model, first, last, faults, of_pair, of_next, strict)
    faults.stop_if_any()


def check_pairs(model: Model, faults: Faults, of_pair: Callable[[int], str]) -> None:
    """Rewards and actions of every pair."""
    faults.add_all(
        np.flatnonzero(~(np.abs(model.reward) <= MOST_REWARD)),
        lambda pair: f"{of_pair(pair)}: {reward_rule(float(model.reward[pair]))}",
    )
    if model.num_pairs > 1:
        wrong = np.diff(model.action) <= 0
        firsts = model.first_pair[(model.first_pair > 0) & (model.first_pair < model.num_pairs)]
        wrong[firsts - 1] = False  # the next state's first pair may have any action
        faults.add_all(
            np.flatnonzero(wrong) + 1,
            lambda pair: f"{of_pair(pair)}: actions of a state must ascend, each given once",
        )


def check_successors(
    model: Model,
    first: int,
    last: int,
    faults: Faults,
    of_pair: Callable[[int], str],
    of_next: Callable[[int], str],
    strict: bool = False,
) -> None:
    """The successors of the pairs first .. last: order, probabilities, rewards, sums."""
    begin, end = int(model.first_next[first]), int(model.first_next[last])
    starts = model.first_next[first:last] - begin  # [pairs]
    prob, following = model.prob[begin:end], model.next[begin:end]
    if end - begin > 1:
        wrong = np.diff(following) <= 0
        wrong[starts[1:] - 1] = False
        faults.add_all(np.flatnonzero(wrong) + 1 + begin, lambda number: _order_text(model, number, of_next(number)))
    bad = ~((prob > 0) & (prob < np.inf))
    faults.add_all(np.flatnonzero(bad) + begin, lambda number: f"{of_next(number)}: {probability_rule(model, number)}")
    sums = np.add.reduceat(prob, starts)
    counts = np.diff(model.first_next[first : last + 1])
    allowed = tolerances(prob, starts, sums, strict)
    off = np.abs(sums - 1) > allowed
    if bad.any():
        off &= ~np.logical_or.reduceat(bad, starts)  # one fault a row
    faults.add_all(
        np.flatnonzero(off) + first,
        lambda pair: (
            f"{of_pair(pair)}: {sum_rule(float(sums[pair - first]), int(counts[pair - first]), allowed[pair - first])}"
        ),
    )
    if model.next_reward is not None:
        rewards = model.next_reward[begin:end]
        infinite = ~(np.abs(rewards) <= MOST_REWARD)
        faults.add_all(
            np.flatnonzero(infinite) + begin,
            lambda number: f"{of_next(number)}: {reward_rule(float(rewards[number - begin]))}",
        )
        if not infinite.any() and not bad.any():
            expected = np.add.reduceat(prob * rewards, starts)
            size = np.add.reduceat(prob * np.abs(rewards), starts)
            slack = TOLERANCE * (counts + 1) + np.abs(sums - 1)  # a reward may be the mean by a row's exact sum
            unlike = np.abs(expected - model.reward[first:last]) > slack * (size + 1e-300)
            faults.add_all(
                np.flatnonzero(unlike) + first,
                lambda pair: (
                    f"{of_pair(pair)}: the reward {model.reward[pair]:g} is not the mean of its successors', "
                    f"{expected[pair - first]:g}"
                ),
            )


def reward_rule(value: float) -> str:
    """Why a reward is refused."""
    rule = f"is beyond {MOST_REWARD:g}" if np.isfinite(value) else "is not a finite number"
    return f"the reward {value:g} {rule}"


def probability_rule(model: Model, number: int) -> str:
    value = model.prob[number]
    return f"the probability {value:g} " + ("is negative" if value < 0 else "must be a finite number above 0")


def sum_rule(total: float, count: int, allowed: float | None = None) -> str:
    """Why a row is refused, whose sum may be off by `allowed`, or else by TOLERANCE a successor."""
    many = f"the {count} probabilities sum to" if count != 1 else "the one probability is"
    allowed = TOLERANCE * count if allowed is None else allowed
    return f"{many} {total:.12g}; they must sum to 1 within {allowed:.0e}, what rounding explains of their digits"


def _order_text(model: Model, number: int, place: str) -> str:
    if model.next[number] == model.next[number - 1]:
        return f"{place}: given twice; a transition is written once, with its whole probability"
    return f"{place}: successors must ascend, and this one comes after {quoted(model.states[model.next[number - 1]])}"


def pieces(model: Model) -> Iterator[tuple[int, int]]:
    """Ranges of pairs with about PIECE successors each, so that nothing as large as the model is made."""
    first = 0
    while first < model.num_pairs:
        last = int(np.searchsorted(model.first_next, model.first_next[first] + PIECE, side="right")) - 1
        last = min(max(last, first + 1), model.num_pairs)
        yield first, last
        first = last


def _check_layout(model: Model, prefix: str) -> None:
    """Shapes and row pointers: where these are wrong, nothing else can be looked at."""
    shapes: Sequence[tuple[str, Array, int | None]] = [
        ("first_pair", model.first_pair, len(model.states) + 1),
        ("reward", model.reward, len(model.action)),
        ("first_next", model.first_next, len(model.action) + 1),
        ("prob", model.prob, len(model.next)),
        ("next_reward", model.next if model.next_reward is None else model.next_reward, len(model.next)),
        ("start", model.first_pair[1:] if model.start is None else model.start, len(model.states)),
    ]
    for name, array, length in shapes:
        if array.shape != (length,):
            raise InputError(f"{prefix}'{name}' has the shape {array.shape}, expected ({length},)")
    if not len(model.states):
        raise InputError(f"{prefix}a model has at least one state")
    if not len(model.actions):
        raise InputError(f"{prefix}a model has at least one action")
    for name, pointers, end, least in (
        ("first_pair", model.first_pair, model.num_pairs, 0),
        ("first_next", model.first_next, model.num_next, 1),
    ):
        if pointers[0] != 0 or pointers[-1] != end:
            raise InputError(f"{prefix}'{name}' runs from {pointers[0]} to {pointers[-1]}, expected 0 to {end}")
        steps = np.diff(pointers)
        if len(steps) and steps.min() < least:
            wrong = int(steps.argmin())
            rule = "must not descend" if least == 0 else "must ascend: every pair has a successor"
            raise InputError(f"{prefix}'{name}' {rule}, and goes from {pointers[wrong]} to {pointers[wrong + 1]}")
    for name, numbers, count in (
        ("action", model.action, len(model.actions)),
        ("next", model.next, len(model.states)),
    ):
        if len(numbers) and (int(numbers.min()) < 0 or int(numbers.max()) >= count):
            worst = int(numbers.min()) if numbers.min() < 0 else int(numbers.max())
            raise InputError(f"{prefix}'{name}' holds {worst}; expected 0 to {count - 1}")


def check_starts(start: Array, states: Names, prefix: str = "", strict: bool = False) -> None:
    """InputError unless these [S] are probabilities of each state to be the first, and sum to 1."""
    faults = Faults()
    faults.add_all(
        np.flatnonzero(~((start >= 0) & (start < np.inf))),
        lambda s: (
            f"{prefix}start: state {quoted(states[s])}: the probability {start[s]:g} "
            "must be a finite number, at least 0"
        ),
    )
    faults.stop_if_any()
    check_start(start, prefix, strict)


def check_start(start: Array, prefix: str = "", strict: bool = False) -> None:
    """InputError unless the probabilities of first states sum to 1, as near as those of a row must."""
    shares = start[start != 0] if start.any() else start[:1]
    total = float(shares.sum())
    allowed = float(tolerances(shares, np.zeros(1, dtype=np.int64), np.array([total]), strict)[0])
    if abs(total - 1) > allowed:
        raise InputError(f"{prefix}start: {sum_rule(total, len(shares), allowed)}")
