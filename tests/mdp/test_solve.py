"""The solver on models too large for fractions: methods against each other, known values, and promises."""

from __future__ import annotations

import time

import numpy as np
import pytest

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import pairs, problems, thresholds
from rltrain.mdp.model import Model, Numbered
from rltrain.mdp.solvers import backward_waves, bellman
from rltrain.mdp.solvers.compiled import Compiled
from rltrain.mdp.solvers.plain import Plain
from rltrain.mdp.solvers.solve import METHODS, solve

GARNET = problems.garnet(3_000, seed=1)
GRID = problems.grid(60)


def ring(states: int, reward: Array) -> Model:
    """One action: a step on, round and round. V is a geometric sum over the ring."""
    return Model(
        states=Numbered(states),
        actions=Numbered(1),
        first_pair=np.arange(states + 1),
        action=np.zeros(states, np.int32),
        first_next=np.arange(states + 1),
        next=((np.arange(states) + 1) % states).astype(np.int32),
        prob=np.ones(states),
        reward=reward,
    )


def teleporting(side: int) -> Model:
    """The grid, but from the goal back to the first corner: nothing absorbs, and all values depend on each other."""
    model = problems.grid(side)
    next = model.next.copy()
    for pair in model.pairs(side * side - 1):
        next[model.successors(pair)] = 0
    return Model(
        model.states, model.actions, model.first_pair, model.action, model.first_next, next, model.prob, model.reward
    )


@pytest.mark.parametrize("model", [GARNET, GRID], ids=["garnet", "grid"])
@pytest.mark.parametrize("method", [name for name in METHODS if name != "lp"])
def test_all_methods_agree_within_their_bounds(model: Model, method: str) -> None:
    truth = solve(model, 0.95, epsilon=1e-10)
    found = solve(model, 0.95, method, epsilon=1e-7)
    assert found.converged
    assert found.bound <= 1e-7
    assert np.abs(found.value - truth.value).max() <= found.bound + truth.bound
    assert np.abs(found.q - truth.q).max() <= found.bound + truth.bound


def test_the_linear_program_too() -> None:
    model = problems.garnet(300)
    assert solve(model, 0.9, "lp").value == pytest.approx(solve(model, 0.9, "pi").value, abs=2e-6)


@pytest.mark.parametrize("discount", [0.9, 0.99, 0.999, 0.9999])
def test_the_corridor_by_its_formula(discount: float) -> None:
    """Without slip the way from the first corner is 2 (n - 1) steps of -1."""
    side = 80
    found = solve(problems.grid(side, slip=0.0), discount)
    assert found.value[0] == pytest.approx(-(1 - discount ** (2 * side - 2)) / (1 - discount), abs=found.bound + 1e-12)


@pytest.mark.parametrize("discount", [0.9, 0.999])
def test_a_ring_by_its_formula(discount: float) -> None:
    """Only state 0 pays, and k steps lie before it: V(-k) = gamma^k / (1 - gamma^n)."""
    states = 2_000
    reward = np.zeros(states)
    reward[0] = 1.0
    found = solve(ring(states, reward), discount)
    steps = (-np.arange(states)) % states
    expected = discount**steps / (1 - discount**states)
    assert found.converged
    assert np.abs(found.value - expected).max() <= found.bound + 1e-12


@pytest.mark.parametrize("discount", [0.99, 0.999, 0.9999])
def test_slow_models_converge_to_what_policy_iteration_finds(discount: float) -> None:
    for model in (problems.grid(45), teleporting(45)):
        found, other = solve(model, discount), solve(model, discount, "pi")
        assert found.converged
        assert found.bound <= 1e-6
        assert np.abs(found.value - other.value).max() <= found.bound + other.bound


def test_the_grid_is_settled_from_its_goal_and_the_garnet_by_sweeps() -> None:
    assert solve(GRID, 0.999).method == "front"
    assert solve(GARNET, 0.999).method == "mpi"
    assert solve(problems.garnet(200), 0.999).method == "pi"


