"""Tables where several choices are made at once: each combination is an action, from the first step to the film.

The world says what is impossible, and fails if that is done all the same.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import rltrain
from rltrain import envs
from rltrain.algos import qlearn, td
from rltrain.algos._td_config import TdConfig
from rltrain.core import Hardware
from rltrain.envs.gym import numbered
from rltrain.envs.gym.repetition import why_not
from rltrain.envs.models.tabular import TabularEnv
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.mdp import build, pairs
from rltrain.mdp.chains import policy
from rltrain.mdp.learn.table_policy import believed
from rltrain.mdp.model import Model
from rltrain.mdp.solvers import solve
from rltrain.rng import Streams
from rltrain.run import evaluation
from rltrain.run.play import play
from rltrain.spaces import Discrete

STATES, GAMMA = 4, 0.9
COMBINATIONS = [(0, 0), (0, 1), (1, 0), (1, 1)]
NAMES = ("0,0", "0,1", "1,0", "1,1")


class Levers(gymnasium.Env[Any, Any]):
    """Two levers of two positions each, the second's numbered from 3; state 3 ends it.

    Where it is masked, the first lever's position s % 2 is impossible in state s.
    """

    observation_space = spaces.Discrete(STATES)
    action_space = spaces.MultiDiscrete([2, 2], start=[0, 3])
    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"]}

    def __init__(self, masked: bool = False, render_mode: str | None = None) -> None:
        self._masked, self.render_mode = masked, render_mode

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._at = int(self.np_random.integers(STATES - 1))
        return self._at, self._info()

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action), action
        first, second = int(action[0]), int(action[1]) - 3
        assert not self._masked or first != self._at % 2, "an impossible choice"
        self._at, reward = after(self._at, first, second)
        return self._at, reward, self._at == STATES - 1, False, self._info()

    def render(self) -> Any:
        return np.full((4, 4, 3), self._at, np.uint8)

    def _info(self) -> dict[str, Any]:
        able = [self._at % 2 != 0, self._at % 2 != 1]
        return {"action_mask": np.array([*able, True, True], np.int8)} if self._masked else {}


def after(state: int, first: int, second: int) -> tuple[int, float]:
    """Where the levers lead, and what that pays."""
    return (state + 1 + first) % STATES if second else state // 2, float(3 * first - 2 * second + state % 2)


def model(masked: bool) -> Model:
    rows = [
        (s, a, *after(s, *choices))
        for s in range(STATES - 1)
        for a, choices in enumerate(COMBINATIONS)
        if not masked or choices[0] != s % 2
    ]
    state, action, following, reward = map(np.array, zip(*rows, strict=True))
    names = [str(number) for number in range(STATES)]
    return build.from_transitions(names, list(NAMES), state, action, following, np.ones(len(rows)), reward)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    gymnasium.register("Levers-v0", entry_point=Levers, max_episode_steps=12)
    yield
    del gymnasium.registry["Levers-v0"]


def levers(masked: bool) -> EnvironmentConfig:
    return EnvironmentConfig(id="Levers-v0", kwargs={"masked": masked})


def make(env: TabularEnv, **settings: Any) -> Any:
    return qlearn.make(qlearn.QlearnConfig.model_validate({"gamma": GAMMA, **settings}), env, Streams(0), Hardware())


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "settings", [{}, {"method": "double"}, {"exploration": "softmax", "temperature": 9.0}], ids=str
)
def test_q_is_that_of_the_known_problem(masked: bool, settings: dict[str, Any]) -> None:
    exact, known = solve.solve(model(masked), GAMMA, epsilon=1e-9), model(masked)
    learners = make(
        numbered.make(levers(masked), 1),
        **{"learning_rate": 1.0, "exploration": "uniform", "report_every": 4000, **settings},
    )
    learners.step()
    q = believed(learners.agent.q, learners.agent.second)[0]
    assert q[known.pair_state * len(NAMES) + known.action] == pytest.approx(exact.q, abs=1e-5)
    choice = learners.policy().act(np.arange(STATES - 1)[:, None])
    assert choice.tolist() == [int(known.action[pair]) for pair in exact.choice[: STATES - 1]]


@pytest.mark.parametrize("masked", [False, True])
def test_td_values_random_play_among_what_is_possible(masked: bool) -> None:
    known = model(masked)
    exact = policy.evaluate(known, pairs.uniform(known), GAMMA).value
    config = TdConfig.model_validate({"gamma": GAMMA, "learning_rate": 1.0, "learning_rate_schedule": "count"})
    learners = td.make(config, numbered.make(levers(masked), 1), Streams(0), Hardware())
    while learners.env_steps < 6_000:
        learners.step()
    assert learners.agent.q[0, : STATES - 1] == pytest.approx(exact[: STATES - 1], abs=1.0)


def test_it_is_described_as_it_is_made_and_filmed() -> None:
    for masked in (False, True):
        env = envs.make(levers(masked), task="tabular", num_envs=2)
        assert env.spec == envs.describe(levers(masked), task="tabular", num_envs=2)
        assert env.spec.actions == Discrete(4, NAMES) and env.spec.masked is masked
        step = env.reset(0)
        if masked:
            found = [[choices[0] != s % 2 for choices in COMBINATIONS] for s in step.obs[:, 0].tolist()]
            assert step.mask is not None and step.mask.tolist() == found
        assert why_not(levers(masked), "tabular") is None
        env.close()


def test_a_game_that_is_watched_is_the_game_of_an_evaluation() -> None:
    settings = levers(True)
    learners = make(numbered.make(settings, 1), learning_rate=1.0, report_every=2000)
    learners.step()
    film = envs.film(settings, "tabular")
    moments = list(play(learners.policy(), film, 1, 0.3, seed=4))
    film.close()
    expected = evaluation.evaluate(learners.policy(), settings, "training", 1, seed=4, epsilon=0.3, task="tabular")
    assert expected is not None and (moments[-1].total, moments[-1].step) == (expected.returns[0], expected.lengths[0])
    assert all(moment.action in range(4) for moment in moments[:-1])


def test_a_run_that_was_stopped_goes_on_to_the_byte_and_is_evaluated(tmp_path: Path) -> None:
    def config(steps: int) -> dict[str, Any]:
        run = {"budget": {"env_steps": steps}, "save": {"every": {"env_steps": 250}}, "evaluate": {"episodes": 3}}
        algorithm = {"name": "qlearn", "learners": 2, "report_every": 230}
        environment = {"id": "Levers-v0", "kwargs": {"masked": True}}
        return {"algorithm": algorithm, "environment": environment, "run": run}

    whole = rltrain.train(config(1_500), runs_dir=tmp_path, name="whole", picture=False)
    part = rltrain.train(config(501), runs_dir=tmp_path, name="part", picture=False)
    rltrain.resume(part, {"run.budget": {"env_steps": 1_500}})
    assert (tmp_path / "whole" / "metrics.csv").read_bytes() == (tmp_path / "part" / "metrics.csv").read_bytes()
    assert json.loads((tmp_path / "whole" / "run.json").read_text())["exact"] is True
    found = rltrain.load(whole)
    assert found.actions == NAMES
    env = Levers(masked=True)
    obs, info = env.reset(seed=0)
    assert int(found.act(obs, info["action_mask"])[0]) == 1 - obs % 2
    forced = np.array([1, 0, 0, 1])  # whatever it wants: of each lever one position is left
    assert found.act(obs, forced).tolist() == [0, 4]
    assert found.act(np.array([[0], [1]]), np.array([forced, forced])).tolist() == [1, 1]
    env.step(found.act(obs, info["action_mask"]))
    assert rltrain.evaluate(whole, games=4).mean > -30


def test_actions_that_have_no_numbers_are_refused() -> None:
    class Many(Levers):
        action_space = spaces.MultiDiscrete([11, 10, 10])

    class Real(Levers):
        action_space = spaces.Box(-1, 1, (2,), np.float32)

    for own, rule in ((Many, r"3 choices .* 1,100 combinations; a table needs .* at most 1,024"), (Real, "2 numbers")):
        gymnasium.register("Odd-v0", entry_point=own)
        try:
            with pytest.raises(InputError, match=rule):
                numbered.describe(EnvironmentConfig(id="Odd-v0"), 1)
        finally:
            del gymnasium.registry["Odd-v0"]
