"""Learning curves of configs over seeds: whole commands, one after the other, evaluated by games apart from training.

For every config and seed `rltrain train CONFIG --seed N` runs in a process of its own (what was killed is resumed, what
is finished is kept), then `rltrain eval --last` plays games that decided nothing, of a seed that no run knows: those
that end a run are its luckiest. Each config's curves go to OUT/NAME.json with commands, versions and machine; all that
are there are drawn into OUT/curves.png and listed in a table: mean over the seeds with its 95 % interval (Student's t).

    python bench/curves.py ppo_pendulum ppo_acrobot --out bench/results/ppo    # five seeds each
    python bench/curves.py --out bench/results/ppo                             # the picture and the table alone
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from learning_curve import read_run
from measuring import machine, machine_seconds, own_seconds

from rltrain.experiment import catalog
from rltrain.run.across_seeds import student_quantile

ROOT = Path(__file__).resolve().parent.parent
FRESH_SEED = 12_345
COLUMNS = 4  # of the picture


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Learning curves of configs over seeds")
    parser.add_argument("configs", nargs="*", metavar="CONFIG", help="of configs/, such as ppo_pendulum")
    parser.add_argument("--seeds", type=int, default=5, help="how many: 1, 2, ... [5]")
    parser.add_argument("--first", type=int, default=1, help="the first of them [1]")
    parser.add_argument("--episodes", type=int, default=100, help="fresh games of each trained policy [100]")
    parser.add_argument("--threads", type=int, default=1, help="run.threads of every run [1]")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="an override of every run")
    parser.add_argument("--as", dest="name", help="what a config with overrides is called [the config's name]")
    parser.add_argument("--quiet", action="store_true", help="no picture and no table")
    parser.add_argument("--out", required=True, type=Path, help="a folder, such as bench/results/ppo")
    parser.add_argument("--runs-dir", type=Path, default=ROOT / "runs", help="where the runs are kept [runs]")
    given = parser.parse_args(argv)
    if given.name and len(given.configs) != 1:
        parser.error("--as names one config")
    return given


def trained(config: str, name: str, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """The curve of one run, trained if it is not yet, and what others kept busy meanwhile."""
    run = f"{re.sub(r'[^a-zA-Z0-9]+', '_', name)}-{seed}"
    folder = given.runs_dir / run
    words = [f"run.threads={given.threads}", *given.set, *brought(config)]
    command = ["train", config, "--seed", str(seed), "--name", run, *words]
    status, log = folder / "status.json", folder / "busy.json"
    if not (status.is_file() and json.loads(status.read_text())["state"] in ("finished", "solved")):
        begun = command if not folder.exists() else ["resume", run, *brought(config)]
        busy, own, start = machine_seconds(), own_seconds(), time.perf_counter()
        call([*begun, "--quiet", "--runs-dir", str(given.runs_dir)])
        wall = time.perf_counter() - start
        others = max(0.0, (machine_seconds() - busy) - (own_seconds() - own)) / wall
        log.write_text(json.dumps({"wall_seconds": round(wall, 2), "other_cpu": round(others, 2)}))
    fresh = json.loads(
        call(
            ["eval", run, "--last", "--episodes", str(given.episodes), "--seed", str(FRESH_SEED), "--json"]
            + ["--runs-dir", str(given.runs_dir), *brought(config)]
        )
    )
    curve = read_run(folder)
    return {
        "seed": seed,
        "command": "rltrain " + " ".join(command),
        **json.loads(log.read_text()),
        "machine": curve["run"]["machine"],
        "exact": curve["run"]["exact"],
        "eval": curve["eval"],
        "steps": json.loads(status.read_text())["counters"]["env_steps"],
        "fresh": {key: fresh[key] for key in ("mean", "ci95", "episodes", "protocol") if key in fresh},
    }


def brought(config: str) -> list[str]:
    """The flags that bring a config's environment."""
    return [word for need in catalog.entry(config).needs for word in ("--import", need)]


def call(words: Sequence[str]) -> str:
    """What a command of rltrain prints."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-m", "rltrain", *words], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"rltrain {' '.join(words)} failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
    return done.stdout


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half the width of its 95 % interval; the width is NaN for fewer than three."""
    count = len(values)
    half = student_quantile(count - 1) * float(np.std(values, ddof=1)) / math.sqrt(count) if count >= 3 else math.nan
    return float(np.mean(values)), half