def test_windows_smaller_than_the_model_lead_to_the_same_values(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = solve(GRID, 0.999)
    monkeypatch.setattr(backward_waves, "BLOCK", 300)
    monkeypatch.setattr(backward_waves, "OVERLAP", 200)
    assert np.abs(solve(GRID, 0.999).value - whole.value).max() <= 2e-6


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "ROWS_A_THREAD", 100)
    one, three = solve(GARNET, 0.99, threads=1), solve(GARNET, 0.99, threads=3)
    assert one.q.tobytes() == three.q.tobytes()
    assert one.bound == three.bound


def test_compiled_and_plain_sweeps_are_the_same() -> None:
    model = problems.garnet(400, seed=3)
    plain, compiled = Plain(model, 0.9), Compiled(model, 0.9)
    value = np.random.default_rng(0).random(model.num_states)
    ours, theirs = np.empty_like(value), np.empty_like(value)
    own, their = np.empty(len(value), np.int64), np.empty(len(value), np.int64)
    low, high = plain.sweep(value, ours, own)
    assert compiled.sweep(value, theirs, their) == pytest.approx((low, high), abs=1e-14)
    assert theirs == pytest.approx(ours, abs=1e-14)
    assert (own == their).all()
    few, rows = plain.near_best(plain.backup(value), ours, 0.05), compiled.near_best(plain.backup(value), ours, 0.05)
    assert few.sum() == len(rows[4])
    plain.sweep(value, ours, own, few)
    compiled.sweep(value, theirs, their, rows)
    assert theirs == pytest.approx(ours, abs=1e-14)
    other = value.copy()
    changed = plain.improve(value, own, False)
    assert compiled.improve(other, their, False) == pytest.approx(changed, abs=1e-13)
    assert other == pytest.approx(value, abs=1e-13)


def test_states_that_no_one_leaves_are_absorbing() -> None:
    assert np.flatnonzero(pairs.absorbing(GRID)).tolist() == [3_599]
    assert not pairs.absorbing(GARNET).any()


@pytest.mark.parametrize("method", METHODS)
def test_a_limit_is_kept_and_said(method: str) -> None:
    if method == "lp":  # one step of another library
        return
    found = solve(GRID, 0.999, method, max_sweeps=2)
    assert not found.converged
    assert found.bound > 1e-6
    assert np.isfinite(found.bound)
    start = time.monotonic()
    assert not solve(problems.grid(300), 0.9999, method, epsilon=1e-9, max_seconds=0.2).converged
    assert time.monotonic() - start < 20


def test_what_floating_point_cannot_prove_is_not_claimed() -> None:
    found = solve(GARNET, 0.9999, epsilon=1e-13)
    assert not found.converged
    assert found.bound < 1e-6


def test_without_a_future_q_is_the_reward() -> None:
    found = solve(GARNET, 0.0)
    assert found.q.tobytes() == GARNET.reward.tobytes()
    assert found.value == pytest.approx(bellman.best(GARNET, GARNET.reward))


def test_progress_is_told() -> None:
    told: list[tuple[int, float]] = []
    solve(GARNET, 0.99, progress=lambda sweeps, bound: told.append((sweeps, bound)))
    assert len(told) >= 2
    assert [sweeps for sweeps, _ in told] == sorted(sweeps for sweeps, _ in told)
    assert told[-1][1] <= 1e-6


@pytest.mark.parametrize(
    ("discount", "method", "epsilon", "rule"),
    [
        (1.0, "auto", 1e-6, "discount: 1.0 is not from 0 to below 1"),
        (0.9, "auto", 0.0, "epsilon: 0.0 is not above 0"),
        (0.9, "vo", 1e-6, "unknown 'vo'; one of auto, "),
    ],
)
def test_what_makes_no_sense_is_refused(discount: float, method: str, epsilon: float, rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        solve(GARNET, discount, method, epsilon)


def test_small_and_large_paths_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model = problems.garnet(500, seed=5)
    small = solve(model, 0.99)
    monkeypatch.setattr(thresholds, "PLAIN_STATES", 0)
    large = solve(model, 0.99)
    assert (small.method, large.method) == ("pi", "mpi")
    assert np.abs(small.q - large.q).max() <= small.bound + large.bound
