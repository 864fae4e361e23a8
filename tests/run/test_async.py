"""A run whose actors decide for themselves (Ape-X): not exact, but whole at every save, and it learns."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crew_in_process import InProcess
from started_processes import actors

from rltrain.envs.remote.player import Call, Roam
from rltrain.errors import InputError
from rltrain.experiment import config
from rltrain.run import build
from rltrain.run.begin import create, resume
from rltrain.run.loop import Event, Run

TEXT = """
algorithm: {name: dqn, learning_starts: 500, buffer_size: 4_000, hidden: [32], n_step: 3, prioritized: true,
  learning_rate: 1.0e-3, target_update_interval: 500}
environment: {id: CartPole-v1, num_envs: 6}
run: {budget: {env_steps: 2_000}, evaluate: {every: {env_steps: 1_000}, episodes: 2},
  distribute: {actors: 2, mode: async, refresh: 10}}
"""
CARTPOLE_RANDOM = 22.0  # mean return of random play, known to about 0.5


@pytest.fixture
def crews(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[InProcess]]:
    """Those that runs are given, in place of Ray's: what arrives does not depend on time."""
    made: list[InProcess] = []

    def crew(actors: int) -> InProcess:
        made.append(InProcess(actors, lose_some))
        return made[-1]

    monkeypatch.setattr(build, "_crew", crew)
    yield made


def lose_some(number: int, call: Call) -> str:
    return "before" if number % 23 == 0 and isinstance(call, Roam) else ""


def begun(place: Path, *overrides: str) -> Run:
    return create(config.loads(TEXT, "test", overrides), place.parent, place.name, "test")


def trained(run: Run) -> list[Event]:
    try:
        return list(run.advance())
    finally:
        run.close()


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def test_a_run_says_that_it_is_not_exact_and_why(crews: list[InProcess], tmp_path: Path) -> None:
    events = trained(begun(tmp_path / "x"))
    facts = json.loads((tmp_path / "x" / "run.json").read_text())
    assert facts["exact"] is False and "run.distribute.mode is async" in facts["why"]
    assert any("not exact" in event.text for event in events if event.kind == "warning")
    assert any("was lost" in event.text for event in events if event.kind == "warning")


def test_budgets_and_cadences_are_met_as_without_actors(crews: list[InProcess], tmp_path: Path) -> None:
    trained(begun(tmp_path / "x"))
    reached = [row["env_steps"] for row in rows(tmp_path / "x", "eval.jsonl")]
    assert [round(steps, -3) for steps in reached] == [1_000, 2_000]
    assert all(steps % 1_000 < 6 for steps in reached)
    trained(begun(tmp_path / "y", "run.budget={episodes: 40}", "run.evaluate.every={episodes: 20}"))
    assert all(20 * k <= row["episodes"] < 20 * k + 6 for k, row in enumerate(rows(tmp_path / "y", "eval.jsonl"), 1))


def test_the_learner_does_not_wait_and_learns_not_before_it_may(crews: list[InProcess], tmp_path: Path) -> None:
    trained(begun(tmp_path / "x"))
    found = rows(tmp_path / "x", "metrics.jsonl")
    early = [row for row in found if row["env_steps"] < 500]
    assert early and all(row["updates"] == 0 for row in early)
    late = [row["updates"] for row in found if row["env_steps"] >= 500]
    assert set(np.diff(late)) == {10}  # each round is as many updates as lie between two refreshes, whatever arrived


def test_where_nothing_depends_on_time_a_run_is_a_function_of_its_seed(crews: list[InProcess], tmp_path: Path) -> None:
    for name, seed in (("x", 0), ("y", 0), ("z", 1)):
        trained(begun(tmp_path / name, f"run.seed={seed}"))
    x, y, z = (rows(tmp_path / name, "metrics.jsonl") for name in "xyz")
    assert x == y and x != z


