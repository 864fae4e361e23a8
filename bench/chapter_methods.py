"""What the chapter's methods reach in the same minutes on actions that are numbers, PPO beside them: one picture.

Each run is a process of its own with one thread, one after the other. Minutes are processor time, from the start of the
process, so that a busy machine takes from nobody. At tenths of the time the newest checkpoint by then plays games of
the greedy policy, which are apart from training: their seed is no run's, and they count for no minute. The picture has
each seed thin, the mean over seeds thick, and at the right the 95 % interval of the last mean (Student's t).

Settings are those of the configs. An interrupted command goes on where it was: what is complete is not done again, and
with more minutes than before, runs are taken further. The result file is written after every run.

    python bench/chapter_methods.py --environment Pendulum-v1 --minutes 1 --seeds 1 2 3 4 5
    python bench/chapter_methods.py --environment HalfCheetah-v5 --minutes 5 --seeds 1 2 3
    python bench/chapter_methods.py --draw    # the picture anew, of what was measured
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from measuring import children_seconds, machine, machine_seconds, own_seconds, seconds_of
from pacman_hour import NO_BUDGET, from_here, settings_of

if TYPE_CHECKING:
    from rltrain.experiment.config import Experiment

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "bench" / "results" / "continuous" / "chapter_methods.json"
METHODS = ("reinforce", "genetic", "cmaes", "openai_es", "ppo")
POINTS = 10  # evaluations of a run, evenly spaced
EVAL_SEED = 1_000_000
LOOK_SECONDS = 0.05  # between two looks at the processor time of a run
MOST_SAVES = 80  # of a run: it can keep 100 checkpoints


class Task(NamedTuple):
    """An environment, and what its runs need."""

    configs: str  # their names, with {} for the method
    games: int  # of an evaluation
    fastest: int  # environment steps that no method exceeds in a minute


TASKS = {
    "Pendulum-v1": Task("{}_pendulum", 50, 4_000_000),
    "HalfCheetah-v5": Task("worlds/halfcheetah_{}", 5, 1_000_000),
}


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The chapter's methods and PPO in the same minutes")
    parser.add_argument("--environment", choices=TASKS, help="which; without it nothing is trained")
    parser.add_argument("--method", action="append", choices=METHODS, help="may be given again [all]")
    parser.add_argument("--minutes", type=float, default=1.0, help="of processor time, for each run [1]")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="[1 2 3]")
    parser.add_argument("--runs-dir", type=Path, default=ROOT / "runs", help="where the runs are kept [runs]")
    parser.add_argument("--out", type=Path, default=RESULT, help=f"[{RESULT.relative_to(ROOT)}], and the picture by it")
    parser.add_argument("--draw", action="store_true", help="draw the picture of what was measured, and no more")
    given = parser.parse_args(argv)
    if not given.draw and given.environment is None:
        parser.error("name an --environment, or --draw")
    if given.minutes <= 0:
        parser.error(f"--minutes {given.minutes:g}: must be positive")
    given.runs_dir = given.runs_dir.resolve()
    return given


# One run


class Clock:
    """The processor seconds after which each checkpoint of a run was written, in a file beside the run's folder."""

    def __init__(self, run: Path) -> None:
        self._run, self._file = run, run.with_name(f"{run.name}.seconds.json")
        self.seconds: dict[str, float] = json.loads(self._file.read_text()) if self._file.exists() else {}

    def look(self, seconds: float) -> None:
        """Note checkpoints that are new by now."""
        new = {path.parent.name for path in self._run.glob("checkpoints/ckpt-*/MANIFEST.json")} - set(self.seconds)
        if new:
            self.seconds |= dict.fromkeys(sorted(new), round(seconds, 2))
            self._file.write_text(json.dumps(self.seconds))

    @property
    def latest(self) -> float:
        return max(self.seconds.values(), default=0.0)

    def newest_by(self, seconds: float) -> Path | None:
        """The checkpoint that the run had by then; None: it had none, or keeps it no longer."""
        known = [name for name, at in self.seconds.items() if at <= seconds]
        found = self._run / "checkpoints" / max(known) if known else None
        return found if found is not None and found.exists() else None


def experiment_of(config: str, minutes: float, fastest: int, seed: int) -> tuple[Experiment, list[str]]:
    """What is run, and its settings beside the config's own: one thread, no end but the time, no games but training."""
    from rltrain.experiment.config import load

    every = max(1, round(fastest * minutes / MOST_SAVES))
    settings = ["run.threads=1", f"run.budget={{env_steps: {NO_BUDGET}}}", "run.evaluate.every=null"]
    settings += ["run.evaluate.until=null", f"run.save={{every: {{env_steps: {every}}}, keep: 100}}"]
    return load(config, [*settings, f"run.seed={seed}"]), settings


