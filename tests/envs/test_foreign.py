"""Environments that others wrote: what they do wrong is said to be theirs, with the call and the line of their code."""

import json
import re
import sys
from contextlib import contextmanager
from typing import ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from in_process import command

from rltrain import envs
from rltrain.envs.gym import foreign
from rltrain.errors import DivergedError, EnvironmentFault, InputError
from rltrain.experiment.settings import EnvironmentConfig

LINE = r"\(.*test_foreign\.py:\d+\)"
WRAPPER = r"GymV21Environment-v0.*shimmy"


class Plain(gymnasium.Env):
    """Reward 1 at every step, the observation never changes; cut at ten steps."""

    observation_space = spaces.Box(-1, 1, (3,), np.float32)
    action_space = spaces.Discrete(2)
    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 30}

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self.seen(), {}

    def step(self, action):
        self.t += 1
        return self.seen(), 1.0, False, self.t >= 10, {}

    def seen(self):
        return np.zeros(3, np.float32)

    def render(self):
        return np.zeros((8, 8, 3), np.uint8)


class Exits(Plain):
    def step(self, action):
        sys.exit(0)


class Raises(Plain):
    def step(self, action):
        raise RuntimeError("the simulator lost its socket")


class RaisesLate(Plain):
    """After 1,200 steps of all its objects, unless `mended`: most of them are played before training, to compare."""

    steps = 0
    mended = False

    def step(self, action):
        RaisesLate.steps += 1
        if RaisesLate.steps > 1_200 and not RaisesLate.mended:
            raise RuntimeError("the simulator lost its socket")
        return super().step(action)


class RaisesInReset(Plain):
    def reset(self, *, seed=None, options=None):
        raise OSError("no port is free")


class RaisesInInit(Plain):
    def __init__(self):
        raise RuntimeError("no display")


class ExitsInInit(Plain):
    def __init__(self):
        sys.exit("no licence")


class RaisesInClose(Plain):
    def close(self):
        raise RuntimeError("already closed")


class RaisesInRender(Plain):
    def render(self):
        raise RuntimeError("no pen")


class NeedsArgument(Plain):
    def __init__(self, level, size):
        pass


class NeedsOptions(Plain):
    def reset(self, *, seed=None, options):
        if options is None:
            raise ValueError("which options?")


class ReadsOptions(Plain):
    def reset(self, *, seed=None, options=None):
        return self.seen() * options["scale"], {}


class ResetWithoutSeed(Plain):
    def reset(self):
        return self.seen(), {}


class ResetGivesObservation(Plain):
    observation_space = spaces.Box(-1, 1, (2,), np.float32)  # two numbers: not to be taken for (observation, info)

    def reset(self, *, seed=None, options=None):
        return np.zeros(2, np.float32)


class FourValues(Plain):
    def step(self, action):
        obs, reward, over, _, info = super().step(action)
        return obs, reward, over, info


class NothingFromStep(Plain):
    def step(self, action):
        return None


class NoActionSpace(gymnasium.Env):
    observation_space = spaces.Box(-1, 1, (3,), np.float32)


class NoneAsActionSpace(Plain):
    action_space = None


class NoObservationSpace(gymnasium.Env):
    action_space = spaces.Discrete(2)


class EmptyBox(Plain):
    observation_space = spaces.Box(-1, 1, (0,), np.float32)


class NoneAsObservation(Plain):
    def seen(self):
        return None


class TextAsObservation(Plain):
    def seen(self):
        return np.array(["1", "2", "3"])


class OneForThree(Plain):
    def seen(self):
        return np.zeros(1, np.float32)


class RaggedObservation(Plain):
    def seen(self):
        return [0, [1, 2]]


class BeyondDiscrete(Plain):
    observation_space = spaces.Discrete(4)

    def seen(self):
        return -1


class OneForThreeInATuple(Plain):
    observation_space = spaces.Tuple((spaces.Discrete(2), spaces.Box(-1, 1, (3,), np.float32)))

    def seen(self):
        return 0, np.zeros(1, np.float32)


