"""The robot vacuum: steps a second on one core, and what simple rules pick up of the 100 g.

Speed: `Env.step` of so many robots side by side, an action of each drawn beforehand, all costs of Python and of new
episodes within; against Gymnasium's interface to the same compiled second, many robots and one. Compilation is not
counted. Seconds are those of the processor, so that a busy machine does less harm.
Scores: the mean and the 95 % interval of 100 episodes, from the same starts.

    random   each action with equal probability
    rule     forward with probability p, else a turn uniform in [-r, r]: the best p and r of a grid, and the worst
    bounce   forward until it bumps, then a turn uniform in [90, 270]
    mower    rows to and fro, 20 cm apart, by bumper and compass alone; at their end a random way to the next corner

    python bench/vacuum.py --save    # about two minutes
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import gymnasium
import numba
import numpy as np
from measuring import machine

from rltrain import envs
from rltrain.envs.vacuum import ID, turn_action, turn_actions
from rltrain.envs.vacuum.layouts import LAYOUTS
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.policies import rules

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "bench" / "results" / "vacuum.json"
ROUND_STEPS = 2_000_000  # of all robots together
EPISODES = 100
SECONDS = 1800
FORWARD = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)  # the grid of p
ANGLES = (15, 45, 90, 120, 150, 180)  # and of r
Rule = Callable[[Any], Any]  # obs [N, 16] -> [N]


def rule(p: float, r: float) -> Rule:
    """Forward with probability p, else a turn uniform in [-r, r]. One stream for all of a play."""
    stream = np.random.default_rng(0)

    def act(obs: Any) -> Any:
        angles = stream.uniform(-r, r, len(obs))
        return np.where(stream.random(len(obs)) < p, 0, turn_actions(angles))

    return act


def uniform() -> Rule:
    stream = np.random.default_rng(0)
    return lambda obs: stream.integers(73, size=len(obs))


def bounce() -> Rule:
    return rules.BouncePolicy(73, np.random.default_rng(0)).act


def mower() -> Rule:
    robots: list[Generator[int, Any, None]] = []

    def act(obs: Any) -> Any:
        if not robots:
            robots.extend(mow(own, np.random.default_rng(lane)) for lane, own in enumerate(obs))
            return np.array([next(robot) for robot in robots])
        return np.array([robot.send(own) for robot, own in zip(robots, obs, strict=True)])

    return act


def mow(obs: Any, stream: np.random.Generator) -> Generator[int, Any, None]:
    """Actions of one robot; it is sent what it sees. To a corner, then row beside row until there is no place."""
    while True:
        obs = yield turn_action(-math.degrees(math.atan2(obs[5], obs[4])))  # to the right
        for _ in range(2):  # to the wall, along it to the corner, and about
            while not obs[0]:
                obs = yield 0
            obs = yield turn_action(-90)
        side, blocked = -90, False
        while not blocked:
            while not obs[0]:
                obs = yield 0
            obs = yield turn_action(side)
            obs = yield 0
            blocked = obs[0] > 0
            obs = yield turn_action(side)
            side = -side
        obs = yield turn_action(stream.uniform(-180, 180))  # elsewhere
        while not obs[0]:
            obs = yield 0
        obs = yield 1


def play(room: str, act: Rule, episodes: int = EPISODES) -> Any:
    """Returns [episodes] of one whole episode of as many robots."""
    env = envs.make(EnvironmentConfig(id=ID, num_envs=episodes, kwargs={"room": room}))
    step, total = env.reset(7), np.zeros(episodes)
    for _ in range(SECONDS):
        step = env.step(act(step.obs))
        total += step.reward
    assert step.last.all()
    return total


def scores(room: str) -> dict[str, Any]:
    """Rule -> mean, half of the 95 % interval, sd; of the grid p, r and its best and worst."""
    grid = {(p, r): play(room, rule(p, r)) for p in FORWARD for r in ANGLES}
    best, worst = (choose(grid, key=lambda at: grid[at].mean()) for choose in (max, min))
    named = {
        "random": play(room, uniform()),
        f"rule, worst of the grid: p {worst[0]:g}, r {worst[1]}": grid[worst],
        f"rule, best of the grid: p {best[0]:g}, r {best[1]}": grid[best],
        "bounce": play(room, bounce()),
        "mower": play(room, mower()),
    }
    return {
        name: {
            "mean": round(float(own.mean()), 2),
            "ci95": round(float(1.96 * own.std(ddof=1) / math.sqrt(len(own))), 2),
            "sd": round(float(own.std()), 2),
            "min": round(float(own.min()), 2),
            "max": round(float(own.max()), 2),
        }
        for name, own in named.items()
    }


def speeds(lanes: Sequence[int], rounds: int) -> dict[str, list[float]]:
    """Side -> steps a second of every round; the sides take turns."""
    stream = np.random.default_rng(0)
    runs: dict[str, Callable[[], float]] = {}
    for count in lanes:
        env = envs.make(EnvironmentConfig(id=ID, num_envs=count))
        env.reset(0)
        runs[f"ours, {count} robots"] = timed(env.step, stream.integers(73, size=(500, count)), ROUND_STEPS // count)
    vector = gymnasium.make_vec(ID, num_envs=lanes[-1])
    vector.reset(seed=0)
    runs[f"gymnasium.make_vec, {lanes[-1]} robots"] = timed(
        vector.step, stream.integers(73, size=(500, lanes[-1])), ROUND_STEPS // lanes[-1]
    )
    single = gymnasium.make(ID, max_episode_steps=10**9)
    single.reset(seed=0)
    runs["gymnasium.make"] = timed(single.step, stream.integers(73, size=(500, 1))[:, 0], 20_000)
    found: dict[str, list[float]] = {side: [] for side in runs}
    for _ in range(rounds):
        for side, run in runs.items():
            found[side].append(run())
    return found


def timed(step: Callable[[Any], Any], actions: Any, calls: int) -> Callable[[], float]:
    """Steps of all robots a second, over so many calls; actions [500, ...]."""

    def run() -> float:
        start = time.process_time()
        for i in range(calls):
            step(actions[i % len(actions)])
        return calls * int(np.size(actions[0])) / (time.process_time() - start)

    return run


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The robot vacuum: steps a second on one core, and scores of rules")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side; below 5 is only a trial [5]")
    parser.add_argument("--lanes", type=int, nargs="+", default=[32, 256, 1024], help="robots [32 256 1024]")
    parser.add_argument("--rooms", nargs="*", default=list(LAYOUTS), help="where scores are taken; none: no scores")
    parser.add_argument("--save", nargs="?", const=RESULT, type=Path, help=f"write JSON [{RESULT.relative_to(ROOT)}]")
    given = parser.parse_args(argv)
    if given.rounds < 1:
        parser.error(f"--rounds {given.rounds}: must be at least 1")
    if given.save and given.rounds < 5:
        parser.error(f"--save with --rounds {given.rounds}: a result is kept only of 5 rounds or more")
    return given


def main(argv: Sequence[str] | None = None) -> None:
    given = arguments(argv)
    machine_facts = machine()
    if sys.platform == "linux":
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found = speeds(given.lanes, given.rounds)
    for side, own in found.items():
        print(f"{side:32} {median(own):12,.0f} steps/s   {min(own):,.0f} to {max(own):,.0f}", flush=True)
    picked = {}
    for room in given.rooms:
        picked[room] = scores(room)
        for name, own in picked[room].items():
            print(f"{room:8} {name:42} {own['mean']:5.1f} ± {own['ci95']:.1f} g", flush=True)
    if given.save:
        report = {
            "command": shlex.join(["python", "bench/vacuum.py", *(sys.argv[1:] if argv is None else argv)]),
            "date": time.strftime("%Y-%m-%d"),
            "machine": {**machine_facts, "cores_used": 1},
            "versions": {
                "python": platform.python_version(),
                "numba": numba.__version__,
                "numpy": np.__version__,
                "gymnasium": gymnasium.__version__,
            },
            "steps a second": {
                side: {"median": round(median(own)), "rounds": [round(value) for value in own]}
                for side, own in found.items()
            },
            "grams of 100": picked,
        }
        given.save.parent.mkdir(parents=True, exist_ok=True)
        given.save.write_text(json.dumps(report, indent=1) + "\n")
        print(f"wrote {given.save}")


if __name__ == "__main__":
    main()
