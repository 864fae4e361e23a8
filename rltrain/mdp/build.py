"""From transitions to a `Model`: sort, check, and store by rows. No other code makes one.

A row is (state, action, next, probability, reward). The expected reward of a pair is r(s, a) = sum_s' T(s, a, s')
R(s, a, s'); where all successors have the same, it is that number, and R takes no room.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import checks, row_checks
from rltrain.mdp.checks import EPSILON
from rltrain.mdp.done import Rows, ended, groups, merged, merged_exactly, name_of_end
from rltrain.mdp.model import Exact, Model, Names, Numbered

SAID = 1e-12  # a correction of a row's sum above this is worth a warning


class Written(NamedTuple):
    """The numbers of the rows as they were written, in the order of the rows."""

    prob: Sequence[Fraction]
    reward: Sequence[Fraction]
    discount: Fraction | None


def names_of(names: Names | Sequence[str]) -> Names:
    """`Numbered` where the names are 0, 1, 2, … in this order."""
    if isinstance(names, Numbered) or not names:
        return names if isinstance(names, Numbered) else ()
    if names[0] == "0" and all(name == str(number) for number, name in enumerate(names)):
        return Numbered(len(names))
    return tuple(names)


def from_transitions(
    states: Names | Sequence[str],
    actions: Names | Sequence[str],
    s: Any,  # [rows] int
    a: Any,  # [rows] int
    next: Any,  # [rows] int
    prob: Any,  # [rows] float
    reward: Any,  # [rows] float
    *,
    start: Any | None = None,  # [S] float
    discount: float | None = None,
    name: str = "",
    done: Any | None = None,  # [rows] bool: an episode ends with this row; None: it ends in states without a row alone
    place: Callable[[int], str] | None = None,
    terminal: Any | None = None,  # [S] bool: which states are meant to have no action; None: not said
    exact: Written | None = None,
    warnings: list[str] | None = None,
    strict: bool = False,
    repeats: bool = False,
) -> Model:
    """A checked model of unsorted rows. `place(i)` says where row i was written. Rows of probability 0 are dropped.

    After a row with `done` nothing counts, whatever its next state does: see `mdp.done`, which may add a state "end".
    A transition that stands in several rows has their probabilities together and the mean of their rewards; a negative
    probability that rounding explains is 0; a row of probabilities that is off by no more is divided by its sum. Each
    is said in `warnings`. `strict`: each is an InputError, which names everything that is wrong. `repeats`: that rows
    repeat a transition is how it is meant, and not said.
    """
    states, actions = names_of(states), names_of(actions)
    checks.check_names(states, "state")
    checks.check_names(actions, "action")
    s, a, next = (np.asarray(column, dtype=np.int64).ravel() for column in (s, a, next))
    prob, reward = (np.asarray(column, dtype=np.float64).ravel() for column in (prob, reward))
    if len({len(column) for column in (s, a, next, prob, reward)}) > 1:
        raise InputError("the columns of a model's rows differ in length")
    said = [] if warnings is None else warnings
    prob = _without_rounded(prob, strict, said)
    row_checks.check_rows(states, actions, s, a, next, prob, reward, place)
    if done is not None:
        flags = np.asarray(done, dtype=bool).ravel()
        if len(flags) != len(s):
            raise InputError("the columns of a model's rows differ in length")
        rows = Rows(s, a, next, prob, reward, flags)
        states, rows, start, terminal, exact, place = _without_done(
            states, actions, rows, start, terminal, exact, place
        )
        s, a, next, prob, reward, _ = rows
        row_checks.check_rows(states, actions, s, a, next, prob, reward, place)

    order = _order(s, a, next, len(states), len(actions))
    if order is not None:
        s, a, next, prob, reward = s[order], a[order], next[order], prob[order], reward[order]
    numbers = np.arange(len(s)) if order is None else order  # of the given row that stands at each place now
    if exact is not None:
        given = numbers.tolist()
        exact = Written([exact.prob[i] for i in given], [exact.reward[i] for i in given], exact.discount)
    double = np.zeros(len(s), dtype=bool)
    double[1:] = (s[1:] == s[:-1]) & (a[1:] == a[:-1]) & (next[1:] == next[:-1])
    if double.any():
        if not repeats:
            row_checks.say_double(states, actions, s, a, next, np.flatnonzero(double), place, numbers, strict, said)
        group = np.cumsum(~double) - 1
        exact = None if exact is None else Written(*merged_exactly(exact.prob, exact.reward, group), exact.discount)
        reward = np.where(prob == 0, 0.0, reward)  # what cannot happen may pay anything, NaN too
        s, a, next, prob, reward, _ = merged(Rows(s, a, next, prob, reward, double), group)
        numbers = numbers[~double]
    new_pair = np.ones(len(s), dtype=bool)
    new_pair[1:] = (s[1:] != s[:-1]) | (a[1:] != a[:-1])
    firsts = np.flatnonzero(new_pair)
    first_next = np.append(firsts, len(s))
    first_pair = np.searchsorted(s[firsts], np.arange(len(states) + 1))

    row_checks.check_sums(states, actions, s, a, prob, first_next, place, numbers, strict)
    row_checks.check_actions(states, first_pair, terminal)

    mean, each = expected_rewards(prob, reward, first_next)
    model = Model(
        states=states,
        actions=actions,
        first_pair=first_pair.astype(np.int64),
        action=a[firsts].astype(np.int32),
        first_next=first_next.astype(np.int64),
        next=next.astype(np.int32),
        prob=prob,
        reward=mean,
        next_reward=each,
        start=None if start is None else np.array(start, dtype=np.float64),
        discount=None if discount is None else float(discount),
        name=name,
        exact=None if exact is None else _exact(exact, first_next),
    )
    model = normalised(_without_zeros(model), said)
    checks.check(model, strict=strict)  # what the rows have shown already, but for the start and the discount
    return _with_whole_start(model)


def _without_done(
    states: Names,
    actions: Names,
    rows: Rows,
    start: Any | None,
    terminal: Any | None,
    exact: Written | None,
    place: Callable[[int], str] | None,
) -> tuple[Names, Rows, Any | None, Any | None, Written | None, Callable[[int], str] | None]:
    """What was given to `from_transitions`, with `done` turned into terminal states."""
    found = ended(rows, len(states), start)
    given = np.flatnonzero(found.kept)
    added = len(found.terminal) > len(states)
    rows = Rows(*(column[given] for column in rows._replace(next=found.next)))
    if exact is not None:
        kept = given.tolist()
        exact = Written([exact.prob[row] for row in kept], [exact.reward[row] for row in kept], exact.discount)
    if added:  # several ways to the end are one
        group = groups(rows, len(states) + 1, len(actions), rows.next == len(states))
        rows, given = merged(rows, group), given[np.unique(group, return_index=True)[1]]
        states = (*states, name_of_end(states))
        start = None if start is None else np.append(start, 0.0)
        if exact is not None:
            exact = Written(*merged_exactly(exact.prob, exact.reward, group), exact.discount)
    if terminal is not None:
        terminal = (np.append(terminal, False) if added else np.asarray(terminal, dtype=bool)) | found.terminal
    at = None if place is None else lambda row: place(int(given[row]))
    return states, rows, start, terminal, exact, at


def from_arrays(
    *,
    states: Names | Sequence[str],
    actions: Names | Sequence[str],
    first_pair: Array,
    action: Array,
    first_next: Array,
    next: Array,
    prob: Array,
    reward: Array,
    next_reward: Array | None = None,
    start: Array | None = None,
    discount: float | None = None,
    name: str = "",
    source: str = "",
    warnings: list[str] | None = None,
    strict: bool = False,
) -> Model:
    """A checked model of the arrays of a `Model`. Those of the right type are taken as they are, without a copy.

    `strict` refuses a row of probabilities that is off by what rounding explains, which else is divided by its sum.
    """

    def floats(array: Array | None) -> Any:
        return None if array is None else np.asarray(array, dtype=np.float64)

    for what, numbers in (("action", action), ("next", next)):  # before they are cut to 32 bits
        if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < 2**31:
            raise InputError(f"{source + ': ' if source else ''}'{what}' holds a number that no {what} can have")
    model = Model(
        states=names_of(states),
        actions=names_of(actions),
        first_pair=np.asarray(first_pair, dtype=np.int64),
        action=np.asarray(action, dtype=np.int32),
        first_next=np.asarray(first_next, dtype=np.int64),
        next=np.asarray(next, dtype=np.int32),
        prob=floats(prob),
        reward=floats(reward),
        next_reward=floats(next_reward),
        start=floats(start),
        discount=None if discount is None else float(discount),
        name=name,
    )
    checks.check(model, source=source, strict=strict)
    return _with_whole_start(normalised(model, warnings))


def _with_whole_start(model: Model) -> Model:
    """The model with `whole` probabilities of the first state."""
    start = None if model.start is None else whole(model.start)
    return model if start is model.start else replace(model, start=start)


def whole(start: Array) -> Array:
    """The probabilities [S] of the first state, divided by their sum where rounding does not explain it."""
    total, count = float(start.sum()), int(np.count_nonzero(start))
    return start / total if abs(total - 1) > EPSILON * count else start


def normalised(model: Model, warnings: list[str] | None = None) -> Model:
    """Rows whose sum rounding does not explain, divided by it. The same model where there is none."""
    off_pairs, off_sums = [], []
    for first, last in checks.pieces(model):
        begin, end = int(model.first_next[first]), int(model.first_next[last])
        sums = np.add.reduceat(model.prob[begin:end], model.first_next[first:last] - begin)
        counts = np.diff(model.first_next[first : last + 1])
        off = np.flatnonzero(np.abs(sums - 1) > EPSILON * counts)
        off_pairs.append(off + first)
        off_sums.append(sums[off])
    pairs = np.concatenate(off_pairs) if off_pairs else np.zeros(0, dtype=np.int64)
    if not len(pairs):
        return model
    sums = np.concatenate(off_sums)
    prob = model.prob.copy()
    divisor = np.ones(model.num_pairs)
    divisor[pairs] = sums
    for first, last in checks.pieces(model):
        begin, end = int(model.first_next[first]), int(model.first_next[last])
        prob[begin:end] /= np.repeat(divisor[first:last], np.diff(model.first_next[first : last + 1]))
    said = np.flatnonzero(np.abs(sums - 1) > SAID)
    if len(said) and warnings is not None:
        worst = said[np.argmax(np.abs(sums[said] - 1))]
        rows = "1 row" if len(said) == 1 else f"{len(said):,} rows"
        warnings.append(
            f"{rows} of probabilities did not sum to 1 exactly and {'was' if len(said) == 1 else 'were'} divided by "
            f"the sum; farthest off: {checks.pair_text(model, int(pairs[worst]))}, {float(sums[worst]):.15g}"
        )
    reward = model.reward
    if model.next_reward is not None:
        reward, _ = expected_rewards(prob, model.next_reward, model.first_next)
    return replace(model, prob=prob, reward=reward)


def expected_rewards(prob: Array, reward: Array, first_next: Array) -> tuple[Array, Array | None]:
    """The expected reward of each pair [P], and that of each successor [N] where some pair's differ."""
    if len(first_next) == 1:
        return np.zeros(0), None
    starts = first_next[:-1]
    first = reward[starts]
    same = np.logical_and.reduceat(reward == np.repeat(first, np.diff(first_next)), starts)
    if same.all():
        return first, None
    return np.where(same, first, np.add.reduceat(prob * reward, starts)), reward


