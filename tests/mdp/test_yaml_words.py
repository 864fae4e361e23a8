"""The words of a model in YAML: rewards of states, rewards where it ends, costs; and names that look like words."""

import pytest

from rltrain.errors import InputError
from rltrain.mdp.files import yaml_text
from rltrain.mdp.solvers.solve import solve


def parse(text):
    return yaml_text.parse(text, "m.yaml")


def values(text, discount=0.9):
    model = parse(text).model
    return dict(zip(model.states, solve(model, discount).value.tolist(), strict=True))


def refused(text):
    with pytest.raises(InputError) as caught:
        parse(text)
    return str(caught.value)


def test_a_reward_of_a_state_is_paid_with_each_of_its_actions():
    plain = parse("states:\n  a: {go: b reward 1, stay: {a: 1/2, b: 1/2 reward 4, reward: -1}}\n  b: {go: a}\n").model
    own = parse(
        "states:\n  a: {reward: 2, go: b reward 1, stay: {a: 1/2, b: 1/2 reward 4, reward: -1}}\n  b: {go: a}\n"
    )
    assert own.model.reward.tolist() == [3, 3, 0] and plain.reward.tolist() == [1, 1, 0]
    assert own.model.exact.reward == (3, 3, 0) and own.model.next_reward.tolist() == [3, 1, 5, 0]


def test_a_terminal_state_may_pay():
    assert values("states:\n  a: {go: b reward 1}\n  b: terminal reward 5\n") == pytest.approx(
        {"a": 5.5, "b": 5, "end": 0}
    )
    assert values("chain:\n  a: {b: 1/2, a: 1/2}\n  b: terminal reward 1/4\n")["b"] == 0.25
    assert parse("start: a\nchain:\n  a: b\n  b: terminal reward 1/4\n").model.exact.reward == (0, 0.25)
    assert "expected a finite number as the reward, got 'much'" in refused(
        "states:\n  a: {go: b}\n  b: terminal reward much\n"
    )


def test_costs_are_negative_rewards_wherever_they_stand():
    loaded = parse("values: cost\nstates:\n  a: {reward: 2, go: b reward 1, wait: a}\n  b: terminal reward 5\n")
    assert loaded.model.reward.tolist() == [-3, -2, -5] and loaded.costs and "values: cost" in loaded.warnings[0]
    assert not parse("values: reward\nstates:\n  a: {go: a}\n").costs
    assert "m.yaml:1: values: expected reward or cost, got 'costs'" in refused("values: costs\nstates:\n  a: {go: a}\n")


QUOTED = """
start: "terminal"
states:
  "reward": {go: "terminal", "reward": {"reward": 0.5, "terminal": 0.5}}
  "terminal": {go: "reward", end: a reward 3, out: terminal}
  a reward 3: {go: {"a reward 3": 1 reward 2}, back: "reward"}
  a: terminal
"""


def test_states_and_actions_that_are_called_as_words_are_quoted():
    model = parse(QUOTED.replace(", out: terminal", "").replace("end: a reward 3", 'end: "a reward 3"')).model
    assert model.states == ("reward", "terminal", "a reward 3", "a") and "reward" in model.actions
    leads = [model.next[model.successors(pair)].tolist() for pair in range(model.num_pairs)]
    assert leads == [[1], [0, 1], [0], [2], [2], [0]] and model.reward.tolist() == [0, 0, 0, 0, 2, 0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            QUOTED.replace(", out: terminal", ""),
            "may be the state 'a reward 3', or 'a' and a reward; put names in quotes",
        ),
        (QUOTED.replace("end: a reward 3, ", ""), "the word terminal has a meaning; the state of that name is written"),
        (
            "states:\n  reward: {go: reward}\n",
            "m.yaml:2: the word reward has a meaning; a state of that name is written",
        ),
        ("chain:\n  terminal: terminal\n", "m.yaml:2: the word terminal has a meaning"),
        ("states:\n  a: {reward: {a: 1}}\n", 'expected a number; an action of that name is written "reward"'),
        ("states:\n  a: {reward: a}\n", "expected a finite number as the reward, got 'a'"),
        (
            "states:\n  a: {reward: 1}\n",
            "no action; a terminal state that pays is written `NAME: terminal reward NUMBER`",
        ),
        ("states:\n  '0': {\"reward\": 0}\n", "a number, and a state of that name: write reward without quotes"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text, said):
    assert said in refused(text)


def test_a_model_in_json_is_yaml_too():
    """All of its words are quoted, and mean what they say where no state is called so."""
    text = '{"states": {"a": {"reward": -1, "go": {"b": 0.5, "a": 0.5, "reward": 2}}, "b": "terminal"}}'
    model = parse(text).model
    assert model.reward.tolist() == [1] and model.terminal.tolist() == [False, True]


def test_a_reward_may_be_as_large_as_the_message_says():
    assert parse("states:\n  a: {go: a reward 1e150, no: a reward -1e150}\n").model.reward.tolist() == [1e150, -1e150]
    assert "at most 1e+150 either way" in refused("states:\n  a: {go: a reward 1.1e150}\n")


@pytest.mark.parametrize(
    ("text", "got"),
    [("discount: {a: 0.9}", "a block of settings"), ("discount: [1]", "a list"), ("discount:", "nothing")],
)
def test_what_stands_in_the_place_of_a_number_is_named(text, got):
    assert f"m.yaml:1: discount: expected a number from 0 to 1, such as 0.95, got {got}" in refused(
        f"{text}\nstates:\n  a: {{go: a}}\n"
    )
