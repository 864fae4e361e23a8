"""Discount 1: the greatest expected sum of rewards, where it exists, in fractions.

Circles decide. An end component (`mdp.ends`) in which nothing but zeros is earned may be kept up for ever and is worth
what its best way out is worth, or 0. So every largest such component is made one state with one action more: stop, for
nothing. Of what is left every state must have a policy that surely ends; policy iteration goes from one such policy to
the next (Bertsekas and Tsitsiklis 1991). The sum does not exist, and this says so, naming the state, where

- no policy surely ends or comes to a circle of zeros: every other circle that is possible loses for ever: -infinity;
- an improved policy does not end: its circle earns more than it costs: +infinity;
- optimal actions form a circle of other numbers, which cancel on average: the sum never settles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import linear
from rltrain.mdp.ends import end_components, surely
from rltrain.mdp.linear import Clock
from rltrain.mdp.model import Model
from rltrain.mdp.rational import ZERO, Table, action_values

STOP = -1  # as a choice: end here, for nothing


@dataclass(frozen=True)
class Idle:
    """Largest end components of pairs that earn 0, each seen as one state."""

    number: Array  # [S] of each state, -1: in none
    pair: Array  # [P] bool: the pairs inside them


def idle(model: Model, zero: Array) -> Idle:
    """From which pairs earn exactly nothing, [P] bool."""
    return Idle(*end_components(model, zero))


def solve(model: Model, rows: Table, clock: Clock) -> tuple[list[Fraction], Array, int]:
    """V*, an optimal policy that ends wherever an optimal one can, and the evaluations it took."""
    calm = idle(model, np.array([r == 0 for r in rows.reward], dtype=bool))
    merged, choice = merge(model, calm)
    small = _merged_table(rows, merged)
    iterations = 0
    start = _float_policy(small, choice)
    if start is not None:
        choice = start
    while True:
        iterations += 1
        value = _evaluate(small, choice, clock)
        q = action_values(small, value, Fraction(1))
        changed = False
        for state, pairs in enumerate(small.pairs):
            best = max(pairs, key=lambda i: (q[i], -i), default=STOP)
            better = q[best] if best >= 0 else ZERO
            if merged.stops[state] and better < 0:
                best, better = STOP, ZERO
            if better > value[state] and (pairs or merged.stops[state]):
                choice[state] = best
                changed = True
        if not changed:
            break
        endless = unending(small, choice)
        if endless is not None:
            raise infinite(model, merged.member(endless), "+")
    full = [value[k] for k in merged.group.tolist()]
    tight = np.array(
        [q == full[s] for q, s in zip(action_values(rows, full, Fraction(1)), model.pair_state, strict=True)],
        dtype=bool,
    )
    refuse_cancelling(model, tight, calm)
    return full, ending_policy(model, tight, calm, np.array([v == 0 for v in full], dtype=bool)), iterations


@dataclass(frozen=True)
class Merged:
    """The model with each idle component as one state, numbered anew."""

    group: Array  # [S] the new number of each state
    pairs: list[list[int]]  # of each new state, by their old numbers; those inside a component are left out
    stops: list[bool]  # of each new state: may stop for nothing

    def member(self, group: int) -> int:
        return int(np.flatnonzero(self.group == group)[0])


def merge(model: Model, calm: Idle) -> tuple[Merged, list[int]]:
    """The merged model and a policy on it that surely ends; InputError where there is none."""
    key = np.where(calm.number >= 0, model.num_states + calm.number, np.arange(model.num_states))
    group = np.unique(key, return_inverse=True)[1]
    count = int(group.max(initial=-1)) + 1
    pairs: list[list[int]] = [[] for _ in range(count)]
    for i in np.flatnonzero(~calm.pair).tolist():
        pairs[group[model.pair_state[i]]].append(i)
    stops = np.zeros(count, dtype=bool)
    stops[group[calm.number >= 0]] = True
    inside, way = surely(model, model.terminal | (calm.number >= 0), np.ones(model.num_pairs, dtype=bool))
    if not inside.all():
        raise no_end(model, ~inside)
    choice = [STOP] * count
    for state in np.flatnonzero(way >= 0).tolist():
        choice[group[state]] = int(way[state])
    return Merged(group, pairs, stops.tolist()), choice


def infinite(model: Model, state: int, sign: str) -> InputError:
    name = model.states[state]
    says = {
        "+": f"a circle through state '{name}' earns for ever: its value is infinite",
        "?": f"no policy surely ends from state '{name}': its rewards go on for ever and have no finite sum",
        "0": f"an optimal circle through state '{name}' earns and loses in turn: the sum of its rewards never settles",
        "policy": f"the policy never ends from state '{name}', and not all that it earns on its circle is 0",
    }
    return InputError(f"discount 1: {says[sign]}; take a discount below 1")


def no_end(model: Model, lost: Array) -> InputError:
    return infinite(model, int(np.flatnonzero(lost)[0]), "?")


def closed_class(model: Model, choice: Array) -> int | None:
    """A state of a class that the policy never leaves, None where it surely ends."""
    chosen = np.zeros(model.num_pairs, dtype=bool)
    chosen[choice[choice >= 0]] = True
    number = end_components(model, chosen)[0]
    closed = np.flatnonzero(number >= 0)
    return int(closed[0]) if len(closed) else None


def refuse_cancelling(model: Model, tight: Array, calm: Idle) -> None:
    """An end component of optimal pairs may only earn zeros."""
    wrong = np.flatnonzero(end_components(model, tight)[1] & ~calm.pair)
    if len(wrong):
        raise infinite(model, int(model.pair_state[wrong[0]]), "0")


def ending_policy(model: Model, tight: Array, calm: Idle, nothing: Array) -> Array:
    """[S] of the optimal pairs, those that surely end; else those that surely come to idle states worth 0, and stay."""
    inside, choice = surely(model, model.terminal, tight)
    rest = (calm.number >= 0) & nothing & ~inside
    for i in np.flatnonzero(calm.pair & rest[model.pair_state]).tolist():
        choice[model.pair_state[i]] = i
    found, way = surely(model, inside | rest, tight)
    assert found.all()
    return np.where(way >= 0, way, choice)


def drop_idle(model: Model, chain: list[linear.Row], constant: list[Fraction]) -> None:
    """Make a policy's chain one that loses mass from everywhere: closed classes that earn 0 are worth 0. In place."""
    for block in linear.components(chain):
        inside = set(block)
        if all(inside >= set(chain[i]) and sum(chain[i].values()) == 1 for i in block):
            if any(constant[i] != 0 for i in block):
                raise infinite(model, min(block), "policy")
            for i in block:
                chain[i] = {}


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
    blocks = [block for block in linear.components(left) if block[0] not in reached]
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
        value = np.linalg.solve(matrix, np.array([0.0 if i == STOP else reward[i] for i in choice]))
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
