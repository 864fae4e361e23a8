"""The network against its sums written out one candidate at a time."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from rltrain.core import EnvSpec
from rltrain.errors import InputError
from rltrain.policies.network import Network
from rltrain.spaces import Continuous, Discrete, MultiDiscrete, laid_out

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


def test_bytes_without_parts_are_refused():
    with pytest.raises(InputError, match="dqn"):
        Network(replace(SPEC, obs_dtype="uint8"), (), "tanh")


def scores(candidates, obs):
    """Of a linear policy with three inputs: each candidate's outputs at its own obs."""
    outputs = candidates.shape[1] // 4
    weights = candidates[:, : 3 * outputs].reshape(-1, outputs, 3)
    return np.einsum("loi,li->lo", weights, obs) + candidates[:, 3 * outputs :]


@pytest.fixture
def played():
    stream = np.random.default_rng(3)
    return stream.normal(size=(5, 3)).astype(np.float32), lambda family: family.parameters.draw(5, stream)


def test_each_of_several_choices_takes_the_greatest_of_its_own_scores(played):
    obs, draw = played
    family = Network(replace(SPEC, actions=MultiDiscrete((3, 2))), (), "tanh")
    candidates = draw(family)
    z = scores(candidates, obs)
    action = family.act(candidates, obs, NOTHING)
    assert action.dtype == np.int64
    assert action.tolist() == np.stack([z[:, :3].argmax(axis=1), z[:, 3:].argmax(axis=1)], axis=1).tolist()


def test_numbers_are_linear_within_their_bounds_and_clipped_to_them(played):
    obs, draw = played
    space = Continuous((0.0, -2.0, -math.inf), (1.0, 2.0, math.inf))
    family = Network(replace(SPEC, actions=space), (), "tanh")
    candidates = draw(family)
    z = scores(candidates, obs)
    action = family.act(candidates, obs, NOTHING)
    expected = np.stack([np.clip(0.5 + z[:, 0] / 2, 0, 1), np.clip(2 * z[:, 1], -2, 2), z[:, 2]], axis=1)
    np.testing.assert_allclose(action, expected, rtol=1e-6)
    assert space.fault(action, 5) is None


@pytest.mark.parametrize("spec", [SPEC, TWO], ids=["four actions", "two actions"])
def test_what_is_impossible_is_not_taken_and_what_is_best_of_the_rest_is(spec, played):
    obs, draw = played
    family = Network(spec, (), "tanh")
    candidates = draw(family)
    free = family.act(candidates, obs, NOTHING)
    mask = np.ones((5, spec.num_actions), bool)
    assert family.act(candidates, obs, NOTHING, mask).tolist() == free.tolist()
    mask[np.arange(5), free] = False
    action = family.act(candidates, obs, NOTHING, mask)
    z = scores(candidates, obs)
    z = np.concatenate([np.zeros((5, 1)), z], axis=1) if z.shape[1] == 1 else z
    z[np.arange(5), free] = -np.inf
    assert action.tolist() == z.argmax(axis=1).tolist()
    assert family.act(candidates, obs, NOTHING, np.zeros_like(mask)).tolist() == free.tolist()  # all masked: none is


def test_a_picture_among_named_parts_is_read_flat():
    parts, width, dtype = laid_out([("eye", (1, 2, 2), "uint8", 2), ("arm", (2,), "float32", 255)])
    family = Network(replace(TWO, obs_shape=(width,), obs_dtype=dtype, parts=parts), (), "tanh")
    assert family.sizes == (6, 1)
    row = np.zeros((1, width), np.uint8)
    row[:, parts[1].start : parts[1].stop] = [2, 0, 0, 0]
    for weight in (1.0, -1.0):  # of the eye's first number, after the two of the arm
        candidate = np.array([[0, 0, weight, 0, 0, 0, 0.0]])
        assert family.act(candidate, row, NOTHING[:1]).tolist() == [int(weight > 0)]