def test_a_resumed_run_goes_on_with_new_episodes(crews: list[InProcess], tmp_path: Path) -> None:
    trained(begun(tmp_path / "x", "run.budget.env_steps=1_003"))
    trained(resume(tmp_path / "x", ["run.budget.env_steps=2_000"]))
    found = rows(tmp_path / "x", "metrics.jsonl")
    assert found[-1]["env_steps"] >= 2_000 and found[-1]["updates"] > 50
    steps = [row["env_steps"] for row in found]
    assert steps == sorted(steps)
    again = resume(tmp_path / "x", ["run.budget.env_steps=2_000"])
    assert again.finished
    again.close()


@pytest.mark.parametrize("override", ["run.distribute.actors=3", "run.distribute=null", "run.distribute.mode=exact"])
def test_how_it_is_played_stays_when_it_is_resumed(override: str, crews: list[InProcess], tmp_path: Path) -> None:
    trained(begun(tmp_path / "x", "run.budget.env_steps=60"))
    with pytest.raises(InputError, match=r"a resumed run keeps its settings.*(.|\n)*run\.distribute"):
        resume(tmp_path / "x", [override])
    text = (tmp_path / "x" / "config.yaml").read_text()
    edited = {
        "run.distribute.actors=3": text.replace("actors: 2", "actors: 3"),
        "run.distribute.mode=exact": text.replace("mode: async", "mode: exact"),
        "run.distribute=null": text[: text.index("  distribute:")] + text[text.index("  max_wall:") :],
    }[override]
    (tmp_path / "x" / "config.yaml").write_text(edited)
    with pytest.raises(InputError, match="edited since"):
        resume(tmp_path / "x")


@pytest.mark.parametrize(
    ("overrides", "rule"),
    [
        (["algorithm={name: pqn}"], r"run\.distribute\.mode: pqn decides for its environments itself.*: dqn"),
        (
            ["environment.wrappers=[NormalizeObservation]"],
            r"environment\.wrappers.*NormalizeObservation; .*run\.distribute\.mode=exact",
        ),
        (["run.distribute.actors=7"], r"run\.distribute\.actors=7: 7 actors, and environment\.num_envs is 6"),
    ],
)
def test_what_cannot_be_is_refused_when_the_config_is_read(overrides: list[str], rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        config.loads(TEXT, "test", overrides)


def test_all_that_cannot_be_is_said_at_once() -> None:
    several = ["algorithm={name: pqn}", "environment.wrappers=[NormalizeReward, ClipReward]", "run.distribute.actors=7"]
    with pytest.raises(InputError) as caught:
        config.loads(TEXT, "test", several)
    said = str(caught.value).splitlines()
    assert len(said) == 3, said
    for rule in (
        "7 actors",
        "pqn decides for its environments itself",
        "know nothing of NormalizeReward and ClipReward",
    ):
        assert any(rule in line for line in said), said


@pytest.mark.slow
def test_cartpole_is_learned_on_ray_though_an_actor_is_killed(tmp_path: Path) -> None:
    run = begun(
        tmp_path / "x",
        "algorithm.hidden=[64,64]",
        "algorithm.buffer_size=20_000",
        "algorithm.double=true",
        "algorithm.learning_rate=5.0e-4",
        "algorithm.batch_size=64",
        "run.budget.env_steps=30_000",
        "run.evaluate={every: {env_steps: 5_000}, episodes: 20}",
        "run.distribute.refresh=20",
    )
    killed, told = 0, []
    try:
        for event in run.advance():
            if event.kind == "warning":
                told.append(event.text)
            if not killed and event.counters["env_steps"] > 5_000:
                killed = actors(os.getpid())[0]
                with suppress(ProcessLookupError):
                    os.kill(killed, signal.SIGKILL)
    finally:
        run.close()
    assert killed and any("was lost" in text for text in told), told
    best = max(row["mean"] for row in rows(tmp_path / "x", "eval.jsonl"))
    assert best > 5 * CARTPOLE_RANDOM  # at most 500
    assert actors(os.getpid()) == []
