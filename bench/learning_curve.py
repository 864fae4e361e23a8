"""The learning curve of finished or running runs, as JSON and as a picture.

Left, the mean raw game score of the last 100 training games, over agent steps; right, the same over minutes of wall
clock. Dots are evaluations. Reads metrics.jsonl, eval.jsonl, timings.jsonl, run.json and config.yaml of a run folder;
changes nothing there.

    python bench/learning_curve.py runs/dqn_pacman-1 runs/dqn_pacman-2 --out bench/results/pacman
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rltrain.errors import InputError, MissingError, RltrainError

Row = dict[str, Any]


def read_rows(path: Path, *, torn: bool = False) -> list[Row]:
    """The objects of a JSON-lines file. A last line that a running or killed process cut short is left out.

    `torn`: so is any other; in a log that a resumed run goes on with as it stands, the cut line is in the middle.
    """
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    rows = []
    for number, line in enumerate(lines[:-1], start=1):  # what follows the last newline is unfinished, or nothing
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            if not torn:
                raise InputError(f"{path}:{number}: not a JSON object: {error}") from error
    return rows


def thin(rows: Sequence[Row], most: int = 500) -> list[Row]:
    """At most this many rows, evenly spaced, the first and the last among them."""
    if len(rows) <= most:
        return list(rows)
    return [rows[i] for i in np.linspace(0, len(rows) - 1, most).round().astype(int)]


def seconds_at(timings: Sequence[Row], env_steps: Sequence[float]) -> list[float | None]:
    """Wall-clock seconds of training, all sessions together, at which these agent steps were reached."""
    known: list[tuple[float, float]] = []
    for row in timings:
        while known and known[-1][0] >= row["env_steps"]:  # what was killed before it was saved, and then done again
            known.pop()
        known.append((row["env_steps"], row["elapsed_seconds"]))
    if not known:
        return [None] * len(env_steps)
    at, elapsed = zip(*known, strict=True)
    return [round(float(seconds), 2) for seconds in np.interp(env_steps, at, elapsed)]


def read_run(folder: Path) -> dict[str, Any]:
    """One run's curve and what it is a curve of."""
    if not (folder / "metrics.jsonl").is_file():
        raise InputError(f"{folder}: no run folder: it holds no metrics.jsonl")
    train, evals = thin(read_rows(folder / "metrics.jsonl")), read_rows(folder / "eval.jsonl")
    timings = read_rows(folder / "timings.jsonl", torn=True)
    curve: dict[str, Any] = {"name": folder.name}
    if (folder / "config.yaml").is_file():
        curve["config"] = (folder / "config.yaml").read_text(encoding="utf-8")  # as it stands: it is itself an input
    if (folder / "run.json").is_file():
        curve["run"] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    for table, rows, score in (("train", train, "return/mean"), ("eval", evals, "mean")):
        env_steps = [row["env_steps"] for row in rows]
        curve[table] = {
            "env_steps": env_steps,
            "seconds": seconds_at(timings, env_steps),
            "episodes": [row.get("episodes") for row in rows],
            "mean": [row.get(score) for row in rows],
        }
    return curve


def plot(curves: Sequence[dict[str, Any]], path: Path) -> None:
    try:
        import matplotlib
    except ImportError as error:
        raise MissingError("the picture needs matplotlib: pip install 'rltrain[plot]'") from error
    matplotlib.use("Agg")  # draws into a file, wherever there is no screen
    from matplotlib import pyplot

    figure, (by_step, by_time) = pyplot.subplots(1, 2, figsize=(11, 4), sharey=True, layout="constrained")
    for number, curve in enumerate(curves):
        colour = f"C{number}"
        for axis, key, unit in ((by_step, "env_steps", 1.0), (by_time, "seconds", 60.0)):
            for table, style in (("train", {"label": curve["name"]}), ("eval", {"marker": "o", "linestyle": "none"})):
                x, y = points(curve[table][key], curve[table]["mean"], unit)
                axis.plot(x, y, color=colour, **style)
    by_step.set(xlabel="agent steps", ylabel="mean game score")
    by_time.set(xlabel="minutes")
    by_step.legend(title="line: training, dots: evaluation", fontsize="small")
    for axis in (by_step, by_time):
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def points(x: Sequence[float | None], y: Sequence[float | None], unit: float) -> tuple[list[float], list[float]]:
    """The points of which both numbers are known, x in units of `unit`."""
    known = [(a / unit, b) for a, b in zip(x, y, strict=True) if a is not None and b is not None]
    return [a for a, _ in known], [b for _, b in known]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="The learning curve of runs, as JSON and as a PNG")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    parser.add_argument(
        "--out", required=True, type=Path, help="writes OUT.json and OUT.png, such as bench/results/pacman"
    )
    given = parser.parse_args(argv)
    try:
        curves = [read_run(folder) for folder in given.runs]
        given.out.parent.mkdir(parents=True, exist_ok=True)
        written = [given.out.with_name(given.out.name + ending) for ending in (".json", ".png")]
        written[0].write_text(json.dumps({"runs": curves}, allow_nan=False) + "\n", encoding="utf-8")
        print(f"wrote {written[0]}")
        plot(curves, written[1])
        print(f"wrote {written[1]}")
    except RltrainError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
