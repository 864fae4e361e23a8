"""What Gymnasium's spaces become: every kind of action there and back, every kind of observation as it is seen."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from rltrain import envs
from rltrain.envs.gym.actions import acting, mask_of
from rltrain.envs.gym.observations import observed
from rltrain.errors import DivergedError, EnvironmentFault, InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.spaces import Continuous, Discrete, MultiDiscrete

ACTIONS = [
    (spaces.Discrete(3, start=-1), Discrete(3)),
    (spaces.MultiDiscrete([2, 3], start=[5, -1]), MultiDiscrete((2, 3))),
    (spaces.MultiDiscrete([[2, 3], [4, 5]]), MultiDiscrete((2, 3, 4, 5))),
    (spaces.MultiBinary(3), MultiDiscrete((2, 2, 2))),
    (spaces.MultiBinary((2, 2)), MultiDiscrete((2, 2, 2, 2))),
    (spaces.Box(0, 9, (2,), np.int64), MultiDiscrete((10, 10))),
    (spaces.Box(-2, 1, (2, 1)), Continuous((-2.0, -2.0), (1.0, 1.0))),
    (spaces.Box(-np.inf, np.inf, (1,), np.float64), Continuous((-np.inf,), (np.inf,))),
    (spaces.Tuple([spaces.Discrete(2, start=1), spaces.MultiBinary(2)]), MultiDiscrete((2, 2, 2))),
    (
        spaces.Dict(gas=spaces.Box(0, 1, (1,)), wheel=spaces.Box(-1, 1, (2,))),
        Continuous((0.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
    ),
]
BOTH = spaces.Dict(
    eye=spaces.Box(0, 255, (6, 5, 3), np.uint8), arm=spaces.Dict(angle=spaces.Box(-1, 1, (2,)), grip=spaces.Discrete(2))
)


class Own(spaces.Text):
    """A space that has no rule of flattening, as MiniGrid's missions."""

    is_np_flattenable = False


@pytest.mark.parametrize(("space", "ours"), ACTIONS, ids=str)
def test_actions_become_ours_and_go_back_into_their_space(space, ours):
    found = acting("Probe-v0", space)
    assert found.actions == ours
    seen = set()
    for action in ours.sample(np.random.default_rng(0), 200):
        theirs = found.back(int(action) if ours.shape == () else action)
        assert space.contains(theirs), theirs
        seen.add(str(theirs))
    assert len(seen) > 1


@pytest.mark.parametrize(
    "space",
    [spaces.Tuple([spaces.Box(-1, 1, (1,)), spaces.Discrete(2)]), spaces.Text(5), spaces.Box(0, 10**6, (1,), np.int64)],
)
def test_actions_that_are_not_for_us_are_refused(space):
    with pytest.raises(InputError, match="has actions"):
        acting("Probe-v0", space)


@pytest.mark.parametrize(
    ("space", "shape", "dtype", "high"),
    [
        (spaces.Box(0, 255, (12, 10, 1), np.uint8), (1, 12, 10), "uint8", 255),
        (spaces.Box(0, 255, (12, 10, 5), np.uint8), (5, 12, 10), "uint8", 255),
        (spaces.Box(0, 10, (7, 7, 3), np.int64), (3, 7, 7), "uint8", 10),
        (spaces.Box(0, 1, (10, 10, 4), bool), (4, 10, 10), "uint8", 1),
        (spaces.Box(0.0, 1.0, (10, 10, 4), np.float32), (4, 10, 10), "float32", 255),
        (spaces.Box(-1.0, 1.0, (10, 10, 4), np.float32), (400,), "float32", 255),
        (spaces.Box(-1, 1, (2, 3), np.float64), (6,), "float32", 255),
        (spaces.MultiDiscrete([2, 3]), (5,), "float32", 255),
        (spaces.MultiBinary(4), (4,), "float32", 255),
        (spaces.Tuple([spaces.Discrete(3), spaces.Box(-1, 1, (2,))]), (5,), "float32", 255),
    ],
    ids=str,
)
def test_observations_are_pictures_or_vectors(space, shape, dtype, high):
    found = observed("Probe-v0", space)
    assert (found.shape, found.dtype, found.high) == (shape, dtype, high)
    space.seed(1)
    obs = found.read(space.sample())
    assert (obs.shape, obs.dtype) == (shape, dtype)


def test_vectors_by_name_know_their_columns():
    space = spaces.Dict(b=spaces.Box(-1, 1, (2,)), a=spaces.Discrete(3), c=spaces.Tuple([spaces.Box(-9, 9, (1,))]))
    found = observed("Probe-v0", space)
    assert sorted(part.name for part in found.parts) == ["a", "b", "c/0"]
    obs = found.read({"a": 2, "b": np.array([0.5, -0.5], np.float32), "c": (np.array([7.0], np.float32),)})
    values = {part.name: part.of(obs[None])[0].tolist() for part in found.parts}
    assert values == {"a": [0, 0, 1], "b": [0.5, -0.5], "c/0": [7.0]}