class FractionsAsImage(Plain):
    observation_space = spaces.Box(0, 255, (9, 9, 3), np.uint8)

    def seen(self):
        return np.full((9, 9, 3), 0.5)


class RewardIs(Plain):
    reward: object = None

    def step(self, action):
        obs, _, *rest = super().step(action)
        return obs, self.reward, *rest


class NoneAsReward(RewardIs):
    reward = None


class TextAsReward(RewardIs):
    reward = "1.5"


class ArrayAsReward(RewardIs):
    reward = np.array([1.0])


class HugeReward(RewardIs):
    reward = 10**5000


class TextAsEnd(Plain):
    def step(self, action):
        return self.seen(), 1.0, "False", False, {}


class RefusesActions(Plain):
    """Action 1 is masked, and taking it is an error."""

    def step(self, action):
        if action == 1:
            raise ValueError(f"action {action} is masked")
        return super().step(action)


@contextmanager
def registered(kind, **settings):
    """The id of this class, while open."""
    name = f"Odd/{kind.__name__}-v0"
    gymnasium.register(name, entry_point=kind, **settings)
    try:
        yield name
    finally:
        del gymnasium.registry[name]


FAULTS = {  # what is said of each; with a time limit Gymnasium's wrapper looks at what a step gives before we do
    Exits: rf"step\(\d\) wanted to end the process: sys.exit\(0\) {LINE}",
    Raises: rf"step\(\d\) failed: RuntimeError: the simulator lost its socket {LINE}",
    RaisesInReset: rf"reset failed: OSError: no port is free {LINE}",
    RaisesInInit: rf"make failed: RuntimeError: no display {LINE}",
    ExitsInInit: rf"make wanted to end the process: sys.exit\('no licence'\) {LINE}",
    RaisesInClose: rf"close failed: RuntimeError: already closed {LINE}",
    NeedsOptions: rf"reset failed: ValueError: which options\? {LINE}; reset is called without options here",
    ReadsOptions: rf"reset failed: TypeError: 'NoneType' object is not subscriptable {LINE}; .* without options",
    ResetWithoutSeed: rf"reset takes no seed; .*{WRAPPER}",
    ResetGivesObservation: rf"reset must give \(observation, info\), and gave an array of shape \(2,\).*{WRAPPER}",
    FourValues: rf"step\(\d\) must give five values, .*, and gave 4 values; .*{WRAPPER}",
    NothingFromStep: r"step\(\d\) ",
    NoActionSpace: r"it has no action_space",
    NoneAsActionSpace: r"its action_space is None",
    NoObservationSpace: r"it has no observation_space",
    NoneAsObservation: r"reset gave None as observation; its observation space is Box",
    TextAsObservation: r"reset gave an array of shape \(3,\) and dtype <U1 as observation",
    OneForThree: r"reset gave an array of shape \(1,\) and dtype float32 as observation; .*\(3,\)",
    RaggedObservation: r"reset gave a list of 2 as observation",
    BeyondDiscrete: r"reset gave -1 as observation; its observation space is Discrete\(4\)",
    OneForThreeInATuple: r"reset gave a tuple of 2 as observation",
    FractionsAsImage: r"reset gave an array of shape \(9, 9, 3\) and dtype float64 as observation",
    NoneAsReward: r"step\(\d\) gave None as reward",
    TextAsReward: r"step\(\d\) gave '1.5' as reward",
    ArrayAsReward: r"step\(\d\) gave an array of shape \(1,\) and dtype float64 as reward",
    HugeReward: r"step\(\d\) gave a whole number of 16,610 bits as reward",
    TextAsEnd: r"step\(\d\) gave 'False' as terminated",
    RefusesActions: rf"step\(1\) failed: ValueError: action 1 is masked {LINE}",
}


def play(name: str, **settings: object) -> None:
    env = envs.make(EnvironmentConfig(id=name, **settings), num_envs=1)
    env.reset(0)
    for action in (0, 1, 0):
        env.step(np.array([action]))
    env.close()


