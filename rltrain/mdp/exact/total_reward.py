"""Discount 1: the greatest expected sum of rewards that a policy has which surely ends, in fractions.

Circles decide. An end component (`mdp.graph`) in which nothing but zeros is earned may be kept up for ever and is worth
what its best way out is worth, or 0. So every largest such component is made one state with one action more: stop, for
nothing. Of what is left, states from which no policy surely ends are lost (`mdp.lost`), and worth -infinity if every
circle among them loses. From every other one policy iteration goes from one policy that surely ends to the next. It
stops at V = max_a (r + P V), which no policy that ends exceeds: V >= r_pi + P_pi V for each, and P_pi^n V comes to 0
(Bertsekas and Tsitsiklis 1991; Bertsekas and Yu 2016). The value does not exist, and this says so, naming the state, if

- an improved policy does not end: its circle earns more than it costs: +infinity;
- a circle among lost states earns and loses in turn: the sum never settles.

Where optimal actions form a circle of numbers that cancel, the values are still those of the best policy that ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.mdp.exact import linear
from rltrain.mdp.exact.rational import MINUS_INFINITY, ONE, ZERO, Clock, Number, Table, action_values
from rltrain.mdp.fates import Fates, Idle, check_any_ends, fates, infinite
from rltrain.mdp.graph import almost_sure_reach, end_components, ordered_components
from rltrain.mdp.model import Model

STOP = -1  # as a choice: end here, for nothing


class ExactTotalReward(NamedTuple):
    """The truth at discount 1."""

    value: list[Number]  # [S], MINUS_INFINITY where every policy loses for ever
    choice: Array  # [S] int64: an optimal policy that ends wherever an optimal one can
    iterations: int  # evaluations
    circle: int | None  # a state on a circle of optimal actions that earns and loses in turn


def solve(model: Model, rows: Table, clock: Clock) -> ExactTotalReward:
    """V* and an optimal policy. InputError where some value is +infinite or never settles, or none is finite."""
    found = fates(model, np.array([r == 0 for r in rows.reward], dtype=bool))
    calm, lost = found.idle, found.lost
    iterations = check_losing(model, rows, found.circling, clock)
    check_any_ends(model, lost)
    merged, choice = merge(model, found)
    small = _merged_table(rows, merged)
    value, choice, more = _improved(small, merged.stops, choice, clock, lambda group: merged.member(group, model))
    full: list[Number] = [value[k] for k in merged.group.tolist()]
    for state in np.flatnonzero(lost).tolist():
        full[state] = MINUS_INFINITY
    tight = found.usable & np.array(
        [q == full[s] for q, s in zip(action_values(rows, full, ONE), model.pair_state, strict=True)], dtype=bool
    )
    turning = np.flatnonzero(end_components(model, tight)[1] & ~calm.pair)
    nothing = np.array([v == 0 for v in full], dtype=bool)
    made = ending_policy(model, tight, calm, nothing, lost)
    circle = int(model.pair_state[turning[0]]) if len(turning) else None
    return ExactTotalReward(full, made, iterations + more, circle)


def check_losing(model: Model, rows: Table, circling: Array, clock: Clock) -> int:
    """InputError unless all circles of these pairs [P] lose on average. The evaluations it took to know."""
    pairs = np.flatnonzero(circling).tolist()
    if not any(rows.reward[i] > 0 for i in pairs):
        return 0  # and not all of a circle is 0, else it were idle
    own: list[list[int]] = [[] for _ in rows.pairs]
    for i in pairs:
        own[int(model.pair_state[i])].append(i)
    small = Table(own, rows.next, rows.prob, rows.reward)
    stops = [True] * len(own)  # wherever one is
    value, _, iterations = _improved(small, stops, [STOP] * len(own), clock, lambda state: (model, state))
    q = action_values(rows, value, ONE)
    tight = np.zeros(model.num_pairs, dtype=bool)
    tight[pairs] = [q[i] == value[int(model.pair_state[i])] for i in pairs]
    turning = np.flatnonzero(end_components(model, tight)[1])
    if len(turning):
        raise infinite(model, int(model.pair_state[turning[0]]), "?")
    return iterations


def _improved(
    small: Table, stops: list[bool], choice: list[int], clock: Clock, owner: Callable[[int], tuple[Model, int]]
) -> tuple[list[Fraction], list[int], int]:
    """Policy iteration from a policy that surely ends: V, the policy, the evaluations. `owner`: a state to name."""
    start = _float_policy(small, choice)
    if start is not None:
        choice = start
    iterations = 0
    while True:
        iterations += 1
        value = _evaluate(small, choice, clock)
        q = action_values(small, value, ONE)
        changed = False
        for state, pairs in enumerate(small.pairs):
            best = max(pairs, key=lambda i: (q[i], -i), default=STOP)
            better: Number = q[best] if best >= 0 else ZERO
            if stops[state] and better < 0:
                best, better = STOP, ZERO
            if better > value[state] and (pairs or stops[state]):
                choice[state] = best
                changed = True
        if not changed:
            return value, choice, iterations
        endless = unending(small, choice)
        if endless is not None:
            raise infinite(*owner(endless), "+")


@dataclass(frozen=True)
class Merged:
    """The model with each idle component as one state, numbered anew."""

    group: Array  # [S] the new number of each state
    pairs: list[list[int]]  # of each new state, by their old numbers; those inside a component are left out
    stops: list[bool]  # of each new state: may stop for nothing

    def member(self, group: int, model: Model) -> tuple[Model, int]:
        return model, int(np.flatnonzero(self.group == group)[0])


def merge(model: Model, found: Fates) -> tuple[Merged, list[int]]:
    """The merged model and a policy on it that surely ends; lost states have no pairs."""
    calm = found.idle
    key = np.where(calm.number >= 0, model.num_states + calm.number, np.arange(model.num_states))
    group = np.unique(key, return_inverse=True)[1]
    count = int(group.max(initial=-1)) + 1
    pairs: list[list[int]] = [[] for _ in range(count)]
    for i in np.flatnonzero(~calm.pair & found.usable).tolist():
        pairs[group[model.pair_state[i]]].append(i)
    stops = np.zeros(count, dtype=bool)
    stops[group[calm.number >= 0]] = True
    _, way = almost_sure_reach(model, model.terminal | (calm.number >= 0), found.usable)
    choice = [STOP] * count
    for state in np.flatnonzero(way >= 0).tolist():
        choice[group[state]] = int(way[state])
    return Merged(group, pairs, stops.tolist()), choice


def ending_policy(model: Model, tight: Array, calm: Idle, nothing: Array, lost: Array) -> Array:
    """[S] of the optimal pairs, those that surely end; else those that surely come to idle states worth 0, and stay.

    In a lost state the first pair: none is better.
    """
    inside, choice = almost_sure_reach(model, model.terminal, tight)
    rest = (calm.number >= 0) & nothing & ~inside
    for i in np.flatnonzero(calm.pair & rest[model.pair_state]).tolist():
        choice[model.pair_state[i]] = i
    found, way = almost_sure_reach(model, inside | rest, tight)
    assert (found | lost).all()
    choice = np.where(way >= 0, way, choice)
    choice[lost] = model.first_pair[:-1][lost]
    return choice


def drop_idle(model: Model, chain: list[linear.Row], constant: list[Fraction], clock: Clock) -> set[int]:
    """Make a policy's chain one that loses mass from everywhere. In place. The states that are worth -infinity.

    Closed classes that earn 0 are worth 0; those that lose on average, -infinity, and so is what may come to them.
    InputError where a class earns, or earns and loses in turn.
    """
    losing: set[int] = set()
    for block in ordered_components(chain):
        inside = set(block)
        if all(inside >= set(chain[i]) and sum(chain[i].values()) == 1 for i in block):
            if all(constant[i] == 0 for i in block):
                continue
            if _round_trip(chain, constant, block, clock) >= 0:
                raise infinite(model, min(block), "policy")
            losing |= inside
    users: list[list[int]] = [[] for _ in chain]
    for i, row in enumerate(chain):
        for j in row:
            users[j].append(i)
    front = list(losing)
    while front:
        new = [user for user in users[front.pop()] if user not in losing]
        losing.update(new)
        front += new
    for block in ordered_components(chain):
        inside = set(block)
        if inside <= losing or all(inside >= set(chain[i]) and sum(chain[i].values()) == 1 for i in block):
            for i in block:
                chain[i], constant[i] = {}, ZERO
    return losing


def _round_trip(chain: list[linear.Row], constant: list[Fraction], block: list[int], clock: Clock) -> Fraction:
    """What is earned on average from a state of a closed class until it is there again: it has the sign of the gain."""
    root, place = block[0], {i: k for k, i in enumerate(block)}
    rows = [{place[j]: p for j, p in chain[i].items() if j != root} for i in block]
    return linear.solve(rows, [constant[i] for i in block], clock)[0]


def unending(small: Table, choice: Sequence[int]) -> int | None:
    """A state of a closed class of the policy, None where the policy surely ends."""
    users: list[list[int]] = [[] for _ in choice]
    front = []
    for state, i in enumerate(choice):
        if i == STOP:
            front.append(state)
        else:
            for j in small.next[i]:
                users[j].append(state)
    reached = set(front)
    while front:
        for user in users[front.pop()]:
            if user not in reached:
                reached.add(user)
                front.append(user)
    left = [{} if state in reached else dict.fromkeys(small.next[i], ZERO) for state, i in enumerate(choice)]
    blocks = [block for block in ordered_components(left) if block[0] not in reached]
    return min(blocks[0]) if blocks else None


def _merged_table(rows: Table, merged: Merged) -> Table:
    after: list[list[int]] = []
    prob: list[list[Fraction]] = []
    for old_next, old_prob in zip(rows.next, rows.prob, strict=True):
        row: linear.Row = {}
        for j, p in zip(old_next, old_prob, strict=True):
            k = int(merged.group[j])
            row[k] = row.get(k, ZERO) + p
        after.append(list(row))
        prob.append(list(row.values()))
    return Table(merged.pairs, after, prob, rows.reward)


def _evaluate(small: Table, choice: Sequence[int], clock: Clock) -> list[Fraction]:
    chain: list[linear.Row] = []
    for i in choice:
        chain.append({} if i == STOP else dict(zip(small.next[i], small.prob[i], strict=True)))
    return linear.solve(chain, [ZERO if i == STOP else small.reward[i] for i in choice], clock)


def _float_policy(small: Table, choice: list[int]) -> list[int] | None:
    """Policy iteration in floating point from a policy that surely ends: a good start, never worse than none."""
    size = len(choice)
    if size > 1500:
        return None
    choice = list(choice)
    matrix_of = [np.array([float(p) for p in row]) for row in small.prob]
    reward = [float(r) for r in small.reward]
    for _ in range(200):
        matrix = np.eye(size)
        for state, i in enumerate(choice):
            if i != STOP:
                matrix[state, small.next[i]] -= matrix_of[i]
        try:
            value = np.linalg.solve(matrix, np.array([0.0 if i == STOP else reward[i] for i in choice]))
        except np.linalg.LinAlgError:
            return choice  # it surely ends, but so late that floating point sees no end
        improved = list(choice)
        slack = 1e-11 * (1 + float(np.abs(value).max(initial=0.0)))
        for state, pairs in enumerate(small.pairs):
            q = [reward[i] + float(matrix_of[i] @ value[small.next[i]]) for i in pairs]
            if q and max(q) > value[state] + slack:
                improved[state] = pairs[int(np.argmax(q))]
        if improved == choice or unending(small, improved) is not None:
            return choice
        choice = improved
    return choice
