"""A world of a person's own: a Dict of a picture and numbers, several choices at once, some of them impossible.

Through all of the program: train, evaluate, resume. Each choice has its answer in another part of the observation, so
what ignores either part gets half of the reward at most. Which choice pays most by far is never possible.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from rltrain import envs
from rltrain.core import Hardware
from rltrain.errors import InputError
from rltrain.experiment import config
from rltrain.rng import Streams
from rltrain.run import begin, build
from rltrain.run.loop import Run
from rltrain.verbs import saved_policy
from rltrain.verbs.cost import costs
from rltrain.verbs.evaluate import evaluate

SIDES, STEPS = 8, 5


class TwoSignals(gymnasium.Env[Any, Any]):
    """The first choice is to be the bright half of the picture, the second which of two numbers is greater."""

    observation_space = spaces.Dict(
        eye=spaces.Box(0, 255, (SIDES, SIDES, 1), np.uint8), dial=spaces.Box(-1, 1, (2,), np.float32)
    )
    action_space = spaces.MultiDiscrete([3, 2])

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, Any]:
        super().reset(seed=seed)
        self.time = 0
        return self._obs(), self._info()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Any]:
        assert action[0] < 2, "the third way is impossible"
        reward = 0.5 * (action[0] == self.side) + 0.5 * (action[1] == self.greater)
        self.time += 1
        return self._obs(), float(reward), self.time == STEPS, False, self._info()

    def _info(self) -> dict[str, Any]:
        return {"action_mask": (np.array([1, 1, 0], np.int8), np.ones(2, np.int8))}

    def _obs(self) -> Any:
        self.side, self.greater = self.np_random.integers(2, size=2).tolist()
        eye = self.np_random.integers(0, 100, (SIDES, SIDES, 1)).astype(np.uint8)
        eye[:, 4 * self.side : 4 * self.side + 4] += 100
        dial = self.np_random.uniform(-1, 0, 2).astype(np.float32)
        dial[self.greater] += 1
        return {"eye": eye, "dial": dial}


class ManyWays(TwoSignals):
    action_space = spaces.MultiDiscrete([11, 10, 10])


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    made = {"TwoSignals-v0": TwoSignals, "ManyWays-v0": ManyWays}
    for name, environment in made.items():
        gymnasium.register(name, environment)
    yield
    for name in made:
        gymnasium.registry.pop(name)


DQN = "{name: dqn, hidden: [32], learning_rate: 2e-3, learning_starts: 200, batch_size: 32, train_freq: 4, gamma: 0, "
DQN += "exploration_steps: 800, target_update_interval: 200, buffer_size: 5000, collect_steps: 8, overlap: true}"
PQN = "{name: pqn, hidden: [32], learning_rate: 2e-3, rollout_steps: 16, batch_size: 32, epochs: 2, gamma: 0, "
PQN += "exploration_steps: 800}"


def text(algorithm: str, steps: int, world: str = "TwoSignals-v0") -> str:
    run = f"{{budget: {{env_steps: {steps}}}, evaluate: {{every: {{env_steps: 300}}, episodes: 20}}, threads: 1}}"
    return f"algorithm: {algorithm}\nenvironment: {{id: {world}, num_envs: 8}}\nrun: {run}\n"


def run_to(folder: Path, algorithm: str, steps: int) -> Run:
    run = begin.create(config.loads(text(algorithm, steps), "test.yaml"), folder.parent, folder.name, "a test")
    list(run.advance())
    run.close()
    return run


@pytest.mark.parametrize(("algorithm", "steps"), [(DQN, 2400), (PQN, 2400)])
def test_both_parts_are_learned_from_and_the_impossible_choice_is_never_made(
    algorithm: str, steps: int, tmp_path: Path
) -> None:
    run = run_to(tmp_path / "run", algorithm, steps)
    assert run.scores.last is not None
    assert run.scores.last["mean"] > 0.9 * STEPS  # either part alone: 0.75 of it; the environment refuses the third way
    score = evaluate(tmp_path / "run", games=20, runs_dir=tmp_path, beside=False)
    assert score.mean > 0.9 * STEPS
    loaded = saved_policy.read(tmp_path / "run", tmp_path)
    policy = saved_policy.policy_of(loaded.experiment, loaded.loaded, "cpu", 1)
    spec = envs.describe(loaded.experiment.environment)
    assert policy.act(np.zeros((3, *spec.obs_shape), np.uint8), np.ones((3, 5), np.bool_)).shape == (3, 2)


@pytest.mark.slow  # conformance/test_actions.py resumes both where a picture and numbers are seen
@pytest.mark.parametrize("algorithm", [DQN, PQN])
def test_a_resumed_run_ends_as_one_that_was_never_stopped(algorithm: str, tmp_path: Path) -> None:
    """Stopped in the middle of a round, and in the middle of episodes."""
    whole = run_to(tmp_path / "whole", algorithm, 717)
    run_to(tmp_path / "parts", algorithm, 403)
    resumed = begin.resume(tmp_path / "parts", ["run.budget.env_steps=717"])
    list(resumed.advance())
    resumed.close()
    last = [max((run.folder / "checkpoints").glob("ckpt-*")) for run in (whole, resumed)]
    for file in ("arrays.safetensors", "state.json"):
        assert (last[0] / file).read_bytes() == (last[1] / file).read_bytes(), file


def test_costs_and_the_network_are_of_the_combinations() -> None:
    experiment = config.loads(text(DQN, 100), "test.yaml")
    spec = envs.describe(experiment.environment)
    assert build.seen_by("dqn", spec).num_actions == 6
    cost = costs(experiment, spec)
    # 16 filters of 3 x 3, the layer of the numbers, the joined layer, the head
    features = 16 * 6 * 6 + 64
    assert cost["parameters"] == (9 * 16 + 16) + (2 * 64 + 64) + (features * 32 + 32) + (32 * 6 + 6)
    assert 5000 * (SIDES * SIDES + 8 + 1) < cost["replay_bytes"] < 20_000 * 120
    env = build.world(experiment)
    made = build.algorithm(experiment, experiment.algorithm, env, Streams(0), Hardware("cpu", 1))
    assert sum(p.size for p in made.save()["learner"]["weights"].values()) == cost["parameters"]
    assert "convolutions" in made.chosen
    env.close()


def test_more_combinations_than_can_be_told_apart_are_refused_with_their_number() -> None:
    experiment = config.loads(text(DQN, 100, "ManyWays-v0"), "test.yaml")
    with pytest.raises(InputError, match=r"ManyWays-v0 is 3 choices .* 1,100 combinations, and takes 1,024 at most"):
        costs(experiment, envs.describe(experiment.environment))


def test_many_combinations_are_said_to_be_learned_one_by_one() -> None:
    experiment = config.loads(text(DQN, 100), "test.yaml")
    spec = envs.describe(experiment.environment)
    assert not any("combinations" in line for line in build.doubts(experiment, spec))
    wide = spec.__class__(**{**vars(spec), "actions": spec.actions.__class__((11, 10))})
    assert any("each of their 110 combinations apart" in line for line in build.doubts(experiment, wide))
