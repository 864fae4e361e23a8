"""What a stated time on Ms. Pac-Man buys: trains seeds in turn, then plays games on fresh seeds.

Every seed is a run of its own of `configs/dqn_pacman.yaml`, unless another config is named, with all cores. The time
counts from the start of training and holds everything but the games afterwards. The games are those of `rltrain eval`,
under `nature` and `sticky`, with the run's newest weights; no run trains with their seed, and none is chosen by it.

An interrupted command goes on where it was: a run that is complete is not trained again, one that is not is resumed,
and the result file, written after every seed, keeps the seeds that are not named now.

    python bench/pacman_hour.py --seeds 0 1 2 --save
    python bench/pacman_hour.py --config configs/dqn_pacman_100k.yaml --steps 100_000 --save
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from learning_curve import read_rows, seconds_at
from measuring import machine

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results" / "pacman"
PROTOCOLS = ("nature", "sticky")
EVAL_SEED = 1_000_000
MARKS = (1000, 2311)  # scores whose minute is noted: Mnih et al. 2015 report 2,311
RESAMPLES = 10_000


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Ms. Pac-Man's score after a stated time")
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "dqn_pacman.yaml", help="[dqn_pacman.yaml]")
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument("--minutes", type=int, default=60, help="of training [60]")
    limit.add_argument("--steps", type=int, help="of training, whatever time they take")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="[0 1 2]")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings that go before the file's")
    parser.add_argument("--name", help="of the runs and of the result [the config's name and the time]")
    parser.add_argument("--episodes", type=int, default=100, help="games of an evaluation [100]")
    parser.add_argument("--runs-dir", type=Path, default=ROOT / "runs", help="where the runs are kept [runs]")
    parser.add_argument("--save", action="store_true", help="write the result to bench/results/pacman")
    given = parser.parse_args(argv)
    limit_words = f"{given.steps // 1000}k" if given.steps else f"{given.minutes}m"
    given.name = given.name or f"{given.config.stem}-{limit_words}"
    return given


def rltrain(*words: str | Path) -> str:
    command = [sys.executable, "-m", "rltrain", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout


def elapsed(folder: Path) -> float:
    """Seconds of training, all sessions of the run together."""
    rows = read_rows(folder / "timings.jsonl", torn=True)
    return float(rows[-1]["elapsed_seconds"]) if rows else 0.0


def train(given: argparse.Namespace, seed: int) -> Path:
    """The run of this seed, complete."""
    folder: Path = given.runs_dir / f"{given.name}-seed{seed}"
    words: list[str | Path]
    if folder.exists():
        words = ["resume", folder]
        complete = json.loads((folder / "status.json").read_text())["state"] == "finished"
    else:
        words = ["train", given.config, "--seed", str(seed), "--runs-dir", given.runs_dir, "--name", folder.name]
        words += given.set + ([f"run.budget.env_steps={given.steps}"] if given.steps else [])
        complete = False
    if given.steps is None:
        left = 60 * given.minutes - (elapsed(folder) if folder.exists() else 0)
        words += ["--max-wall", f"{max(1, round(left))}s"]
        complete |= left < 1
    if not complete:
        rltrain(*words, "--quiet")
    return folder


def games(run: Path, protocol: str, episodes: int) -> dict[str, Any]:
    """One evaluation of the newest weights, without the single games."""
    fixed = ["--protocol", protocol, "--episodes", str(episodes), "--seed", str(EVAL_SEED), "--last", "--json"]
    result: dict[str, Any] = json.loads(rltrain("eval", "--checkpoint", run, *fixed))
    return {key: result[key] for key in ("mean", "sd", "median", "min", "max", "ci95")}


def minutes_to(run: Path, score: float) -> float | None:
    """When the mean raw score of the last 100 training games first reached this. None: never.

    Training games are full games with the run's own exploration; the mean lags by half of those games.
    """
    rows = [row for row in read_rows(run / "metrics.jsonl") if row["episodes"] >= 100]
    for row in rows:
        if row["return/mean"] >= score:
            seconds = seconds_at(read_rows(run / "timings.jsonl", torn=True), [row["env_steps"]])[0]
            return None if seconds is None else round(seconds / 60, 1)
    return None


def measure(given: argparse.Namespace, seed: int) -> dict[str, Any]:
    run = train(given, seed)
    last, facts = read_rows(run / "metrics.jsonl")[-1], json.loads((run / "run.json").read_text())
    row: dict[str, Any] = {
        "seed": seed,
        "env_steps": last["env_steps"],
        "updates": last["updates"],
        "seconds": round(elapsed(run), 1),
        "machine": facts["machine"],
        "training_games": last["return/mean"],  # mean of the last 100
        "minutes_to": {str(mark): minutes_to(run, mark) for mark in MARKS},
    }
    return row | {protocol: games(run, protocol, given.episodes) for protocol in PROTOCOLS}


def over_seeds(rows: Sequence[Mapping[str, Any]], protocol: str) -> dict[str, Any]:
    """Mean over seeds of a protocol's means, their standard deviation, and a 95 % bootstrap interval over seeds."""
    means = np.array([row[protocol]["mean"] for row in rows])
    draws = np.random.default_rng(0).choice(means, (RESAMPLES, len(means))).mean(axis=1)
    low, high = np.quantile(draws, (0.025, 0.975))
    sd = float(means.std(ddof=1)) if len(means) > 1 else None
    return {"mean": round(float(means.mean()), 1), "sd": sd, "ci95": [round(low, 1), round(high, 1)]}


def main() -> None:
    given = arguments()
    path = RESULTS / f"{given.name}.json"
    kept = {row["seed"]: row for row in json.loads(path.read_text())["seeds"]} if path.exists() and given.save else {}
    for seed in given.seeds:
        kept[seed] = row = measure(given, seed)
        scores = ", ".join(f"{protocol} {row[protocol]['mean']:.0f}" for protocol in PROTOCOLS)
        print(f"seed {seed}: {row['env_steps']:,} steps in {row['seconds'] / 60:.1f} minutes, {scores}", flush=True)
        rows = [kept[seed] for seed in sorted(kept)]
        result = {
            "command": shlex.join(["python", "bench/pacman_hour.py", *sys.argv[1:]]),
            "date": time.strftime("%Y-%m-%d"),
            "machine": machine(),
            "games": given.episodes,
            **{protocol: over_seeds(rows, protocol) for protocol in PROTOCOLS},
            "seeds": rows,
            "config": (given.runs_dir / f"{given.name}-seed{seed}" / "config.yaml").read_text(),
        }
        if given.save:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(result, indent=1) + "\n")
    for protocol in PROTOCOLS:
        found = result[protocol]
        interval = "{:.0f} to {:.0f}".format(*found["ci95"])
        print(f"{protocol}: mean of {len(rows)} seeds {found['mean']:.0f} (95 % {interval})")


if __name__ == "__main__":
    main()
