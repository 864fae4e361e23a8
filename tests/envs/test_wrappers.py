"""Gymnasium's wrappers in a config: which there are, what they make of an environment, what is refused and how."""

import json
import re
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from pages import page, rows

from rltrain import envs, kinds
from rltrain.deep.replay import Replay
from rltrain.envs.gym import games
from rltrain.envs.gym import wrappers as made
from rltrain.errors import InputError, MissingError
from rltrain.experiment import config, wrappers
from rltrain.experiment.schema import schema
from rltrain.spaces import Continuous, Discrete
from rltrain.yaml_subset import flow


class Eye(gymnasium.Env):
    """Pictures that tell the step; it ends at the step `ends`. Its randomness is its own: it seeds no stream."""

    def __init__(self, ends=7, colours=3):
        self.ends = ends
        shape = (6, 5, colours) if colours > 1 else (6, 5)
        self.observation_space, self.action_space = spaces.Box(0, 255, shape, np.uint8), spaces.Discrete(9)

    def reset(self, *, seed=None, options=None):
        self.time = 0
        return self.seen(), {}

    def step(self, action):
        self.time += 1
        return self.seen(), float(action), self.time == self.ends, False, {}

    def seen(self):
        return np.full(self.observation_space.shape, 10 * (self.time + 1), np.uint8)


@pytest.fixture(autouse=True)
def registered():
    gymnasium.register("Eye-v0", entry_point=Eye, max_episode_steps=100)
    yield
    del gymnasium.registry["Eye-v0"]


def settings(name, *listed, **keys):
    return kinds.typed(name, wrappers=listed, **keys)


def read(listed, name="CartPole-v1"):
    return config.loads(f"algorithm: dqn\nenvironment:\n  id: {name}\n  wrappers: {listed}\n", "x.yaml")


STACK = {"name": "FrameStackObservation", "stack_size": 3}
NARROW = {"name": "RescaleAction", "min_action": -1, "max_action": (1.0,)}
UNIT = {"name": "RescaleObservation", "min_obs": -1, "max_obs": 1}
KINDS = [  # environment, wrappers -> shape, actions, agent steps of an episode, steps in one
    ("CartPole-v1", ["FlattenObservation"], (4,), Discrete(2), 500, 1),
    ("CartPole-v1", [STACK], (12,), Discrete(2), 500, 1),
    ("CartPole-v1", ["TimeAwareObservation"], (5,), Discrete(2), 500, 1),
    ("CartPole-v1", ["MaxAndSkipObservation"], (4,), Discrete(2), 125, 4),
    ("CartPole-v1", [{"name": "RepeatAction", "num_repeats": 3}], (4,), Discrete(2), 167, 3),
    ("CartPole-v1", [{"name": "DelayObservation", "delay": 2}], (4,), Discrete(2), 500, 1),
    ("CartPole-v1", [{"name": "StickyAction", "repeat_action_probability": 0.5}], (4,), Discrete(2), 500, 1),
    ("CartPole-v1", [{"name": "ReshapeObservation", "shape": (2, 2)}], (4,), Discrete(2), 500, 1),
    ("Pendulum-v1", [UNIT], (3,), Continuous((-2,), (2,)), 200, 1),
    ("Pendulum-v1", [NARROW], (3,), Continuous((-1,), (1,)), 200, 1),
    ("Pendulum-v1", ["ClipAction"], (3,), Continuous((-np.inf,), (np.inf,)), 200, 1),
    ("Pendulum-v1", [{"name": "DiscretizeAction", "bins": 5}], (3,), Discrete(5), 200, 1),
    ("MountainCar-v0", [{"name": "DiscretizeObservation", "bins": 4}], (16,), Discrete(3), 200, 1),
    ("Blackjack-v1", [{"name": "FilterObservation", "filter_keys": (0, 2)}], (34,), Discrete(2), None, 1),
    ("Eye-v0", ["GrayscaleObservation"], (1, 6, 5), Discrete(9), 100, 1),
    ("Eye-v0", [STACK], (9, 6, 5), Discrete(9), 100, 1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "listed", "shape", "actions", "limit", "steps"), KINDS, ids=str)
def test_a_wrapped_environment_is_described_played_and_resumed_to_the_bit(name, listed, shape, actions, limit, steps):
    wrapped = settings(name, *listed)
    env, other = (envs.make(wrapped, num_envs=2) for _ in range(2))
    spec = envs.describe(wrapped, num_envs=2)
    assert spec == env.spec
    assert (spec.obs_shape, spec.max_episode_steps, spec.frames_per_step) == (shape, limit, steps)
    named = spec.actions
    assert (replace(named, names=()) if isinstance(named, Discrete) else named) == actions
    stream = np.random.default_rng(0)
    env.reset(3)
    for _ in range(25):
        env.step(actions.sample(stream, 2))
    other.load(env.save())
    for _ in range(25):
        action = actions.sample(stream, 2)
        for one, same in zip(env.step(action)[:5], other.step(action)[:5], strict=True):
            np.testing.assert_array_equal(one, same)


