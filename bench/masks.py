"""Q-learning on Taxi with its action masks and without: what the masks change, by steps.

configs/qlearn_taxi.yaml as it stands, four learners a seed, three seeds; once with `environment.action_masks`, the
default, and once without. Masked, its table has the pairs that are possible. At each row: the mean return of the last
100 training episodes, the share of states whose greedy action is optimal, and the mean regret of the start; at the end
1,000 games of the greedy policy from a fixed seed. Each side is held against the exact solution of its own table; the
optimal values of the two are the same, which is checked first.

    python bench/masks.py --save     # half a minute
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from measuring import machine

from rltrain.algos import qlearn
from rltrain.core import Hardware
from rltrain.envs import model_of
from rltrain.envs.gym import numbered
from rltrain.experiment.config import Experiment, load
from rltrain.mdp.solvers import solve
from rltrain.rng import Streams
from rltrain.run import evaluation

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "bench" / "results" / "masks" / "taxi.json"
COLUMNS = ("return/mean", "policy/right", "regret")
SEEDS = (0, 1, 2)
AT = (10_000, 50_000, 100_000, 200_000, 500_000, 1_000_000)  # steps of each learner
GAMES = 1000


def learned(experiment: Experiment, seed: int, at: Sequence[int], games: int) -> dict[str, Any]:
    """One run: a row of its metrics at each of these steps, and what its policy scores at the end."""
    env = numbered.make(experiment.environment, 1)
    config = experiment.algorithm
    assert isinstance(config, qlearn.QlearnConfig)
    learners = qlearn.make(config, env, Streams(seed), Hardware())
    rows = []
    for limit in at:
        learners.pause_at({"env_steps": limit})
        metrics = learners.step()
        while learners.env_steps < limit:
            metrics = learners.step()
        rows.append({"env_steps": limit, **{name: round(float(metrics[name]), 4) for name in COLUMNS}})
    score = evaluation.evaluate(learners.policy(), experiment.environment, None, games, 0, task="tabular")
    return {"seed": seed, "pairs": int(learners.agent.q.shape[1]), "rows": rows, "mean of the games": score.mean}


def compared(seeds: Sequence[int] = SEEDS, at: Sequence[int] = AT, games: int = GAMES) -> dict[str, Any]:
    """Both sides, and how far the optimal values of their tables are apart."""
    sides, values, found = {"masked": "true", "everything is tried": "false"}, [], {}
    for name, masks in sides.items():
        experiment = load(ROOT / "configs" / "qlearn_taxi.yaml", [f"environment.action_masks={masks}"])
        model = model_of(experiment.environment)
        assert model is not None
        values.append(solve.solve(model, 0.99, epsilon=1e-9).value)
        found[name] = [learned(experiment, seed, at, games) for seed in seeds]
    return {"optimal values apart by at most": float(np.abs(values[0] - values[1]).max()), "runs": found}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Q-learning on Taxi with its action masks and without")
    parser.add_argument("--save", action="store_true", help=f"write {RESULT.relative_to(ROOT)}")
    given = parser.parse_args(argv)
    packages = ("rltrain", "gymnasium", "numba", "numpy")
    result = {
        "command": shlex.join(["python", "bench/masks.py", *(sys.argv[1:] if argv is None else argv)]),
        "machine": machine(),
        "versions": {name: metadata.version(name) for name in packages},
        **compared(),
    }
    text = json.dumps(result, indent=1, allow_nan=False) + "\n"
    if given.save:
        RESULT.parent.mkdir(parents=True, exist_ok=True)
        RESULT.write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
