"""What a stated number of minutes on Ms. Pac-Man buys: trains seeds in turn, then plays games on fresh seeds.

Every seed is a run of its own of `configs/dqn_pacman.yaml`, unless another config is named. The games are those of
`rltrain eval`, under `nature` and `sticky`, with the run's newest weights and with those of its best evaluation. A run
that is complete is not trained again, so the command goes on after an interruption.

    python bench/pacman.py --minutes 10 --seeds 0 1 2 --save
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
PROTOCOLS = ("nature", "sticky")
EVAL_SEED = 1_000_000  # no run trains with it, and none chooses its best weights by it


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Ms. Pac-Man's score after a stated number of minutes")
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "dqn_pacman.yaml", help="[dqn_pacman.yaml]")
    parser.add_argument("--minutes", type=int, default=10, help="of training [10]")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="[0 1 2]")
    parser.add_argument("--episodes", type=int, default=30, help="games of an evaluation [30]")
    parser.add_argument("--runs-dir", type=Path, default=ROOT / "runs", help="where the runs are kept [runs]")
    parser.add_argument("--save", nargs="?", const=RESULTS / "pacman_10min.json", type=Path, help="write JSON")
    return parser.parse_args(argv)


def rltrain(*words: str | Path) -> str:
    command = [sys.executable, "-m", "rltrain", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout


def last_line(path: Path) -> str:
    return path.read_text().splitlines()[-1]


def train(given: argparse.Namespace, seed: int) -> Path:
    """The run of this seed, trained now if it is not there."""
    folder: Path = given.runs_dir / f"{given.config.stem}-{given.minutes}m-seed{seed}"
    if folder.exists() and json.loads(last_line(folder / "timings.jsonl"))["elapsed_seconds"] < 60 * given.minutes:
        raise SystemExit(f"{folder} is of a run that was stopped early; remove it first")
    if not folder.exists():
        limit = f"{given.minutes}m"
        options = ["--seed", str(seed), "--max-wall", limit, "--runs-dir", given.runs_dir, "--name", folder.name]
        rltrain("train", given.config, *options, "--quiet")
    return folder


def games(run: Path, protocol: str, episodes: int, *options: str) -> dict[str, Any]:
    """One evaluation, without the single games."""
    fixed = ["--protocol", protocol, "--episodes", str(episodes), "--seed", str(EVAL_SEED), "--json"]
    result: dict[str, Any] = json.loads(rltrain("eval", "--checkpoint", run, *fixed, *options))
    return {key: result[key] for key in ("checkpoint", "mean", "sd", "median", "min", "max", "ci95", "baselines")}


def measure(given: argparse.Namespace, seed: int) -> dict[str, Any]:
    run = train(given, seed)
    last = json.loads(last_line(run / "timings.jsonl"))
    row: dict[str, Any] = {"seed": seed, "env_steps": last["env_steps"], "seconds": round(last["elapsed_seconds"], 1)}
    for protocol in PROTOCOLS:
        row[protocol] = {"newest": games(run, protocol, given.episodes, "--last")}
    row["nature"]["best"] = games(run, "nature", given.episodes)
    for result in (row["nature"]["newest"], row["nature"]["best"], row["sticky"]["newest"]):
        result["checkpoint"] = Path(result["checkpoint"]).name
    return row


def main() -> None:
    given = arguments()
    rows = []
    for seed in given.seeds:
        rows.append(measure(given, seed))
        scores = {"nature": rows[-1]["nature"]["newest"]["mean"], "sticky": rows[-1]["sticky"]["newest"]["mean"]}
        print(f"seed {seed}: {rows[-1]['env_steps']:,} steps, {json.dumps(scores)}", flush=True)
    summary = {protocol: mean(row[protocol]["newest"]["mean"] for row in rows) for protocol in PROTOCOLS}
    print(f"mean of {len(rows)} seeds: {json.dumps(summary)}")
    if given.save is None:
        return
    run = given.runs_dir / f"{given.config.stem}-{given.minutes}m-seed{given.seeds[0]}"
    result = {
        "command": shlex.join(["python", "bench/pacman.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "machine": json.loads((run / "run.json").read_text())["machine"],
        "cores": len(os.sched_getaffinity(0)),
        "platform": platform.platform(),
        "minutes": given.minutes,
        "games": given.episodes,
        "mean_of_seeds": summary,
        "seeds": rows,
    }
    given.save.parent.mkdir(parents=True, exist_ok=True)
    given.save.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
