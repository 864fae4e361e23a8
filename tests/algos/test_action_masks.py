"""What is impossible is never done and never counts: learners of tables, evaluations, random play, saved policies.

The world pays 100 for what it masks, and raises if that is done all the same: so one wrong step fails a test, and a
learner that took the masked action for possible would come to other values than those of the masked problem.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from rltrain import envs
from rltrain.algos import qlearn, td
from rltrain.algos._qlearn_plugin import load_policy
from rltrain.algos._td_config import TdConfig
from rltrain.algos.basic import BasicConfig, HardCoded
from rltrain.core import Hardware
from rltrain.envs.gym import numbered
from rltrain.envs.models import tabular
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.mdp import build, files, pairs
from rltrain.mdp.chains import policy
from rltrain.mdp.learn.stochastic_policy import StochasticPolicy
from rltrain.mdp.learn.table_policy import TablePolicy, believed
from rltrain.mdp.model import Model
from rltrain.mdp.solvers import solve
from rltrain.policies import rules
from rltrain.rng import Streams
from rltrain.run import evaluation

BOOK = files.read(files.BOOK).model
STATES, ACTIONS, GAMMA = 6, 3, 0.9
NEXT = np.random.default_rng(1).integers(STATES, size=(STATES, ACTIONS))
NEXT[2] = STATES - 1  # where episodes end
REWARD = np.random.default_rng(2).integers(-3, 6, size=(STATES, ACTIONS)).astype(float)
MASK = np.arange(ACTIONS)[None, :] != (np.arange(STATES) % ACTIONS)[:, None]


class Tempting(gymnasium.Env):  # type: ignore[type-arg]
    """A walk over six states; what is masked pays 100. `moving`: what is masked moves on with every visit."""

    observation_space = spaces.Discrete(STATES)
    action_space = spaces.Discrete(ACTIONS)

    def __init__(self, moving: bool = False, beside: bool = False, lenient: bool = False):
        self._moving, self._beside, self._lenient = moving, beside, lenient
        if beside:
            own = {"observation": spaces.Discrete(STATES), "action_mask": spaces.Box(0, 1, (ACTIONS,), np.int8)}
            self.observation_space = spaces.Dict(own)

    def _mask(self) -> Any:
        return np.roll(MASK[self._at], self._time if self._moving else 0).astype(np.int8)

    def _seen(self) -> Any:
        if self._beside:
            return {"observation": self._at, "action_mask": self._mask()}, {}
        return self._at, {"action_mask": self._mask()}

    def reset(self, seed=None, options=None):  # type: ignore[no-untyped-def]
        super().reset(seed=seed)
        self._at, self._time = int(self.np_random.integers(STATES - 1)), 0
        return self._seen()

    def step(self, action):  # type: ignore[no-untyped-def]
        if not self._mask()[action] and not self._lenient:
            raise ValueError(f"action {action} is masked")
        reward = REWARD[self._at, action] if self._mask()[action] else 100.0
        self._at, self._time = int(NEXT[self._at, action]), self._time + 1
        obs, info = self._seen()
        return obs, reward, self._at == STATES - 1, False, info


class Tabled(Tempting):
    """It has a table, which knows no masks, and tells them only where it stands."""

    P: ClassVar = {
        s: {a: [(1.0, int(NEXT[s, a]), 100.0, int(NEXT[s, a]) == STATES - 1)] for a in range(ACTIONS)}
        for s in range(STATES)
    }


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    gymnasium.register("Tempting-v0", entry_point=Tempting, max_episode_steps=20)
    gymnasium.register("Tabled-v0", entry_point=Tabled, max_episode_steps=20)
    yield
    del gymnasium.registry["Tempting-v0"], gymnasium.registry["Tabled-v0"]


def tempting(**kwargs: Any) -> EnvironmentConfig:
    return EnvironmentConfig(id="Tempting-v0", kwargs=kwargs)


def model_of_the_masked() -> Model:
    state, action = np.nonzero(MASK[:-1])
    following, names = NEXT[state, action], [str(number) for number in range(STATES)]
    ones = np.ones(len(state))
    return build.from_transitions(names, names[:ACTIONS], state, action, following, ones, REWARD[state, action])


def make(env: Any, seed: int = 0, **settings: Any) -> Any:
    return qlearn.make(qlearn.QlearnConfig.model_validate(settings), env, Streams(seed), Hardware())


def learnt(env: Any, steps: int, **settings: Any) -> Any:
    learners = make(env, gamma=GAMMA, report_every=steps, **settings)
    learners.step()
    return learners


def q_of(learners: Any) -> Any:
    return believed(learners.agent.q, learners.agent.second)


METHODS = [
    {},
    {"learning_rate_schedule": "count"},
    {"exploration": "softmax", "temperature": 0.1},
    {"exploration": "bonus"},
    {"method": "double"},
    {"method": "sarsa"},
    {"method": "sarsa", "exploration": "softmax"},
    {"method": "expected_sarsa"},
    {"method": "expected_sarsa", "exploration": "softmax"},
    {"method": "expected_sarsa", "exploration": "bonus"},
    {"trace_decay": 0.05},  # so short that a larger table keeps no more of them
]


class Hidden:
    """A known model that keeps its table to itself: what only can be sampled."""

    model = None

    def __init__(self, known: tabular.Tabular) -> None:
        self.known, self.spec, self.num_states = known, known.spec, known.num_states

    def single(self) -> Any:
        return self.known.single()


@pytest.mark.parametrize("settings", METHODS, ids=str)
def test_masks_seen_step_by_step_come_to_what_the_model_without_these_pairs_does(settings: dict[str, Any]) -> None:
    """To the bit. In the book's model three actions are impossible in one of its states."""
    known = tabular.Tabular(BOOK)
    same = {"learners": 2, "report_every": 1000, "exploration_steps": 800, **settings}
    fast, slow = make(known, **same), make(Hidden(known), **same)
    fast.step()
    slow.step()
    assert fast.num_actions > np.diff(BOOK.first_pair).min() > 0
    at = BOOK.pair_state * BOOK.num_actions + BOOK.action
    assert np.array_equal(q_of(fast), q_of(slow)[:, at])
    others = np.delete(q_of(slow), at, axis=1)
    assert (others == 0).all()
    states = np.arange(BOOK.num_states)[:, None]
    assert np.array_equal(fast.policy().act(states), slow.policy().act(states))