def check_settings(asked: Experiment, run: Path) -> None:
    """SystemExit if the folder holds a run of other settings than those that are asked for."""
    from rltrain.experiment import config

    for key, new, old in config.differences(asked, config.load(run / "config.yaml")):
        if not key.startswith("run."):
            raise SystemExit(f"{run} is a run of other settings: {key} is {old} there, {new} here; remove it")


def train(config: str, settings: Sequence[str], seed: int, run: Path, minutes: float) -> Clock:
    """The clock of a run of this seed that has had so many minutes, or is taken so far. SystemExit if it fails."""
    clock, limit = Clock(run), 60 * minutes
    words = ["train", config, *settings, "--seed", str(seed), "--name", run.name]
    words = ["resume", run.name, *settings] if run.exists() else words
    if clock.latest >= limit:
        return clock
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    before, children = clock.latest, children_seconds()
    command = [sys.executable, "-m", "rltrain", *words, "--runs-dir", str(from_here(run.parent)), "--quiet"]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **one_thread}, stdout=subprocess.PIPE)
    try:
        while process.poll() is None and (seconds := before + seconds_of(process.pid)) < limit:
            clock.look(seconds)
            time.sleep(LOOK_SECONDS)
    finally:
        process.send_signal(signal.SIGTERM)  # it finishes its step and saves
        said = process.communicate()[0].decode()
    clock.look(before + children_seconds() - children)
    if clock.latest < limit:
        raise SystemExit(f"ended with {process.returncode}: {shlex.join(command)}\n{said}")
    return clock


def points_of(clock: Clock, minutes: float, games: int) -> list[dict[str, Any]]:
    """The evaluations of a run at tenths of its time."""
    from rltrain.verbs.evaluate import evaluate

    points: list[dict[str, Any]] = []
    for tenth in range(1, POINTS + 1):
        checkpoint = clock.newest_by(60 * minutes * tenth / POINTS)
        if checkpoint is None:
            continue
        at = {"minutes": round(minutes * tenth / POINTS, 4), "checkpoint": checkpoint.name}
        if points and points[-1]["checkpoint"] == checkpoint.name:  # none was written since
            points.append(points[-1] | at)
            continue
        score = evaluate(checkpoint, games, "training", seed=EVAL_SEED, beside=False)
        low, high = score.interval
        found = {"mean": round(score.mean, 2), "ci95_games": [round(low, 2), round(high, 2)]}
        points.append(at | {"env_steps": score.counters["env_steps"], **found})
    return points


def measure(given: argparse.Namespace, method: str, seed: int) -> dict[str, Any]:
    """A run of one method and seed, trained and evaluated."""
    task = TASKS[given.environment]
    config = task.configs.format(method)
    experiment, settings = experiment_of(config, given.minutes, task.fastest, seed)
    run = given.runs_dir / f"{config.replace('/', '-')}-seed{seed}"
    start, busy, own = time.perf_counter(), machine_seconds(), own_seconds()
    if run.exists():
        check_settings(experiment, run)
    clock = train(config, settings, seed, run, given.minutes)
    wall = time.perf_counter() - start
    others = max(0.0, (machine_seconds() - busy) - (own_seconds() - own)) / wall
    asked = f"--environment {given.environment} --method {method} --minutes {given.minutes:g} --seeds {seed}"
    return {
        "environment": given.environment,
        "method": method,
        "seed": seed,
        "minutes": given.minutes,
        "games": task.games,
        "config": settings_of(experiment),
        "points": points_of(clock, given.minutes, task.games),
        "command": f"python bench/chapter_methods.py {asked}",
        "date": time.strftime("%Y-%m-%d"),
        "wall_seconds": round(wall, 1),
        "other_cpu": round(others, 2),
    }


# All runs


def complete(row: Mapping[str, Any], given: argparse.Namespace, method: str, seed: int) -> bool:
    """Whether this is the run that is asked for, as it would be made today."""
    task = TASKS[given.environment]
    experiment, _ = experiment_of(task.configs.format(method), given.minutes, task.fastest, seed)
    asked = (given.environment, method, seed, given.minutes, task.games, settings_of(experiment))
    return asked == tuple(row[key] for key in ("environment", "method", "seed", "minutes", "games", "config"))


