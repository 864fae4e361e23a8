"""UCT by hand, against exact values, and in environments that are set back."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from action_worlds import registered

from rltrain.algos import _uct_games, _uct_model, uct
from rltrain.algos._uct_config import UctConfig
from rltrain.core import Hardware
from rltrain.envs.models.tabular import Tabular
from rltrain.errors import InputError
from rltrain.experiment import config
from rltrain.mdp import build as models
from rltrain.mdp.learn import sampling, tree_search
from rltrain.policies.asking import Planning
from rltrain.rng import Streams
from rltrain.run import begin, build
from rltrain.run.evaluation import evaluate
from rltrain.run.play import play

BOOK = Path(__file__).parents[2] / "configs/mdp/book.yaml"


def made(settings: str, environment: str, seed: int = 0) -> Any:
    text = f"algorithm: {{name: uct, {settings}}}\nenvironment: {environment}\nrun: {{seed: {seed}}}"
    return build.build(config.loads(text, "t.yaml")).algorithm


def line(rewards: list[float], **more: Any) -> Any:
    """A model in which one action leads from each state to the next, for these rewards; the last is terminal."""
    count = len(rewards)
    states = np.arange(count)
    return models.from_transitions(
        tuple(f"s{number}" for number in range(count + 1)), ("on",), states, np.zeros(count, int), states + 1,
        np.ones(count), np.array(rewards), **more,
    )  # fmt: skip


def searched(model: Any, sims: int = 100, state: int = 0, **settings: Any) -> Any:
    search = _uct_model.ModelSearch(UctConfig(simulations=sims, **settings), Tabular(model))
    found = search.plan(np.array([state]), sampling.streams(0, "test", 1))
    return found, search.tree


# By hand


@pytest.mark.parametrize(("by_range", "turning"), [(True, 0.5024), (False, 1.0048)])
def test_what_was_tried_less_is_chosen_once_exploration_outweighs_its_lower_mean(by_range, turning):
    """Means 1 and 0.5, visits 3 and 1, range 2: 1 + 2 c sqrt(ln 4 / 3) = 0.5 + 2 c sqrt(ln 4) at c = 0.5024."""
    assert turning == pytest.approx(0.5 / (math.sqrt(math.log(4)) - math.sqrt(math.log(4) / 3)) / (1 + by_range), 1e-3)
    tree = tree_search.make(2, 2, 1, np.zeros(1, np.uint64))
    tree.visits[0], tree.q[0], tree.low[0], tree.high[0] = (3, 1), (1.0, 0.5), -1.0, 1.0
    games = _uct_games.GameTrees(UctConfig(), np.ones((1, 2), bool), np.random.default_rng(0))
    games.visits[0, 0], games.q[0, 0], games._low[0, 0], games._high[0, 0] = (3, 1), (1.0, 0.5), -1.0, 1.0
    for exploration, expected in ((turning - 0.01, 0), (turning + 0.01, 1)):
        options = tree_search.SearchOptions(exploration, by_range, 1.0, 1, True)
        assert tree_search.choose(options, tree, 0, 2) == expected
        scale = "range" if by_range else "one"
        games._config = UctConfig(exploration=exploration, exploration_scale=scale)
        assert games.choose(np.array([0]), np.array([0])).tolist() == [expected]


def test_every_action_is_tried_before_any_is_tried_again():
    search = _uct_model.ModelSearch(UctConfig(simulations=3), Tabular(config_model()))
    for sims, expected in ((1, [0, 0, 1]), (2, [0, 1, 1]), (3, [1, 1, 1])):
        tree_search.clear(search.tree)
        search.grow(0, sims)
        assert sorted(tree_search.at_root(search.tree, 3)[0].tolist()) == expected
    trees = _uct_games.GameTrees(UctConfig(), np.array([[True, False, True]]), np.random.default_rng(0))
    rows = root = np.array([0])
    for _ in range(2):
        trees.back_up([(rows, root, trees.choose(rows, root))], [np.array([1.0])])
    assert trees.visits[0, 0].tolist() == [1, 0, 1]  # what is masked is never tried


def config_model() -> Any:
    from rltrain.mdp import files

    return files.read(BOOK).model


def test_a_line_has_the_discounted_sum_of_its_rewards_and_a_terminal_state_nothing():
    found, tree = searched(line([1.0, 2.0, 4.0]), gamma=0.5)
    assert found.value[0] == pytest.approx(1 + 0.5 * 2 + 0.25 * 4)
    assert (found.nodes[0], found.deepest[0]) == (3, 2)
    assert tree.visits[:3, 0].tolist() == [100, 99, 98]  # a simulation adds one node, from which it plays on
    over, _ = searched(line([1.0]), state=1)
    assert over.nodes[0] == 0 and np.isnan(over.value[0])


def test_what_comes_after_the_depth_counts_as_nothing_and_so_does_what_is_beyond_the_tree_without_random_play():
    assert searched(line([-1.0] * 9), depth=3, gamma=0.5)[0].value[0] == pytest.approx(-1.75)
    first, _ = searched(line([-1.0] * 9), sims=1, gamma=0.5, rollout="none")
    assert first.value[0] == -1
    assert searched(line([-1.0] * 9), sims=1, gamma=1.0)[0].value[0] == -9


def test_a_state_at_a_depth_is_one_node_however_it_was_come_to():
    _, tree = searched(config_model(), sims=2_000, depth=5, exploration=5)
    nodes = list(zip(tree.state[: tree.size[0]].tolist(), tree.depth[: tree.size[0]].tolist(), strict=True))
    assert len(nodes) == len(set(nodes)) == 1 + 2 + 3 + 3 + 3  # s0; s0, s1; then all three


def test_a_full_tree_grows_no_more_and_simulations_go_on():
    _, tree = searched(config_model(), sims=500, max_nodes=4, depth=20)
    assert tree.size[0] == 4 and tree.visits[0].sum() == 500


# Against the truth


def test_the_value_of_the_root_comes_to_the_exact_one():
    algorithm = made("play: false, gamma: 0.9, depth: 60, rollout: none, report_every: 3000", str(BOOK))
    first = algorithm.step()
    for _ in range(66):
        last = algorithm.step()
    assert first["root/exact"] == last["root/exact"] == pytest.approx(18.9189189)
    assert first["error/root"] == pytest.approx(abs(first["root/value"] - first["root/exact"]))
    assert last["error/root"] < 1.2 < first["error/root"]
    assert last["policy/right"] == 1
    assert algorithm.counters == {"simulations": 201_000}


def test_the_best_move_is_found_beside_the_goal_of_the_frozen_lake():
    algorithm = made("simulations: 20_000", "FrozenLake-v1")
    policy = algorithm.policy()
    assert policy.act(np.array([[14], [13]])).tolist() == [1, 2]  # down, right: away from the hole beside it
    assert algorithm._truth.solution.choice[[14, 13]].tolist() == [algorithm._search.model.pair_of(14, 1),
                                                                   algorithm._search.model.pair_of(13, 2)]  # fmt: skip


def test_the_taxi_is_driven_nearly_as_well_as_can_be():
    algorithm = made("simulations: 1_000, exploration: 0.05, depth: 40, rollout: none, report_every: 40",
                     "{id: Taxi-v4, num_envs: 4}")  # fmt: skip
    metrics = algorithm.step()
    assert metrics["policy/right"] > 0.9
    assert metrics["return/mean"] > 3  # at random -771


def test_what_a_row_says_is_the_mean_over_its_moves():
    algorithm = made("simulations: 50, report_every: 7", f"{{id: {BOOK}, num_envs: 3}}")
    metrics = algorithm.step()
    assert algorithm.counters == {"simulations": 7 * 3 * 50, "env_steps": 21, "episodes": 0}
    values = algorithm._truth.solution.value
    assert values.min() <= metrics["root/exact"] <= values.max()
    assert 0 <= metrics["policy/right"] <= 1 and metrics["tree/nodes"] <= 50


# Environments that are set back

WORLDS = [
    "{id: CartPole-v1, num_envs: 2}",
    "{id: CartPole-v1, num_envs: 16}",
    "{id: Blackjack-v1, num_envs: 2}",
    "{id: Doors-v0, num_envs: 3}",
    "{id: RobotVacuum-v0, num_envs: 2}",
]


@pytest.mark.parametrize("world", WORLDS)
def test_a_search_leaves_its_environments_where_they_stood_and_finds_the_same_again(world):
    with registered():
        text = f"algorithm: {{name: uct, simulations: 12, depth: 6}}\nenvironment: {world}"
        experiment = config.loads(text, "t.yaml")
        assert experiment.task == "env"
        env, untouched = build.world(experiment), build.world(experiment)
        step, other = env.reset(3), untouched.reset(3)
        for _ in range(6):  # games end on the way
            found = [_uct_games.plan(experiment.algorithm, env, step, np.random.default_rng(1)) for _ in range(2)]
            np.testing.assert_array_equal(found[0].q, found[1].q)
            step, other = env.step(found[0].action), untouched.step(found[0].action)
            for one, two in zip(step, other, strict=True):
                np.testing.assert_array_equal(one, two)


def test_a_time_limit_ends_a_simulation_and_nothing_is_expected_after_it():
    algorithm = made("simulations: 30, gamma: 1", "{id: CartPole-v1, num_envs: 2, max_episode_steps: 5}")
    found = _uct_games.plan(algorithm.config, algorithm.env, algorithm._now, np.random.default_rng(0))
    assert found.value.tolist() == [5, 5]


def test_where_a_game_is_over_nothing_is_searched():
    algorithm = made("simulations: 5, report_every: 1", "{id: CartPole-v1, num_envs: 2, max_episode_steps: 3}")
    rows = [algorithm.step() for _ in range(4)]
    assert [math.isnan(row["root/value"]) for row in rows] == [False, False, False, True]
    assert algorithm.counters == {"simulations": 30, "env_steps": 6, "episodes": 2}


def test_a_pole_is_balanced_by_search_alone_in_training_in_an_evaluation_and_on_film():
    text = "algorithm: {name: uct, simulations: 12, depth: 15, report_every: 5}\nenvironment: CartPole-v1"
    experiment = config.loads(text, "t.yaml", ["environment.max_episode_steps=60"])
    algorithm = build.build(experiment).algorithm
    assert isinstance(algorithm.policy(), Planning)
    evaluation = evaluate(algorithm.policy(), experiment.environment, None, 1, seed=4)
    assert evaluation.mean > 50  # at random 22
    from rltrain import envs

    twin = envs.make(experiment.environment, num_envs=1, training=False)
    film = envs.make(experiment.environment, num_envs=1, training=False)
    moments = list(play(algorithm.policy(), Filmed(film), 1, 0.0, 4, twin))
    assert moments[-1].total == evaluation.mean


class Filmed:
    fps = 1.0

    def __init__(self, env: Any) -> None:
        self.spec, self.reset, self.step, self.close = env.spec, env.reset, env.step, env.close

    def frame(self) -> None:
        return None

    def state(self) -> str:
        return ""


# What is refused


def test_an_environment_that_cannot_be_set_back_is_refused():
    experiment = config.loads("algorithm: uct\nenvironment: CartPole-v1", "t.yaml")
    env = build.world(experiment, repeats=False)
    with pytest.raises(InputError, match="does not repeat itself"):
        build.algorithm(experiment, experiment.algorithm, env, Streams(0), Hardware("cpu", 1))
    wrapped = config.loads(
        "algorithm: uct\nenvironment: {id: CartPole-v1, wrappers: [{name: NormalizeObservation}]}", "t.yaml"
    )
    with pytest.raises(InputError, match="leave out NormalizeObservation"):
        build.build(wrapped)


@pytest.mark.parametrize(
    ("world", "rule"), [("CartPole-v1", "not CartPole-v1"), ("Taxi-v4, num_envs: 2", "num_envs: 1")]
)
def test_one_search_without_end_is_for_one_state_of_a_known_model(world, rule):
    experiment = config.loads(f"algorithm: {{name: uct, play: false}}\nenvironment: {{id: {world}}}", "t.yaml")
    with pytest.raises(InputError, match=rule):
        build.build(experiment)


def test_an_observation_alone_is_not_enough_where_no_model_is_known():
    policy = made("simulations: 5", "CartPole-v1").policy()
    with pytest.raises(InputError, match="by setting it back"):
        policy.act(np.zeros((1, 4), np.float32))


def test_fewer_simulations_than_actions_are_a_doubt():
    parts = build.build(config.loads("algorithm: {name: uct, simulations: 2}\nenvironment: FrozenLake-v1", "t.yaml"))
    assert "some are never tried" in build.doubts(parts.experiment, parts.env.spec)[0]


# Policies


def test_a_policy_searches_anew_for_every_move_and_says_what_it_thought():
    policy = made("simulations: 30", str(BOOK)).policy()
    obs = np.array([[0], [0], [0], [0], [2]])
    scores = policy.scores(obs)
    assert policy.act(obs).tolist() == np.nanargmax(scores, axis=1).tolist()
    np.testing.assert_array_equal(policy.scores(obs), scores)
    assert len({row.tobytes() for row in scores[:4]}) > 1  # each row by a stream of its own
    policy.act(obs)
    assert not np.array_equal(policy.scores(obs), scores)


def test_a_policy_takes_nothing_that_is_masked():
    policy = made("simulations: 30", str(BOOK)).policy()
    only = np.array([[False, True, False]])
    assert policy.act(np.array([[0]]), only).tolist() == [1]


def test_a_tree_that_grows_without_end_goes_on_after_a_resume(tmp_path):
    text = f"algorithm: {{name: uct, play: false}}\nenvironment: {BOOK}"
    ends = {}
    for name, budgets in {"whole": [4_000], "parts": [1_000, 2_500, 4_000]}.items():
        for number, budget in enumerate(budgets):
            override = f"run.budget={{simulations: {budget}}}"
            if number == 0:
                run = begin.create(config.loads(text, "t.yaml", [override]), tmp_path, name, "a test")
            else:
                run = begin.resume(tmp_path / name, [override])
            list(run.advance())
            run.close()
        ends[name] = (run.algorithm._search.tree.visits.copy(), (tmp_path / name / "metrics.csv").read_bytes())
    np.testing.assert_array_equal(ends["whole"][0][:297], ends["parts"][0][:297])
    assert ends["whole"][1] == ends["parts"][1]


@pytest.mark.parametrize("world", [str(BOOK), "{id: CartPole-v1, num_envs: 2, max_episode_steps: 12}"])
def test_where_moves_are_slow_others_are_heard_between_them_and_the_run_is_the_same(world, tmp_path, monkeypatch):
    text = f"algorithm: {{name: uct, simulations: 4, depth: 5, report_every: 7}}\nenvironment: {world}\n"
    text += "run: {budget: {env_steps: 50}, save: {every: {env_steps: 9}}}\n"
    steps = {}
    for name, seconds in {"fast": 60.0, "slow": 0.0}.items():
        monkeypatch.setattr(uct, "LONGEST", seconds)
        run = begin.create(config.loads(text, "t.yaml"), tmp_path, name, "a test")
        steps[name] = sum(event.kind == "step" for event in run.advance())
        run.close()
    assert steps["slow"] > steps["fast"] + 10
    newest = [max((tmp_path / name / "checkpoints").iterdir()) / "arrays.safetensors" for name in steps]
    rows = [tmp_path / name / "metrics.csv" for name in steps]
    assert newest[0].read_bytes() == newest[1].read_bytes() and rows[0].read_bytes() == rows[1].read_bytes()