def test_pictures_and_numbers_stay_apart_in_one_array():
    found = observed("Probe-v0", BOTH)
    assert {part.name: part.shape for part in found.parts} == {"eye": (3, 6, 5), "arm/angle": (2,), "arm/grip": (2,)}
    eye = np.arange(90, dtype=np.uint8).reshape(6, 5, 3)
    row = found.read({"eye": eye, "arm": {"angle": np.array([0.25, -1], np.float32), "grip": 1}})
    values = {part.name: part.of(row[None])[0] for part in found.parts}
    assert np.array_equal(values["eye"], np.moveaxis(eye, -1, 0))
    assert values["arm/angle"].tolist() == [0.25, -1]
    assert values["arm/grip"].tolist() == [0, 1]


def test_what_cannot_be_numbers_is_left_out_and_said():
    space = spaces.Dict(image=spaces.Box(0, 255, (7, 7, 3), np.uint8), mission=Own(9))
    found = observed("Probe-v0", space)
    assert (found.shape, found.left_out, found.parts) == ((3, 7, 7), ("mission",), ())
    picture = np.ones((7, 7, 3), np.uint8)
    assert np.array_equal(found.read({"image": picture, "mission": "go"}), np.ones((3, 7, 7)))
    with pytest.raises(InputError, match="vector or an image"):
        observed("Probe-v0", Own(9))


@pytest.mark.parametrize("wrong", [{"eye": np.zeros((6, 5, 3), np.uint8)}, None, {"eye": 1, "arm": 2}, np.zeros(3)])
def test_a_dict_of_another_form_is_refused(wrong):
    with pytest.raises((ValueError, TypeError, LookupError)):
        observed("Probe-v0", BOTH).read(wrong)


def test_masks_are_read_in_the_forms_that_environments_give():
    assert mask_of({"action_mask": np.array([1, 0, 1], np.int8)}, Discrete(3)).tolist() == [True, False, True]
    assert mask_of({"action_mask": (np.array([1, 0]), np.array([0, 1, 1]))}, MultiDiscrete((2, 3))).tolist() == [
        1,
        0,
        0,
        1,
        1,
    ]
    assert mask_of({}, Discrete(3)) is None
    for wrong in ([1, 0], [1, 2, 0], "abc"):
        with pytest.raises((ValueError, TypeError)):
            mask_of({"action_mask": np.array(wrong) if wrong != "abc" else wrong}, Discrete(3))


class Masked(gymnasium.Env):
    """Two masked actions of three; the reward is NaN at step 3 if asked for."""

    observation_space = BOTH
    action_space = spaces.MultiDiscrete([2, 2])

    def __init__(self, nan: str = "", mask=(1, 0, 1, 1)):
        self._nan, self._mask = nan, mask

    def reset(self, seed=None, options=None):
        self._time = 0
        return self._obs(), {"action_mask": np.array(self._mask)}

    def step(self, action):
        self._time += 1
        reward = np.nan if self._nan == "reward" and self._time == 3 else 1
        return self._obs(), reward, False, False, {"action_mask": np.array(self._mask)}

    def _obs(self):
        angle = np.array([np.nan if self._nan == "angle" and self._time == 3 else 0, 0], np.float32)
        return {"eye": np.zeros((6, 5, 3), np.uint8), "arm": {"angle": angle, "grip": 0}}


@pytest.fixture
def masked():
    gymnasium.register("Masked-v0", entry_point=Masked)
    yield lambda **kwargs: EnvironmentConfig(id="Masked-v0", num_envs=2, kwargs=kwargs)
    del gymnasium.registry["Masked-v0"]


def test_steps_carry_the_masks(masked):
    env = envs.make(masked())
    assert env.spec.masked
    assert env.spec == envs.describe(masked(), num_envs=2)
    for step in (env.reset(0), env.step(np.zeros((2, 2)))):
        assert step.mask.tolist() == [[True, False, True, True]] * 2


def test_a_mask_that_does_not_fit_is_the_environments_fault(masked):
    with pytest.raises(EnvironmentFault, match=r"action_mask.*4 zeros and ones"):
        envs.make(masked(mask=[1, 0])).reset(0)


@pytest.mark.parametrize(("nan", "words"), [("reward", "the reward nan"), ("angle", "'arm/angle' \\[nan")])
def test_numbers_that_are_not_finite_are_named_with_key_step_and_action(masked, nan, words):
    env = envs.make(masked(nan=nan))
    env.reset(0)
    with pytest.raises(DivergedError, match=rf"at step 3, to action \[0 1\], .*{words}"):
        for _ in range(3):
            env.step(np.array([[0, 1], [0, 1]]))


def test_exact_resume_of_several_choices_and_parts(masked):
    env, other = envs.make(masked()), envs.make(masked())
    env.reset(3)
    env.step(np.array([[0, 1], [1, 1]]))
    other.load(env.save())
    for mine, theirs in zip(env.step(np.zeros((2, 2))), other.step(np.zeros((2, 2))), strict=True):
        assert np.array_equal(mine, theirs)


def test_pendulum_takes_numbers():
    env = envs.make(EnvironmentConfig(id="Pendulum-v1"), num_envs=2)
    assert env.spec.actions == Continuous((-2.0,), (2.0,))
    env.reset(0)
    step = env.step(np.array([[2.0], [-2.0]], np.float32))
    assert (step.reward < 0).all()
    with pytest.raises(ValueError, match="from -2 to 2"):
        env.step(np.array([[2.5], [0]], np.float32))
