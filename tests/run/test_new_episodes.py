"""Environments that do not repeat themselves: their runs say so, and a resume leaves the running episodes behind."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
from built import app
from gymnasium import spaces

from rltrain.cli.errors import exit_code_of
from rltrain.errors import InputError, NotReplayedError
from rltrain.experiment import config
from rltrain.run import begin
from rltrain.run.loop import Run
from rltrain.saved import Saved


class Chapters(gymnasium.Env[Any, Any]):
    """It shows the number of the episode, of all objects, and how many steps it is old; it ends by chance."""

    observation_space: ClassVar = spaces.Box(0, np.inf, (2,), np.float32)
    action_space: ClassVar = spaces.Discrete(2)
    episodes = 0
    chance = np.random.default_rng()

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        Chapters.episodes += 1
        self.number, self.age = Chapters.episodes, 0
        return self.seen(), {}

    def step(self, action: Any) -> Any:
        self.age += 1
        return self.seen(), 1.0, bool(self.chance.random() < 0.1), False, {}

    def seen(self) -> Any:
        return np.array([self.number, self.age], np.float32)


class States(Chapters):
    """The same in numbers of states."""

    observation_space: ClassVar = spaces.Discrete(100)

    def seen(self) -> Any:
        return min(self.age, 99)


class Endless(gymnasium.Env[Any, Any]):
    """It repeats itself, and no episode ever ends; `offset` is not to be changed within a run."""

    observation_space: ClassVar = spaces.Box(-1, 1e9, (2,), np.float32)
    action_space: ClassVar = spaces.Discrete(2)
    offset = 0.0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.age = 0
        return self.seen(), {}

    def step(self, action: Any) -> Any:
        self.age += 1
        return self.seen(), 1.0, False, False, {}

    def seen(self) -> Any:
        return np.array([self.age, self.offset], np.float32)


@pytest.fixture(autouse=True)
def registered() -> Any:
    worlds = {"Chapters-v0": Chapters, "States-v0": States, "Endless-v0": Endless}
    for name, world in worlds.items():
        gymnasium.register(name, entry_point=world)  # type: ignore[arg-type]  # a class is one too
    yield
    Endless.offset = 0.0
    for name in worlds:
        del gymnasium.registry[name]


DQN = "{name: dqn, learning_starts: 64, buffer_size: 4000, batch_size: 8, hidden: [4]"
ALGORITHMS = {
    "dqn": (f"{DQN}, collect_steps: 5}}", "Chapters-v0", 4),
    "dqn, overlapping": (f"{DQN}, collect_steps: 9, overlap: true}}", "Chapters-v0", 4),
    "dqn, prioritised": (f"{DQN}, prioritized: true, n_step: 3}}", "Chapters-v0", 4),
    "pqn": ("{name: pqn, rollout_steps: 6, batch_size: 8, hidden: [4]}", "Chapters-v0", 4),
    "qlearn": ("{name: qlearn, report_every: 70}", "States-v0", 1),
    "sarsa": ("{name: qlearn, method: sarsa, trace_decay: 0.5, report_every: 70, learners: 3}", "States-v0", 1),
    "td": ("{name: td, report_every: 70}", "States-v0", 1),
    "basic": ("{name: basic}", "Chapters-v0", 4),
    "reinforce": ("{name: reinforce, games_per_update: 4, hidden: [4]}", "Chapters-v0", 4),
}


def create(name: str, folder: Path, *overrides: str) -> Run:
    algorithm, world, num_envs = ALGORITHMS[name]
    text = f"""
