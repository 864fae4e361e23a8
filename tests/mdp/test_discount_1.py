"""Discount 1 against every policy of small models, one by one, in fractions: what ends, what it earns, what is lost."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rltrain.errors import InputError
from rltrain.mdp import build, graph, pairs, problems
from rltrain.mdp.chains import policy as policies
from rltrain.mdp.exact.discounted import evaluate_exact, solve_exact
from rltrain.mdp.graph import end_components
from rltrain.mdp.learn import truth as learning_truth
from rltrain.mdp.model import Numbered
from rltrain.mdp.undiscounted import sweeps, total_reward

ONE = Fraction(1)
LOST = float("-inf")
FIXED = {"derandomize": True, "deadline": None, "database": None}


def model_of(pairs):
    """From, for each state, its pairs: an action's successors as {state: weight} and its reward."""
    rows = [
        (s, a, t, Fraction(weight, sum(weights.values())), Fraction(reward))
        for s, of_state in enumerate(pairs)
        for a, (weights, reward) in enumerate(of_state)
        for t, weight in weights.items()
    ]
    s, a, t, prob, reward = zip(*rows, strict=True) if rows else ((),) * 5
    written = build.Written(prob, reward, None)
    floats = [float(p) for p in prob], [float(r) for r in reward]
    return build.from_transitions(Numbered(len(pairs)), Numbered(2), s, a, t, *floats, exact=written)


@st.composite
def models(draw, most=4):
    """1 to `most` states of 0 to 2 actions, rewards of which many cancel: circles, dead ends, ties."""
    size = draw(st.integers(1, most))
    weights = st.dictionaries(st.integers(0, size - 1), st.integers(1, 2), min_size=1, max_size=2)
    pair = st.tuples(weights, st.sampled_from((-2, -1, -1, 0, 1, 2)))
    return model_of(draw(st.lists(st.lists(pair, max_size=2), min_size=size, max_size=size)))


def eliminated(matrix, constant):
    """x of matrix x = constant, by Gauss and Jordan in fractions; the matrix is regular."""
    rows = [[*row, b] for row, b in zip(matrix, constant, strict=True)]
    for k in range(len(rows)):
        pivot = next(i for i in range(k, len(rows)) if rows[i][k] != 0)
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [x / rows[k][k] for x in rows[k]]
        for i in range(len(rows)):
            if i != k:
                rows[i] = [x - rows[i][k] * y for x, y in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]


class Played:
    """One deterministic policy of a model: where it stays for ever, what it earns there, and until then."""

    def __init__(self, model, choice):
        size = model.num_states
        self.next = [{} if i < 0 else dict(zip(model.next[model.successors(i)].tolist(),
                     model.exact.prob[model.successors(i)], strict=True)) for i in choice]  # fmt: skip
        self.reward = [Fraction(0) if i < 0 else model.exact.reward[i] for i in choice]
        reach = [{s} for s in range(size)]
        for _ in range(size):
            reach = [r.union(*(reach[t] for s in r for t in self.next[s])) for r in reach]
        self.classes = {frozenset(r) for r in reach if all(reach[t] == r for t in r)}  # recurrent; ends among them
        self.reach = reach
        idle = {s for c in self.classes if not any(self.reward[s] for s in c) for s in c}
        caught = {s for c in self.classes for s in c} - idle
        self.ends = [not (reach[s] & caught) for s in range(size)]
        self.value = [None] * size
        for s in idle:
            self.value[s] = Fraction(0)
        open_states = [s for s in range(size) if self.ends[s] and s not in idle]
        matrix = [[Fraction(s == t) - self.next[s].get(t, 0) for t in open_states] for s in open_states]
        for s, v in zip(open_states, eliminated(matrix, [self.reward[s] for s in open_states]), strict=True):
            self.value[s] = v

    def gain(self, states):
        """The mean reward of a step in a recurrent class."""
        states = sorted(states)
        matrix = [[Fraction(1)] * len(states)]
        for t in states[1:]:
            matrix.append([Fraction(s == t) - self.next[s].get(t, 0) for s in states])
        share = eliminated(matrix, [Fraction(1)] + [Fraction(0)] * (len(states) - 1))
        return sum(x * self.reward[s] for x, s in zip(share, states, strict=True))


def truth(model):
    """("+", "?" or "", [S] the best value of a policy that ends, or LOST)."""
    every = [list(model.pairs(s)) or [-1] for s in range(model.num_states)]
    played = [Played(model, choice) for choice in itertools.product(*every)]
    best = [max((p.value[s] for p in played if p.ends[s]), default=LOST) for s in range(model.num_states)]
    gains = [(c, p.gain(c)) for p in played for c in p.classes if any(p.reward[s] for s in c)]
    if any(gain > 0 for _, gain in gains):
        return "+", best
    if any(gain == 0 and all(best[s] == LOST for s in c) for c, gain in gains):
        return "?", best
    return "?" if all(v == LOST for s, v in enumerate(best) if every[s] != [-1]) and any(
        e != [-1] for e in every
    ) else "", best


