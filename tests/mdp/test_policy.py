"""Given policies: their value with its bound, what they lose, and their files."""

from fractions import Fraction

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rltrain.errors import InputError
from rltrain.mdp import files, losses, pairs, thresholds
from rltrain.mdp.chains import policy
from rltrain.mdp.exact.discounted import evaluate_exact
from rltrain.mdp.files import policy_files, policy_saving
from rltrain.mdp.model import Exact, Model, Numbered
from rltrain.mdp.solvers.solve import solve


@pytest.fixture(scope="module")
def book():
    return files.read(files.BOOK).model


def made(rows, num_states, num_actions=2, **more):
    """A model from {(state, action): (reward, {next: probability})}."""
    keys = sorted(rows)
    entries = [sorted(rows[key][1].items()) for key in keys]
    return Model(
        states=Numbered(num_states),
        actions=Numbered(num_actions),
        first_pair=np.searchsorted([state for state, _ in keys], np.arange(num_states + 1)).astype(np.int64),
        action=np.array([action for _, action in keys], dtype=np.int32),
        first_next=np.cumsum([0] + [len(row) for row in entries]).astype(np.int64),
        next=np.array([n for row in entries for n, _ in row], dtype=np.int32),
        prob=np.array([float(p) for row in entries for _, p in row]),
        reward=np.array([float(rows[key][0]) for key in keys]),
        exact=Exact(
            tuple(Fraction(p) for row in entries for _, p in row), tuple(Fraction(rows[key][0]) for key in keys), None
        ),
        **more,
    )


@st.composite
def small(draw, least_pairs=0):
    """A model of up to 5 states, terminal and unreachable ones included, and a policy as fractions by pair."""
    num = draw(st.integers(1, 5))
    rows, shares = {}, []
    for state in range(num):
        acting = sorted(draw(st.sets(st.integers(0, 2), min_size=least_pairs, max_size=3)))
        weights = draw(st.lists(st.integers(0, 3), min_size=len(acting), max_size=len(acting)))
        if acting and not sum(weights):
            weights[-1] = 1
        shares += [Fraction(weight, sum(weights)) for weight in weights]
        for action in acting:
            to = draw(st.dictionaries(st.integers(0, num - 1), st.integers(1, 4), min_size=1, max_size=3))
            total = sum(to.values())
            reward = Fraction(draw(st.integers(-30, 30)), draw(st.integers(1, 9)))
            rows[state, action] = (reward, {n: Fraction(w, total) for n, w in to.items()})
    return made(rows, num, 3), shares


