"""A run that is killed with SIGKILL and resumed ends as one that never was: every algorithm, in processes of their own.

Compared to the byte: the state of the last checkpoint, its arrays, its replay chunks, and the metrics. Wall-clock times
are in files and fields of their own.
"""

import json
import random
import shutil
import signal
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pytest
from forked import Forked
from out_of_tree import PLUGINS

ROOT = Path(__file__).parents[2]

# What makes a run short; settings that an algorithm does not have are left out.
SHORT = {
    "algorithm.learning_starts": "300",
    "algorithm.buffer_size": "1000",
    "algorithm.batch_size": "8",
    "algorithm.report_every": "500",
    "algorithm.epsilon": "null",  # of sweeps: the whole budget
    "algorithm.population": "20",
    "algorithm.survivors": "5",
    "algorithm.batch": "20",
    "algorithm.games": "1",
    "algorithm.recheck": "3",
    "algorithm.simulations": "20",
}
BUDGETS = {
    "trials": 60,
    "env_steps": 6_000,
    "episodes": 400,
    "sweeps": 600,
    "generations": 12,
    "policies": 600,
    "updates": 60,
}
TABULAR_BUDGET = 200_000  # env_steps of a learner in compiled code, which takes no time
WORLDS = {
    "env": "CartPole-v1",
    "tabular": str(ROOT / "configs/mdp/book.yaml"),
    "mdp": str(ROOT / "configs/mdp/book.yaml"),
}

PACMAN = """
algorithm:
  name: dqn
  learning_starts: 400
  buffer_size: 3000
  batch_size: 8
  train_freq: 8
  train_freq_final: 16
  train_freq_steps: 3000
  prioritized: true
  n_step: 6
  n_step_final: 3
  gamma: 0.97
  gamma_final: 0.99
  horizon_steps: 3000
  learning_rate_final: 1e-5
  learning_rate_steps: 4000
  reward_scale: auto
  target_epsilon: 0.05
  huber_delta: 2.0
  random_shift: 4
  reset_every: 1500
  reset_until: 3500
  double: true
  dueling: true
  layer_norm: true
  convolutions: [[8, 8, 4], [8, 4, 2]]
  hidden: [32]
  target_update_interval: 700
environment:
  id: ALE/MsPacman-v5
  num_envs: 8
  repeat_action_probability: 0.25
  terminal_on_life_loss: true
  max_episode_steps: 300
  reseed_every: 400
run:
  budget: {env_steps: 5000}
  save: {every: {env_steps: 1000}}
  evaluate: {every: {env_steps: 2500}, episodes: 2}
"""


def config_of(name: str, folder: Path, parts: int = 1) -> Path:
    """A short run of this algorithm on CartPole, or on the book's model if it keeps a table; a part of its budget."""
    plugin = PLUGINS[name]
    counter, task = next(iter(plugin.budget)), plugin.task
    budget = (TABULAR_BUDGET if task == "tabular" else BUDGETS[counter]) // parts
    lines = ["algorithm:", f"  name: {name}"]
    for key, value in SHORT.items():
        field = key.split(".")[1]
        if field in plugin.config.model_fields:
            lines.append(f"  {field}: {value}")
    lines += ["environment:", f"  id: {WORLDS[task]}", f"  num_envs: {4 if task == 'env' else 1}"]
    if task != "env":
        lines += ["  max_episode_steps: 50"]
    lines += ["run:", f"  budget: {{{counter}: {budget}}}"]
    lines += [
        f"  save: {{every: {{{counter}: {budget // 6}}}}}",
        f"  evaluate: {{every: {{{counter}: {budget // 2}}}, episodes: 2}}",
    ]
    if not plugin.config.__module__.startswith("rltrain."):
        lines += ["  sinks: [tally]"]
    path = folder / f"{name}.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def rltrain(*arguments: str, cwd: Path) -> Forked:
    return Forked(*arguments, "--quiet", cwd=cwd)


def finish(process: Forked) -> None:
    code, out = process.end()
    assert code == 0, out


def outcome(run: Path) -> dict[str, bytes]:
    """Everything that must be equal, by name."""
    last = max((run / "checkpoints").glob("ckpt-*"))
    manifest = json.loads((last / "MANIFEST.json").read_text().splitlines()[0])
    kept: dict[str, bytes] = {"name": last.name.encode()}
    for file in ("state.json", "arrays.safetensors"):
        kept[file] = (last / file).read_bytes()
    kept["chunks"] = json.dumps(sorted(path.name for path in (run / "chunks").iterdir())).encode()
    assert manifest
    for file in ("metrics.jsonl", "metrics.csv", "eval.jsonl", "eval.csv"):
        kept[file] = (run / file).read_bytes()
    for table in ("points.csv", "trials.csv", "tally.txt"):  # of an algorithm, of a sink
        if (run / table).exists():
            kept[table] = (run / table).read_bytes()
    return kept


def compare(one: Path, other: Path) -> None:
    ours, theirs = outcome(one), outcome(other)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert ours[name] == theirs[name], f"{name} differs"


def kill_and_resume(config: Path, cwd: Path, kills: int, seconds: float, clock: random.Random) -> int:
    """Run to the end in spite of `kills` kills at random moments within `seconds` of a start. Returns how many hit."""
    hits = 0
    process = rltrain("train", str(config), "--name", "killed", cwd=cwd)
    for _ in range(kills):
        if process.ends_within(clock.uniform(0.1, 0.7) * seconds):
            break
        process.kill()
        process.end()
        hits += 1
        if not (cwd / "runs" / "killed" / "config.yaml").exists():  # killed before there was a run
            shutil.rmtree(cwd / "runs" / "killed", ignore_errors=True)
            process = rltrain("train", str(config), "--name", "killed", cwd=cwd)
        else:
            process = rltrain("resume", "killed", cwd=cwd)
    finish(process)
    return hits


