"""A short run of every config under configs/, and what it leaves: the files of numbers and the state, as short text.

A run must leave the same bytes wherever it is exact: on one kind of processor with one set of versions. Elsewhere what
remains is compared that no rounding decides: which files there are, their columns, how far the run came, and the names,
types and shapes of the parts of its state.
"""

import contextlib
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from built import app
from make import digest  # tests/golden/make.py

from rltrain.cli.errors import exit_code_of
from rltrain.run.checkpoint import Checkpoints
from rltrain.run.machine import facts

ROOT = Path(__file__).resolve().parents[2]
RECORDED = Path(__file__).resolve().parent / "runs"
NO_RUNS = ("mdp", "sweeps", "worlds")  # models; many runs; and what needs packages, which tests/test_worlds.py runs
CONFIGS = [path for path in sorted((ROOT / "configs").rglob("*.yaml")) if path.parent.name not in NO_RUNS]
OTHER_BYTES = (  # of a run folder: they hold times and versions, are the state, or grow with every new setting
    "checkpoints",
    "chunks",
    "config.yaml",
    "curve.png",
    "events",
    "model",
    "run.json",
    "status.json",
    "timings.jsonl",
)
PLAYED = {f"algorithm/{part}" for part in ("begun", "env", "replay", "unit")}  # shapes that depend on what was played

