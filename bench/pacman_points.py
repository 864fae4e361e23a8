"""What Ms. Pac-Man's points are made of: pellets, power pills, and ghosts by which of a pill they were.

Plays the newest weights of runs under a protocol's rules, one game in each of many environments, and takes every
reward apart: a ghost is 200, 400, 800 or 1,600 points, a power pill 50, a pellet 10, the first maze's fruit 100. From
the second maze on fruit can be worth as much as a ghost; "most pellets" is of one game, for whoever knows the maze.

    python bench/pacman_points.py runs/hour-seed0 runs/hour-seed1 --save
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from measuring import machine
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "bench" / "results" / "pacman" / "points.json"
WORTH = {"fourth ghost": 1600, "third ghost": 800, "second ghost": 400, "first ghost": 200}
SMALL = {"fruit": 100, "power pill": 50, "pellet": 10}


def parts(reward: float) -> Counter[str]:
    """What one step's reward is made of, the fewest things that come to it. A rest is counted as "unknown"."""
    found: Counter[str] = Counter()
    left = round(reward)
    for name, worth in (WORTH | SMALL).items():
        found[name], left = divmod(left, worth)
    found["unknown"] = left
    return +found


def play(run: Path, protocol: str, games: int, seed: int) -> dict[str, Any]:
    """Means a game."""
    from rltrain import envs, registry
    from rltrain.core import Hardware
    from rltrain.experiment import config
    from rltrain.run import protocols
    from rltrain.run.reading import load_path

    experiment = config.load(run / "config.yaml", [])
    _, played, epsilon = protocols.conditions(experiment.environment, protocol, None)
    env = envs.make(played, num_envs=games, threads=2, training=False)
    state = load_path(run).state["algorithm"]
    load_policy = registry.plugin(experiment.algorithm_name).load_policy
    assert load_policy is not None
    policy = load_policy(experiment.algorithm, env.spec, state, Hardware("cpu", 2))
    stream = np.random.default_rng(seed)
    kinds: list[Counter[str]] = [Counter() for _ in range(games)]
    returns, over = np.zeros(games), np.zeros(games, bool)
    now, steps = env.reset(seed), 0
    while not over.all():
        action = np.where(
            stream.random(games) < epsilon, stream.integers(0, env.spec.num_actions, games), policy.act(now.obs)
        )
        now = env.step(action)
        for i in np.flatnonzero(~over & (now.reward != 0)):
            kinds[i] += parts(float(now.reward[i]))
            returns[i] += now.reward[i]
        steps += int((~over).sum())
        over |= now.last
    env.close()
    means = {name: round(sum(one[name] for one in kinds) / games, 2) for name in (*SMALL, *reversed(WORTH), "unknown")}
    return {
        "run": run.name,
        "mean": round(float(returns.mean()), 1),
        "sd": round(float(returns.std()), 1),
        "steps": round(steps / games, 1),
        **means,
        "ghosts of 100 edible": share(means),
        "most pellets": max(one["pellet"] for one in kinds),
    }


def share(means: Mapping[str, float]) -> float:
    """Of the ghosts that a power pill makes edible, four each time, how many in 100 are caught."""
    edible = 4 * means["power pill"]
    return round(100 * sum(means[name] for name in WORTH) / edible, 1) if edible else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description="What Ms. Pac-Man's points are made of")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    parser.add_argument("--protocol", default="nature", help="[nature]")
    parser.add_argument("--games", type=int, default=100, help="of each run [100]")
    parser.add_argument("--seed", type=int, default=1_000_000, help="[1000000]")
    parser.add_argument("--save", nargs="?", const=RESULT, type=Path, help=f"write JSON [{RESULT.relative_to(ROOT)}]")
    given = parser.parse_args()
    rows = [play(run, given.protocol, given.games, given.seed) for run in given.runs]
    table = Table(title=f"Means of {given.games} games under {given.protocol}")
    table.add_column("a game")
    for row in rows:
        table.add_column(row["run"], justify="right")
    for name in list(rows[0])[1:]:
        table.add_row(name, *(str(row[name]) for row in rows))
    Console().print(table)
    if given.save:
        names = " ".join(f"runs/{row['run']}" for row in rows)
        command = f"python bench/pacman_points.py {names} --protocol {given.protocol} --games {given.games}"
        report = {"command": f"{command} --seed {given.seed}", "date": time.strftime("%Y-%m-%d"), "machine": machine()}
        given.save.write_text(json.dumps({**report, "rows": rows}, indent=1) + "\n")
        print(f"wrote {given.save}")


if __name__ == "__main__":
    main()