@pytest.mark.parametrize(
    "settings",
    [
        {"exploration": "uniform"},
        {"exploration": "uniform", "method": "double"},
        {"exploration": "softmax", "temperature": 5.0},
        {"exploration": "bonus", "exploration_bonus": 1000.0},
        {"exploration": "uniform", "trace_decay": 0.5},
    ],
    ids=str,
)
def test_q_is_that_of_the_masked_problem(settings: dict[str, Any]) -> None:
    model = model_of_the_masked()
    learners = learnt(numbered.make(tempting(), 1), 3000, learning_rate=1.0, **settings)
    at = model.pair_state * ACTIONS + model.action
    exact = solve.solve(model, GAMMA, epsilon=1e-9)
    assert q_of(learners)[0, at] == pytest.approx(exact.q, abs=1e-6 if "trace_decay" not in settings else 2.0)
    assert q_of(learners).max() < 60
    choice = learners.policy().act(np.arange(STATES - 1)[:, None])
    assert choice.tolist() == [int(model.action[pair]) for pair in exact.choice[: STATES - 1]]


@pytest.mark.parametrize(("method", "error"), [("expected_sarsa", 1e-6), ("sarsa", 1.5)])
def test_sarsa_values_random_play_among_what_is_possible(method: str, error: float) -> None:
    model = model_of_the_masked()
    value = policy.evaluate(model, pairs.uniform(model), GAMMA).value
    exact = model.reward + GAMMA * value[model.next]
    schedule = {} if method == "expected_sarsa" else {"learning_rate_schedule": "count"}
    env = numbered.make(tempting(), 1)
    learners = learnt(env, 5000, learning_rate=1.0, exploration="uniform", method=method, **schedule)
    assert q_of(learners)[0, model.pair_state * ACTIONS + model.action] == pytest.approx(exact, abs=error)


