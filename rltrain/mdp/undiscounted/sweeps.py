"""Discount 1 by sweeps over V or Q, or by a linear program: the values are theirs, the proof that of `total_reward`.

Value iteration from V = 0 comes near the best policy that ends wherever no circle of numbers that cancel holds it up
(Bertsekas and Tsitsiklis 1991). Nothing contracts here; each bound is proven from one backup of the values as they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.mdp import parts
from rltrain.mdp.model import Model, Numbered
from rltrain.mdp.pairs import loops
from rltrain.mdp.solution import Solution
from rltrain.mdp.solvers import bellman
from rltrain.mdp.solvers.methods import least_values
from rltrain.mdp.solvers.solve import sweeps_of
from rltrain.mdp.undiscounted.total_reward import MAX_SECONDS, Proof, prove

METHODS = ("vi", "qvi", "mpi", "gs", "lp")
OWN = 20  # sweeps of one policy between two improvements


def solve(
    model: Model,
    method: str,
    epsilon: float = 1e-6,
    *,
    max_sweeps: int | None = None,
    max_seconds: float | None = None,
    threads: int | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> Solution:
    """V*, Q* and a policy by one of METHODS. Errors as `total_reward.solve`."""
    start = time.perf_counter()
    proof = prove(model, epsilon, MAX_SECONDS if max_seconds is None else max_seconds)
    part = proof.part
    value, before, sweeps, look, bound = np.zeros(model.num_states), None, 0, 1, np.inf
    on = sweeps_of(part, 1.0, threads)
    try:
        for value in _values(part, on, method, proof):
            sweeps += 1
            still = before is not None and bool((value == before).all())
            stop = still or (max_sweeps is not None and sweeps >= max_sweeps)
            stop |= max_seconds is not None and time.perf_counter() - start >= max_seconds
            if stop or sweeps >= look:
                look = max(sweeps + 1, int(1.25 * sweeps))
                bound = proof.bound(value)
                if progress is not None:
                    progress(sweeps, bound)
                if stop or bound <= epsilon / 2:
                    break
            before = value.copy()
    finally:
        on.close()
    full = np.where(proof.best.lost, -np.inf, value)
    q = bellman.backup(model, full, 1.0)
    bound = proof.bound(value) + bellman.rounding(model, full, 1.0)
    near = np.zeros(model.num_pairs, dtype=bool)
    near[proof.best.choice[proof.best.choice >= 0]] = True
    near &= q >= bellman.best(model, q)[model.pair_state] - 2 * bound
    choice = np.where(_chosen(model, near), proof.best.choice, bellman.greedy(model, q))
    return replace(
        proof.best,
        value=full,
        q=q,
        choice=choice,
        bound=bound,
        converged=bool(bound <= epsilon),
        sweeps=sweeps,
        seconds=time.perf_counter() - start,
        method=method,
    )


def _chosen(model: Model, pairs: Array) -> Array:
    """[S] bool: one of the `pairs` [P] bool is the state's."""
    return np.bincount(model.pair_state[pairs], minlength=model.num_states) > 0


def _values(part: Model, on: Any, method: str, proof: Proof) -> Iterator[Array]:
    """V [S] after each sweep, for ever; once from a linear program."""
    value = np.zeros(part.num_states)
    if method == "lp":
        yield least_values(part, 1.0, proof.idle)
        return
    if method == "qvi":
        q = np.zeros(part.num_pairs)
        while True:
            q = on.backup(bellman.best(part, q))
            yield bellman.best(part, q)
    if method == "gs":
        moving = sweeps_of(_moving(part), 1.0, 1)
        value, choice, backwards = np.append(value, 0.0), np.full(part.num_states + 1, -1, dtype=np.int64), False
        while True:
            moving.improve(value, choice, backwards)
            backwards = not backwards
            yield value[:-1].copy()
    backed_up, choice = np.empty_like(value), np.empty(part.num_states, dtype=np.int64)
    while True:
        if method == "vi":
            on.sweep(value, backed_up, choice)
            value, backed_up = backed_up, value
        else:
            q = on.backup(value)
            value, _ = on.greedy(q)
            backed_up = np.empty_like(value)
            few = on.near_best(q, value, 0.0)
            for _ in range(OWN):
                on.sweep(value, backed_up, choice, few)
                value, backed_up = backed_up, value
        yield value


def _moving(part: Model) -> Model:
    """The model with one more state, terminal, to which pairs lead that surely stay for nothing.

    Other pairs that surely stay have no part in a policy that ends. So no state's value depends on itself alone.
    """
    stays = loops(part)
    stops = stays & (part.reward == 0)
    following = part.next.copy()
    following[part.first_next[:-1][stops]] = part.num_states
    first_pair = np.append(part.first_pair, part.num_pairs)
    states = Numbered(part.num_states + 1)
    whole = replace(part, states=states, first_pair=first_pair, next=following, start=None, exact=None)
    return parts.of_pairs(whole, ~stays | stops)
