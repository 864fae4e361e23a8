"""How good a run is so far: its last and its best evaluation, and the mean of its last training games."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any

from rltrain.core import Metrics, Policy, State
from rltrain.envs.remote.crew import Crew
from rltrain.experiment.config import Experiment
from rltrain.plain_files import as_number, last_json_line
from rltrain.rng import derive
from rltrain.run.evaluation import Evaluation, OngoingEvaluation
from rltrain.saved import Saved


def games_at(
    step: int, experiment: Experiment, policy: Policy, threads: int, crew: Crew | None = None
) -> OngoingEvaluation:
    """The evaluation games of a run at a step, on seeds that depend on the run's seed and the step alone."""
    settings = experiment.run.evaluate
    return OngoingEvaluation(
        policy,
        experiment.environment,
        settings.protocol,
        settings.episodes,
        derive(experiment.run.seed, "eval", step),
        threads=threads,
        task=experiment.task,
        crew=crew,
    )


class RunScores:
    """`until`: the mean of an evaluation at which the run counts as solved; None: it never does."""

    def __init__(self, until: float | None) -> None:
        self._until = until
        self.best: dict[str, Any] | None = None  # score and step of the best evaluation
        self.last: dict[str, float] | None = None  # what the last evaluation measured
        self.due = False  # an evaluation is, and has not been made
        self._training: float | None = None  # for a run that is never evaluated

    @property
    def solved(self) -> bool:
        """Whether an evaluation reached the score at which the run was to end."""
        return self._until is not None and self.best is not None and self.best["score"] >= self._until

    def trained(self, metrics: Metrics) -> None:
        """Take in a row of training metrics, of which return/mean is the score of a run that is never evaluated."""
        mean = metrics.get("return/mean", math.nan)
        self._training = mean if math.isfinite(mean) else self._training

    def evaluated(self, result: Evaluation, step: int) -> Metrics:
        """Take in an evaluation that was made at `step`, the count of the primary counter. Returns its metrics."""
        metrics = {"mean": result.mean, "sd": result.sd, "min": result.min, "max": result.max, "median": result.median}
        metrics |= {"ci95/low": result.ci95[0], "ci95/high": result.ci95[1], "episodes": float(len(result.returns))}
        if result.chosen:  # the action that is chosen most, by its number, and how often: a policy may be stuck in one
            most = max(range(len(result.chosen)), key=result.chosen.__getitem__)
            metrics |= {"action/most": float(most), "action/share": result.chosen[most] / max(1, sum(result.chosen))}
        self.last, self.due = metrics, False
        if self.best is None or result.mean > self.best["score"]:
            self.best = {"score": result.mean, "step": step}
        return metrics

    def summary(self) -> dict[str, Any]:
        """score, scored (what it is of: evaluation or training) and best, as status.json has them."""
        scored = "evaluation" if self.last else "training"
        return {"score": self.last["mean"] if self.last else self._training, "scored": scored, "best": self.best}

    def save(self) -> State:
        """The evaluations so far, and whether one is due: part of a run's state."""
        return {"best": self.best, "last_evaluation": self.last, "evaluation_due": self.due}

    def load(self, state: State) -> None:
        """Go back to the evaluations of a state. CheckpointError."""
        saved = Saved.of(state)
        self.best = self.last = None
        if saved.given("best"):
            best = saved.part("best")
            self.best = {"score": best.number("score"), "step": best.integer("step")}
        if saved.given("last_evaluation"):
            evaluation = saved.part("last_evaluation")
            self.last = {"mean": evaluation.number("mean")}
            self.last |= {name: evaluation.number(name) for name in evaluation}
        self.due = saved.flag("evaluation_due")

    def recall(self, folder: Path) -> None:
        """The mean of the last training games as the run's metrics.jsonl has it, so that `list` still knows it."""
        with contextlib.suppress(OSError, ValueError):
            mean = as_number(last_json_line(folder / "metrics.jsonl").get("return/mean"))
            self._training = mean if math.isfinite(mean) else None
