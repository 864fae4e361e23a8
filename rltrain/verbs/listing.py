"""The algorithms, the environments, and the runs with their state, score and age."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rltrain import registry
from rltrain.errors import RltrainError
from rltrain.experiment.settings import environment_name
from rltrain.run import folder, how_far, unverified
from rltrain.run.lock import is_locked
from rltrain.spelling import shown


@dataclass(frozen=True)
class RunSummary:
    """What a run's own files say of it; None where they do not."""

    name: str
    algorithm: str | None
    environment: str | None  # the id, or of a model's file its name alone
    state: str | None
    counters: Mapping[str, int]
    budget: Mapping[str, int]
    score: float | None
    scored: str | None  # evaluation or training: what the score is of
    best: float | None  # of the best evaluation
    age_seconds: float | None  # since it last said how it stands
    faults: list[str]  # what is wrong with the files, a line each


def algorithms() -> list[dict[str, str]]:
    """Name and summary of each algorithm that is installed."""
    return [{"name": name, "summary": registry.summary(name)} for name in registry.names()]


def runs(runs_dir: Path) -> list[RunSummary]:
    """The runs in a folder, by name; those of several seeds as NAME/s3, all of a sweep as one, NAME."""
    now = time.time()
    found = [run_summary(runs_dir / name, name, now) for name in folder.names(runs_dir)]
    found += [sweep_summary(runs_dir / name, name, now) for name in folder.sweeps(runs_dir)]
    return sorted(found, key=lambda run: folder.as_counted(run.name))


def sweep_summary(home: Path, name: str, now: float) -> RunSummary:
    """What the files in the folder of a sweep say: of its trials as of steps, of its best trial as of a run."""
    from rltrain.verbs.sweep import ranking, study

    config = unverified.config(home, study.BASE)
    faults, rows, trials, updated = list(config.faults), [], 0, None
    try:
        found = study.read(home)
        rows, trials = list(found.rows), found.settings.trials or 0
        updated = os.stat(home / study.TRIALS).st_mtime
    except FileNotFoundError:  # before the first batch ends
        pass
    except (RltrainError, OSError) as error:
        faults.append(shown(str(error).splitlines()[0]))
    ended = sum(row.state != "running" for row in rows)
    best = next((row.score for row in ranking.in_order(rows) if ranking.is_ranked(row)), None)
    return RunSummary(
        name=name,
        algorithm=None if config.algorithm is None else f"sweep of {config.algorithm}",
        environment=None if config.environment is None else environment_name(config.environment),
        state="running" if is_locked(home) else "finished" if 0 < trials <= ended else "interrupted",
        counters={"trials": ended},
        budget={"trials": trials} if trials else {},
        score=best,
        scored=None if best is None else "evaluation",
        best=best,
        age_seconds=None if updated is None else max(0.0, now - updated),
        faults=faults,
    )


def run_summary(run: Path, name: str, now: float) -> RunSummary:
    """What the files in a run folder say at `now`, Unix time. Nothing is raised for what they hold."""
    config, status = unverified.config(run), unverified.status(run)
    return RunSummary(
        name=name,
        algorithm=config.algorithm,
        environment=None if config.environment is None else environment_name(config.environment),
        state=how_far.state_of(run) or how_far.KILLED,  # it never came to say how it ended
        counters=dict(status.counters),
        budget=dict(config.budget),
        score=status.score,
        scored=status.scored,
        best=status.best_score,
        age_seconds=None if status.updated is None else max(0.0, now - status.updated),
        faults=[*config.faults, *config.edits, *status.faults],
    )
