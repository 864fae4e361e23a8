"""How good a saved policy is: whole games under the rules of `run.protocols`, beside the baselines and the truth."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rltrain import envs, words
from rltrain.envs.remote.crew import Crew
from rltrain.progress import Progress, Silent
from rltrain.run import baselines, machine
from rltrain.run.evaluation import Evaluation, OngoingEvaluation
from rltrain.verbs import saved_policy
from rltrain.verbs.saved_policy import SavedRun
from rltrain.verbs.truth import ExactScore, against_truth, discounts_apart


@dataclass(frozen=True)
class PolicyScore:
    """What the games of a saved policy brought, and what there is to compare it with."""

    algorithm: str
    environment: str
    checkpoint: str  # its folder
    chosen: str  # why this checkpoint
    counters: Mapping[str, int]  # how far it was trained
    partial: bool  # Ctrl-C ended it: the games are those that were over, so they are too short
    games: Evaluation
    baselines: Mapping[str, float]  # mean scores by name, of games whose number and seed are always the same
    reward_threshold: float | None  # the score at which the task counts as solved
    model_discount: float | None  # that a known model states
    note: str  # where the config learns for another discount than that
    exact: ExactScore | None  # value and loss in a known model
    warnings: tuple[str, ...] = ()  # of the checkpoint

    @property
    def mean(self) -> float:
        """The mean return of the games: raw scores, neither clipped nor discounted."""
        return self.games.mean

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % percentile-bootstrap interval of the mean. It speaks of games, not of training runs."""
        return self.games.ci95

    @property
    def returns(self) -> tuple[float, ...]:
        """The raw return of each game."""
        return self.games.returns

    @property
    def lengths(self) -> tuple[int, ...]:
        """The agent steps of each game."""
        return self.games.lengths

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return {
            "algorithm": self.algorithm,
            "environment": self.environment,
            "checkpoint": self.checkpoint,
            "chosen": self.chosen,
            "counters": self.counters,
            "partial": self.partial,
            **self.games.json(),
            "baselines": self.baselines,
            "reward_threshold": self.reward_threshold,
            "model_discount": self.model_discount,
            "note": self.note,
            "exact": None if self.exact is None else asdict(self.exact),
        }

    def __repr__(self) -> str:
        low, high = (words.score(end) for end in self.interval)
        beside = "".join(f", {name} {words.score(mean)}" for name, mean in self.baselines.items())
        head = f"{self.algorithm} on {self.environment}: mean {words.score(self.mean)} (95 % interval {low} to {high})"
        return f"<{head} of {words.many(len(self.returns), 'game')}{beside}>"


def evaluate(
    run: str | Path | SavedRun,
    games: int = 30,
    protocol: str | None = None,
    epsilon: float | None = None,
    seed: int = 0,
    *,
    last: bool = False,
    device: str | None = None,
    runs_dir: Path = Path("runs"),
    beside: bool = True,
    progress: Progress | None = None,
    crew: Crew | None = None,
) -> PolicyScore:
    """Play `games` games with a saved policy, and those of the baselines unless not `beside` them.

    `run` is a run, of which the best checkpoint is taken or the `last`, or a checkpoint's folder. Ctrl-C ends it with
    what was measured: then `partial` is true. KeyboardInterrupt if that is nothing. InputError for what does not fit,
    CheckpointError for a checkpoint that is damaged. A `crew` plays the games, if there is one.
    """
    saved = run if isinstance(run, SavedRun) else saved_policy.read(run, runs_dir, last)
    experiment = saved.experiment
    threads = experiment.run.threads or machine.cores()
    policy = saved_policy.policy_of(experiment, saved.loaded, device, threads)
    progress = progress or Silent()
    about = (experiment.environment, protocol or experiment.run.evaluate.protocol, games, seed)
    told = words.many(games, "game"), f"{experiment.algorithm_name} on {experiment.environment.name}"
    with (
        progress.phase(*told),
        closing(OngoingEvaluation(policy, *about, epsilon, threads, experiment.task, crew)) as playing,
    ):
        stopped = played_out(playing, progress)
        if stopped and not playing.played:
            raise KeyboardInterrupt
        result = playing.result()
    means: dict[str, float] = {}
    if beside and not stopped:
        try:
            means = baselines.standing(*about[:2], threads, experiment.task, progress, crew)
        except KeyboardInterrupt:
            stopped = True
    spec = envs.describe(experiment.environment, task=experiment.task)
    return PolicyScore(
        algorithm=experiment.algorithm_name,
        environment=experiment.environment.name,
        checkpoint=str(saved.path),
        chosen=saved.chosen,
        counters=saved.loaded.counters,
        partial=stopped,
        games=result,
        baselines=means,
        reward_threshold=spec.reward_threshold,
        model_discount=spec.discount,
        note=discounts_apart(experiment, spec),
        exact=None if stopped else against_truth(experiment, policy),
        warnings=saved.warnings,
    )


def played_out(playing: OngoingEvaluation, progress: Progress) -> bool:
    """Play all games. Returns whether Ctrl-C came between."""
    try:
        for played in playing.steps():
            progress.at(played, playing.episodes, playing.env_steps, "steps")
    except KeyboardInterrupt:
        return True
    return False
