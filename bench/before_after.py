"""What a change of the code costs: the same commands in two checkouts, in turn.

Every round runs each command once in each checkout, one after the other, the order changing from round to round, each
in a process of its own. A ratio is taken within a round: processor seconds (and beside it wall seconds) of the other
checkout over those of this one, so above 1 this one is faster. The figure is the median of the rounds, with its range.
A round before the first compiles what is compiled, and does not count.

    git worktree add ../before COMMIT
    python bench/before_after.py ../before --save     # about ten minutes; leave the machine alone meanwhile
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from measuring import machine, spread

ROOT = Path(__file__).resolve().parent.parent
TRAIN = "-m rltrain train configs/{} --quiet --runs-dir {{folder}} --name {{name}} {}"
ALONE = "run.evaluate.every.env_steps=1_000_000_000"
COMMANDS = {
    "help": "-m rltrain --help",
    "mdp solve, the book's model": "-m rltrain mdp solve --json",
    "mdp solve, garnet of 20,000 states": "-m rltrain mdp solve {folder}/garnet.npz --discount 0.99 --json",
    "mdp solve, grid of 300 x 300": "-m rltrain mdp solve {folder}/grid.npz --discount 0.99 --json",
    "reinforce on CartPole": TRAIN.format("reinforce_cartpole.yaml", "run.budget.env_steps=40_000"),
    "dqn on CartPole": TRAIN.format("dqn_cartpole.yaml", "run.budget.env_steps=10_000 " + ALONE),
    "qlearn on FrozenLake's table": TRAIN.format("qlearn_frozenlake.yaml", "run.budget.env_steps=20_000_000"),
    "genetic on CartPole": TRAIN.format("genetic_cartpole.yaml", "run.budget.generations=4"),
    "dqn on Ms. Pac-Man, learning": "bench/ours_dqn.py --steps 400 --warm 100 --replay 20000 --threads 2",
}


class Cost(NamedTuple):
    """What a command took, in seconds."""

    processor: float
    wall: float


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("--rounds", type=int, default=5, help="[5]")
    parser.add_argument("--only", action="append", help="a command whose name has this text; repeatable")
    parser.add_argument("--save", action="store_true", help="write bench/results/before_after.json")
    return parser.parse_args()


def run(checkout: Path, command: str, name: str, folder: Path) -> Cost:
    """The command in a checkout, from process start to its end. It must succeed."""
    words = [sys.executable, *shlex.split(command.format(folder=folder, name=name))]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    used, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(words, cwd=checkout, env=environment, capture_output=True, text=True)
    wall, now = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{checkout}: {shlex.join(words)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return Cost(now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime, wall)


def measure(before: Path, names: Sequence[str], rounds: int, folder: Path) -> dict[str, list[tuple[Cost, Cost]]]:
    """For each command a pair a round: (before, after)."""
    found: dict[str, list[tuple[Cost, Cost]]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for which, name in enumerate(names):
            sides = [before, ROOT] if number % 2 else [ROOT, before]
            cost = {side: run(side, COMMANDS[name], f"{number}-{which}-{side.name}", folder) for side in sides}
            if number:
                found[name].append((cost[before], cost[ROOT]))
                one, other = cost[before].processor, cost[ROOT].processor
                print(f"round {number}  {name:36}  {one:7.2f} s  {other:7.2f} s  {one / other:.3f}", flush=True)
    return found


def figures(pairs: Sequence[tuple[Cost, Cost]]) -> dict[str, Any]:
    return {
        "processor_ratio": spread([before.processor / after.processor for before, after in pairs]),
        "wall_ratio": spread([before.wall / after.wall for before, after in pairs]),
        "processor_seconds": spread([after.processor for _, after in pairs]),
    }


def commit(checkout: Path) -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=checkout, capture_output=True, text=True)
    return done.stdout.strip()


def main() -> None:
    given = arguments()
    before = given.before.resolve()
    names = [name for name in COMMANDS if not given.only or any(text in name for text in given.only)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for family, words in (("garnet", "--states 20000"), ("grid", "--side 300")):
            run(ROOT, f"-m rltrain mdp generate {family} {{folder}}/{family}.npz {words}", "", folder)
        found = {name: figures(pairs) for name, pairs in measure(before, names, given.rounds, folder).items()}
    print(f"\n{commit(before)} over {commit(ROOT)}, {given.rounds} rounds: processor time (range), wall time")
    for name, each in found.items():
        ratio, wall = each["processor_ratio"], each["wall_ratio"]
        print(f"{name:36}  {ratio['median']:.3f} ({ratio['low']:.3f} to {ratio['high']:.3f})  {wall['median']:.3f}")
    if given.save:
        path = ROOT / "bench" / "results" / "before_after.json"
        told = {"before": commit(before), "after": commit(ROOT), "rounds": given.rounds, "machine": machine()}
        path.write_text(json.dumps({**told, "commands": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