ATARI = (
    "environment.max_episode_steps=60",
    "environment.num_envs=4",
    "run.threads=2",  # one of them learns while the other plays
    "run.evaluate.episodes=1",
)
ATARI_DQN = (
    *ATARI,
    "environment.noop_max=4",
    "algorithm.buffer_size=2000",
    "algorithm.learning_starts=128",
    "algorithm.target_update_interval=128",
    "algorithm.batch_size=16",
    "algorithm.exploration_steps=300",
    "algorithm.hidden=[32]",
    "run.budget={env_steps: 512}",
    "run.evaluate.every={env_steps: 256}",
)
BRED = (
    "algorithm.population=8",
    "run.budget={generations: 4}",
    "run.evaluate={every: {generations: 2}, episodes: 4}",
    "environment.num_envs=8",
)
PPO = (
    "environment.num_envs=4",
    "algorithm.n_steps=100",
    "run.budget={env_steps: 1200}",
    "run.evaluate={every: {env_steps: 800}, episodes: 2}",
)
ATARI_PPO = (
    *ATARI,
    "environment.noop_max=4",
    "algorithm.n_steps=32",
    "algorithm.batch_size=64",
    "algorithm.hidden=[32]",
    "algorithm.precision=float32",
    "run.budget={env_steps: 512}",
    "run.evaluate.every={env_steps: 256}",
)
VACUUM = ("environment.max_episode_steps=120",)
SMALL: dict[str, tuple[str, ...]] = {  # config -> what makes it a matter of a second
    "a2c_cartpole": ("run.budget={env_steps: 3000}", "run.evaluate={every: {env_steps: 1000}, episodes: 3}"),
    "basic_cartpole": ("run.budget.episodes=40",),
    "book/dqn_pacman": (
        *ATARI,
        "environment.num_envs=1",
        "environment.max_episode_steps=200",
        "run.threads=1",
        "algorithm.buffer_size=120",
        "algorithm.learning_starts=80",
        "algorithm.batch_size=8",
        "run.budget={updates: 30}",
        "run.save.every={updates: 10}",
    ),
    "book/genetic_vacuum": (*BRED, *VACUUM, "algorithm.survivors=2", "algorithm.children=3", "algorithm.recheck=5"),
    "book/qiter": (),
    "book/qlearn": (),
    "book/reinforce_cartpole": ("run.budget.updates=6", "run.evaluate={every: {updates: 3}, episodes: 3}"),
    "book/viter": (),
    "cmaes_bipedalwalker": (*BRED, "algorithm.recheck=1", "environment.max_episode_steps=60"),
    "cmaes_cartpole": (*BRED, "algorithm.games=1"),
    "cmaes_mountaincar": (*BRED, "algorithm.games=1", "algorithm.recheck=2", "environment.max_episode_steps=200"),
    "cmaes_pendulum": (*BRED, "algorithm.games=1", "algorithm.recheck=2"),
    "dqn_cartpole": (
        "algorithm.learning_starts=300",
        "algorithm.buffer_size=1000",
        "algorithm.hidden=[32, 32]",
        "algorithm.exploration_steps=1000",
        "run.budget={env_steps: 3000}",
        "run.evaluate={every: {env_steps: 1000}, episodes: 3}",
    ),
    "dqn_atari": (*ATARI_DQN, "algorithm.precision=float32", "algorithm.horizon_steps=500"),
    "dqn_nature": (
        *ATARI_DQN,
        "environment.num_envs=1",
        "run.threads=1",
        "algorithm.learning_starts=400",
        "algorithm.batch_size=8",
    ),
    "dqn_pacman": (*ATARI_DQN, "algorithm.precision=float32", "algorithm.horizon_steps=500"),
    "dqn_pacman_100k": (
        *ATARI_DQN,
        "algorithm.precision=float32",
        "algorithm.train_freq=16",
        "algorithm.reset_every=256",
        "algorithm.reset_until=450",
        "algorithm.horizon_steps=500",
    ),
    "dqn_pacman_gpu": (*ATARI_DQN, "run.device=cpu", "run.save.every=null", "algorithm.horizon_steps=500"),
    "genetic_cartpole": (*BRED, "algorithm.survivors=2", "algorithm.children=3"),
    "genetic_pendulum": (*BRED, "algorithm.survivors=2", "algorithm.games=1", "algorithm.recheck=2"),
    "genetic_vacuum": (*BRED, *VACUUM, "algorithm.survivors=2", "algorithm.children=3", "algorithm.recheck=5"),
    "openai_es_cartpole": (*BRED,),
    "openai_es_pendulum": (*BRED, "algorithm.games=1", "algorithm.recheck=2"),
    "ppo_acrobot": PPO,
    "ppo_bipedalwalker": PPO,
    "ppo_breakout": ATARI_PPO,
    "ppo_cartpole": ("run.budget={env_steps: 3000}", "run.evaluate={every: {env_steps: 1000}, episodes: 3}"),
    "ppo_lunarlander": PPO,
    "ppo_lunarlander_continuous": PPO,
    "ppo_pacman": ATARI_PPO,
    "ppo_pendulum": PPO,
    "ppo_pong": ATARI_PPO,
    "pqn_cartpole": (
        "algorithm.exploration_steps=2000",
        "run.budget={env_steps: 8192}",
        "run.evaluate={every: {env_steps: 4096}, episodes: 3}",
    ),
    "pqn_pacman": (
        *ATARI,
        "algorithm.hidden=[32]",
        "run.budget={env_steps: 512}",
        "run.evaluate.every={env_steps: 256}",
    ),
    "qlearn_book": ("run.budget={env_steps: 20000}",),
    "qlearn_frozenlake": ("run.budget={env_steps: 20000}", "run.evaluate={every: {env_steps: 10000}, episodes: 20}"),
    "qlearn_taxi": ("run.budget={env_steps: 20000}", "run.evaluate={every: {env_steps: 10000}, episodes: 5}"),
    "rainbow_cartpole": (
        "algorithm.learning_starts=300",
        "algorithm.buffer_size=1000",
        "algorithm.hidden=[32, 32]",
        "run.budget={env_steps: 2000}",
        "run.evaluate={every: {env_steps: 1000}, episodes: 3}",
    ),
    "reinforce_cartpole": ("run.budget={env_steps: 6000}", "run.evaluate={every: {env_steps: 2000}, episodes: 5}"),
    "reinforce_lunarlander": (
        "algorithm.games_per_update=4",
        "run.budget={env_steps: 3000}",
        "run.evaluate={every: {env_steps: 1500}, episodes: 2}",
    ),
    "reinforce_pendulum": (
        "algorithm.games_per_update=4",
        "environment.num_envs=4",
        "run.budget={env_steps: 2400}",
        "run.evaluate={every: {env_steps: 1600}, episodes: 4}",
    ),
    "search_cartpole": (
        "algorithm.points=40",
        "algorithm.recheck=10",
        "run.budget={policies: 40}",
        "run.evaluate={every: {policies: 20}, episodes: 4}",
    ),
    "search_vacuum": (
        *VACUUM,
        "algorithm.steps=4",
        "algorithm.games=2",
        "algorithm.batch=8",
        "algorithm.recheck=4",
        "environment.num_envs=8",
        "run.budget={policies: 16}",
    ),
    "td_book": ("run.budget={env_steps: 20000}",),
    "uct_book": ("run.budget={simulations: 20000}",),
    "uct_cartpole": ("algorithm.simulations=3", "run.budget={env_steps: 200}"),
    "uct_frozenlake": ("algorithm.simulations=200", "run.budget={env_steps: 400}"),
    "uct_grid": ("algorithm.simulations=100", "run.budget={env_steps: 100}"),
    "uct_taxi": ("algorithm.simulations=100", "run.budget={env_steps: 200}"),
}


