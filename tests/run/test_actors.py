"""A run whose environments are played by actors on Ray: killed at any moment, it is the run that it is without them."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import own_ray
import pytest
from built import app
from own_world import WALK
from started_processes import actors, below, parents

from rltrain.cli.errors import exit_code_of
from rltrain.experiment import config
from rltrain.run.begin import create, resume
from rltrain.run.loop import Event, Run

pytestmark = pytest.mark.slow
KILLS = 20
DQN = """
algorithm: {name: dqn, learning_starts: 600, buffer_size: 6_000, hidden: [16]}
environment: {id: CartPole-v1, num_envs: 6}
run: {budget: {env_steps: 40_000}, evaluate: {every: {env_steps: 10_000}, episodes: 5}}
"""
PQN = """
algorithm: {name: pqn, rollout_steps: 16}
environment: {id: CartPole-v1, num_envs: 6}
run: {budget: {env_steps: 60_000}, evaluate: {every: {env_steps: 20_000}, episodes: 5}}
"""
GENETIC = """
algorithm: {name: genetic, population: 12, survivors: 3, games: 1, recheck: 3}
environment: {id: CartPole-v1, num_envs: 4, max_episode_steps: 60}
run: {budget: {generations: 6}, evaluate: {every: {generations: 3}, episodes: 2}}
"""
WAIT_SECONDS = 120  # until something must have happened on a busy machine; nothing depends on how long it takes


def wait_for(condition: Callable[[], Any]) -> Any:
    until = time.monotonic() + WAIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.02)
    return found


@contextmanager
def killing(count: int) -> Iterator[list[int]]:
    """While it is open actors of this process are killed at random moments, so many of them. Gives those killed.

    Never the last one: on a busy machine it would be killed ten times before it has begun, which ends a run.
    """
    draw, killed, over = random.Random(0), list[int](), threading.Event()

    def work() -> None:
        while len(killed) < count and not over.wait(draw.uniform(0, 0.4)):
            alive = [pid for pid in actors(os.getpid()) if pid not in killed]
            if len(alive) > 1:
                killed.append(draw.choice(alive))
                with suppress(ProcessLookupError):
                    os.kill(killed[-1], signal.SIGKILL)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def trained(run: Run) -> list[Event]:
    try:
        return list(run.advance())
    finally:
        run.close()


def begun(text: str, place: Path, *overrides: str) -> Run:
    return create(config.loads(text, "test", overrides), place.parent, place.name, "test")


def left(folder: Path) -> dict[str, Any]:
    """What must be the same: the logs, and of the last checkpoint the hashes of its state and arrays."""
    newest = sorted((folder / "checkpoints").iterdir())[-1]
    manifest = json.loads((newest / "MANIFEST.json").read_text())["manifest"]
    names = ("metrics.jsonl", "eval.jsonl")  # the latter where it was evaluated
    logs = {name: (folder / name).read_text() for name in names if (folder / name).exists()}
    return {"checkpoint": newest.name, "files": manifest["files"], "blobs": manifest["blobs"], **logs}


@pytest.mark.parametrize("text", [PQN, DQN], ids=["pqn", "dqn"])
def test_twenty_kills_change_nothing(text: str, tmp_path: Path) -> None:
    trained(begun(text, tmp_path / "alone"))
    run = begun(text, tmp_path / "killed", "run.distribute.actors=3")
    with killing(KILLS) as killed:
        events = trained(run)
    told = [event.text for event in events if event.kind == "warning" and "was lost" in event.text]
    assert len(killed) == KILLS and told, (len(killed), told)
    assert any("was lost (its worker process has died): " in text for text in told), told
    assert not any("class_name" in text for text in told), "Ray's ids are nothing to a person"
    assert left(tmp_path / "alone") == left(tmp_path / "killed")
    assert json.loads((tmp_path / "killed" / "run.json").read_text())["exact"] is True
    assert actors(os.getpid()) == []


def played(run: Run, lose: Callable[[], None], times: int) -> list[str]:
    """The run to its end; after so many of its first steps somebody is lost. What it warned of."""
    told = []
    try:
        for event in run.advance():
            told += [event.text] if event.kind == "warning" else []
            if times and event.kind == "step":
                times -= 1
                lose()
    finally:
        run.close()
    assert not times
    return [text for text in told if "was lost" in text]


@pytest.mark.parametrize("text", [PQN, GENETIC], ids=["pqn", "genetic"])
def test_a_node_that_is_lost_changes_nothing(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = text.replace("env_steps: 60_000", "env_steps: 9_600").replace("env_steps: 20_000", "env_steps: 4_800")
    trained(begun(text, tmp_path / "alone"))
    with own_ray.cluster(2) as (made, nodes):
        monkeypatch.setenv("RAY_ADDRESS", made.address)
        run = begun(text, tmp_path / "cluster", "run.distribute.actors=2")
        told = played(run, lambda: made.remove_node(nodes[0], allow_graceful=False), 1)
    assert len({text.partition(" was lost")[0] for text in told}) == 1, told  # each node had one of the two
    assert left(tmp_path / "alone") == left(tmp_path / "cluster")


@pytest.mark.parametrize("name", ["genetic", "cmaes", "openai_es", "search"])
def test_policies_that_actors_play_come_to_the_same_though_actors_are_killed(name: str, tmp_path: Path) -> None:
    text = GENETIC if name == "genetic" else GENETIC.replace("genetic", name).replace(", survivors: 3", "")
    if name == "search":
        text = text.replace("population: 12", "points: 60, batch: 15").replace("{generations: 6}", "{policies: 60}")
        text = text.replace("{generations: 3}", "{policies: 30}")
    trained(begun(text, tmp_path / "alone"))
    run = begun(text, tmp_path / "killed", "run.distribute.actors=2")
    told = played(run, lambda: os.kill(actors(os.getpid())[0], signal.SIGKILL), 3)
    assert told
    assert left(tmp_path / "alone") == left(tmp_path / "killed")


def test_a_run_goes_on_with_other_actors_and_with_none(tmp_path: Path) -> None:
    budgets = [f"run.budget.env_steps={steps}" for steps in (3_000, 6_000, 9_000)]
    trained(begun(PQN, tmp_path / "alone", budgets[-1]))
    trained(begun(PQN, tmp_path / "parts", budgets[0], "run.distribute.actors=3"))
    trained(resume(tmp_path / "parts", [budgets[1], "run.distribute.actors=2"]))
    trained(resume(tmp_path / "parts", [budgets[2], "run.distribute=null"]))
    assert left(tmp_path / "alone") == left(tmp_path / "parts")


def start(place: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rltrain", *words],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_nobody_is_left_behind_and_the_folder_goes_on(number: signal.Signals, code: int, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(PQN)
    long = ["run.budget.env_steps=100_000_000", "run.save.every.env_steps=960", "run.distribute.actors=2"]
    process = start(tmp_path, "train", "c.yaml", *long, "--name", "x", "--quiet")
    try:
        wait_for(lambda: list(tmp_path.glob("runs/x/checkpoints/ckpt-*/MANIFEST.json")))
        children = below(process.pid)
        assert len(actors(process.pid)) == 2
        os.killpg(process.pid, number)  # as a terminal does with Ctrl-C
        said = process.communicate()[0]
        assert process.returncode == code, said
        assert "ray" not in said.lower(), said
        wait_for(lambda: not children & set(parents()))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    counters = wait_for(lambda: json.loads((tmp_path / "runs/x/status.json").read_text()))["counters"]
    budget = counters["env_steps"] + 3_000
    trained(resume(tmp_path / "runs/x", [f"run.budget.env_steps={budget}", "run.distribute=null"]))
    trained(begun(PQN, tmp_path / "alone", f"run.budget.env_steps={budget}", "run.save.every.env_steps=960"))
    assert left(tmp_path / "alone") == left(tmp_path / "runs/x")


def test_an_actor_imports_what_a_person_imported_and_says_what_its_environment_does_wrong(tmp_path: Path) -> None:
    (tmp_path / "my_env.py").write_text(WALK)
    (tmp_path / "c.yaml").write_text(
        "algorithm: reinforce\nenvironment: {id: my_env/Walk, num_envs: 4}\nrun: {budget: {env_steps: 400}}\n"
    )
    process = start(
        tmp_path, "train", "c.yaml", "run.distribute.actors=2", "--import", "./my_env.py", "--name", "x", "--quiet"
    )
    said = process.communicate()[0]
    assert process.returncode == 0 and "finished" in said, said
    (tmp_path / "my_env.py").write_text(WALK.replace("return obs, float", "return obs / (self.time < 3), float"))
    process = start(
        tmp_path, "train", "c.yaml", "run.distribute.actors=2", "--import", "./my_env.py", "--name", "y", "--quiet"
    )
    said = process.communicate()[0]
    assert process.returncode == 6 and re.search(r"my_env/Walk: environment \d gave at step 3", said), said


def test_an_evaluation_by_actors_is_that_of_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    trained(begun(PQN, tmp_path / "runs" / "x", "run.budget.env_steps=960"))
    said = []
    for words in ([], ["--actors", "2"]):
        assert exit_code_of(lambda words=words: app(["eval", "x", "-n", "6", "--json", *words])) == 0
        said.append(json.loads(capsys.readouterr().out))
    assert said[0] == said[1]
    assert actors(os.getpid()) == []
