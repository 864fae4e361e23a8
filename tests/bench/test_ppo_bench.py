"""What bench/ppo.py makes of its runs, how it translates a config, and that its peers' sides say what it reads."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rltrain import envs
from rltrain.experiment import config

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path[:0] = [str(BENCH), str(BENCH / "peers")]


def load(name: str, file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCH / file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


ppo = load("bench_ppo", "ppo.py")
settings = load("bench_ppo_settings", "ppo_settings.py")
bound = load("bench_ppo_bounds", "ppo_bounds.py")
side = load("bench_policy_side", "peers/policy_side.py")


def experiment(*overrides: str, env: str = "CartPole-v1") -> Any:
    return config.named("ppo", env, ["environment.num_envs=4", *overrides])


def sb3(*overrides: str, env: str = "CartPole-v1") -> tuple[dict[str, Any], list[str]]:
    own = experiment(*overrides, env=env)
    return settings.for_sb3(own, envs.describe(own.environment))


def cleanrl(*overrides: str, env: str = "CartPole-v1", steps: int = 10_000) -> tuple[list[str], list[str]]:
    own = experiment(*overrides, env=env)
    return settings.for_cleanrl(own, envs.describe(own.environment), steps)


def flag(words: list[str], name: str) -> float:
    return float(words[words.index(f"--{name}") + 1])


def run(name: str, seed: int, figure: float | None) -> dict[str, Any]:
    return {"side": name, "seed": seed, "figure": figure, "other_cpu": 0.0}


def test_seconds_and_speeds_are_compared_seed_by_seed() -> None:
    runs = [run("ours", 0, 1.0), run("sb3", 0, 4.0), run("ours", 1, 2.0), run("sb3", 1, 4.0)]
    runs += [run("ours", 2, 5.0), run("sb3", 2, None)]
    found = ppo.summary("solve", runs, ["ours", "sb3"])
    assert found["sides"]["sb3"] == {"of": 3, "figure": ppo.spread([4.0, 4.0])}
    assert found["beside"]["ours"]["sb3"] == {"median": 3.0, "low": 2.0, "high": 4.0, "count": 2}  # 4 / 1 and 4 / 2
    assert ppo.summary("speed", runs, ["ours", "sb3"])["beside"]["ours"]["sb3"]["median"] == 0.375  # 1 / 4 and 2 / 4
    assert "3.00 times as fast as sb3 (2.00 to 4.00" in ppo.told("solve", "cartpole", found)[-1]


def test_returns_are_compared_by_their_differences_and_students_interval() -> None:
    runs = [run(name, seed, value) for name, values in (("ours", (5, 7, 9)), ("sb3", (4, 5, 6))) for seed, value in
            enumerate(values)]  # fmt: skip
    found = ppo.summary("equal-steps", runs, ["ours", "sb3"])
    half = 4.302653 * 1 / 3**0.5  # Student's t of 2 degrees of freedom; the differences are 1, 2 and 3
    assert found["beside"]["ours"]["sb3"]["mean"] == 2
    assert found["beside"]["ours"]["sb3"]["ci95"] == pytest.approx([2 - half, 2 + half], abs=1e-5)
    assert found["sides"]["ours"]["mean"] == 7


def test_a_side_that_came_to_nothing_is_told_and_not_compared() -> None:
    found = ppo.summary("solve", [run("ours", 0, 1.0), run("sb3", 0, None)], ["ours", "sb3"])
    assert found["beside"] == {"ours": {}}
    assert ppo.told("solve", "cartpole", found) == [
        "cartpole ours: seconds 1.00 (1.00 to 1.00), 1 of 1",
        "cartpole sb3: nothing in 1 runs",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--what", "solve", "--env", "breakout"], "breakout is for the speed alone"),
        (["--what", "speed", "--seeds", "2", "--save"], "3 with --save"),
        (["--what", "speed", "--steps", "99", "--save"], "--save with --steps"),
        (["--what", "speed", "--side", "cleanrl"], "name a checkout with --cleanrl DIR"),
    ],
)
def test_what_cannot_be_compared_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        ppo.arguments(words)
    assert stop.value.code == 2 and said in capsys.readouterr().err


def test_without_a_checkout_cleanrl_is_left_out() -> None:
    assert ppo.arguments(["--what", "solve"]).side == ["ours", "ours-bfloat16", "sb3"]
    assert ppo.arguments(["--what", "solve"]).env == ["cartpole", "lunarlander", "halfcheetah"]
    assert ppo.arguments(["--what", "speed", "--cleanrl", "."]).env == list(ppo.TASKS)


@pytest.mark.parametrize("name", ppo.TASKS)
def test_every_task_has_a_config_that_both_peers_are_given(name: str) -> None:
    task = ppo.TASKS[name]
    own = settings.experiment_of(task)
    for package in {"halfcheetah": ["mujoco"], "halfcheetah-1": ["mujoco"], "lunarlander": ["Box2D"]}.get(name, []):
        pytest.importorskip(package)
    spec = envs.describe(own.environment)
    told, _ = settings.for_sb3(own, spec)
    words, _ = settings.for_cleanrl(own, spec, task.equal_steps)
    assert told["kwargs"]["n_steps"] == flag(words, "num-steps") == own.algorithm.n_steps
    assert told["num_envs"] == flag(words, "num-envs") == spec.num_envs
    json.dumps([told, words])
    assert bound.operations(own.algorithm, spec)[0] > 0


def test_a_config_is_handed_to_stable_baselines3_as_it_is() -> None:
    found, unequal = sb3(
        "algorithm.n_steps=32", "algorithm.batch_size=32", "algorithm.max_grad_norm=null", "algorithm.hidden=[8]",
        "algorithm.learning_rate=0.001", "algorithm.learning_rate_final=0.0001", "algorithm.learning_rate_steps=5000",
    )  # fmt: skip
    assert unequal == []
    assert found["kwargs"]["batch_size"] == 32 and found["kwargs"]["max_grad_norm"] == settings.NO_LIMIT
    assert found["policy"] == {"optimizer": ["adam", 1e-5], "net_arch": [8], "activation": "tanh"}
    assert found["lines"] == {"learning_rate": [0.001, 0.0001, 5000], "clip_range": [0.2, None, 5000]}
    assert "normalize" not in found


def test_statistics_of_all_environments_are_vecnormalize() -> None:
    wrappers = "[{name: NormalizeObservation, clip: 5.0}, {name: NormalizeReward, gamma: 0.9}]"
    found, _ = sb3(f"environment.wrappers={wrappers}", env="Pendulum-v1")
    assert found["normalize"] == {
        "norm_obs": True, "norm_reward": True, "clip_obs": 5.0, "epsilon": 1e-8, "clip_reward": settings.NO_LIMIT,
        "gamma": 0.9,
    }  # fmt: skip


def test_what_a_peer_has_not_is_said() -> None:
    assert sb3("algorithm.bootstrap_time_limits=false")[1] == ["bootstrap_time_limits is False in rltrain alone"]
    assert sb3("algorithm.n_steps=32", "algorithm.batch_size=50")[1] == ["a rollout of 128 is not 3 equal batches"]
    assert "numbers are not drawn from -1 to 1" in sb3(env="Pendulum-v1")[1]
    wide = cleanrl("algorithm.hidden=[8]", "algorithm.activation=relu")[1]
    assert "hidden layers are 64 and 64 tanh there, 8 relu here" in wide
    assert "observations and rewards are normalised there" in cleanrl(env="Pendulum-v1")[1]
    with pytest.raises(SystemExit, match="given no wrapper RescaleAction"):
        sb3("environment.wrappers=[{name: RescaleAction, min_action: -1.0, max_action: 1.0}]", env="Pendulum-v1")


def test_flags_of_cleanrl_mean_the_same() -> None:
    words, _ = cleanrl("algorithm.vf_coef=0.25", "algorithm.n_steps=32", "algorithm.batch_size=32")
    assert flag(words, "vf-coef") == 0.5  # of half the squared error
    assert flag(words, "num-minibatches") == 4 and flag(words, "total-timesteps") == 10_000 + 128
    assert {"--no-anneal-lr", "--no-clip-vloss", "--norm-adv"} <= set(words)
    line = (
        "algorithm.learning_rate=0.001",
        "algorithm.learning_rate_final=0.0005",
        "algorithm.learning_rate_steps=10000",
    )
    words, unequal = cleanrl(*line)
    assert "--anneal-lr" in words and flag(words, "total-timesteps") == 20_000  # where it would be 0
    assert "the learning rate ends at another value" not in unequal
    assert "the learning rate ends at another value" in cleanrl(*line, steps=15_000)[1]


def test_a_run_for_the_speed_is_two_equal_halves_of_whole_rollouts() -> None:
    task = ppo.TASKS["cartpole"]
    assert ppo.steps_of("speed", task._replace(speed_steps=1_000), 0, 256) == 1_024
    assert ppo.steps_of("speed", task._replace(speed_steps=100), 0, 256) == 512
    assert ppo.steps_of("solve", task, 1_000, 300) == 900


def test_the_speed_of_ours_is_that_of_the_second_half(tmp_path: Path) -> None:
    rows = [(0, 0, 0.0), (99, 4, 10.0), (197, 8, 11.0), (296, 12, 12.0), (397, 16, 13.0), (400, 16, 20.0)]
    names = ("env_steps", "updates", "elapsed_seconds")
    text = "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows)
    (tmp_path / "timings.jsonl").write_text(text)
    # From 197 to 397: where the run ends in the midst of a rollout, nothing is learned from its last steps.
    assert ppo.second_half(tmp_path) == {"figure": 100.0, "steps": 200, "seconds": 2.0}


def test_operations_are_those_of_both_networks() -> None:
    own = experiment("algorithm.hidden=[8]")
    forward, first = bound.operations(own.algorithm, envs.describe(own.environment))
    assert first == 2 * (4 * 8) * 2 and forward == first + 2 * (8 * 2) + 2 * (8 * 1)
    game = experiment(env="ALE/Breakout-v5")
    forward, first = bound.operations(game.algorithm, envs.describe(game.environment))
    convolutions = 2 * (20 * 20 * 32 * 4 * 64 + 9 * 9 * 64 * 32 * 16 + 7 * 7 * 64 * 64 * 9)
    assert forward == convolutions + 2 * (3136 * 512 + 512 * 4 + 512 * 1)
    assert first == 2 * 20 * 20 * 32 * 4 * 64


class Told:
    """A policy that is asked how good it is: its games are a list."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *scores: float) -> None:
        self.asked: list[int] = []
        self.scores = iter(scores)
        monkeypatch.setattr(side, "mean_score", self.mean)

    def mean(self, spec: object, act: object, games: int, seed: int) -> float:
        self.asked.append(games)
        return next(self.scores)


