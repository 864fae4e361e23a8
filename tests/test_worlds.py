"""Environments that nobody of this project wrote, and three files of one's own: trained, killed, resumed and watched.

Each config of configs/worlds/ is run for a while, with the packages that the extra `worlds` brings.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from rltrain.experiment import catalog

WORLDS = Path(__file__).parent.parent / "configs" / "worlds"
DQN = ("algorithm.learning_starts=150", "algorithm.buffer_size=600", "algorithm.hidden=[16]")
GAMES = ("algorithm.games_per_update=2", "environment.num_envs=2")
BRED = ("algorithm.population=4", "algorithm.games=1", "algorithm.recheck=2", "environment.num_envs=4")
PPO = ("algorithm.n_steps=50", "environment.num_envs=4", "environment.max_episode_steps=100")
SHORT: dict[str, tuple[str, ...]] = {  # config -> what makes it a matter of seconds; the counter of its budget first
    "carracing": ("env_steps", "240", *DQN, "environment.num_envs=2", "environment.max_episode_steps=30"),
    "ferry": ("env_steps", "3000", *GAMES),
    "flappybird": ("env_steps", "1200", *DQN),
    "halfcheetah_cmaes": ("generations", "6", *BRED, "environment.max_episode_steps=100"),
    "halfcheetah_genetic": ("generations", "6", *BRED, "algorithm.survivors=2", "environment.max_episode_steps=100"),
    "halfcheetah_openai_es": ("generations", "6", *BRED, "environment.max_episode_steps=100"),
    "halfcheetah_ppo": ("env_steps", "3000", *PPO),
    "halfcheetah_reinforce": ("env_steps", "3000", *GAMES, "environment.max_episode_steps=100"),
    "highway": ("env_steps", "240", *DQN, "environment.max_episode_steps=20"),
    "hopper_ppo": ("env_steps", "3000", *PPO),
    "minatar": ("env_steps", "1200", *DQN),
    "minigrid": ("env_steps", "1200", *DQN),
    "minigrid_picture": ("env_steps", "1200", *DQN),
    "minigrid_ppo": ("env_steps", "1200", *PPO),
    "orchard": ("env_steps", "1200", *DQN),
    "walker2d_ppo": ("env_steps", "3000", *PPO),
    "workshop": ("env_steps", "3000", *GAMES),
}
MUJOCO = ("halfcheetah", "hopper", "walker2d")
LACKS = {"highway": "highway_env", "carracing": "Box2D"} | {
    name: "mujoco" for name in SHORT if name.partition("_")[0] in MUJOCO
}


def brought(name: str) -> list[str]:
    """The flags that bring a config's environment."""
    needs = catalog.entry(f"worlds/{name}").needs
    return [word for need in needs for word in ("--import", str(WORLDS / need) if need.endswith(".py") else need)]


def started(name: str, run: str, folder: Path) -> "subprocess.Popen[str]":
    counter, budget, *settings = SHORT[name]
    every = max(1, int(budget) // 6)
    words = ["train", f"worlds/{name}", "--name", run, *settings, f"run.budget={{{counter}: {budget}}}"]
    words += [f"run.save={{every: {{{counter}: {every}}}, keep: 20}}"]
    words += [f"run.evaluate={{every: {{{counter}: {int(budget) // 2}}}, episodes: 2}}"]
    return rltrain(folder, *words, "-q", *brought(name))


def rltrain(folder: Path, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "rltrain", *words]
    drawing = {"MUJOCO_GL": "egl", **os.environ}  # without a screen
    return subprocess.Popen(
        command, cwd=folder, env=drawing, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def said(process: "subprocess.Popen[str]") -> str:
    out, _ = process.communicate()
    assert process.returncode == 0, out
    return out


def killed_on_its_way(name: str, folder: Path) -> Path:
    """A run that was killed with SIGKILL once it had saved a second time, and not at its end."""
    process, run = started(name, "killed", folder), folder / "runs" / "killed"
    while len(list(run.glob("checkpoints/ckpt-*/MANIFEST.json"))) < 2:
        assert process.poll() is None, process.communicate()[0]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert json.loads((run / "status.json").read_text())["state"] != "finished"
    return run


def outcome(run: Path) -> dict[str, bytes]:
    """The numbers and the last state of a run."""
    last = max((run / "checkpoints").glob("ckpt-*"))
    files = [run / f"{stem}.jsonl" for stem in ("metrics", "eval")]
    files += [last / file for file in ("state.json", "arrays.safetensors")]
    return {last.name: b""} | {file.name: file.read_bytes() for file in files}


def test_every_config_of_a_world_is_run_here() -> None:
    assert {path.stem for path in WORLDS.glob("*.yaml")} == set(SHORT)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_a_world_trains_resumes_to_the_byte_is_evaluated_and_watched(name: str, tmp_path: Path) -> None:
    modules = [need.partition(":")[0].partition(".")[0] for need in catalog.entry(f"worlds/{name}").needs]
    for module in [*(module for module in modules if module), *([LACKS[name]] if name in LACKS else [])]:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f'{module} is not installed: pip install "rltrain[worlds]"')
    said(started(name, "whole", tmp_path))
    killed = killed_on_its_way(name, tmp_path)
    said(rltrain(tmp_path, "resume", "killed", "-q", *brought(name)))
    whole, facts = tmp_path / "runs" / "whole", json.loads((killed / "run.json").read_text())
    if name == "ferry":  # it has chance of its own
        assert facts["exact"] is False and "ferry/Ferry does not repeat itself" in facts["why"]
        assert outcome(killed).keys() == outcome(whole).keys()  # as far, by other numbers
    else:
        assert facts["exact"] is True
        assert outcome(killed) == outcome(whole)
    words = ("eval", "whole", "-n", "2", "--json", "--last", *brought(name))
    assert json.loads(said(rltrain(tmp_path, *words)).splitlines()[-1])["episodes"] == 2
    said(rltrain(tmp_path, "watch", "whole", "-n", "1", "--last", "-o", "game.gif", *brought(name)))
    with Image.open(tmp_path / "game.gif") as film:
        frame = film.convert("RGB")
    assert min(frame.size) >= 50 and len(frame.getcolors(1 << 24) or ()) > 1


@pytest.mark.parametrize("name", ["ferry", "orchard", "workshop"])
def test_init_copies_a_config_with_the_file_that_it_needs(name: str, tmp_path: Path) -> None:
    out = said(rltrain(tmp_path, "init", f"worlds/{name}"))
    assert out.splitlines()[-1] == f"next: rltrain train {name}.yaml --import {name}.py"
    for ending in ("yaml", "py"):
        assert (tmp_path / f"{name}.{ending}").read_bytes() == (WORLDS / f"{name}.{ending}").read_bytes()