algorithm: {algorithm}
environment: {{id: {world}, num_envs: {num_envs}, max_episode_steps: 60}}
run: {{budget: {{env_steps: 900}}, save: {{every: {{env_steps: 37}}}}, threads: 1}}
"""
    return begin.create(config.loads(text, "test.yaml", overrides), folder, "x", "a test")


def killed_after(run: Run, saves: int) -> list[str]:
    """Advance it to a save, and let it lie as a killed process would. Returns its warnings."""
    told: list[str] = []
    for event in run.advance():
        told += event.warnings
        saves -= event.kind == "save"
        if saves == 0:
            break
    run.close()
    return told


def facts(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.folder / "run.json").read_text())
    return found


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_killed_run_goes_on_with_new_episodes_and_says_that_it_is_not_exact(name: str, tmp_path: Path) -> None:
    run = create(name, tmp_path)
    told = killed_after(run, saves=3)
    (said,) = (text for text in told if "does not repeat itself" in text)
    assert "so the run is not exact, and a resume begins new episodes" in said
    assert facts(run)["exact"] is False and "does not repeat itself" in facts(run)["why"]
    for _ in range(2):
        run = begin.resume(run.folder)
        told = killed_after(run, saves=2)
        left = [text for text in told if "left behind" in text]
        assert len(left) == (0 if name == "reinforce" else 1), "whole games are played in a step of reinforce"
    run = begin.resume(run.folder)
    assert [event.kind for event in run.advance()][-1] == "end" and run.finished
    run.close()
    assert "exact_until" not in facts(run), "it never was"


@pytest.mark.parametrize("name", ["dqn", "dqn, overlapping", "dqn, prioritised"])
def test_no_transition_of_a_replay_memory_leads_from_an_episode_to_another(name: str, tmp_path: Path) -> None:
    run = create(name, tmp_path)
    killed_after(run, saves=4)
    for _ in range(4):
        run = begin.resume(run.folder)
        killed_after(run, saves=3)
    algorithm: Any = run.algorithm
    memory = algorithm.replay
    assert 0 < memory.steps < memory.ring_steps
    frames = memory._frames[: 4 * memory.steps].numpy().reshape(memory.steps, 4, 2)
    last = memory._last[: 4 * memory.steps].reshape(memory.steps, 4)
    goes_on = (frames[1:, :, 0] == frames[:-1, :, 0]) & (frames[1:, :, 1] == frames[:-1, :, 1] + 1)
    opens = (frames[1:, :, 1] == 0) & (frames[1:, :, 0] != frames[:-1, :, 0])
    assert np.where(last[:-1], opens, goes_on).all()
    assert not (last[1:] & last[:-1]).any()
    assert sum(algorithm.episodes.lengths) <= run.counters["env_steps"]
    for one, other in pairwise(sorted((run.folder / "checkpoints").glob("ckpt-*"))):
        assert one != other


def test_no_return_of_a_paused_rollout_leads_from_an_episode_to_another(tmp_path: Path) -> None:
    run = create("pqn", tmp_path)
    algorithm: Any = run.algorithm
    algorithm.pause_at({"env_steps": 9})  # in the middle of a rollout
    algorithm.step()
    assert algorithm.paused and not algorithm.now.last.all()
    state = algorithm.save()
    run.close()
    other: Any = begin.resume(run.folder)  # a fresh one
    other.algorithm.load(Saved.of(state))
    rollout = other.algorithm._collect()
    other.close()
    obs, stops = rollout.obs, rollout.stops[:-1]
    goes_on = (obs[1:, :, 0] == obs[:-1, :, 0]) & (obs[1:, :, 1] == obs[:-1, :, 1] + 1)
    assert (goes_on | stops | ~rollout.played[:-1]).all()
    assert (rollout.stops.sum(axis=0) >= 1).all(), "every episode was left behind"


# What was taken to repeat itself


ENDLESS = """
algorithm: {name: basic}
environment: {id: Endless-v0, num_envs: 2}
run: {budget: {env_steps: 4000}, save: {every: {env_steps: 400}}, threads: 1}
"""


def believed(folder: Path, *overrides: str) -> Run:
    return begin.create(config.loads(ENDLESS, "test.yaml", overrides), folder, "x", "a test")


def test_a_run_that_was_taken_to_be_exact_goes_on_with_new_episodes_where_a_replay_fails(tmp_path: Path) -> None:
    run = believed(tmp_path)
    killed_after(run, saves=3)
    assert facts(run)["exact"] is True
    Endless.offset = 1.0
    run = begin.resume(run.folder)
    told = killed_after(run, saves=2)
    (said,) = (text for text in told if "left behind" in text)
    assert "did not reproduce the saved observations" in said
    assert facts(run)["exact"] is False and facts(run)["why"] == "resumed with new episodes"
    assert facts(run)["exact_until"]["env_steps"] == 1200
    run = begin.resume(run.folder)
    told = killed_after(run, saves=100)
    assert run.finished and sum("left behind" in text for text in told) == 1


def test_where_something_else_may_be_the_cause_it_is_named_and_how_to_go_on(tmp_path: Path) -> None:
    run = believed(tmp_path)
    killed_after(run, saves=3)
    text = (run.folder / "run.json").read_text()
    known = json.loads(text)
    known["machine"]["numpy"] = "1.0"
    (run.folder / "run.json").write_text(json.dumps(known))
    Endless.offset = 1.0
    with pytest.raises(NotReplayedError, match=r"numpy 1\.0 -> .*rltrain resume \S+ --new-episodes") as caught:
        begin.resume(run.folder)
    assert caught.value.exit_code == 3
    arguments = ["resume", str(run.folder), "--quiet"]
    assert exit_code_of(lambda: app(arguments)) == 3
    assert exit_code_of(lambda: app([*arguments, "--new-episodes"])) == 0
    assert facts(run)["exact"] is False


def test_new_episodes_are_not_for_several_runs_or_a_fork(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = believed(tmp_path)
    killed_after(run, saves=1)
    arguments = ["resume", str(run.folder), "--new-episodes", "--fork", "y"]
    assert exit_code_of(lambda: app(arguments)) == InputError.exit_code
    assert "--new-episodes" in capsys.readouterr().err


def test_an_episode_that_never_ends_does_not_grow_a_checkpoint_nor_a_replay(tmp_path: Path) -> None:
    run = believed(tmp_path, "environment.reseed_every=150")
    sizes, told = [], []
    for event in run.advance():
        told += event.warnings
        if event.kind == "save":
            journal = run.algorithm.save()["env"]["journal"]
            sizes.append(int(journal["lengths"].max()))
    run.close()
    assert len(sizes) == 10 and max(sizes) <= 150 and sum(sizes) > 0
    assert facts(run)["exact"] is True and not told
    assert run.counters["episodes"] == 26, "4,000 steps of two, cut off every 150"


def test_a_number_that_is_none_ends_a_run_with_6_and_its_last_checkpoint_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.yaml").write_text(ENDLESS)
    plain = Endless.step

    def broken(env: Endless, action: Any) -> Any:
        obs, *rest = plain(env, action)
        return (np.array([np.nan, 0], np.float32) if env.age == 1000 else obs), *rest

    monkeypatch.setattr(Endless, "step", broken)
    monkeypatch.chdir(tmp_path)
    assert exit_code_of(lambda: app(["train", "c.yaml", "--name", "r"])) == 6
    said = capsys.readouterr().err
    assert "Endless-v0: environment 0 gave at step 1000, to action" in said and "the observation" in said
    assert json.loads((tmp_path / "runs/r/status.json").read_text())["state"] == "diverged"
    monkeypatch.setattr(Endless, "step", plain)
    assert exit_code_of(lambda: app(["resume", "r", "--quiet"])) == 0
    assert facts(begin.resume(tmp_path / "runs/r"))["exact"] is True