def course(what: str, steps: int = 1_000) -> Any:
    check = {"every": 100, "first": 10, "games": 50, "score": 5.0}
    return side.Course({"what": what, "steps": steps, "seed": 3, "check": check})


def test_a_peer_is_solved_once_few_games_and_then_all_have_the_score(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told, own = Told(monkeypatch, 4.0, 6.0, 4.9, 6.0, 5.0), course("solve")
    for steps in (90, 180, 190, 270):  # asked at 180: too few; at 270: ten games have it, fifty do not
        own.between(steps, None)
    assert told.asked == [10, 10, 50]
    with pytest.raises(side.Ended):
        own.between(360, None)
    own.told(None)
    assert capsys.readouterr().out == "solved: mean 5.0 over 50 games, 360 steps\n"


def test_a_peer_that_never_has_the_score_ends_with_its_steps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Told(monkeypatch, 1.0)
    own = course("solve", steps=100)
    with pytest.raises(side.Ended):
        own.between(100, None)
    own.told(None)
    assert capsys.readouterr().out == "unsolved after 100 steps\n"


def test_the_speed_of_a_peer_is_that_of_the_second_half(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([10.0, 20.0, 22.0, 24.0])
    monkeypatch.setattr(side.time, "perf_counter", lambda: next(times))
    own = course("speed", steps=400)
    for steps in (100, 200, 300):
        own.between(steps, None)
    with pytest.raises(side.Ended):
        own.between(400, None)
    own.told(None)
    assert json.loads(capsys.readouterr().out) == {"steps_per_second": 50.0, "steps": 200, "seconds": 4.0}


def test_as_many_games_are_played_as_are_asked_for() -> None:
    import numpy as np

    spec = {"env_id": "CartPole-v1", "env_kwargs": {}}
    seen: list[int] = []

    def always_left(obs: Any) -> Any:
        seen.append(len(obs))
        return np.zeros(len(obs), int)

    assert 8 < side.mean_score(spec, always_left, 12, 0) < 11  # the pole falls within 11 steps
    assert set(seen) == {10}
