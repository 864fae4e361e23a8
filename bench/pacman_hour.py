"""What a stated time on Ms. Pac-Man buys: trains seeds in turn, then plays games on fresh seeds.

Every seed is a run of its own of `configs/dqn_pacman.yaml`, unless another config is named, with all cores. The time
counts from the start of training and holds everything but the games afterwards. The games are those of `rltrain eval`,
under `nature` and `sticky`, with the run's newest weights; no run trains with their seed, and none is chosen by it.

An interrupted command goes on where it was: a run that is complete is not trained again, one that is not is resumed
from its newest checkpoint, and what was trained since that is neither kept nor counted. The result file is written
after every seed and keeps seeds of earlier commands, if they are of the same settings, time and number of games; they
are not measured again. A run that diverges stays.

    python bench/pacman_hour.py --seeds 0 1 2 --save
    python bench/pacman_hour.py --seeds 0 --set algorithm.double=false --name no-double --save
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from learning_curve import read_rows, seconds_at
from measuring import machine, machine_seconds, own_seconds

if TYPE_CHECKING:
    from rltrain.experiment.config import Experiment

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results" / "pacman"
PROTOCOLS = ("nature", "sticky")
EVAL_SEED = 1_000_000
MARKS = (1000, 2311)  # scores whose minute is noted: Mnih et al. 2015 report 2,311
DIVERGED = 6  # exit code of a run whose loss is no number
NO_BUDGET = 10**12  # steps: the time ends the run


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = parser_of("Ms. Pac-Man's score after a stated time", "dqn_pacman.yaml", [0, 1, 2])
    parser.add_argument("--name", help="of the runs and of the result [the config's name and the time]")
    parser.add_argument("--save", action="store_true", help="write the result to bench/results/pacman")
    given = parser.parse_args(argv)
    if given.set and not given.name:
        parser.error("--set needs --name: the results of other settings need a name of their own")
    limit_words = f"{given.steps}-steps" if given.steps else f"{given.minutes}m"
    given.name = given.name or f"{given.config.stem}-{limit_words}"
    return given


def parser_of(description: str, config: str, seeds: list[int]) -> argparse.ArgumentParser:
    """What every measurement of a stated time is asked by; the defaults are a config of configs/ and seeds."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", type=resolved, default=ROOT / "configs" / config, help=f"[{config}]")
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument("--minutes", type=int, default=60, help="of training, each run [60]")
    limit.add_argument("--steps", type=int, help="of training, whatever time they take")
    parser.add_argument("--seeds", type=int, nargs="+", default=seeds, help=f"[{' '.join(map(str, seeds))}]")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings before the file's")
    parser.add_argument("--episodes", type=int, default=100, help="games of an evaluation [100]")
    parser.add_argument("--runs-dir", type=resolved, default=ROOT / "runs", help="where the runs are kept [runs]")
    return parser


def resolved(path: str) -> Path:
    return Path(path).resolve()


def rltrain(*words: str | Path) -> int:
    """The exit code. An interruption of this script is one of the run's, and it is waited for: it saves."""
    process = subprocess.Popen([sys.executable, "-m", "rltrain", *map(str, words)], cwd=ROOT)
    before = signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGTERM))
    try:
        return process.wait()
    except KeyboardInterrupt:  # the terminal has sent it to both
        process.wait()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def learned(folder: Path) -> dict[str, Any]:
    """Of the newest checkpoint: counters and elapsed_seconds, all sessions of the run together."""
    manifests = sorted((folder / "checkpoints").glob("ckpt-*/MANIFEST.json"))
    if not manifests:
        return {"counters": {"env_steps": 0, "updates": 0}, "elapsed_seconds": 0.0}
    meta: dict[str, Any] = json.loads(manifests[-1].read_text())["manifest"]["meta"]
    return meta


def check_settings(given: argparse.Namespace, folder: Path) -> None:
    """SystemExit if the folder holds a run of other settings than those that are asked for."""
    from rltrain.experiment import config

    asked = config.load(given.config, given.set)
    there = config.load(folder / "config.yaml", [])
    ignored = ("run.seed", "run.budget", "run.max_wall")
    for key, new, old in config.differences(asked, there):
        if not key.startswith(ignored):
            raise SystemExit(f"{folder} is a run of other settings: {key} is {old} there, {new} here; use --name")


def train(given: argparse.Namespace, seed: int) -> Path:
    """The run of this seed, complete, or diverged."""
    folder: Path = given.runs_dir / f"{given.name}-seed{seed}"
    words: list[str | Path] = ["train", from_here(given.config), *given.set, "--seed", str(seed), "--name", folder.name]
    words += ["--runs-dir", from_here(given.runs_dir)]
    if folder.exists():
        check_settings(given, folder)
        words = ["resume", folder]
    if given.steps:
        words += ["-n", str(given.steps)]
    else:
        left = 60 * given.minutes - learned(folder)["elapsed_seconds"]
        words += ["-n", str(NO_BUDGET), "--max-wall", f"{max(1, round(left))}s"]
    if not finished(given, folder):
        code = rltrain(*words, "--quiet")
        if code not in (0, DIVERGED) and not finished(given, folder):
            raise SystemExit(f"the run ended with {code}: {folder}")
    return folder