def summary(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of each environment and method: at each point the mean over seeds, and its 95 % interval."""
    from rltrain.run.across_seeds import across

    found = []
    for environment in TASKS:
        for method in METHODS:
            own = [run for run in runs if (run["environment"], run["method"]) == (environment, method)]
            minutes = sorted(set.intersection(*({p["minutes"] for p in run["points"]} for run in own))) if own else []
            for at in minutes:
                scores = across([p["mean"] for run in own for p in run["points"] if p["minutes"] == at])
                assert scores is not None
                row = {"environment": environment, "method": method, "minutes": at, "seeds": scores.n}
                ends = None if scores.ci95 is None else [round(end, 1) for end in scores.ci95]
                found.append(row | {"mean": round(scores.mean, 1), "ci95": ends})
    return found


def baselines_of(environment: str) -> dict[str, float]:
    """Mean scores of random play and of a hard-coded rule, where there is one, in as many games from the same seed."""
    from rltrain.experiment.settings import EnvironmentConfig
    from rltrain.run import baselines

    played = baselines.means(EnvironmentConfig(id=environment), "training", TASKS[environment].games, EVAL_SEED)
    return {name: round(mean, 1) for name, mean in played.items()}


def write(path: Path, runs: Sequence[Mapping[str, Any]], baselines: Mapping[str, Any]) -> None:
    versions = {name: importlib.metadata.version(name) for name in ("rltrain", "numpy", "gymnasium", "mujoco")}
    result = {
        "machine": machine(),
        "versions": {"python": sys.version.split()[0], **versions},
        "minutes": "of processor time from the start of the process, one thread",
        "baselines": baselines,
        "summary": summary(runs),
        "runs": runs,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)


# The picture


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Return over minutes, a panel for each environment: each seed, their mean, and at the end its interval."""
    from rltrain.report import canvas

    measured = [name for name in TASKS if any(row["environment"] == name for row in result["summary"])]
    figure, (only,) = canvas.panels(height=3.6)
    figure.delaxes(only)
    panels = list(figure.subplots(1, len(measured), squeeze=False)[0])
    for panel, environment in zip(panels, measured, strict=True):
        own = [run for run in result["runs"] if run["environment"] == environment]
        end = max(run["minutes"] for run in own)
        for number, method in enumerate(METHODS):
            colour, _ = canvas.colour(number)
            for points in (run["points"] for run in own if run["method"] == method):
                seed = [point["minutes"] for point in points], [point["mean"] for point in points]
                panel.plot(*seed, color=colour, linewidth=0.8, alpha=0.4)
            rows = [row for row in result["summary"] if (row["environment"], row["method"]) == (environment, method)]
            canvas.line(panel, [row["minutes"] for row in rows], [row["mean"] for row in rows], colour, method)
            if rows and rows[-1]["ci95"]:
                (low, high), place = rows[-1]["ci95"], end * (1.04 + 0.03 * number)
                half = (high - low) / 2
                panel.errorbar(place, low + half, half, color=colour, fmt="o", markersize=4, capsize=3)
        random = result["baselines"][environment]["random"]
        panel.axhline(random, color=canvas.GREY, linestyle=":", linewidth=1.4, label="random play")
        panel.set_xlim(0, None)
        panel.set_xticks([round(end * fifth / 5, 4) for fifth in range(6)])
        panel.set_xlabel("minutes of one core")
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
        panel.set_title(f"{environment}, {len({run['seed'] for run in own})} seeds", loc="left", fontweight="bold")
    panels[0].set_ylabel("mean return of the greedy policy")
    titles = [panel.get_title(loc="left") for panel in panels]
    canvas.finish(figure, panels, titles[0], below=True)
    canvas.write(figure, path)


def main(argv: Sequence[str] | None = None) -> None:
    given = arguments(argv)
    result = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {"runs": [], "baselines": {}}
    runs, baselines = list(result["runs"]), dict(result["baselines"])
    if not given.draw:
        baselines.setdefault(given.environment, baselines_of(given.environment))
    for seed in [] if given.draw else given.seeds:  # all methods of a seed, so that an early end leaves whole seeds
        for method in given.method or METHODS:
            if any(complete(row, given, method, seed) for row in runs):
                print(f"{method}, seed {seed}: {given.out.name} has it")
                continue
            row = measure(given, method, seed)
            last = row["points"][-1]
            print(f"{method}, seed {seed}: {last['mean']:.0f} after {last['env_steps']:,} steps", flush=True)
            same = (given.environment, method, seed)
            others = [run for run in runs if (run["environment"], run["method"], run["seed"]) != same]
            place = {name: number for number, name in enumerate((*TASKS, *METHODS))}
            runs = sorted(
                [*others, row], key=lambda run: (place[run["environment"]], place[run["method"]], run["seed"])
            )
            write(given.out, runs, baselines)
    result = json.loads(given.out.read_text(encoding="utf-8"))
    draw(result, given.out.with_suffix(".png"))
    print(f"wrote {given.out} and its picture")
    for row in result["summary"]:
        if row["minutes"] == max(run["minutes"] for run in runs if run["environment"] == row["environment"]):
            print(f"{row['environment']} {row['method']}: {row['mean']:,.0f} {row['ci95']}, {row['seeds']} seeds")


if __name__ == "__main__":
    main()