def prove(config: Path, cwd: Path, kills: int, seed: int) -> None:
    start, clock = time.monotonic(), random.Random(seed)
    finish(rltrain("train", str(config), "--name", "whole", cwd=cwd))
    seconds = time.monotonic() - start
    while not kill_and_resume(config, cwd, kills, seconds, clock):  # the machine was faster this time
        shutil.rmtree(cwd / "runs" / "killed")
        seconds /= 2
    compare(cwd / "runs" / "whole", cwd / "runs" / "killed")


KILLED = {"basic", "dqn", "genetic", "ppo", "qlearn"}  # a rule, a replay memory, a population, a rollout, a table


def each(of: Iterable[str], fast: Collection[str]) -> list[Any]:
    """Parameters of which all but these are slow: test_extended.py resumes every algorithm, in one process."""
    return [name if name in fast else pytest.param(name, marks=pytest.mark.slow) for name in of]


@pytest.mark.parametrize("name", each(PLUGINS, KILLED))
def test_a_killed_run_ends_as_if_it_never_was(name: str, tmp_path: Path) -> None:
    prove(config_of(name, tmp_path, parts=2), tmp_path, kills=2, seed=1)


WORLDS_OF_THEIR_OWN = {  # environments and options that the run of each algorithm above does not meet; counter, budget
    "vectorised": ("{name: basic, policy: angle}", "{id: CartPole-v1, num_envs: 16}", "episodes", 1500),
    "vacuum": ("{name: basic, policy: bounce}", "{id: RobotVacuum-v0, num_envs: 3}", "episodes", 12),
    "baseline": ("{name: reinforce, baseline: value}", "{id: Acrobot-v1, num_envs: 2}", "updates", 6),
}


@pytest.mark.parametrize("name", each(WORLDS_OF_THEIR_OWN, {"vacuum"}))
def test_a_killed_run_in_a_world_of_its_own(name: str, tmp_path: Path) -> None:
    algorithm, environment, counter, budget = WORLDS_OF_THEIR_OWN[name]
    lines = [f"algorithm: {algorithm}", f"environment: {environment}", "run:"]
    lines += [f"  budget: {{{counter}: {budget}}}", f"  save: {{every: {{{counter}: {budget // 6}}}}}"]
    lines += [f"  evaluate: {{every: {{{counter}: {budget // 2}}}, episodes: 2}}"]
    config = tmp_path / f"{name}.yaml"
    config.write_text("\n".join(lines) + "\n")
    prove(config, tmp_path, kills=2, seed=3)


@pytest.mark.slow
def test_dqn_on_sticky_pacman_with_life_loss_and_priorities(tmp_path: Path) -> None:
    config = tmp_path / "pacman.yaml"
    config.write_text(PACMAN)
    prove(config, tmp_path, kills=3, seed=2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", PLUGINS)
def test_many_kills(name: str, seed: int, tmp_path: Path) -> None:
    prove(config_of(name, tmp_path), tmp_path, kills=8, seed=100 + seed)


@pytest.mark.slow
def test_saving_often_changes_nothing(tmp_path: Path) -> None:
    config = config_of("dqn", tmp_path)
    for name, every in (("often", 256), ("never", 10**9)):
        finish(rltrain("train", str(config), f"run.save.every.env_steps={every}", "--name", name, cwd=tmp_path))
    runs = tmp_path / "runs"
    # The configs differ in the cadence alone, and no state may.
    compare(runs / "often", runs / "never")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_saves_and_the_resumed_run_ends_the_same(number: int, code: int, tmp_path: Path) -> None:
    config = config_of("dqn", tmp_path, parts=2)
    finish(rltrain("train", str(config), "--name", "whole", cwd=tmp_path))
    process = rltrain("train", str(config), "--name", "stopped", cwd=tmp_path)
    metrics = tmp_path / "runs" / "stopped" / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.stat().st_size):
        time.sleep(0.02)
    process.send_signal(number)
    ended, out = process.end()
    assert ended == code, out
    assert "resume" in out
    steps = [json.loads(line)["env_steps"] for line in metrics.read_text().splitlines()]
    assert steps[-1] < BUDGETS["env_steps"] // 2
    finish(rltrain("resume", "stopped", cwd=tmp_path))
    compare(tmp_path / "runs" / "whole", tmp_path / "runs" / "stopped")


def test_two_processes_on_one_run(tmp_path: Path) -> None:
    config = config_of("dqn", tmp_path)
    process = rltrain("train", str(config), "--name", "one", cwd=tmp_path)
    metrics = tmp_path / "runs" / "one" / "metrics.jsonl"
    while process.poll() is None and not metrics.exists():
        time.sleep(0.02)
    code, out = rltrain("resume", "one", cwd=tmp_path).end()
    assert code == 5, out
    assert str(process.pid) in out
    process.kill()
    process.end()


def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_is_used(tmp_path: Path) -> None:
    config = config_of("reinforce", tmp_path, parts=2)
    finish(rltrain("train", str(config), "--name", "whole", cwd=tmp_path))
    finish(rltrain("train", str(config), "--name", "damaged", cwd=tmp_path))
    damaged = tmp_path / "runs" / "damaged"
    newest = max((damaged / "checkpoints").glob("ckpt-*"))
    arrays = newest / "arrays.safetensors"
    data = bytearray(arrays.read_bytes())
    data[len(data) // 2] ^= 1
    arrays.write_bytes(data)
    code, out = rltrain("resume", "damaged", cwd=tmp_path).end()
    assert code == 0, out
    assert newest.name in out
    compare(tmp_path / "runs" / "whole", damaged)