def from_here(path: Path) -> Path:
    """As the run will note it: without the place of this checkout."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def finished(given: argparse.Namespace, folder: Path) -> bool:
    meta = learned(folder)
    if given.steps:
        return bool(meta["counters"]["env_steps"] >= given.steps)
    return bool(meta["elapsed_seconds"] >= 60 * given.minutes - 1)


def games(run: Path, protocol: str, episodes: int) -> dict[str, Any]:
    """One evaluation of the newest weights, without the single games."""
    fixed = ["--protocol", protocol, "--episodes", str(episodes), "--seed", str(EVAL_SEED), "--last", "--json"]
    command = [sys.executable, "-m", "rltrain", "eval", "--checkpoint", str(run), *fixed]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    result: dict[str, Any] = json.loads(done.stdout)
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
    start, busy, own = time.perf_counter(), machine_seconds(), own_seconds()
    run = train(given, seed)
    others = max(0.0, (machine_seconds() - busy) - (own_seconds() - own)) / (time.perf_counter() - start)
    meta, facts = learned(run), json.loads((run / "run.json").read_text())
    row: dict[str, Any] = {
        "seed": seed,
        "command": shlex.join(["python", "bench/pacman_hour.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine() | {"versions": facts["machine"], "other_cpu": round(others, 2)},
        "chosen": facts.get("chosen", {}),
        "env_steps": meta["counters"]["env_steps"],
        "updates": meta["counters"]["updates"],
        "seconds": round(meta["elapsed_seconds"], 1),
        "complete": finished(given, run),  # False: it diverged; what it had learned is scored all the same
        "training_games": read_rows(run / "metrics.jsonl")[-1]["return/mean"],  # mean of the last 100
        "minutes_to": {str(mark): minutes_to(run, mark) for mark in MARKS},
    }
    return row | {protocol: games(run, protocol, given.episodes) for protocol in PROTOCOLS}


def over_seeds(rows: Sequence[Mapping[str, Any]], protocol: str) -> dict[str, Any]:
    """Mean over seeds of a protocol's means, their standard deviation, and Student's 95 % interval of the mean."""
    from scipy import stats

    means = np.array([row[protocol]["mean"] for row in rows])
    found: dict[str, Any] = {"mean": round(float(means.mean()), 1), "sd": None, "ci95": None}
    if len(means) > 1:
        sd = float(means.std(ddof=1))
        half = float(stats.t.ppf(0.975, len(means) - 1)) * sd / len(means) ** 0.5
        found |= {"sd": round(sd, 1), "ci95": [round(found["mean"] - half, 1), round(found["mean"] + half, 1)]}
    return found


def earlier(path: Path, fixed: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """Seeds that the result file has. SystemExit if what is `fixed` differs there."""
    if not path.exists():
        return {}
    result = json.loads(path.read_text())
    result["config"] = as_of_today(result.get("config", ""))
    for name, value in fixed.items():
        if result.get(name) != value:
            raise SystemExit(f"{path} is of another {name}; remove it, or use --name")
    return {row["seed"]: row for row in result["seeds"]}


def fixed_of(given: argparse.Namespace) -> dict[str, Any]:
    """What the seeds of one measurement have in common: the limit, the games, the config."""
    from rltrain.experiment import config

    limit = f"{given.steps} steps" if given.steps else f"{given.minutes} minutes"
    return {"limit": limit, "episodes": given.episodes, "config": settings_of(config.load(given.config, given.set))}


def settings_of(experiment: Experiment) -> str:
    """Its YAML, without what differs from seed to seed."""
    lines = experiment.to_yaml().splitlines()
    return "".join(f"{line}\n" for line in lines if not line.lstrip().startswith(("seed:", "max_wall:")))


def as_of_today(text: str) -> str:
    """What `settings_of` once gave, with the defaults of settings that came later; as it is if it means nothing now."""
    from rltrain.errors import InputError
    from rltrain.experiment import config

    try:
        return settings_of(config.loads(text, "the result file's config"))
    except InputError:
        return text


def main() -> None:
    given = arguments()
    path = RESULTS / f"{given.name}.json"
    fixed = fixed_of(given)
    rows = list(earlier(path, fixed).values()) if given.save else []
    for seed in given.seeds:
        if seed in {row["seed"] for row in rows}:
            print(f"seed {seed}: {path.name} has it")
            continue
        row = measure(given, seed)
        scores = ", ".join(f"{protocol} {row[protocol]['mean']:.0f}" for protocol in PROTOCOLS)
        print(f"seed {seed}: {row['env_steps']:,} steps in {row['seconds'] / 60:.1f} minutes, {scores}", flush=True)
        rows = sorted([*rows, row], key=lambda row: row["seed"])
        if given.save:
            result = {protocol: over_seeds(rows, protocol) for protocol in PROTOCOLS}
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_suffix(".tmp")
            beside.write_text(json.dumps({**result, "seeds": rows, **fixed}, indent=1) + "\n")
            beside.replace(path)
    for protocol in PROTOCOLS:
        found = over_seeds(rows, protocol)
        interval = "" if found["ci95"] is None else " (95 % {:.0f} to {:.0f})".format(*found["ci95"])
        print(f"{protocol}: mean of {len(rows)} seeds {found['mean']:.0f}{interval}")


if __name__ == "__main__":
    main()
