"""Discount 1: the greatest expected sum of rewards that a policy has which surely ends, in fractions.

Circles decide. An end component (`mdp.graph`) in which nothing but zeros is earned may be kept up for ever and is worth
what its best way out is worth, or 0. So every largest such component is made one state with one action more: stop, for
nothing. Of what is left, states from which no policy surely ends are lost (`mdp.fates`), and worth -infinity if every
circle among them loses. From every other one policy iteration goes from one policy that surely ends to the next. It
stops at V = max_a (r + P V), which no policy that ends exceeds: V >= r_pi + P_pi V for each, and P_pi^n V comes to 0
(Bertsekas and Tsitsiklis 1991; Bertsekas and Yu 2016). The value does not exist, and this says so, naming the state, if

- an improved policy does not end: its circle earns more than it costs: +infinity;
- a circle among lost states earns and loses in turn: the sum never settles.

Where optimal actions form a circle of numbers that cancel, the values are still those of the best policy that ends.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.mdp.exact import linear
from rltrain.mdp.exact.policy_iteration import evaluate, float_policy, improve
from rltrain.mdp.exact.rational import MINUS_INFINITY, ONE, ZERO, Clock, Number, Table, action_values
from rltrain.mdp.fates import Fates, circles, ending, fates, infinite, reduced, stopping
from rltrain.mdp.graph import almost_sure_reach, closed_class, end_components, ordered_components
from rltrain.mdp.model import Model
from rltrain.mdp.parts import Collapsed


class ExactTotalReward(NamedTuple):
    """The truth at discount 1."""

    value: list[Number]  # [S], MINUS_INFINITY where every policy loses for ever
    choice: Array  # [S] int64: an optimal policy that ends wherever an optimal one can
    iterations: int  # evaluations
    circle: int | None  # a state on a circle of optimal actions that earns and loses in turn


def solve(model: Model, rows: Table, clock: Clock) -> ExactTotalReward:
    """V* and an optimal policy. InputError where some value is +infinite or never settles, or none is finite."""
    found = fates(model, np.array([r == 0 for r in rows.reward], dtype=bool))
    iterations = check_losing(model, rows, found, clock)
    whole = reduced(model, found)
    small = whole.small
    kept = np.append(whole.kept, -1)
    value, more = _improved(model, small, collapsed_table(rows, small, kept[small.old]), ending(small), clock)
    full: list[Number] = [value[k] for k in small.group.tolist()]
    for state in np.flatnonzero(found.lost).tolist():
        full[state] = MINUS_INFINITY
    tight = found.usable & np.array(
        [q == full[s] for q, s in zip(action_values(rows, full, ONE), model.pair_state, strict=True)], dtype=bool
    )
    turning = np.flatnonzero(end_components(model, tight)[1] & ~found.idle_pairs)
    nothing = np.array([v == 0 for v in full], dtype=bool)
    circle = int(model.pair_state[turning[0]]) if len(turning) else None
    return ExactTotalReward(full, ending_policy(model, tight, found, nothing), iterations + more, circle)


def check_losing(model: Model, rows: Table, found: Fates, clock: Clock) -> int:
    """InputError unless all circles among lost states lose on average. The evaluations it took to know."""
    pairs = np.flatnonzero(found.circling).tolist()
    if not any(rows.reward[i] > 0 for i in pairs):
        return 0  # and not all of a circle is 0, else it were idle
    small = circles(model, found)
    value, iterations = _improved(model, small, collapsed_table(rows, small, small.old), stopping(small), clock)
    q = action_values(rows, [value[k] for k in small.group.tolist()], ONE)
    tight = np.zeros(model.num_pairs, dtype=bool)
    tight[pairs] = [q[i] == value[int(small.group[model.pair_state[i]])] for i in pairs]
    turning = np.flatnonzero(end_components(model, tight)[1])
    if len(turning):
        raise infinite(model, int(model.pair_state[turning[0]]), "?")
    return iterations


def collapsed_table(rows: Table, small: Collapsed, old: Array) -> Table:
    """The fractions of a collapsed model, whose pairs are old [P'] of the whole; -1: stop."""
    end, group = small.model.num_states - 1, small.group.tolist()
    after: list[list[int]] = []
    prob: list[list[Fraction]] = []
    for pair in old.tolist():
        row: linear.Row = {}
        for j, p in zip(rows.next[pair], rows.prob[pair], strict=True) if pair >= 0 else [(-1, ONE)]:
            k = group[j] if pair >= 0 else end
            row[k] = row.get(k, ZERO) + p
        after.append(list(row))
        prob.append(list(row.values()))
    pairs = [list(small.model.pairs(state)) for state in range(end + 1)]
    return Table(pairs, after, prob, [rows.reward[pair] if pair >= 0 else ZERO for pair in old.tolist()])


def _improved(model: Model, small: Collapsed, rows: Table, choice: Array, clock: Clock) -> tuple[list[Fraction], int]:
    """Policy iteration from a policy that surely ends: V, the evaluations. InputError where a circle earns."""
    choice = float_policy(small.model, 1.0, choice)
    iterations = 0
    while True:
        iterations += 1
        value = evaluate(rows, choice, ONE, clock)
        if not improve(rows, value, choice, ONE):
            return value, iterations
        endless = closed_class(small.model, choice)
        if endless is not None:
            raise infinite(model, small.member(int(endless[0])), "+")


def ending_policy(model: Model, tight: Array, fates: Fates, nothing: Array) -> Array:
    """[S] of the optimal pairs, those that surely end; else those that surely come to idle states worth 0, and stay.

    In a lost state the first pair: none is better.
    """
    inside, choice = almost_sure_reach(model, model.terminal, tight)
    rest = (fates.idle >= 0) & nothing & ~inside
    for i in np.flatnonzero(fates.idle_pairs & rest[model.pair_state]).tolist():
        choice[model.pair_state[i]] = i
    found, way = almost_sure_reach(model, inside | rest, tight)
    assert (found | fates.lost).all()
    choice = np.where(way >= 0, way, choice)
    choice[fates.lost] = model.first_pair[:-1][fates.lost]
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
    frontier = list(losing)
    while frontier:
        new = [user for user in users[frontier.pop()] if user not in losing]
        losing.update(new)
        frontier += new
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
