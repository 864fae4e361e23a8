"""Gymnasium's tables as models: known values, and the environment itself, played."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from rltrain.envs import model_named
from rltrain.envs.gym import tables
from rltrain.envs.gym.tables import played
from rltrain.errors import InputError, MissingError
from rltrain.mdp.done import Rows
from rltrain.mdp.model import Numbered
from rltrain.mdp.solvers.solve import solve


@pytest.mark.parametrize(
    ("env_id", "kwargs", "expected"),
    [
        ("FrozenLake-v1", {}, 0.542026),
        ("FrozenLake-v1", {"map_name": "8x8"}, 0.414640),
        ("FrozenLake8x8-v1", {}, 0.414640),
        ("FrozenLake-v1", {"is_slippery": False}, 0.99**5),
        ("FrozenLake-v1", {"is_slippery": False, "map_name": "8x8"}, 0.99**13),
        ("Taxi-v4", {}, 6.327464),
        ("CliffWalking-v1", {}, -sum(0.99**step for step in range(13))),
    ],
)
def test_the_best_value_of_the_start_is_the_known_one(env_id, kwargs, expected):
    model = model_named(env_id, kwargs)
    assert model.start @ solve(model, 0.99).value == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(("env_id", "num_states", "ends"), [("FrozenLake-v1", 16, 5), ("CliffWalking-v1", 48, 1)])
def test_no_state_is_added_where_the_table_has_ends(env_id, num_states, ends):
    model = model_named(env_id, {})
    assert (model.num_states, model.terminal.sum()) == (num_states, ends)
    assert model.exact is None


def test_names_say_where_one_is():
    lake, cliff, taxi = (model_named(env_id, {}) for env_id in ("FrozenLake-v1", "CliffWalking-v1", "Taxi-v4"))
    assert (lake.states[4], lake.actions) == ("1,0", ("left", "down", "right", "up"))
    assert (cliff.states[36], cliff.actions) == ("3,0", ("up", "right", "down", "left"))
    env = gymnasium.make("Taxi-v4").unwrapped
    assert taxi.states[env.encode(2, 3, 0, 1)] == "2,3 R>G"
    assert taxi.states[env.encode(0, 4, 4, 3)] == "0,4 taxi>B"
    assert taxi.actions == ("south", "north", "east", "west", "pickup", "dropoff")
    assert model_named("FrozenLake-v1", {"map_name": "8x8", "is_slippery": False}).name == (
        "FrozenLake-v1 map_name=8x8 is_slippery=false"
    )


def test_two_ways_to_one_state_are_one_with_the_mean_reward():
    """From the start of the slippery cliff: -1 for staying, -100 for the cliff, which leads back to the start."""
    model = model_named("CliffWalkingSlippery-v1", {})
    start = model.states.index("3,0")
    for action, following, prob, reward in (
        ("right", ["2,0", "3,0"], [1 / 3, 2 / 3], [-1, -50.5]),
        ("down", ["3,0"], [1], [-34]),
    ):
        span = model.successors(model.pair_of(start, model.actions.index(action)))
        assert [model.states[state] for state in model.next[span]] == following
        assert model.prob[span].tolist() == pytest.approx(prob, abs=1e-15)
        assert model.next_reward[span].tolist() == reward


def test_an_argument_may_be_a_list():
    model = model_named("FrozenLake-v1", {"desc": ["SFF", "FHG"]})
    assert model.states == ("0,0", "0,1", "0,2", "1,0", "1,1", "1,2")
    assert np.flatnonzero(model.terminal).tolist() == [4, 5]


@pytest.mark.parametrize(
    ("env_id", "kwargs"),
    [
        ("FrozenLake-v1", {}),
        ("FrozenLake-v1", {"success_rate": 0.7, "reward_schedule": (5, -2, -0.25)}),
        ("CliffWalkingSlippery-v1", {}),
        ("Taxi-v4", {"is_rainy": True}),
    ],
)
def test_playing_the_environment_agrees_with_the_model(env_id, kwargs):
    """Every pair seen often: frequencies within 5 sigma. Every step: reward, and done where the model is terminal."""
    model = model_named(env_id, kwargs)
    env = gymnasium.make(env_id, **kwargs).unwrapped
    rng = np.random.default_rng(7)
    seen: dict[int, np.ndarray] = {}
    state, _ = env.reset(seed=3)
    assert model.start[state] > 0
    for _ in range(20_000):
        pair = model.pair_of(state, int(rng.integers(model.num_actions)))
        after, reward, done, _, _ = env.step(int(model.action[pair]))
        span = model.successors(pair)
        entered = model.states.index("end") if done and not model.terminal[after] else after
        place = span.start + int(np.searchsorted(model.next[span], entered))
        assert model.next[place] == entered
        known = {row[2] for row in env.P[state][int(model.action[pair])] if row[1] == after}
        assert reward in known
        if len(known) == 1:
            assert reward == (model.reward[pair] if model.next_reward is None else model.next_reward[place])
        assert bool(model.terminal[model.next[place]]) == done
        seen.setdefault(pair, np.zeros(span.stop - span.start))[place - span.start] += 1
        state = after if not done else env.reset()[0]
    often = [pair for pair, counts in seen.items() if counts.sum() >= 30]
    assert len(often) > 20
    for pair in often:
        counts, prob = seen[pair], model.prob[model.successors(pair)]
        spread = np.sqrt(counts.sum() * prob * (1 - prob))
        assert (np.abs(counts - counts.sum() * prob) <= 5 * spread + 1e-9).all()


def test_episodes_begin_where_the_model_says():
    model = model_named("Taxi-v4", {})
    env = gymnasium.make("Taxi-v4")
    starts = {int(env.reset(seed=seed)[0]) for seed in range(300)}
    assert all(model.start[state] == pytest.approx(1 / 300) for state in starts)


def rows(*given):
    kinds = (np.int64, np.int64, np.int64, np.float64, np.float64, np.bool_)
    return Rows(*(np.array(column, dtype=kind) for column, kind in zip(zip(*given, strict=True), kinds, strict=True)))


def test_what_a_table_says_where_nobody_can_act_is_left_out():
    """As the cliff's goal: entered with `done` alone, and yet it has steps of its own."""
    given = rows((0, 0, 1, 1.0, 5.0, True), (1, 0, 0, 1.0, 9.0, False), (1, 1, 1, 1.0, -1.0, False))
    assert played(given, 2, np.array([1.0, 0.0])).state.tolist() == [0]
    assert played(given, 2, None).state.tolist() == [0, 1, 1]  # it may be where an episode begins
    assert played(given, 2, np.array([0.5, 0.5])).state.tolist() == [0, 1, 1]
    entered = rows((0, 0, 1, 1.0, 5.0, True), (1, 0, 0, 1.0, 9.0, False), (2, 0, 1, 1.0, 0.0, False))
    assert played(entered, 3, np.array([1.0, 0.0, 0.0])).state.tolist() == [0, 1, 2]  # from 2, which nobody reaches