def summary(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Over the seeds of a config."""
    mean, half = interval([run["fresh"]["mean"] for run in runs])
    seconds = [run["wall_seconds"] for run in runs]
    return {
        "seeds": len(runs),
        "mean": round(mean, 2),
        "half_width": None if math.isnan(half) else round(half, 2),
        "worst": round(min(run["fresh"]["mean"] for run in runs), 2),
        "average": round(float(np.mean([np.mean(run["eval"]["mean"]) for run in runs])), 2),
        "steps": round(float(np.median([run["steps"] for run in runs]))),
        "seconds": {"median": float(np.median(seconds)), "low": min(seconds), "high": max(seconds)},
        "other_cpu": float(np.median([run["other_cpu"] for run in runs])),
    }


def table(found: dict[str, dict[str, Any]]) -> str:
    """All configs, as Markdown."""
    lines = [
        "| Config | Seeds | Mean of fresh games (95 % interval over seeds) | Worst seed | Steps | Seconds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in found.items():
        told = one["summary"]
        half = "" if told["half_width"] is None else f" ± {told['half_width']:,.4g}"
        low, high = told["seconds"]["low"], told["seconds"]["high"]
        lines.append(
            f"| `{name}` | {told['seeds']} | {told['mean']:,.5g}{half} | {told['worst']:,.5g} | {told['steps']:,} |"
            f" {told['seconds']['median']:,.3g} ({low:,.3g} to {high:,.3g}) |"
        )
    return "\n".join(lines)


def draw(found: dict[str, dict[str, Any]], path: Path) -> None:
    """Every config's evaluations over steps: each seed thin, their mean thick; one that ended stays where it was."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import EngFormatter, MaxNLocator

    rows = -(-len(found) // COLUMNS)
    figure, axes = pyplot.subplots(
        rows, COLUMNS, figsize=(3.2 * COLUMNS, 2.4 * rows), layout="constrained", squeeze=False
    )
    for axis in axes.flat[len(found) :]:
        axis.set_axis_off()
    for axis, (name, one) in zip(axes.flat, found.items(), strict=False):
        for run in one["runs"]:
            axis.plot(run["eval"]["env_steps"], run["eval"]["mean"], color="C0", alpha=0.35, linewidth=1)
        steps = max((run["eval"]["env_steps"] for run in one["runs"]), key=len)
        each = [np.interp(steps, run["eval"]["env_steps"], run["eval"]["mean"]) for run in one["runs"]]
        axis.plot(steps, np.mean(each, axis=0), color="C0", linewidth=2)
        axis.xaxis.set_major_locator(MaxNLocator(4))
        axis.xaxis.set_major_formatter(EngFormatter(sep=""))
        axis.set_title(name, fontsize="small")
        axis.tick_params(labelsize="x-small")
        axis.grid(alpha=0.3)
    figure.supxlabel("environment steps", fontsize="small")
    figure.supylabel("mean of an evaluation's games", fontsize="small")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main(argv: Sequence[str] | None = None) -> None:
    given = arguments(argv)
    given.out.mkdir(parents=True, exist_ok=True)
    for config in given.configs:
        runs, name = [], given.name or Path(config).name
        for seed in range(given.first, given.first + given.seeds):
            runs.append(trained(config, name, seed, given))
            last = runs[-1]
            print(f"{name} {seed}: {last['fresh']['mean']:.5g}, {last['wall_seconds']:.4g} s", flush=True)
        told = {"name": name, "config": config, "summary": summary(runs), "host": machine(), "runs": runs}
        (given.out / f"{re.sub(r'[^a-zA-Z0-9]+', '_', name)}.json").write_text(json.dumps(told, allow_nan=False) + "\n")
    if given.quiet:
        return
    found = {path.stem: json.loads(path.read_text()) for path in sorted(given.out.glob("*.json"))}
    found = {name: one for name, one in found.items() if "summary" in one and "runs" in one}
    if found:
        draw(found, given.out / "curves.png")
        print(table(found))


if __name__ == "__main__":
    main()