def test_every_wrapper_of_the_table_is_tried_above_or_needs_a_package():
    tried = {each if isinstance(each, str) else each["name"] for _, listed, *_ in KINDS for each in listed}
    shared = {
        model.__name__ for model in (wrappers.NormalizeObservation, wrappers.NormalizeReward, wrappers.ClipReward)
    }
    assert tried | {"ResizeObservation"} == set(made.MADE) == set(wrappers.MODELS) - shared


def test_all_that_gymnasium_has_is_offered_or_refused_with_a_reason():
    known = set(gymnasium.wrappers.__all__) - {"vector"}
    assert known <= set(wrappers.MODELS) | set(wrappers.REFUSED)


def test_they_stand_in_the_order_of_the_list_the_first_innermost():
    one = envs.describe(settings("Eye-v0", "GrayscaleObservation", STACK))
    assert one.obs_shape == (3, 6, 5)
    with pytest.raises(InputError, match=r"environment.wrappers\[1\]: GrayscaleObservation does not fit: ValueError: "):
        envs.describe(settings("Eye-v0", STACK, "GrayscaleObservation"))


def test_channels_of_a_stack_are_those_of_its_frames_oldest_first():
    env = envs.make(settings("Eye-v0", STACK), num_envs=1)
    env.reset(0)
    assert env.step(np.array([0])).obs[0, :, 0, 0].tolist() == [10, 10, 10, 10, 10, 10, 20, 20, 20]


def test_a_limit_counts_the_agents_steps_whatever_an_action_is_repeated_for():
    env = envs.make(settings("CartPole-v1", "MaxAndSkipObservation", max_episode_steps=2), num_envs=1)
    env.reset(0)
    assert [bool(env.step(np.array([move])).last[0]) for move in (0, 1)] == [False, True]


def test_sticky_actions_follow_the_seed_though_the_environment_seeds_nothing():
    env = envs.make(settings("Eye-v0", {"name": "StickyAction", "repeat_action_probability": 0.5}), num_envs=2)

    def rewards(seed):
        env.reset(seed)
        return [env.step(np.array([t, t])).reward.tolist() for t in range(6)]

    first = rewards(5)
    assert rewards(5) == first != rewards(6)
    assert first != [[t, t] for t in range(6)]


def test_an_episode_that_ends_while_an_action_is_repeated_shows_nothing_of_the_one_before():
    env = envs.make(settings("Eye-v0", "MaxAndSkipObservation", kwargs={"ends": 6}), num_envs=1)
    env.reset(0)
    for _ in range(2):
        last = env.step(np.array([0]))
    assert last.last[0] and last.obs.max() == 50  # of the step before: this one ended before its last two frames
    short = envs.make(settings("Eye-v0", "MaxAndSkipObservation", kwargs={"ends": 2}), num_envs=1)
    short.reset(0)
    assert short.step(np.array([0])).obs.max() == 0


@pytest.mark.parametrize(("colours", "padding", "kept"), [(1, "zero", 3), (1, "reset", 1), (3, "zero", 1)])
def test_a_stack_of_greys_that_begins_with_zeros_is_kept_frame_by_frame(colours, padding, kept):
    stack = {**STACK, "padding_type": padding}
    env = envs.make(settings("Eye-v0", stack, kwargs={"colours": colours}), num_envs=2)
    assert env.spec.frame_stack == kept
    replay = Replay(64, env.spec, n_step=1, gamma=0.99, rng=np.random.default_rng(0))
    step, seen = env.reset(0), {}
    for _ in range(40):
        action = env.spec.actions.sample(np.random.default_rng(1), 2)
        following = env.step(action)
        newest = slice(-1, None) if kept > 1 else slice(None)
        replay.add(step._replace(obs=step.obs[:, newest]), action, following.reward, following.discount)
        seen |= {obs.tobytes(): True for obs in step.obs}
        step = following
    (batch,) = replay.draw(1, 32)
    for obs in replay.observations(np.concatenate([batch.row, batch.next_row])).numpy():
        assert obs.astype(np.uint8).tobytes() in seen