def garnet(num, seed=1, actions=3, branching=4):
    rng = np.random.default_rng(seed)
    pairs = num * actions
    successors = np.sort(rng.integers(0, num, (pairs, branching)) // branching * branching + np.arange(branching)) % num
    successors = np.sort(successors, axis=1)
    return Model(
        states=Numbered(num),
        actions=Numbered(actions),
        first_pair=np.arange(num + 1) * actions,
        action=np.tile(np.arange(actions, dtype=np.int32), num),
        first_next=np.arange(pairs + 1) * branching,
        next=successors.astype(np.int32).ravel(),
        prob=rng.dirichlet(np.ones(branching), pairs).ravel(),
        reward=rng.uniform(-1, 1, pairs),
    )


def test_the_books_policies_at_95(book):
    """The walk through the fire has the values of the fixed point; staying at s1 has 20.8955… = 1400/67 in s0."""
    fire = policy.evaluate(book, pairs.of_choice(book, np.array([0, 4, 5])), 0.95)
    assert fire.value == pytest.approx([21.89925005, 1.17982024, 53.87349498], abs=5e-9)
    assert fire.start_value == fire.value[0]
    safe = policy.evaluate(book, pairs.of_choice(book, np.array([0, 3, 5])), 0.95)
    assert safe.value[0] == pytest.approx(1400 / 67, abs=1e-12)
    assert abs(safe.value[1]) <= safe.bound < 1e-10


@settings(max_examples=examples(400))
@given(small(), st.fractions(0, Fraction(99, 100), max_denominator=100))
def test_every_value_is_within_its_bound_of_the_exact_one(model_and_shares, discount):
    model, shares = model_and_shares
    rule = {s: {i: shares[i] for i in model.pairs(s)} for s in range(model.num_states)}
    exact = evaluate_exact(model, rule, discount)
    found = policy.evaluate(model, np.array([float(share) for share in shares]), float(discount))
    for value, truth in zip(found.value, exact, strict=True):
        assert abs(Fraction(float(value)) - truth) <= Fraction(found.bound)
    assert found.bound <= 1e-9 * (1 + np.abs(found.value).max())


def test_rewards_that_nearly_cancel_are_rounded_by_their_own_size():
    """3/5 of 5 and 2/5 of -22/3 are 1/15, which is a rounding of 3 away from what comes out."""
    model = made({(1, 0): (0, {0: 1}), (1, 1): (Fraction(-22, 3), {0: 1}), (1, 2): (5, {0: 1})}, 2)
    found = policy.evaluate(model, np.array([0.0, 0.4, 0.6]), 0.0)
    error = abs(Fraction(float(found.value[1])) - Fraction(1, 15))
    assert 0 < error <= Fraction(found.bound)
    assert found.bound < 1e-13


@pytest.mark.parametrize(
    "num",
    [thresholds.DENSE_IN_EVALUATION + 100, thresholds.FACTORISED_IN_EVALUATION + 1000],
    ids=["factorised", "iterated"],
)
def test_larger_models_agree_with_plain_sweeps(num):
    model = garnet(num)
    uniform = pairs.uniform(model)
    found = policy.evaluate(model, uniform, 0.9)
    value = np.zeros(num)
    for _ in range(400):
        q = model.reward + 0.9 * (model.prob * value[model.next]).reshape(-1, 4).sum(axis=1)
        value = q.reshape(num, 3).mean(axis=1)
    assert found.bound < 1e-9
    assert np.abs(found.value - value).max() <= found.bound + 1e-12


def test_discount_1_where_the_policy_ends():
    """Gambler's ruin on 0..4 with a fair coin: state s lasts s (4 - s) rounds."""
    model = made({(s, 0): (1, {s - 1: Fraction(1, 2), s + 1: Fraction(1, 2)}) for s in (1, 2, 3)}, 5)
    found = policy.evaluate(model, pairs.uniform(model), 1.0)
    assert found.value == pytest.approx([0, 3, 4, 3, 0], abs=found.bound) and found.bound < 1e-12


def test_discount_1_refuses_what_never_ends_by_name_and_allows_rests_without_reward():
    rows = {(0, 0): (2, {1: 1}), (1, 0): (0, {1: 1}), (2, 0): (0, {3: 1}), (3, 0): (5, {2: 1}), (3, 1): (0, {1: 1})}
    model = made(rows, 4)
    leaves = pairs.of_choice(model, np.array([0, 1, 2, 4]))
    assert policy.evaluate(model, leaves, 1.0).value.tolist() == [2, 0, 0, 0]
    with pytest.raises(InputError, match="from state 2 and 1 more states this policy never ends"):
        policy.evaluate(model, pairs.of_choice(model, np.array([0, 1, 2, 3])), 1.0)


def test_losses_are_what_exact_arithmetic_says(book):
    found = losses.losses(book, pairs.uniform(book), 0.95)
    rule = {0: dict.fromkeys((0, 1, 2), Fraction(1, 3)), 1: {3: Fraction(1, 2), 4: Fraction(1, 2)}, 2: {5: Fraction(1)}}
    best = evaluate_exact(book, [0, 4, 5], Fraction(19, 20))
    own = evaluate_exact(book, rule, Fraction(19, 20))
    for loss, b, o in zip(found.loss, best, own, strict=True):
        assert abs(Fraction(float(loss)) - (b - o)) <= Fraction(float(found.bound))


def test_one_action_everywhere_takes_the_only_one_where_it_must(book):
    assert pairs.always(book, "a0").tolist() == [1, 0, 0, 1, 0, 1]
    with pytest.raises(InputError, match=r"a1 is impossible in state s1 \(possible: a0, a2\)"):
        pairs.always(book, "a1")


@pytest.mark.parametrize("suffix", [".json", ".npz", ".csv", ".yaml"])
def test_a_saved_solution_is_read_back(book, tmp_path, suffix):
    solution = solve(book, 0.95)
    path = tmp_path / f"best{suffix}"
    policy_saving.write_solution(path, solution)
    assert policy_files.read(path, book).tolist() == pairs.of_choice(book, solution.choice).tolist()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]  # nothing left beside it
    with pytest.raises(InputError, match="--overwrite"):
        policy_saving.write_solution(path, solution)
    policy_saving.write_solution(path, solution, overwrite=True)


@pytest.mark.parametrize("suffix", [".json", ".npz", ".csv", ".yml"])
@given(data=small(least_pairs=1))
def test_any_policy_is_read_back(tmp_path_factory, suffix, data):
    model, shares = data
    given_policy = np.array([float(share) for share in shares])
    path = tmp_path_factory.mktemp("policy") / f"p{suffix}"
    policy_saving.write(path, model, given_policy)
    assert np.abs(policy_files.read(path, model) - given_policy).max(initial=0) < 1e-15


