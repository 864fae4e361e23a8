"""Environments that answer in forms of their own leave the very numbers of one that answers as Gymnasium says.

Ints, lists, numpy's bools, rewards of float64, an observation buffer that is written over: each is an ordinary
environment but for that, and its run is compared to the ordinary one's, byte by byte.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
from built import app
from gymnasium import spaces

from rltrain.cli.errors import exit_code_of
from rltrain.experiment import config
from rltrain.run import begin
from rltrain.run.checkpoint import Checkpoints


class Walk(gymnasium.Env[Any, Any]):
    """A walk on whole numbers to either end, whose reward is the place."""

    observation_space: ClassVar = spaces.Box(-8, 8, (2,), np.float32)
    action_space: ClassVar = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.place, self.age = int(self.np_random.integers(-2, 3)), 0
        return self.seen(), {}

    def step(self, action: Any) -> Any:
        self.place += 1 if action == 1 else -1
        self.age += 1
        return self.seen(), float(self.place), abs(self.place) >= 4, False, {}

    def seen(self) -> Any:
        return np.array([self.place, self.age % 5], np.float32)


class Ints(Walk):
    def step(self, action: Any) -> Any:
        obs, reward, ended, cut, info = super().step(action)
        return obs, int(reward), int(ended), int(cut), info


class Lists(Walk):
    def seen(self) -> Any:
        return super().seen().tolist()


class NumpyNumbers(Walk):
    def step(self, action: Any) -> Any:
        obs, reward, ended, cut, info = super().step(action)
        return obs, np.float64(reward), np.bool_(ended), np.bool_(cut), info


class ZeroDimensional(Walk):
    def step(self, action: Any) -> Any:
        obs, reward, ended, cut, info = super().step(action)
        return obs, np.array(reward), np.array(ended), np.array(cut), info


class Doubles(Walk):
    observation_space: ClassVar = spaces.Box(-8, 8, (2,), np.float64)

    def seen(self) -> Any:
        return super().seen().astype(np.float64)


class InPlace(Walk):
    """It writes each observation over the one before."""

    def __init__(self) -> None:
        self.buffer = np.zeros(2, np.float32)

    def seen(self) -> Any:
        self.buffer[:] = super().seen()
        return self.buffer


class NoEnd(Walk):
    """It ends only as its time limit cuts it off."""

    def step(self, action: Any) -> Any:
        obs, reward, _, cut, info = super().step(action)
        self.place = max(-4, min(4, self.place))
        return obs, reward, False, cut, info


class Breaking(Walk):
    """At its 150th step the observation or the reward is no finite number."""

    broken: ClassVar[tuple[int, int] | None] = None  # in which step of the episode, by which action

    def __init__(self, what: str, value: str) -> None:
        self.what, self.value, self.steps = what, float(value), 0

    def step(self, action: Any) -> Any:
        obs, reward, ended, cut, info = super().step(action)
        self.steps += 1
        if self.steps == 150:
            Breaking.broken = self.age, int(action)
            obs, reward = (obs, self.value) if self.what == "reward" else (np.array([0, self.value]), reward)
        return obs, reward, ended, cut, info


class BreakingNumbered(Breaking):
    """What is seen is the number of a state."""

    observation_space: ClassVar = spaces.Discrete(17)

    def seen(self) -> Any:
        return self.place + 8


@contextmanager
def registered(world: type[Walk]) -> Iterator[None]:
    gymnasium.register("Odd-v0", entry_point=world)  # type: ignore[arg-type]  # a class is one too
    try:
        yield
    finally:
        del gymnasium.registry["Odd-v0"]


ALGORITHMS = {
    "basic": "{name: basic}",
    "dqn": "{name: dqn, learning_starts: 32, buffer_size: 400, batch_size: 8, hidden: [4]}",
}
OTHERS = {"reinforce": "{name: reinforce, games_per_update: 2}", "qlearn": "qlearn"}


def numbers(world: type[Walk], algorithm: str, folder: Path) -> dict[str, bytes]:
    """What a short run leaves, stopped and resumed on its way."""
    text = f"""
algorithm: {ALGORITHMS[algorithm]}
environment: {{id: Odd-v0, num_envs: 2, max_episode_steps: 30}}
run: {{budget: {{env_steps: 300}}, save: {{every: {{env_steps: 90}}}}, threads: 1}}
"""
    with registered(world):
        run = begin.create(config.loads(text, "test.yaml"), folder, world.__name__, "a test")
        next(event for event in run.advance() if event.kind == "save")
        run.close()
        run = begin.resume(run.folder)
        events = list(run.advance())
        run.close()
    assert not [event.text for event in events if event.kind == "warning"]
    newest = run.folder / "checkpoints" / Checkpoints(run.folder).names()[-1]
    left = [run.folder / "metrics.jsonl", newest / "state.json", newest / "arrays.safetensors"]
    return {path.name: path.read_bytes() for path in left}


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    return {name: numbers(Walk, name, tmp_path_factory.mktemp(name)) for name in ALGORITHMS}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("world", [Ints, Lists, NumpyNumbers, ZeroDimensional, Doubles, InPlace])
def test_an_answer_in_another_form_is_the_same_answer(
    world: type[Walk], algorithm: str, ordinary: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    assert numbers(world, algorithm, tmp_path) == ordinary[algorithm]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_only_a_time_limit_ends_is_cut_off_and_not_ended(algorithm: str, tmp_path: Path) -> None:
    found = numbers(NoEnd, algorithm, tmp_path)
    rows = [json.loads(line) for line in found["metrics.jsonl"].splitlines()]
    assert rows[-1]["episodes"] > 0 and rows[-1]["length/mean"] == 30


@pytest.mark.parametrize(
    ("algorithm", "what", "value"),
    [
        ("dqn", "observation", "nan"),
        ("dqn", "reward", "inf"),
        ("basic", "observation", "-inf"),
        ("basic", "reward", "nan"),
        ("reinforce", "reward", "-inf"),
        ("qlearn", "reward", "nan"),
    ],
)
def test_numbers_that_are_not_finite_end_a_run_whose_last_checkpoint_stays(
    algorithm: str, what: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.yaml").write_text(f"""
algorithm: {(ALGORITHMS | OTHERS)[algorithm]}
environment: {{id: Odd-v0, num_envs: 1, max_episode_steps: 30, kwargs: {{what: {what}, value: "{value}"}}}}
run: {{budget: {{env_steps: 400}}, save: {{every: {{env_steps: 40}}}}, threads: 1}}
""")
    run = tmp_path / "x"
    begin_it = ["train", str(tmp_path / "c.yaml"), "--runs-dir", str(tmp_path), "--name", "x", "--quiet"]
    with registered(BreakingNumbered if algorithm == "qlearn" else Breaking):
        assert exit_code_of(lambda: app(begin_it)) == 6
        said = capsys.readouterr().err
        assert Breaking.broken is not None
        step, action = Breaking.broken
        assert f"Odd-v0: environment 0 gave at step {step}, to action {action}, the {what} " in said
        assert f"{value}, not" in said or f"{value}], not" in said
        assert json.loads((run / "status.json").read_text())["state"] == "diverged"
        assert exit_code_of(lambda: app(["check", str(run)])) == 0
        newest = Checkpoints(run).load()
        assert 0 < newest.counters["env_steps"] < 150
        assert exit_code_of(lambda: app(["eval", "--checkpoint", str(run), "--episodes", "1"])) == 0