def test_a_table_is_learned_of_numbers_cut_into_intervals():
    cells = settings("MountainCar-v0", {"name": "DiscretizeObservation", "bins": (6, 4)})
    assert envs.describe(cells, task="tabular").num_states == 24
    lake = settings("FrozenLake-v1", {"name": "StickyAction", "repeat_action_probability": 0.5})
    assert envs.model_of(lake) is None  # its table says nothing of what is put around it
    with pytest.raises(
        InputError, match=r"environment.wrappers: viter solves a known model, and StickyAction would be"
    ):
        envs.known_model(lake, "viter")


def test_the_vectorised_cartpole_is_left_for_what_stands_around_each():
    plain = envs.make(settings("CartPole-v1", "NormalizeObservation"), num_envs=16, training=False)
    wrapped = envs.make(settings("CartPole-v1", STACK), num_envs=16, training=False)
    assert [type(env).__name__ for env in (plain, wrapped)] == ["Vector", "Serial"]


def test_an_older_gymnasium_that_lacks_one_is_named(monkeypatch):
    monkeypatch.delattr(gymnasium.wrappers, "RepeatAction")
    with pytest.raises(
        MissingError, match=r"environment.wrappers\[0\]: RepeatAction is not in Gymnasium \S+: pip inst"
    ):
        envs.describe(settings("CartPole-v1", {"name": "RepeatAction", "num_repeats": 2}))