def values_of(table, discount):
    """Value iteration on env.P as it is: nothing follows `done`."""
    value = np.zeros(len(table))
    while True:
        new = np.array(
            [
                max(
                    sum(p * (r + (0 if d else discount * value[t])) for p, t, r, d in rows)
                    for rows in of_state.values()
                )
                for of_state in table.values()
            ]
        )
        if abs(new - value).max() < 1e-12:
            return new
        value = new


@pytest.mark.parametrize(
    ("env_id", "kwargs", "nobody"),
    [
        ("FrozenLake-v1", {}, []),
        ("CliffWalking-v1", {}, [47]),
        ("CliffWalkingSlippery-v1", {}, [47]),
        ("Taxi-v4", {}, []),
    ],
)
def test_every_state_is_worth_what_the_table_itself_says(env_id, kwargs, nobody):
    """But for a goal that every way into ends at: nobody acts there, and it is terminal."""
    truth = values_of(gymnasium.make(env_id, **kwargs).unwrapped.P, 0.9)
    truth[nobody] = 0.0
    found = solve(model_named(env_id, kwargs), 0.9, epsilon=1e-9).value
    assert np.abs(found[: len(truth)] - truth).max() < 1e-8


class Own(gymnasium.Env):
    """An unknown environment with a table: its `done` returns to the start, two ways lead to one state."""

    observation_space = spaces.Discrete(2)
    action_space = spaces.Discrete(2)

    def __init__(self):
        self.P = {
            0: {0: [(0.25, 1, 4.0, False), (0.25, 1, 0.0, False), (0.5, 0, 1.0, True)], 1: [(1.0, 0, 0.0, False)]},
            1: {0: [(1.0, 0, 2.0, True), (0.0, 1, 99.0, False)], 1: [(1.0, 1, 0.0, False)]},
        }
        self.initial_state_distrib = [1.0, 0.0]


