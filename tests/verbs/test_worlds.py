"""What `check` says of an environment: its spaces, whether it repeats itself, what can learn on it, how quick it is."""

import json
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
from built import app
from gymnasium import spaces

from rltrain import kinds
from rltrain.cli.errors import exit_code_of
from rltrain.verbs import worlds
from rltrain.verbs.environments import learned_by


class Mixed(gymnasium.Env[Any, Any]):
    """A picture and two numbers, four actions of which some are possible, and a chance of its own."""

    observation_space: ClassVar = spaces.Dict(
        {"camera": spaces.Box(0, 255, (16, 16, 3), np.uint8), "arm": spaces.Box(-1, 1, (2,), np.float32)}
    )
    action_space: ClassVar = spaces.Discrete(4)
    chance = np.random.default_rng()

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return self.seen(), {"action_mask": np.array([1, 1, 0, 1], np.int8)}

    def step(self, action: Any) -> Any:
        assert action != 2
        return self.seen(), 1.0, False, False, {"action_mask": np.array([1, 1, 0, 1], np.int8)}

    def seen(self) -> Any:
        return {"camera": np.zeros((16, 16, 3), np.uint8), "arm": self.chance.uniform(-1, 1, 2).astype(np.float32)}


@pytest.fixture(autouse=True)
def registered() -> Any:
    gymnasium.register("Mixed-v0", entry_point=Mixed)  # type: ignore[arg-type]  # a class is one too
    yield
    del gymnasium.registry["Mixed-v0"]


def test_an_environment_is_described_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(lambda: app(["check", "--env", "Mixed-v0", "--probe", "0.1"])) == 0
    said = capsys.readouterr().out
    assert "Mixed-v0:\n" in said and "4 actions" in said
    assert "parts        arm 2 float32, camera 3x16x16 uint8" in said
    assert "masks        it says which actions are possible" in said
    assert "course       does not repeat itself: the observation is another" in said
    assert "steps a second of one alone" in said
    assert exit_code_of(lambda: app(["check", "--env", "Mixed-v0", "--probe", "0", "--json"])) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["masked"] and found["differs"] and found["parts"]["arm"] == "2 float32"
    assert {"dqn", "ppo", "pqn"} <= set(found["learned_by"])
    assert "reinforce" not in found["learned_by"], "it learns from vectors alone"


def test_its_settings_may_be_typed_and_what_is_wrong_with_them_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    typed = ["check", "--env", "CartPole-v1", "environment.max_episode_steps=20", "--probe", "0", "--json"]
    assert exit_code_of(lambda: app(typed)) == 0
    assert json.loads(capsys.readouterr().out)["max_episode_steps"] == 20
    assert exit_code_of(lambda: app(["check", "--env", "CartPol-v1"])) == 4
    assert exit_code_of(lambda: app(["check", "--env", "CartPole-v1", "environment.frame_skip=3"])) == 2
    assert exit_code_of(lambda: app(["check"])) == 2
    said = capsys.readouterr().err
    assert "did you mean CartPole" in said and "Atari ids" in said and "A config, a run, or --env ID" in said


def test_what_is_put_around_it_is_told_with_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    around = "environment.wrappers=[{name: FrameStackObservation, stack_size: 4}, NormalizeObservation]"
    assert exit_code_of(lambda: app(["check", "--env", "CartPole-v1", around, "--probe", "0"])) == 0
    said = capsys.readouterr().out
    assert "observations 16 float32" in said
    assert "  wrappers     FrameStackObservation (stack_size 4), NormalizeObservation\n" in said
    assert exit_code_of(lambda: app(["check", "--env", "CartPole-v1", around, "--probe", "0", "--json"])) == 0
    found = json.loads(capsys.readouterr().out)["wrappers"]
    assert found == [{"name": "FrameStackObservation", "stack_size": 4}, {"name": "NormalizeObservation"}]


def test_a_config_is_told_what_its_settings_leave_to_the_program(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("algorithm: {name: dqn, learning_starts: 32, buffer_size: 100}\nenvironment: Mixed-v0\n")
    assert exit_code_of(lambda: app(["check", str(config), "--probe", "0", "environment.max_episode_steps=9"])) == 0
    assert "  chosen       convolutions: [[" in (said := capsys.readouterr().out) and " for camera, 16 x 16: " in said
    quiet = ["check", str(config), "--probe", "0", "--json", "environment.max_episode_steps=9"]
    assert exit_code_of(lambda: app(quiet)) == 0
    assert json.loads(capsys.readouterr().out)["chosen"]["convolutions"].startswith("[[")


@pytest.mark.parametrize(
    ("name", "some", "none"),
    [
        ("FrozenLake-v1", {"dqn", "qlearn", "td", "viter", "qiter", "reinforce"}, set()),
        ("Blackjack-v1", {"dqn", "qlearn", "td"}, {"viter", "qiter"}),
        ("CartPole-v1", {"dqn", "ppo", "pqn", "reinforce", "cmaes"}, {"qlearn", "viter"}),
        ("Pendulum-v1", {"ppo", "reinforce", "cmaes"}, {"dqn", "pqn", "qlearn"}),
    ],
)
def test_what_can_learn_on_an_environment(name: str, some: set[str], none: set[str]) -> None:
    found = set(learned_by(kinds.typed(name)))
    assert some <= found and not none & found


def test_rewards_that_are_normalised_are_learned_by_those_that_take_them() -> None:
    found = learned_by(kinds.typed("CartPole-v1", wrappers=("NormalizeReward",)))
    assert found == ["dqn", "ppo", "pqn", "reinforce"]  # the searches and tables refuse it


def test_the_speed_of_a_bare_environment_counts_steps_alone() -> None:
    assert worlds.steps_a_second(kinds.typed("CartPole-v1"), 0.05) > 0