def test_a_policy_by_hand_with_every_fault_at_once(book, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("s0: {a0: 0.5, a9: 0.5}\ns1: a1\ns7: a0\n")
    with pytest.raises(InputError) as caught:
        policy_files.read(path, book)
    assert str(caught.value).splitlines() == [
        f"{path}:1: unknown action 'a9'; one of a0, a1, a2",
        f"{path}:2: action a1 is impossible in s1; one of a0, a2",
        f"{path}:3: unknown state 's7'; one of s0, s1, s2",
        f"{path}: no action for state s2",
    ]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "p.yaml",
            "s0: {a0: 0.5, a1: 0.4}\ns1: a0\ns2: a1\n",
            ":1: the probabilities of state s0 sum to 0.9, not to 1",
        ),
        ("p.yaml", "s0: {a0: 1.5}\ns1: a0\ns2: a1\n", ":1: the probability of a0 is 1.5, not 0 to 1"),
        ("p.yaml", "s0: a0\ns0: a1\n", ":2: duplicate key"),
        ("p.yaml", "- a0\n", "a policy is 'state: action' line by line"),
        ("p.json", "{", "not JSON"),
        ("p.json", '{"policy": ["a0"]}', "'states' must be one of as many names"),
        ("p.json", '{"s0": "a0", "s1": "a0", "s2": {"a1": NaN}}', "the probability of a1 is nan"),
        (
            "p.csv",
            "state,act\n",
            ":1: no column 'action' in the header; expected state,action,probability; did you mean",
        ),
        ("p.csv", "state,action,prb\n", ":1: the column 'prb' is not understood; did you mean 'probability'?"),
        ("p.csv", "state,action,probability\ns0,a0,x\n", ":2: the probability 'x' is no number"),
        ("p.csv", "state,action,probability\ns0,a0,3/2\n", ":2: the probability of a0 is 3/2, not 0 to 1"),
        ("p.json", '{"s0": "a0", "s0": "a1"}', "the key 's0' is given twice"),
        ("p.csv", "state,action\ns0,a0\ns0,a0\n", ":3: the pair 's0', 'a0' stands in two lines"),
        ("p.npz", "text", "damaged, or no .npz"),
        ("p.txt", "", "cannot read '.txt'; its name must end in .json .npz"),
    ],
)
def test_what_is_no_policy_is_refused_with_its_place(book, tmp_path, name, text, says):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        policy_files.read(tmp_path / name, book)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.yaml", "s0: a0\ns1: {a0: 1/3, a2: 2/3}\ns2: a1\n"),
        ("p.json", '{"s0": "a0", "s1": {"a0": "1/3", "a2": "2/3"}, "s2": "a1"}'),
        ("p.csv", "State,Action,Prob\ns0,a0,1\ns1,a0,1/3\ns1,a2,2/3\ns2,a1,1\n"),
        ("p.csv", "probability;state;action\n1;s0; a0\n 1/3 ;s1 ;a0\n2/3;s1;a2\n\n1;s2;a1\n"),
    ],
)
def test_a_policy_is_written_as_models_are(book, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert policy_files.read(tmp_path / name, book).tolist() == [1, 0, 0, 1 / 3, 2 / 3, 1]


def test_the_numbers_of_states_may_be_those_that_pandas_writes(tmp_path):
    model = made({(0, 0): (0, {0: 1}), (0, 1): (0, {0: 1}), (1, 0): (0, {0: 1})}, 2)
    (tmp_path / "p.csv").write_text("state,action\n0.0,1.0\n1.0,0.0\n")
    assert policy_files.read(tmp_path / "p.csv", model).tolist() == [0, 1, 1]


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"policy": [0, 0]}, "'policy' has the shape (2,), expected (3,)"),
        ({"policy": 0}, "'policy' has the shape (), expected (3,)"),
        ({"policy": [0.0, 0, 1]}, "'policy' holds float64, expected whole numbers"),
        ({"policy": [0, 2**40, 1]}, "action number 1099511627776 is impossible in state s1"),
        ({"policy": [0, -1, 1]}, "action number -1 is impossible in state s1"),
        ({"probability": 1.0}, "'probability' has the shape (), expected (6,)"),
        ({"probability": [1.0]}, "'probability' has the shape (1,), expected (6,)"),
        ({"probability": [1.0, 0, 0, np.nan, 1, 1]}, "probability nan in state s1"),
        ({"policy": [0, 0, 1], "probability": [1.0, 0, 0, 0, 1, 1]}, "which is the policy?"),
        ({"policy": [0, 0, 1], "action": [0, 1, 2, 0, 1, 1]}, "('action') are not those of the model book"),
        ({"polcy": [0, 0, 1]}, "unknown array 'polcy'; did you mean 'policy'?"),
        ({"V": [0.0] * 3}, "no policy: neither the array 'policy' nor 'probability'"),
    ],
)
def test_forged_arrays_of_a_policy_are_refused(book, tmp_path, arrays, said):
    with pytest.raises(InputError) as caught:
        policy_files.read(saved(tmp_path / "p.npz", **{key: np.array(value) for key, value in arrays.items()}), book)
    assert said in str(caught.value)


def test_a_policy_of_another_model_is_refused(book, tmp_path):
    path = tmp_path / "p.npz"
    policy_saving.write(path, book, pairs.uniform(book))
    other = made({(0, 0): (0, {0: 1}), (1, 0): (0, {0: 1}), (2, 0): (0, {0: 1})}, 3)
    with pytest.raises(InputError, match="its states are not those of the model"):
        policy_files.read(path, other)


def test_many_states_are_no_file_to_edit(tmp_path):
    model = garnet(policy_saving.BY_HAND + 1)
    with pytest.raises(InputError, match=r"use \.npz"):
        policy_saving.write(tmp_path / "p.yaml", model, pairs.uniform(model))
    assert not list(tmp_path.iterdir())
    assert policy_files.SUFFIXES