def test_an_unknown_environment_is_numbered():
    model = tables._model(Own(), "Own")
    assert model.states == ("0", "1", "end")
    assert model.actions == Numbered(2)
    assert model.start.tolist() == [1, 0, 0]
    assert model.next.tolist() == [1, 2, 0, 2, 1]
    assert model.prob.tolist() == [0.5, 0.5, 1, 1, 1]
    assert model.reward.tolist() == [0.5 * 2 + 0.5 * 1, 0, 2, 0]
    assert model.next_reward.tolist() == [2, 1, 0, 2, 0]


def test_what_has_no_table_has_no_model():
    assert model_named("CartPole-v1", {}) is None
    assert model_named("Blackjack-v1", {}) is None
    assert model_named("Taxi-v4", {"fickle_passenger": True}) is None  # its table leaves the whim out
    env = Own()
    env.P = "a name for something else"
    assert tables._model(env, "Own") is None


def test_a_table_that_is_no_model_is_refused_with_its_place():
    env = Own()
    env.P[1][1] = [(0.4, 1, 0.0, False)]
    with pytest.raises(InputError, match=r"Own: env.P: state '1', action '1': the one probability is 0.4"):
        tables._model(env, "Own")


@pytest.mark.parametrize(
    ("env_id", "kwargs", "error", "said"),
    [
        ("json:Own-v0", {}, InputError, "colon"),
        ("Taxi-v9", {}, MissingError, "did you mean Taxi-v4"),
        ("FrozenLake-v1", {"map_name": "9x9"}, InputError, "9x9"),
        ("FrozenLake-v1", {"slippery": True}, InputError, "slippery"),
        ("FrozenLake-v1", {"desc": ["FFG"]}, InputError, "no state to start from"),
    ],
)
def test_wrong_ids_and_arguments_are_refused(env_id, kwargs, error, said):
    with pytest.raises(error, match=said):
        model_named(env_id, kwargs)


def test_a_map_of_ones_own_is_a_model_and_trains(tmp_path):
    """From the command line, and from a run's own config.yaml: three cells in a row, no slip."""
    from rltrain.experiment import config
    from rltrain.run import begin, build
    from rltrain.verbs.mdp import models

    model = models.load("FrozenLake-v1", ["desc=[SFG]", "is_slippery=false", "map_name=null"]).model
    assert model.num_states == 3 and model.name == "FrozenLake-v1 desc=[SFG] is_slippery=false map_name=null"
    kwargs = ["desc=[SFG]", "is_slippery=false", "map_name=null"]
    overrides = [*(f"environment.kwargs.{each}" for each in kwargs), "run.budget.env_steps=1000"]
    experiment = config.loads("algorithm: qlearn\nenvironment: FrozenLake-v1", "c.yaml", overrides)
    run = begin.create(experiment, tmp_path, "r", "a test")
    list(run.advance())
    run.close()
    again = build.experiment_of(tmp_path / "r", [])
    assert again.environment.kwargs == {"desc": ["SFG"], "is_slippery": False, "map_name": None}
    begin.resume(tmp_path / "r").close()
    file = tmp_path / "r" / "config.yaml"
    file.write_text(file.read_text().replace("    map_name: null\n", ""))  # its own default is another map
    with pytest.raises(InputError, match="a resumed run keeps its settings"):
        begin.resume(tmp_path / "r")
    assert run.algorithm.policy().act(np.array([[0], [1]])).tolist() == [2, 2]
    images = config.loads("algorithm: dqn\nenvironment: FrozenLake-v1", "c.yaml", overrides)
    assert build.world(images).spec.obs_shape == (3,)