def name_of(config: Path) -> str:
    """book/qlearn for configs/book/qlearn.yaml."""
    return config.relative_to(ROOT / "configs").with_suffix("").as_posix()


def differences(recorded: Mapping[str, Any], found: Mapping[str, Any], exact: bool) -> list[str]:
    """What differs, a line each. Files and parts of the state that came since are none, but no file may be lost."""
    lines = []
    if (abs(recorded["step"] - found["step"]) > 0.2 * recorded["step"]) or (
        exact and recorded["step"] != found["step"]
    ):
        lines.append(f"step: {recorded['step']} recorded, {found['step']} found")
    for name, file_before in recorded["files"].items():
        file_now = found["files"].get(name)
        if file_now is None:
            lines.append(f"{name}: recorded, not found")
            continue
        for fact in file_before:
            if file_before[fact] != file_now[fact] and (exact or fact == "columns"):
                lines.append(f"{name}: {fact} {file_before[fact]} recorded, {file_now[fact]} found")
    for place, (form_before, digest_before) in recorded["state"].items():
        if place not in found["state"]:
            lines.append(f"state {place}: recorded, not found")
            continue
        form_now, digest_now = found["state"][place]
        if form_before != form_now and (exact or place not in PLAYED):
            lines.append(f"state {place}: {form_before} recorded, {form_now} found")
        elif exact and digest_before != digest_now:
            lines.append(f"state {place}: other bytes, {digest_before} recorded, {digest_now} found")
    return lines


def machine() -> dict[str, str]:
    """What a run's bytes depend on besides the code: the processor, and the versions of what computes."""
    depends = facts(threads=1, device="cpu")
    return {name: value for name, value in depends.items() if name not in ("rltrain", "threads", "device")}


def changed(recorded: Mapping[str, str]) -> list[str]:
    """In what this machine differs from the one on which something was recorded; nothing where bytes are equal."""
    here = machine()
    return [name for name in here if here[name] != recorded.get(name)]


def train(config: Path, runs: Path, seed: int = 7) -> Path:
    """The folder of a short run of a config, trained in this process."""
    name = name_of(config).replace("/", "-")
    options = ["--quiet", "--runs-dir", str(runs), "--name", name, "--seed", str(seed)]
    words = ["train", str(config), "run.threads=1", "run.device=cpu", *SMALL[name_of(config)], *options]
    said = io.StringIO()
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = exit_code_of(lambda: app(words, prog_name="rltrain"))
    if code != 0:
        raise AssertionError(f"rltrain {' '.join(words)}: exit code {code}\n{said.getvalue()}")
    return runs / name


def left_by(folder: Path) -> dict[str, Any]:
    """What a run left, as JSON: its files, how far it came, and its state."""
    loaded = Checkpoints(folder).load()
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return {
        "step": loaded.step,
        "files": {name: {} if name in OTHER_BYTES else file(folder / name) for name in names},
        "state": dict(parts(loaded.state)),
    }


def file(path: Path) -> dict[str, Any]:
    """The rows and the digest of a file of numbers, and the columns that its first row names."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    columns = list(json.loads(lines[0])) if path.suffix == ".jsonl" else lines[0].split(",")
    return {"rows": len(lines), "columns": columns, "sha256": short(hashlib.sha256(text.encode()).hexdigest())}


def parts(state: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """(place, [form, digest]) of the parts of a state and of their parts. The sinks' files are compared themselves."""
    for key, value in state.items():
        if key == "sinks":
            continue
        if isinstance(value, Mapping) and value:
            for inner, part in value.items():
                yield f"{key}/{inner}", [form(part), short(digest(part))]
        else:
            yield key, [form(value), short(digest(value))]


def form(value: Any) -> str:
    """Names, types and shapes of a part of a state."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {form(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        kinds = sorted({form(item) for item in value})
        return f"list of {len(value)}: " + " or ".join(kinds)
    if type(value).__name__ == "ndarray":
        return f"{value.dtype}{list(value.shape)}"
    return type(value).__name__


def short(digest_of: str) -> str:
    """Enough of a sha256 to tell two states apart."""
    return digest_of[:16]


def record(config: Path, runs: Path) -> None:
    """Write down what a short run leaves, as it is now."""
    path = RECORDED / f"{name_of(config)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {"machine": machine(), **left_by(train(config, runs))}
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