def _order(s: Array, a: Array, next: Array, num_states: int, num_actions: int) -> Array | None:
    """How to sort the rows; None where they are."""
    if num_states * num_actions * num_states < 2**62:
        key = (s * num_actions + a) * num_states + next
        return None if (key[1:] >= key[:-1]).all() else np.argsort(key, kind="stable")
    return np.lexsort((next, a, s))


def _exact(written: Written, first_next: Array) -> Exact | None:
    """Of rows in the order of the model; None where those of a pair do not sum to exactly 1, such as 0.333 thrice."""
    prob, reward = written.prob, written.reward
    means = []
    if any(p < 0 or (p != 0 and float(p) == 0) for p in prob):
        return None  # rounded away in the model
    for first, last in zip(first_next[:-1].tolist(), first_next[1:].tolist(), strict=True):
        if sum(prob[first:last]) != 1:
            return None
        means.append(sum((p * r for p, r in zip(prob[first:last], reward[first:last], strict=True)), Fraction(0)))
    return Exact(tuple(p for p in prob if p), tuple(means), written.discount)


def _without_rounded(prob: Array, strict: bool, said: list[str]) -> Array:
    """0 for a negative number that is what rounding left of 0, such as the -1e-17 of 1 - p - q."""
    below = (prob < 0) & (prob >= -checks.TOLERANCE)
    if strict or not below.any():
        return prob
    many = "1 negative probability" if below.sum() == 1 else f"{int(below.sum()):,} negative probabilities"
    said.append(f"{many} of at most {checks.TOLERANCE:g}, such as {prob[below].min():g}, taken as 0")
    return np.where(below, 0.0, prob)


def _without_zeros(model: Model) -> Model:
    kept = model.prob != 0
    if kept.all():
        return model
    counts = np.add.reduceat(kept, model.first_next[:-1], dtype=np.int64)
    each = None if model.next_reward is None else model.next_reward[kept]
    first_next = np.concatenate(([0], np.cumsum(counts)))
    reward = model.reward
    if each is not None:
        reward, each = expected_rewards(model.prob[kept], each, first_next)
    return replace(
        model, first_next=first_next, next=model.next[kept], prob=model.prob[kept], reward=reward, next_reward=each
    )
