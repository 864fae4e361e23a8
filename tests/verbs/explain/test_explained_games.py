"""Explained games whose every number is known beforehand."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import small_runs

from rltrain.errors import InputError
from rltrain.progress import Silent
from rltrain.spaces import Continuous
from rltrain.verbs import saved_policy
from rltrain.verbs.explain.arena import arena
from rltrain.verbs.explain.explain import Explanation, Question, answered, explain
from rltrain.verbs.explain.why import numbers_tried

FORK = """
name: fork
discount: 0.5
start: a
states:
  a: {go: b, quit: end reward 1}
  b: {go: end reward 10, back: a}
  end: terminal
"""
Asked = Callable[..., Explanation]


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """Value iteration on two states: go, go earns 0 and 10; quit earns 1."""
    place = tmp_path_factory.mktemp("fork")
    (place / "fork.yaml").write_text(FORK)
    text = f"algorithm: {{name: viter}}\nenvironment: {{id: {place / 'fork.yaml'}, max_episode_steps: 6}}\n"
    small_runs.run_to(place / "run", text, {"sweeps": 50})
    return lambda *question, **options: explain(place / "run", Question(*question), **options)


def test_every_column_of_a_game_that_is_known(fork: Asked) -> None:
    game = fork().game
    assert game.state == ("a", "b")
    assert [game.named(step) for step in range(2)] == ["go", "go"]
    names = game.actions
    values = {(s, name): game.scores[s, number] for s in range(2) for number, name in enumerate(names)}
    assert values[0, "go"] == pytest.approx(5)
    assert values[0, "quit"] == pytest.approx(1)
    assert values[1, "go"] == pytest.approx(10)
    assert values[1, "back"] == pytest.approx(2.5)
    assert np.isnan(values[0, "back"])  # it cannot be done there
    assert game.gap == pytest.approx([4, 7.5])
    assert game.value == pytest.approx([5, 10])
    assert game.td == pytest.approx([0, 0])
    assert game.returns == pytest.approx([5, 10])
    assert game.reward.tolist() == [0, 10]
    assert game.end == "over"
    assert (game.gamma, game.value_name, game.total_return) == (0.5, "best Q", 10)


def test_every_other_action_is_played_to_the_end_from_there(fork: Asked) -> None:
    outcomes = fork(None, None, None, 0).outcomes
    found = {one.name: one for one in outcomes}
    assert {name: (one.returns, one.length, one.taken, one.end) for name, one in found.items()} == {
        "go": (5, 2, True, "over"),
        "quit": (1, 1, False, "over"),
    }
    assert found["quit"].score == pytest.approx(1)
    found = {one.name: one for one in fork(None, None, None, 1).outcomes}
    assert found["back"].returns == pytest.approx(0.5 * 0.5 * 10)  # back to a, go, go
    assert (found["back"].length, found["back"].total) == (3, 10)


def test_what_an_action_led_to_is_left_at_the_horizon(fork: Asked) -> None:
    found = {one.name: one for one in fork(None, None, None, 0, 1).outcomes}
    assert (found["go"].length, found["go"].end, found["go"].returns) == (1, "left", 0)


def test_the_table_is_right_beside_the_exact_answer(fork: Asked) -> None:
    table = fork().table
    assert table is not None
    assert table.wrong is not None
    assert not table.wrong.any()
    assert table.exact == pytest.approx([5, 10, 0])
    assert table.value[:2] == pytest.approx([5, 10])


def test_a_step_beyond_the_game_is_refused(fork: Asked) -> None:
    for question in (Question(step=2), Question(why=2)):
        with pytest.raises(InputError, match="the game has 2 steps, 0 to 1"):
            fork(question.step, None, None, question.why)


def test_steps_are_picked_by_a_condition_and_by_their_errors(tmp_path: Path) -> None:
    text = small_runs.text_of("dqn", "", "CartPole-v1")
    small_runs.run_to(tmp_path / "run", text, {"env_steps": 300})
    found = explain(tmp_path / "run", Question(worst=3, when="step > 0"), epsilon=0.5, seed=4)
    game = found.game
    assert game.explored.any()
    assert not game.explored.all()
    largest = sorted(np.abs(game.td[1:]), reverse=True)[:3]
    assert np.abs(game.td[list(found.picked)]) == pytest.approx(largest)
    assert 0 not in found.picked
    again = explain(tmp_path / "run", epsilon=0.5, seed=4).game
    np.testing.assert_array_equal(again.td, game.td)  # the same game
    values = np.nanmax(game.scores, axis=1)
    np.testing.assert_allclose(game.td[:-1], game.reward[:-1] + game.gamma * values[1:] - values[:-1])


def test_inputs_are_named_and_contribute_by_what_is_lost_without_them(tmp_path: Path) -> None:
    text = small_runs.text_of("dqn", "", "CartPole-v1")
    small_runs.run_to(tmp_path / "run", text, {"env_steps": 300})
    found = explain(tmp_path / "run", Question(step=2))
    inputs = found.details[0].inputs
    assert inputs is not None
    assert inputs.names == ("cart position", "cart velocity", "pole angle", "pole angular velocity")
    seen = np.stack([found.recording.seen[step] for step in range(len(found.recording.seen))])
    chosen = int(found.game.chosen[2])
    for number in range(4):
        other = seen[2].copy()
        other[number] = seen[:, number].mean()
        q = found.recording.policy.scores(np.stack([seen[2], other]))  # type: ignore[attr-defined]
        assert inputs.contribution[number] == pytest.approx(q[0, chosen] - q[1, chosen], abs=1e-5)


def test_td_errors_count_rewards_as_they_were_learned(tmp_path: Path) -> None:
    text = small_runs.text_of("dqn", "reward_clip: 0.5, reward_scale: 3", "CartPole-v1")
    small_runs.run_to(tmp_path / "run", text, {"env_steps": 200})
    game = explain(tmp_path / "run").game
    values = np.nanmax(game.scores, axis=1)
    assert game.reward.tolist() == [1.0] * len(game)
    np.testing.assert_allclose(game.td[:-1], 1.5 + game.gamma * values[1:] - values[:-1])
    assert game.rewards_learned == "cut to -0.5..0.5, times 3"


def test_a_value_network_says_what_states_are_worth(tmp_path: Path) -> None:
    for name, settings in (("ppo", ""), ("reinforce", "baseline: value")):
        small_runs.run_to(tmp_path / name, small_runs.text_of(name, settings, "CartPole-v1"), {"env_steps": 300})
        game = explain(tmp_path / name).game
        assert game.value_name == "value network"
        assert np.isfinite(game.td).all()
        assert game.value.std() > 0


class StoppedAt(Silent):
    """Ctrl-C, when so much of the work is done."""

    def __init__(self, done: float) -> None:
        self._done = done

    def at(self, done: float, total: float, spent: float = math.nan, unit: str = "") -> None:
        if done >= self._done:
            raise KeyboardInterrupt


def test_ctrl_c_leaves_what_there_is_and_says_that_it_is_partial(tmp_path: Path) -> None:
    small_runs.run_to(tmp_path / "run", small_runs.text_of("basic", "", "CartPole-v1"), {"episodes": 2})
    found = explain(tmp_path / "run", progress=StoppedAt(5))
    assert found.partial
    assert (found.game.end, len(found.game)) == ("left", 5)
    assert found.json()["partial"] is True
    with pytest.raises(KeyboardInterrupt):
        explain(tmp_path / "run", progress=StoppedAt(0))


def test_ctrl_c_leaves_the_outcomes_that_are_known(fork: Asked) -> None:
    game = fork()
    place = arena(saved_policy.read(game.game.checkpoint, Path("runs")))
    found = answered(place, game.recording, Question(why=0), StoppedAt(1))
    assert [one.name for one in found.outcomes] == ["go"]
    assert found.partial


def test_numbers_have_means_and_deviations(tmp_path: Path) -> None:
    text = small_runs.text_of(
        "reinforce", "log_std_init: -1.0", "{id: Pendulum-v1, num_envs: 3, max_episode_steps: 20}"
    )
    small_runs.run_to(tmp_path / "run", text, {"updates": 2})
    found = explain(tmp_path / "run", Question(step=1))
    game = found.game
    assert game.mean.shape == game.deviation.shape == (20, 1)
    np.testing.assert_allclose(game.mean, game.action, rtol=1e-6)  # the likeliest is taken
    assert game.chosen.tolist() == [-1] * 20
    inputs = found.details[0].inputs
    assert inputs is not None
    assert inputs.what == "the mean of the action"
    assert inputs.measure == pytest.approx(float(game.mean[1, 0]))
    outcomes = explain(tmp_path / "run", Question(why=0)).outcomes
    assert [one.name for one in outcomes] == ["as chosen", "0: -2 (low)", "0: 0", "0: 2 (high)"]
    assert [one.taken for one in outcomes] == [True, False, False, False]
    assert outcomes[0].returns == pytest.approx(game.returns[0])  # the same game again
    assert len({one.returns for one in outcomes}) == 4
    assert all(math.isnan(one.score) and one.length == 20 and one.end == "cut" for one in outcomes)


def test_of_numbers_each_is_tried_at_its_finite_bounds_and_at_0_and_all_at_0() -> None:
    space = Continuous((-1.0, 0.0, -math.inf), (1.0, 5.0, math.inf))
    done = np.array([1.0, 2.0, 3.0], np.float32)
    found = {one.name: one.action[0].tolist() for one in numbers_tried(space, done, ("a", "b", "c"))}
    assert found == {
        "as chosen": [1, 2, 3],
        "a: -1 (low)": [-1, 2, 3],  # its high bound is what was chosen
        "a: 0": [0, 2, 3],
        "b: 0 (low)": [1, 0, 3],
        "b: 5 (high)": [1, 5, 3],
        "c: 0": [1, 2, 0],
        "all: 0": [0, 0, 0],
    }
    with pytest.raises(InputError, match="100 numbers make 302 actions; 256 at most"):
        numbers_tried(Continuous((-1.0,) * 100, (1.0,) * 100), np.full(100, 0.5, np.float32), ("",) * 100)