def test_td_values_random_play_among_what_is_possible() -> None:
    model = model_of_the_masked()
    exact = policy.evaluate(model, pairs.uniform(model), GAMMA).value
    config = TdConfig.model_validate({"gamma": GAMMA, "learning_rate": 1.0, "learning_rate_schedule": "count"})
    learners = td.make(config, numbered.make(tempting(), 1), Streams(0), Hardware())
    while learners.env_steps < 6_000:
        learners.step()
    assert learners.agent.q[0, : STATES - 1] == pytest.approx(exact[: STATES - 1], abs=1.0)
    assert learners.agent.q.max() < 40


@pytest.mark.parametrize("method", ["q", "double", "sarsa", "expected_sarsa"])
@pytest.mark.parametrize("exploration", ["epsilon", "softmax", "bonus"])
def test_masks_that_change_between_visits_are_kept(method: str, exploration: str) -> None:
    learners = learnt(numbered.make(tempting(moving=True), 1), 600, method=method, exploration=exploration)
    assert learners.counters["episodes"] > 20  # and nothing was raised
    assert q_of(learners).max() < 60


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("settings", [{"method": "sarsa"}, {"trace_decay": 0.5}, {"exploration": "softmax"}], ids=str)
def test_saved_and_loaded_it_goes_on_to_the_bit(moving: bool, settings: dict[str, Any]) -> None:
    env = numbered.make(tempting(moving=moving), 1)
    whole, first, second = (make(env, learners=2, report_every=205, **settings) for _ in range(3))
    rows = [str(whole.step()) for _ in range(4)]
    for _ in range(2):
        first.step()
    second.load(first.save())
    assert [str(second.step()) for _ in range(2)] == rows[2:]
    for name, array in whole.save()["agent"].items():
        assert np.array_equal(array, second.save()["agent"][name])
    assert np.array_equal(whole.masked.possible, second.masked.possible)
    obs = np.arange(STATES)[:, None]
    loaded = load_policy(second.config, env.spec, second.save(), Hardware())
    assert np.array_equal(loaded.act(obs), whole.policy().act(obs))


@pytest.mark.parametrize("kwargs", [{}, {"moving": True}, {"beside": True}], ids=str)
@pytest.mark.parametrize("task", ["env", "tabular"])
def test_evaluations_and_random_play_do_what_is_possible(kwargs: dict[str, Any], task: str) -> None:
    settings = tempting(**kwargs)
    spec = envs.describe(settings, task=task)
    assert spec.masked
    found = []
    for epsilon in (0.0, 1.0):
        for name in ("random", "constant"):
            player = rules.make(name, spec, np.random.default_rng(0))  # type: ignore[arg-type]
            found.append(evaluation.evaluate(player, settings, None, 40, 0, epsilon, task=task).mean)
    assert max(found) < 60
    basic = HardCoded(BasicConfig(), envs.make(settings, task=task, num_envs=3), Streams(0), Hardware())
    for _ in range(20):
        assert basic.step()["return/max"] < 100


def test_a_mask_beside_the_observation_is_no_observation() -> None:
    """PettingZoo's habit: {observation, action_mask}."""
    env = envs.make(tempting(beside=True), num_envs=2)
    assert (env.spec.obs_shape, env.spec.parts) == ((STATES,), ())
    step = env.reset(0)
    assert step.mask is not None and np.array_equal(step.mask, MASK[step.obs.argmax(axis=1)])
    plain = envs.make(tempting(beside=True).model_copy(update={"action_masks": False}), num_envs=2)
    assert (plain.spec.obs_shape, plain.spec.masked) == ((STATES + ACTIONS,), False)
    assert plain.reset(0).mask is None
    learners = learnt(numbered.make(tempting(beside=True), 1), 500)
    assert q_of(learners).max() < 60


def test_without_action_masks_everything_is_tried() -> None:
    settings = tempting(lenient=True).model_copy(update={"action_masks": False})
    env = numbered.make(settings, 1)
    assert not env.spec.masked
    assert q_of(learnt(env, 500, learning_rate=1.0)).max() > 100


def test_a_table_that_cannot_tell_its_masks_is_played_step_by_step() -> None:
    settings = EnvironmentConfig(id="Tabled-v0")
    env = numbered.make(settings, 1)
    assert env.model is None and env.spec.masked
    assert env.spec == numbered.describe(settings, 1)
    assert q_of(learnt(env, 500)).max() < 60
    assert envs.model_of(settings.model_copy(update={"action_masks": False})) is not None
    assert envs.model_named("Tabled-v0") is not None


