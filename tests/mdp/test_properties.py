"""Thousands of small random models: every bound holds, every claim is true, measured against fractions."""

from fractions import Fraction

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rltrain.errors import InputError
from rltrain.mdp.exact.discounted import evaluate_exact, solve_exact
from rltrain.mdp.exact.discounts import breakpoints
from rltrain.mdp.model import Exact, Model, Numbered
from rltrain.mdp.solvers.solve import METHODS, solve
from rltrain.mdp.undiscounted import total_reward

DISCOUNTS = tuple(map(Fraction, ("0", "0.25", "0.5", "0.8", "0.9", "0.99")))
SLOW = {"lp": 60}  # examples of methods that take milliseconds a model
FIXED = {"derandomize": True, "deadline": None, "database": None}


def model_of(pairs) -> Model:
    """From, for each state, its pairs: an action's successors as {state: weight} and its reward."""
    first_pair, action, first_next, after, prob, reward = [0], [], [0], [], [], []
    for of_state in pairs:
        for number, (weights, gain) in enumerate(of_state):
            for state in sorted(weights):
                after.append(state)
                prob.append(Fraction(weights[state], sum(weights.values())))
            first_next.append(len(after))
            action.append(number)
            reward.append(Fraction(gain))
        first_pair.append(len(action))
    return Model(
        states=Numbered(len(pairs)),
        actions=Numbered(4),
        first_pair=np.array(first_pair, dtype=np.int64),
        action=np.array(action, dtype=np.int32),
        first_next=np.array(first_next, dtype=np.int64),
        next=np.array(after, dtype=np.int32),
        prob=np.array([float(p) for p in prob]),
        reward=np.array([float(r) for r in reward]),
        exact=Exact(tuple(prob), tuple(reward), None),
    )


@st.composite
def models(draw, most=6):
    """1 to `most` states of 0 to 3 actions, whole rewards, small weights: ties, copies, unreachable states."""
    size = draw(st.integers(1, most))
    weights = st.dictionaries(st.integers(0, size - 1), st.integers(1, 4), min_size=1, max_size=3)
    pair = st.tuples(weights, st.integers(-3, 3))
    pairs = draw(st.lists(st.lists(pair, max_size=3), min_size=size, max_size=size))
    if draw(st.booleans()):  # a copy of an action is a tie for every discount
        pairs = [[*of_state, of_state[0]] if len(of_state) in (1, 2) else of_state for of_state in pairs]
    return model_of(pairs)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_what_it_promises(method):
    @settings(max_examples=examples(SLOW.get(method, 240)), **FIXED)
    @given(models(), st.sampled_from(DISCOUNTS), st.sampled_from((1e-2, 1e-6, 1e-9)))
    def holds(model, discount, epsilon):
        check(model, discount, solve(model, float(discount), method, epsilon), epsilon)

    holds()


def check(model, discount, solution, epsilon):
    # 0.9 is not 9/10 in binary: the truth is taken for the number that the solver was given
    truth = solve_exact(model, Fraction(float(discount)))
    bound = Fraction(solution.bound)
    assert all(abs(Fraction(v) - t) <= bound for v, t in zip(solution.value.tolist(), truth.value, strict=True))
    assert all(abs(Fraction(v) - t) <= bound for v, t in zip(solution.q.tolist(), truth.q, strict=True))
    assert solution.converged == (solution.bound <= epsilon)
    assert solution.converged, "small models always converge"
    assert all(solution.tied[i] for pairs in truth.optimal for i in pairs)
    lost = [t - v for t, v in zip(truth.value, evaluate_exact(model, solution.choice, truth.discount), strict=True)]
    assert min(lost) >= 0 and max(lost) <= 2 * bound / (1 - truth.discount)
    for state, pair in enumerate(solution.choice.tolist()):
        assert (pair == -1) == bool(model.terminal[state])
        if pair >= 0 and solution.gaps[state] > 2 * solution.bound:
            assert truth.optimal[state] == (pair,)


@settings(max_examples=examples(500), **FIXED)
@given(models(4), st.sampled_from(DISCOUNTS))
def test_the_exact_solution_is_the_best_of_all_policies(model, discount):
    """Against every deterministic policy, one by one."""
    truth = solve_exact(model, discount)
    assert evaluate_exact(model, truth.choice, discount) == truth.value
    count = int(np.prod([max(1, len(model.pairs(s))) for s in range(model.num_states)]))
    for number in range(min(count, 81)):
        policy = []
        for state in range(model.num_states):
            pairs = model.pairs(state)
            number, place = divmod(number, max(1, len(pairs)))
            policy.append(pairs[place] if pairs else -1)
        value = evaluate_exact(model, policy, discount)
        assert all(v <= t for v, t in zip(value, truth.value, strict=True))
        best = value == truth.value
        assert best == all(i in truth.optimal[s] for s, i in enumerate(policy) if i >= 0)


@settings(max_examples=examples(300), **FIXED)
@given(models(5))
def test_without_a_discount_fractions_and_floats_agree(model):
    """On the values, and on whether there are any; near a discount of 1 the values come near."""
    try:
        truth = solve_exact(model, Fraction(1))
    except InputError:
        with pytest.raises(Exception, match="discount 1"):
            total_reward.solve(model)
        return
    assert evaluate_exact(model, truth.choice, Fraction(1)) == truth.value
    found = total_reward.solve(model)
    bound = Fraction(found.bound)
    assert found.converged
    for number, exact in zip((*found.value.tolist(), *found.q.tolist()), (*truth.value, *truth.q), strict=True):
        assert number == exact if exact == float("-inf") else abs(Fraction(number) - exact) <= bound
    assert evaluate_exact(model, found.choice, Fraction(1)) == truth.value
    if truth.circle is None:
        near = solve_exact(model, 1 - Fraction(1, 10**9))
        for a, b in zip(near.value, truth.value, strict=True):
            assert a < -1e3 if b == float("-inf") else abs(float(a - b)) < 1e-3


@settings(max_examples=examples(300), **FIXED)
@given(models(5), st.lists(st.integers(1, 998), min_size=3, max_size=6))
def test_the_policy_of_every_interval_is_optimal_in_it_and_at_its_ends(model, thousandths):
    found = breakpoints(model, 0, Fraction(999, 1000))
    assert found.rigorous
    for discount in [Fraction(each, 1000) for each in thousandths]:
        truth = solve_exact(model, discount)
        for piece in found.intervals:
            if piece.low <= discount <= piece.high:
                assert all(i in truth.optimal[s] for s, i in enumerate(piece.choice.tolist()) if i >= 0)
    for before, after in zip(found.intervals, found.intervals[1:], strict=False):
        assert before.high == after.low
        here = [p for p in found.breakpoints if p.discount == after.low]
        assert {p.state for p in here} == set(np.flatnonzero(before.choice != after.choice))
        step = min(Fraction(1, 10**6), Fraction(before.high - before.low) / 2, Fraction(after.high - after.low) / 2)
        left = solve_exact(model, Fraction(after.low) - step)
        right = solve_exact(model, Fraction(after.low) + step)
        assert any(p.after not in left.optimal[p.state] for p in here)  # it was a change: not optimal before
        assert any(p.before not in right.optimal[p.state] for p in here)