@settings(max_examples=examples(250), **FIXED)
@given(models())
def test_every_state_is_worth_what_the_best_policy_that_ends_earns(model):
    sign, best = truth(model)
    if sign:
        says = {"+": "its value is infinite", "?": "no finite sum"}[sign]
        for solve in (lambda: solve_exact(model, ONE), lambda: total_reward.solve(model)):
            with pytest.raises(InputError, match=says):
                solve()
        return
    exact = solve_exact(model, ONE)
    assert list(exact.value) == best
    for state, value in enumerate(best):
        assert exact.optimal[state] == () if value == LOST else True
    found = total_reward.solve(model)
    bound = Fraction(found.bound)
    assert found.converged
    for value, said in zip(best, found.value.tolist(), strict=True):
        assert said == LOST if value == LOST else abs(Fraction(said) - value) <= bound
    for value, said in zip(exact.q, found.q.tolist(), strict=True):
        assert said == LOST if value == LOST else abs(Fraction(said) - value) <= bound
    for choice in (exact.choice, found.choice):
        ends = Played(model, choice.tolist())
        assert all(value == LOST or ends.value[s] == value for s, value in enumerate(best))
    if exact.circle is not None:
        assert len(exact.optimal[exact.circle]) > 1 or best[exact.circle] == 0


@settings(max_examples=examples(200), **FIXED)
@given(models(), st.data())
def test_a_given_policy_is_worth_what_it_earns_or_loses_for_ever(model, data):
    choice = [data.draw(st.sampled_from(list(model.pairs(s)) or [-1])) for s in range(model.num_states)]
    played = Played(model, choice)
    taken = pairs.of_choice(model, np.array(choice))
    gains = {s: played.gain(c) for c in played.classes for s in c if any(played.reward[t] for t in c)}
    losing = [any(gains.get(t, 0) < 0 for t in r) for r in played.reach]
    told = [any(t in gains and gains[t] >= 0 for t in r) for r in played.reach]  # of no sum, or an infinite one
    if any(told):
        for evaluate in (lambda: policies.evaluate(model, taken, 1.0), lambda: evaluate_exact(model, choice, ONE)):
            with pytest.raises(InputError, match="discount 1"):
                evaluate()
        return
    found = policies.evaluate(model, taken, 1.0)
    for state, value in enumerate(found.value.tolist()):
        assert value == LOST if losing[state] else abs(Fraction(value) - played.value[state]) <= Fraction(found.bound)
    exact = [LOST if losing[s] else v for s, v in enumerate(played.value)]
    assert list(evaluate_exact(model, choice, ONE)) == exact


def test_a_chain_that_needs_ten_to_the_seventeen_steps_is_solved_in_fractions_without_a_warning(recwarn):
    """Singular in floating point; two states by hand: V = -1 / 10^-17."""
    model = model_of([[({0: 10**17 - 1, 1: 1}, -1)], []])
    assert solve_exact(model, ONE).value == (-(10**17), 0)
    assert evaluate_exact(model, [0, -1], ONE) == (-(10**17), 0)
    found = total_reward.solve(model)
    assert found.value.tolist() == [-1e17, 0] and not found.converged  # known to the last bit, which is worth 16
    assert not recwarn.list


@pytest.mark.slow
def test_a_large_grid_is_solved_by_sweeps_from_its_goal():
    """More states than equations are eliminated for; without slip the way from the first corner is 2 (n - 1) steps."""
    side = 320
    found = total_reward.solve(problems.grid(side, slip=0.0))
    assert found.converged and abs(found.value[0] + 2 * (side - 1)) <= found.bound
    slipping = total_reward.solve(problems.grid(side, slip=0.2))
    assert slipping.converged and slipping.value[0] < found.value[0]


def test_the_rim_of_a_component_falls_off_in_waves():
    """End components of a corridor to the goal: none, found by two searches of strong components, not by a thousand."""
    line = model_of([[({s: 1, s + 1: 1}, -1)] for s in range(1000)] + [[]])
    assert not end_components(line, np.ones(1000, dtype=bool))[1].any()
    assert not graph.staying(line, np.ones(1000, dtype=bool)).any()


def test_one_dead_end_hides_nothing():
    model = model_of([[({2: 1}, -5), ({2: 9, 1: 1}, -1)], [({1: 1}, -1)], []])
    found = total_reward.solve(model)
    assert found.value.tolist() == [-5, LOST, 0] and found.q.tolist() == [-5, LOST, LOST]
    assert found.choice.tolist() == [0, 2, -1] and found.lost.tolist() == [False, True, False]
    assert not found.tied[1:].any() and np.isinf(found.gaps[:2]).all()