def test_a_resize_without_opencv_says_what_to_type(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(
        MissingError, match=r"\[0\]: ResizeObservation needs OpenCV.*: pip install opencv-python-headless"
    ):
        envs.describe(settings("Eye-v0", {"name": "ResizeObservation", "shape": (84, 84)}))


@pytest.mark.slow
def test_pictures_are_resized_by_opencv():
    pytest.importorskip("cv2")
    assert envs.describe(settings("Eye-v0", {"name": "ResizeObservation", "shape": (8, 9)})).obs_shape == (3, 8, 9)


WRONG = [
    ("3", "environment.wrappers: expected a list, got 3"),
    ("[3]", "environment.wrappers[0]: expected a wrapper's name, or its name and settings in braces, got 3"),
    (
        "[{shape: [1, 2]}]",
        "environment.wrappers[0]: expected a wrapper's name, or its name and settings in braces, got a ",
    ),
    ("[Flaten]", "environment.wrappers[0]: there is no wrapper 'Flaten'; did you mean 'FlattenObservation'?"),
    ("[GrayScaleObservation]", "there is no wrapper 'GrayScaleObservation'; did you mean 'GrayscaleObservation'?"),
    ("[FrameStack]", "there is no wrapper 'FrameStack'; did you mean 'FrameStackObservation'?"),
    ("[os.system]", "there is no wrapper 'os.system'; one of ClipAction, ClipReward, "),
    ("[TimeLimit]", "environment.wrappers[0]: TimeLimit is not for a config: write environment.max_episode_steps"),
    ("[TransformReward]", "TransformReward is not for a config: it takes a function, which no config can hold"),
    ("[ResizeObservation]", "environment.wrappers[0]: ResizeObservation needs shape: [height, width]"),
    (
        "[ClipAction, {name: ResizeObservation, shap: 1}]",
        "wrappers[1]: ResizeObservation has no setting 'shap'; did you me",
    ),
    ("[{name: ResizeObservation, shape: [1, 0]}]", "environment.wrappers[0].shape[1]: must be at least 1, got 0"),
    ("[{name: DelayObservation, delay: x}]", "environment.wrappers[0].delay: expected a whole number, got 'x'"),
    (
        "[NormalizeObservation, ClipAction]",
        "environment.wrappers: NormalizeObservation stands before ClipAction: it looks",
    ),
    (
        "[NormalizeReward, NormalizeReward]",
        "environment.wrappers: NormalizeReward stands there 2 times; once is enough",
    ),
]


@pytest.mark.parametrize(("listed", "said"), WRONG, ids=str)
def test_a_wrong_list_is_one_error_that_says_what_is_right(listed, said):
    with pytest.raises(InputError) as error:
        read(listed)
    assert said in str(error.value) and str(error.value).startswith("x.yaml:4: ")
    assert len(str(error.value).splitlines()) == 1


def test_they_are_for_gymnasiums_ids_and_of_games_for_rewards():
    with pytest.raises(InputError, match=r"environment.wrappers: for Atari ids .* and Gymnasium ids .* only, and the"):
        read("[FlattenObservation]", "RobotVacuum-v0")
    for name in ("FlattenObservation", "NormalizeObservation"):
        with pytest.raises(InputError, match=rf"NormalizeReward and ClipReward alone; .* settings, got {name}"):
            read(f"[{name}, NormalizeReward]", "ALE/Pong-v5")
    assert [each.name for each in read("[ClipReward]", "ALE/Pong-v5").environment.wrappers] == ["ClipReward"]


def test_a_config_that_is_written_back_says_all_their_settings():
    experiment = read("[FlattenObservation, {name: FrameStackObservation, stack_size: 4}]")
    assert (
        "wrappers: [{name: FlattenObservation}, {name: FrameStackObservation, stack_size: 4, padding_type: reset}]"
        in experiment.to_yaml()
    )
    assert config.loads(experiment.to_yaml(), "") == experiment
    assert "wrappers" not in read("[]").to_yaml()  # as configs were before there were any


def test_an_editor_is_told_of_them():
    (bare, blocks) = schema()["$defs"]["EnvironmentConfig"]["properties"]["wrappers"]["items"]["anyOf"]
    assert "FlattenObservation" in bare["enum"] and "ResizeObservation" not in bare["enum"]
    assert len(blocks["oneOf"]) == len(wrappers.MODELS)
    assert "padding_type" in json.dumps(schema()["$defs"]["FrameStackObservation"])


def test_the_table_of_the_docs_has_each_with_its_settings_and_defaults():
    (table,) = re.findall(r"^<!-- wrappers -->\n((?:\|.*\n)+)", page("docs/environments.md").text, re.MULTILINE)
    found = {}
    for name, keys, _ in rows(table):
        found[name.strip("`")] = dict(re.findall(r"`(\w+)`(?: \(([^)]*)\))?", keys))
    known = {
        name: {
            key: "" if field.is_required() else flow(field.default).replace("null", "none").replace("1.0e-08", "1e-8")
            for key, field in model.model_fields.items()
            if key != "name"
        }
        for name, model in wrappers.MODELS.items()
    }
    assert found == known


def test_what_is_played_is_what_gymnasium_plays():
    env = gymnasium.wrappers.FrameStackObservation(gymnasium.make("CartPole-v1"), 3)
    ours = games.make(settings("CartPole-v1", STACK), 1)
    first = ours.reset(0).obs[0]
    state = first[-4:]
    env.reset()
    env.unwrapped.state = tuple(state.astype(float))
    theirs, ours_next = env.step(1)[0], ours.step(np.array([1])).obs[0]
    np.testing.assert_allclose(theirs[-1], ours_next[-4:], atol=1e-6)


class Doors(gymnasium.Env):
    """PettingZoo's habit: which of three doors are open lies beside what is seen."""

    action_space = spaces.Discrete(3)
    observation_space = spaces.Dict(
        {
            "observation": spaces.Box(0, 9, (2, 2), np.float32),
            "depth": spaces.Discrete(4),
            "action_mask": spaces.Box(0, 1, (3,), np.int8),
        }
    )

    def reset(self, *, seed=None, options=None):
        self.time = 0
        return self.seen(), {}

    def step(self, action):
        assert action != self.time % 3, "a closed door"
        self.time += 1
        return self.seen(), 0.0, self.time == 5, False, {}

    def seen(self):
        mask = np.arange(3) != self.time % 3
        return {
            "observation": np.full((2, 2), self.time, np.float32),
            "depth": self.time % 4,
            "action_mask": mask.astype(np.int8),
        }


@pytest.mark.parametrize(
    ("listed", "shape"),
    [
        ((), (8,)),
        (("FlattenObservation",), (8,)),
        (({"name": "FilterObservation", "filter_keys": ("observation",)},), (4,)),
        (("FlattenObservation", {"name": "FrameStackObservation", "stack_size": 2}), (16,)),
        (("FlattenObservation", {"name": "DelayObservation", "delay": 1}), (8,)),
        (("FlattenObservation", "NormalizeObservation"), (8,)),
    ],
    ids=str,
)
def test_a_mask_among_what_is_seen_stays_a_mask_whatever_is_put_around(listed, shape):
    gymnasium.register("Doors-v0", entry_point=Doors)
    try:
        own = settings("Doors-v0", *listed)
        env = envs.make(own, num_envs=2)
        assert env.spec.masked and env.spec.obs_shape == shape
        step, stream = env.reset(0), np.random.default_rng(0)
        for time in range(12):
            assert (step.mask[:, time % 6 % 3] == [False, False]).all()  # a game and its reset are six steps
            assert step.obs.shape == (2, *shape) and step.mask.sum() == 4
            step = env.step(env.spec.actions.sample(stream, 2, step.mask))
        plain = envs.make(settings("Doors-v0", *listed, action_masks=False))
        assert not plain.spec.masked
    finally:
        del gymnasium.registry["Doors-v0"]