def test_taxi_is_learned_without_its_impossible_actions_and_is_worth_the_same() -> None:
    settings = EnvironmentConfig(id="Taxi-v4")
    masked, whole = envs.model_of(settings), envs.model_named("Taxi-v4")
    assert masked is not None and whole is not None
    assert envs.model_of(settings.model_copy(update={"action_masks": False})).num_pairs == whole.num_pairs  # type: ignore[union-attr]
    assert masked.num_pairs < 0.75 * whole.num_pairs
    assert np.array_equal(masked.start, whole.start)
    for discount in (0.9, 0.99):
        values = [solve.solve(model, discount, epsilon=1e-9).value for model in (masked, whole)]
        assert values[0] == pytest.approx(values[1], abs=1e-8)
    env = gymnasium.make("Taxi-v4").unwrapped
    for state in np.flatnonzero(~masked.terminal).tolist():
        possible = np.flatnonzero(env.action_mask(state))  # type: ignore[attr-defined]
        assert [int(masked.action[pair]) for pair in masked.pairs(state)] == possible.tolist()
    made = numbered.make(settings, 2)
    assert made.spec.masked and made.spec == numbered.describe(settings, 2)
    assert made.reset(0).mask is not None


def test_a_known_model_as_vectors_says_what_is_possible() -> None:
    settings = EnvironmentConfig(id=str(files.BOOK), num_envs=8)
    env = envs.make(settings)
    assert env.spec.masked and env.spec == envs.describe(settings)
    step, stream = env.reset(0), np.random.default_rng(0)
    for _ in range(50):
        assert step.mask is not None
        for row, state in zip(step.mask, step.obs.argmax(axis=1).tolist(), strict=True):
            assert np.flatnonzero(row).tolist() == [int(BOOK.action[pair]) for pair in BOOK.pairs(state)]
        step = env.step(env.spec.actions.sample(stream, 8, step.mask))
    assert not envs.describe(settings.model_copy(update={"action_masks": False})).masked
    assert not envs.describe(EnvironmentConfig(id="FrozenLake-v1")).masked


def test_policies_of_tables_take_the_best_of_what_is_left() -> None:
    table = TablePolicy(
        np.array([2, 0]), np.array([0, 3, 5]), np.array([0, 1, 2, 0, 2]), np.array([1.0, 2, 3, 5, 4]), 3
    )
    states = np.array([[0], [0], [1], [1], [1]])
    mask = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 1, 0], [0, 0, 0]], bool)
    assert table.act(states).tolist() == [2, 2, 0, 0, 0]
    assert table.act(states, mask).tolist() == [1, 0, 2, 1, 0]
    drawing = StochasticPolicy(np.array([0, 3]), None, np.array([0.2, 0.3, 0.5]), 3)
    many = np.zeros((4000, 1), np.int64)
    drawn = drawing.act(many, np.tile([True, True, False], (4000, 1)))
    assert (drawn == 0).mean() == pytest.approx(0.4, abs=0.04)  # 5 sigma
    assert set(drawn.tolist()) == {0, 1}
    only = StochasticPolicy(np.array([0, 3]), None, np.array([0.0, 0.0, 1.0]), 3)
    assert set(only.act(many[:50], np.tile([True, True, False], (50, 1))).tolist()) == {0, 1}
    left = drawing.scores(many[:2], np.array([[1, 1, 0], [0, 0, 0]], bool))
    assert left == pytest.approx(np.array([[0.4, 0.6, 0], [0.2, 0.3, 0.5]]))
    assert only.scores(many[:1], np.array([[1, 1, 0]], bool)).tolist() == [[0.5, 0.5, 0]]
    assert np.array_equal(table.scores(states, mask), table.scores(states), equal_nan=True)
    ones = np.ones((4000, 3), bool)
    before, same = (StochasticPolicy(np.array([0, 3]), None, np.array([0.2, 0.3, 0.5]), 3) for _ in range(2))
    assert np.array_equal(before.act(many), same.act(many, ones))