@pytest.mark.parametrize("limit", [None, 100], ids=["no limit", "a limit"])
@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_a_fault_of_an_environment_is_its_own_and_names_the_call(kind, limit):
    with registered(kind, max_episode_steps=limit) as name:
        with pytest.raises(EnvironmentFault, match=f"{name}: {FAULTS[kind]}") as caught:
            play(name)
        assert "\n" not in str(caught.value)


def test_what_only_a_picture_asks_for_is_asked_of_a_picture():
    with registered(RaisesInRender) as name:
        play(name)
        film = envs.film(EnvironmentConfig(id=name))
        film.reset(0)
        with pytest.raises(EnvironmentFault, match=rf"render failed: RuntimeError: no pen {LINE}"):
            film.frame()


def test_arguments_that_are_missing_are_named_where_they_belong():
    with registered(NeedsArgument) as name:
        expected = f"environment.kwargs.level, environment.kwargs.size: missing; {name} cannot be made without"
        with pytest.raises(InputError, match=re.escape(expected)):
            play(name)


def test_an_observation_of_no_numbers_is_refused():
    with registered(EmptyBox) as name, pytest.raises(InputError, match=r"hold no number to learn from"):
        play(name)


@pytest.mark.parametrize("bad", [np.nan, np.inf, np.float32("-inf")])
def test_numbers_that_are_not_finite_are_said_as_before(bad):
    class Bad(RewardIs):
        reward = bad

    with registered(Bad) as name, pytest.raises(DivergedError, match=r"gave at step \d, to action \d, the reward"):
        play(name)


@pytest.mark.parametrize(
    "reward", [1, True, np.float32(1), np.float64(1), np.int64(1), np.bool_(True), np.array(1.0), np.array(1)]
)
def test_every_kind_of_one_number_is_a_reward(reward):
    class Fine(RewardIs):
        pass

    Fine.reward = reward
    with registered(Fine) as name:
        env = envs.make(EnvironmentConfig(id=name), num_envs=1)
        env.reset(0)
        assert env.step(np.array([0])).reward.tolist() == [1.0]


@pytest.mark.parametrize(
    ("space", "right", "wrong"),
    [
        (spaces.Box(0, 1, (2,)), [5.0, -3], [5.0]),  # bounds are let pass: many environments cross theirs
        (spaces.Discrete(3, start=2), np.int64(4), 5),
        (spaces.MultiBinary(2), np.array([0, 1], np.int8), np.array([0, 2], np.int8)),
        (spaces.Dict(a=spaces.Discrete(2), b=spaces.Box(0, 1, (2,))), {"a": 1, "b": [0, 0]}, {"a": 1}),
        (spaces.Tuple((spaces.Discrete(2),)), (1,), (1, 1)),
    ],
)
def test_an_observation_has_the_form_of_its_space(space, right, wrong):
    assert foreign.fits(space, right)
    assert not foreign.fits(space, wrong)


class NumbersWrong(Plain):
    observation_space = spaces.Tuple((spaces.Discrete(3), spaces.Discrete(2)))

    def seen(self):
        return (0, self.wrong) if self.t else (0, 1)


@pytest.mark.parametrize("wrong", [2, -1, "1", 0.5, None])
def test_a_state_without_a_number_is_the_environments_fault(wrong):
    NumbersWrong.wrong = wrong
    with registered(NumbersWrong) as name:
        env = envs.make(EnvironmentConfig(id=name), task="tabular", num_envs=1)
        assert env.reset(0).obs.tolist() == [[1]]
        with pytest.raises(EnvironmentFault, match=r"step\(0\) gave a tuple of 2 as observation"):
            env.step(np.array([0]))


@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt(), RuntimeError("CUDA out of memory")])
def test_memory_that_runs_out_and_ctrl_c_are_not_the_environments_fault(error):
    class Ends(Plain):
        def step(self, action):
            raise error

    with registered(Ends) as name, pytest.raises(type(error)) as caught:
        play(name)
    assert caught.value is error


# Through the command line


