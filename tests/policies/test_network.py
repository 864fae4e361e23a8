"""The network against its sums written out one candidate at a time."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from rltrain.core import EnvSpec
from rltrain.errors import InputError
from rltrain.policies.network import Network
from rltrain.spaces import Discrete

SPEC = EnvSpec(
    id="Test-v0", obs_shape=(3,), obs_dtype="float32", frame_stack=1, actions=Discrete(4, tuple("abcd")),
    num_envs=5, frames_per_step=1, max_episode_steps=10, reward_threshold=None,
)  # fmt: skip
TWO = replace(SPEC, actions=Discrete(2, ("a", "b")))
NOTHING = np.zeros((5, 0))


def by_hand(numbers, obs, sizes, activation):
    """One candidate on one observation."""
    numbers, score = list(numbers), list(obs)
    for layer in range(len(sizes) - 1):
        if layer:
            score = [activation(value) for value in score]
        rows = [[numbers.pop(0) for _ in range(sizes[layer])] for _ in range(sizes[layer + 1])]
        score = [sum(w * x for w, x in zip(row, score, strict=True)) for row in rows]
        score = [value + numbers.pop(0) for value in score]
    assert not numbers
    return int(score[0] > 0) if len(score) == 1 else int(np.argmax(score))


@pytest.mark.parametrize("spec", [SPEC, TWO], ids=["four actions", "two actions"])
@pytest.mark.parametrize("hidden", [(), (6,), (4, 3)])
@pytest.mark.parametrize(
    ("name", "activation"), [("tanh", math.tanh), ("elu", lambda x: x if x > 0 else math.expm1(x))]
)
def test_a_population_acts_as_each_candidate_alone(spec, hidden, name, activation):
    family = Network(spec, hidden, name)
    stream = np.random.default_rng(0)
    seen = set()
    for _ in range(20):
        candidates = family.parameters.draw(5, stream)
        obs = stream.normal(size=(5, 3)).astype(np.float32)
        action = family.act(candidates, obs, NOTHING)
        assert action.dtype == np.int64
        expected = [by_hand(c, o, family.sizes, activation) for c, o in zip(candidates, obs.astype(float), strict=True)]
        assert action.tolist() == expected
        alone = [family.act(candidates[[k]], obs[[k]], NOTHING[:1])[0] for k in range(5)]
        assert action.tolist() == alone
        together = family.act(candidates[:1], obs, NOTHING)  # one candidate in every lane
        assert together.tolist() == [by_hand(candidates[0], o, family.sizes, activation) for o in obs.astype(float)]
        seen |= set(expected)
    assert seen == set(range(spec.num_actions))


def test_the_parameters_of_a_linear_policy_have_plain_names():
    assert Network(TWO, (), "tanh").parameters.names == ("w0", "w1", "w2", "bias")
    assert Network(SPEC, (), "tanh").parameters.names[:4] == ("w0_0", "w0_1", "w0_2", "w1_0")
    assert Network(SPEC, (), "tanh").parameters.names[12:] == ("bias0", "bias1", "bias2", "bias3")


@pytest.mark.parametrize("hidden", [(), (1,), (6,), (4, 3)])
def test_every_parameter_has_a_name_of_its_own(hidden):
    parameters = Network(SPEC, hidden, "tanh").parameters
    sizes = (3, *hidden, 4)
    assert len(parameters) == sum((i + 1) * o for i, o in pairwise(sizes))
    assert len(set(parameters.names)) == len(parameters) == len(parameters.low)
    assert not parameters.bounded.any()


def test_sums_of_later_layers_start_with_variance_one():
    network = Network(SPEC, (400, 1), "tanh").parameters
    weights = network.high[np.char.startswith(network.names, "layer2_w")]
    assert len(weights) == 400
    assert (weights**2 / 3).sum() == pytest.approx(1)


def test_images_are_refused():
    with pytest.raises(InputError, match=r"shape \(4, 84, 84\).*dqn"):
        Network(replace(SPEC, obs_shape=(4, 84, 84)), (), "tanh")