def test_a_circle_worth_nothing_leaves_the_best_policy_that_ends():
    """s0 and s1 pass -1 and 1 to and fro; to end from s0 earns 1, or -1 and then 2."""
    model = model_of([[({1: 1}, -1), ({3: 1}, 1)], [({2: 1}, 2), ({0: 1}, 1)], [], []])
    for found in (total_reward.solve(model), solve_exact(model, ONE)):
        assert list(found.value) == [1, 2, 0, 0] and found.circle in (0, 1)


def test_dead_ends_whose_rewards_have_both_signs():
    """Lost are 1 and 2: their circle earns 1 and loses 3; with 1 and -1 it never settles, with 3 and -1 it earns."""

    def circle(there, back):
        return model_of([[({3: 1}, -5), ({1: 1}, 0)], [({2: 1}, there)], [({1: 1}, back)], []])

    assert total_reward.solve(circle(1, -3)).value.tolist() == [-5, LOST, LOST, 0]
    for there, back, says in ((1, -1, "no finite sum"), (3, -1, "its value is infinite")):
        for solve in (lambda m: solve_exact(m, ONE), total_reward.solve):
            with pytest.raises(InputError, match=says):
                solve(circle(there, back))


@pytest.mark.parametrize("method", sweeps.METHODS)
def test_a_state_that_may_stay_for_nothing_pulls_no_other_down_with_its_dear_actions(method):
    model = model_of([[({1: 1}, 0)], [({0: 1, 2: 2}, 2)], [({0: 3, 2: 2}, -5), ({2: 1}, 0)]])
    found = sweeps.solve(model, method, max_sweeps=500)
    assert found.converged and found.value == pytest.approx([3, 3, 0], abs=1e-6)


@pytest.mark.parametrize("method", sweeps.METHODS)
def test_sweeps_come_within_the_bound_they_state(method):
    """Of every model that has values; where a circle that cancels holds them up, they say that they are far."""

    @settings(max_examples=examples(20 if method == "lp" else 80), **FIXED)
    @given(models())
    def holds(model):
        sign, best = truth(model)
        if sign:
            return
        found = sweeps.solve(model, method, max_sweeps=2000)
        bound = Fraction(found.bound) if np.isfinite(found.bound) else Fraction(10**30)
        for value, said in zip(best, found.value.tolist(), strict=True):
            assert said == LOST if value == LOST else abs(Fraction(said) - value) <= bound
        assert found.converged == (found.bound <= 1e-6)
        if found.circle is None:
            assert found.converged
            choice = Played(model, found.choice.tolist())
            assert all(value == LOST or abs(choice.value[s] - value) < 1e-6 for s, value in enumerate(best))

    holds()


@pytest.mark.parametrize("method", ["vi", "qvi", "mpi", "gs"])
def test_a_limit_on_sweeps_is_kept_and_the_bound_said(method):
    line = model_of([[({s: 1, s + 1: 1}, -1)] for s in range(30)] + [[]])
    found = sweeps.solve(line, method, max_sweeps=1)  # two of Gauss-Seidel's, to and fro, would do
    assert found.sweeps == 1 and not found.converged and found.bound >= 60 + found.value[0]
    assert sweeps.solve(line, method).value[0] == pytest.approx(-60, abs=1e-6)


def test_learners_are_held_against_the_truth_of_discount_1():
    """s0 may end for -1 or walk on for -3 in all; 1 is a dead end, which a policy that goes there never leaves."""
    model = model_of([[({3: 1}, -1), ({2: 1}, -2)], [({1: 1}, -1)], [({3: 1}, -1), ({1: 1}, 0)], []])
    held = learning_truth.of_model(model, 1.0)
    right, walks, lost = np.array([[-1, -3, -9, -1, -5], [-3, -1, -9, -1, -5], [-3, -1, -9, -5, -1]], dtype=float)
    judged = held.judge(np.array([right, walks, lost]))
    assert judged.error.tolist() == [0, 2, 4] and judged.regret.tolist() == [0, 2, np.inf]
    assert judged.right.tolist() == [1, 0.5, 0]
    assert learning_truth.of_model(model_of([[({0: 1}, 1), ({1: 1}, 0)], []]), 1.0) is None  # infinite
    assert learning_truth.of_model(model_of([[({0: 1}, -1)], []]), 1.0) is None  # nothing ends
    taken = pairs.of_choice(model, np.array([0, 2, 3, -1]))
    assert learning_truth.of_policy(model, taken, 1.0).tolist() == [-1, LOST, -1, 0]