@pytest.fixture
def rltrain(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    return command(capsys)


def config_of(name, algorithm="{name: basic, policy: random}"):
    return f"algorithm: {algorithm}\nenvironment: {name}\nrun: {{budget: {{episodes: 60}}}}\n"


def test_a_run_whose_environment_fails_keeps_its_checkpoint_and_goes_on_when_it_is_mended(rltrain, tmp_path):
    RaisesLate.steps, RaisesLate.mended = 0, False
    with registered(RaisesLate) as name:
        (tmp_path / "c.yaml").write_text(config_of(name))
        code, _, err = rltrain("train", "c.yaml", "--name", "r")
        assert code == 10 and "rltrain crashed" not in err
        assert re.search(rf"{name}: step\(\d\) failed: RuntimeError: the simulator lost its socket {LINE}", err)
        assert "when the environment is mended, go on from the last checkpoint with: rltrain resume runs/r" in err
        assert "the traceback is in runs/r/crash.txt" in err
        assert "raise RuntimeError" in (tmp_path / "runs/r/crash.txt").read_text()
        runs = json.loads(rltrain("list", "runs", "--json")[1])["runs"]
        assert runs[0]["state"] == "environment failed"
        assert rltrain("resume", "r")[0] == 10
        RaisesLate.mended = True
        code, out, _ = rltrain("resume", "r", "-q")
        assert code == 0 and "finished: 60 episodes" in out
        assert rltrain("train", "c.yaml", "--name", "whole", "-q")[0] == 0
    for file in ("metrics.jsonl", "metrics.csv"):
        assert (tmp_path / "runs/r" / file).read_bytes() == (tmp_path / "runs/whole" / file).read_bytes()


VERBS = {
    "check": ["check", "c.yaml", "--probe", "0.1"],
    "train": ["train", "c.yaml"],
    "eval": ["eval", "r", "--episodes", "2"],
    "watch": ["watch", "r", "-o", "x.gif"],
}


class Toggled(Plain):
    """As `how` says: `fine` at first."""

    how = "fine"

    def __init__(self, render_mode=None):
        if Toggled.how == "make":
            raise RuntimeError("no display")

    def reset(self, *, seed=None, options=None):
        if Toggled.how == "reset":
            raise RuntimeError("no port")
        return super().reset(seed=seed)

    def step(self, action):
        if Toggled.how == "step":
            raise SystemExit
        return super().step(action)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("how", ["make", "reset", "step"])
def test_every_verb_says_whose_fault_it_is(how, verb, rltrain, tmp_path):
    Toggled.how = "fine"
    with registered(Toggled) as name:
        (tmp_path / "c.yaml").write_text(config_of(name))
        assert rltrain("train", "c.yaml", "--name", "r", "-q")[0] == 0
        Toggled.how = how
        code, out, err = rltrain(*VERBS[verb])
        assert code == 10, out + err
        assert f"{name}: {how}" in err and "Traceback" not in err and "bug of rltrain" not in err


def test_a_table_that_cannot_be_read_is_the_environments_fault(rltrain):
    class Tabled(Plain):
        observation_space = spaces.Discrete(2)

        @property
        def P(self):
            raise RuntimeError("the file of the table is gone")

    with registered(Tabled) as name:
        code, _, err = rltrain("mdp", "solve", name, "--discount", "0.9")
    assert code == 10 and "the file of the table is gone" in err


@pytest.mark.parametrize("algorithm", ["basic", "dqn", "pqn", "reinforce", "genetic", "qlearn", "td"])
def test_every_learner_says_whose_fault_it_is(algorithm, rltrain, tmp_path):
    class Fails(Plain):
        observation_space = spaces.Discrete(3)

        def step(self, action):
            raise RuntimeError("the simulator lost its socket")

        def seen(self):
            return 0

    with registered(Fails, max_episode_steps=20) as name:
        (tmp_path / "c.yaml").write_text(f"algorithm: {algorithm}\nenvironment: {name}\n")
        code, out, err = rltrain("train", "c.yaml", "--name", "r", "-q")
    assert code == 10, out + err
    assert "simulator lost its socket" in err and (tmp_path / "runs/r/crash.txt").exists()


def test_gymnasiums_own_environments_pass():
    for name in ("CartPole-v1", "FrozenLake-v1", "Blackjack-v1", "Acrobot-v1"):
        assert name in gymnasium.registry
        play(name)
