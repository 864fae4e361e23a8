"""UCT beside the truth: how the root's value comes to the exact one as simulations grow, and what games it plays so.

Convergence: one search from a state in which episodes begin, six of them with a stream each; the error is that of the
best action's mean, |Q(best) - V*|. Settings are those of the configs. Games: those of `rltrain eval`, with a search
for each move, of policies of six seeds: three with which the settings were found and three new ones. Beside them stand
games at random and by the exact solution's policy, which need not be the best within a limit of steps.

    python bench/uct.py --save                      # ten minutes of one core
    python bench/uct.py --grid configs/mdp/grid100.npz    # writes the model of the grid anew
"""

from __future__ import annotations

import argparse
import json
import platform
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numba
import numpy as np
from measuring import machine

from rltrain.algos import uct
from rltrain.experiment import config
from rltrain.experiment.config import Experiment
from rltrain.mdp import files, problems
from rltrain.mdp.learn import sampling, tree_search, truth
from rltrain.mdp.learn.table_policy import greedy
from rltrain.rng import derive
from rltrain.run import baselines, build
from rltrain.run.evaluation import evaluate

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "bench" / "results" / "uct.json"
SIMULATIONS = (100, 1_000, 10_000, 100_000, 1_000_000)
ROOTS = 6
MOST = {"uct_taxi": 100_000, "uct_grid": 100_000}  # simulations; with more their trees hardly change
MODELS = ("uct_book", "uct_frozenlake", "uct_taxi", "uct_grid")
GAMES = {"uct_taxi": 100, "uct_frozenlake": 100, "uct_grid": 30, "uct_cartpole": 16}
BLACKJACK = "{algorithm: {name: uct, simulations: 50, depth: 20, gamma: 1}, environment: Blackjack-v1}"
SEEDS, NEW_SEEDS = (0, 1, 2), (10, 11, 12)
SIDE, NEAR = 100, 10  # of the grid: cells, and how far from the goal games begin, in either direction


def write_grid(target: Path) -> None:
    """The model `grid` of 100 x 100 cells at 0.99, which begins in any of the 10 x 10 cells before the goal."""
    model = problems.grid(SIDE, discount=0.99)
    near = (np.arange(SIDE - NEAR, SIDE)[:, None] * SIDE + np.arange(SIDE - NEAR, SIDE)).ravel()[:-1]
    start = np.zeros(model.num_states)
    start[near] = 1 / len(near)
    with tempfile.TemporaryDirectory() as place:
        files.write(replace(model, start=start), Path(place) / "grid.npz")
        with np.load(Path(place) / "grid.npz", allow_pickle=False) as arrays:
            np.savez_compressed(target, **{name: arrays[name] for name in arrays.files})


def convergence(experiment: Experiment, most: int) -> dict[str, Any]:
    """Of each number of simulations: errors, whether the best action is optimal, nodes; and simulations a second."""
    env: Any = build.world(experiment)
    settings: Any = experiment.algorithm.model_copy(update={"play": False})
    solution = truth.Truth(env.model, float(settings.gamma)).solution
    rows: dict[int, list[tuple[float, bool, int]]] = {count: [] for count in SIMULATIONS if count <= most}
    seconds = 0.0
    for number in range(ROOTS):
        state = int(env.reset(derive(number, "root")).obs[0, 0])
        search = uct.ModelSearch(settings, env)
        search.tree = search.empty(min(most, settings.max_nodes))
        search.tree.stream[:] = sampling.streams(number, "search", 1)
        done = 0
        for count in rows:
            began = time.process_time()
            search.grow(state, count - done)
            seconds += time.process_time() - began if number else 0.0  # the first one may compile
            done = count
            q = search.root(state)
            best = int(np.nanargmax(q))
            optimal = bool(solution.tied[env.model.pair_of(state, best)])
            nodes = int(search.tree.size[tree_search.NODES])
            rows[count].append((abs(float(q[best]) - float(solution.value[state])), optimal, nodes))
    env.close()
    return {
        "simulations_per_second": round(most * (ROOTS - 1) / seconds),
        "by_simulations": {
            str(count): {
                "error": mean(error for error, _, _ in found),
                "low": min(error for error, _, _ in found),
                "high": max(error for error, _, _ in found),
                "optimal": mean(right for _, right, _ in found),
                "nodes": mean(nodes for _, _, nodes in found),
            }
            for count, found in rows.items()
        },
    }


def games(experiment: Experiment, count: int) -> dict[str, Any]:
    """Mean returns of games: of each seed's searches, at random, and by the exact policy where a model is known."""
    world, task = experiment.environment, experiment.task
    found: dict[str, Any] = {"games": count, "by_seed": {}}
    for seed in (*SEEDS, *NEW_SEEDS):
        began = time.process_time()
        algorithm = build.build(experiment.replace(f"run.seed={seed}")).algorithm
        score = evaluate(algorithm.policy(), world, None, count, seed, task=task)
        found["by_seed"][str(seed)] = {"mean": score.mean, "sd": score.sd, "seconds": time.process_time() - began}
        print("  ", seed, found["by_seed"][str(seed)], file=sys.stderr, flush=True)
    found["random"] = baselines.means(world, None, 1_000, 0, 1, task)["random"]
    env: Any = build.world(experiment)
    if task != "env":
        solution = truth.Truth(env.model, float(experiment.algorithm.model_dump()["gamma"])).solution
        exact = greedy(env.model.first_pair, env.model.action, solution.q, env.model.num_actions)
        found["exact policy"] = evaluate(exact, world, None, 1_000, 0, task=task).mean
    env.close()
    return found


def foresight() -> dict[str, Any]:
    """Games of Blackjack, in which simulations see the cards that will be drawn: see docs/algorithms.md."""
    experiment = config.loads(BLACKJACK, "bench/uct.py")
    score = evaluate(build.build(experiment).algorithm.policy(), experiment.environment, None, 600, 0)
    return {"config": BLACKJACK, "games": 600, "mean": score.mean, "ci95": score.ci95}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=SIMULATIONS[-1], help="simulations of a root, at most")
    parser.add_argument("--save", action="store_true", help=f"write {RESULT.relative_to(ROOT)}")
    parser.add_argument("--grid", type=Path, metavar="FILE", help="write the grid's model and do nothing else")
    given = parser.parse_args(arguments)
    if given.grid is not None:
        write_grid(given.grid)
        return
    result: dict[str, Any] = {
        "command": shlex.join(["python", "bench/uct.py", *(sys.argv[1:] if arguments is None else arguments)]),
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": {"python": platform.python_version(), "numba": numba.__version__, "numpy": np.__version__},
        "convergence": {},
        "games": {},
    }
    for name in MODELS:
        print(name, file=sys.stderr, flush=True)
        most = min(given.most, MOST.get(name, given.most))
        result["convergence"][name] = convergence(config.load(ROOT / "configs" / f"{name}.yaml"), most)
    for name, count in GAMES.items():
        print(name, file=sys.stderr, flush=True)
        result["games"][name] = games(config.load(ROOT / "configs" / f"{name}.yaml"), count)
        if given.save:
            RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    result["foresight"] = foresight()
    if given.save:
        RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
