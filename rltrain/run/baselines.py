"""What random play and the hard-coded rule score: what there is to beat.

It is one number for one environment and protocol, whoever asks: `eval`, a run's picture, its page, a comparison. The
games and their seed depend on nothing else, on no run's seed and on no evaluation's. baselines.json of a run has the
means for its picture, played when the run has ended. The games of environments whose versions are known are played once
by a user: their means are kept in the user's cache. What a run folder says of them is not believed: it may be anyone's.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from rltrain import envs
from rltrain.envs.remote.crew import Crew
from rltrain.experiment.config import Experiment
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.experiment.wrappers import single
from rltrain.plain_files import read_object
from rltrain.policies import rules
from rltrain.progress import Progress, Silent
from rltrain.rng import derive
from rltrain.run import answer_cache, protocols
from rltrain.run.evaluation import OngoingEvaluation
from rltrain.run.own_files import write_small
from rltrain.run.protocols import UNLIMITED_STEPS, default_protocol
from rltrain.version import __version__

FILE = "baselines.json"
STEPS = 51_200  # that the games of one policy may take together: some seconds of a slow environment, once
FEWEST, MOST = 10, 100  # games
SEED = derive(0, "baselines")  # of every baseline
WORTH_SECONDS = 1.0  # of play that are worth a file in the user's cache


def standing(
    settings: EnvironmentConfig,
    protocol: str | None,
    threads: int = 1,
    task: str = "env",
    progress: Progress | None = None,
    crew: Crew | None = None,
) -> dict[str, float]:
    """Mean scores of random play, and of the hard-coded rule where there is one: those that every verb shows.

    InputError for what does not fit.
    """
    games = games_within(envs.describe(settings, task=task).max_episode_steps)
    return means(settings, protocol, games, SEED, threads, task, progress, crew=crew)


def means(
    settings: EnvironmentConfig,
    protocol: str | None,
    episodes: int,
    seed: int,
    threads: int = 1,
    task: str = "env",
    progress: Progress | None = None,
    worth_seconds: float = WORTH_SECONDS,
    crew: Crew | None = None,
) -> dict[str, float]:
    """Mean scores of random play, and of the hard-coded rule where there is one, from the same seed.

    Recalled from the user's cache, or else played, and kept if that took long. InputError for what does not fit.
    """
    known = [] if single(settings.wrappers) else rules.names_for(settings.id)[:1]  # which look at what nothing changed
    names: list[rules.Name] = ["random", *known]
    question = _question(settings, protocol, episodes, seed, task)
    found = None if question is None else _numbers(answer_cache.recall("baselines", question), names)
    if found is not None:
        return found
    begun = time.monotonic()
    played: dict[str, float] = {
        name: _mean(name, settings, protocol, episodes, seed, threads, task, progress or Silent(), crew)
        for name in names
    }
    if question is not None and time.monotonic() - begun >= worth_seconds and all(map(math.isfinite, played.values())):
        answer_cache.keep("baselines", question, played)
    return played


def _mean(
    name: rules.Name,
    settings: EnvironmentConfig,
    protocol: str | None,
    episodes: int,
    seed: int,
    threads: int,
    task: str,
    progress: Progress,
    crew: Crew | None,
) -> float:
    """Of a rule's games."""
    spec = envs.describe(settings, task=task)
    policy = rules.make(name, spec, np.random.default_rng(derive(seed, "baseline")))
    with (
        progress.phase(f"{episodes} game{'s' * (episodes > 1)}", f"the {name} policy on {settings.name}"),
        closing(OngoingEvaluation(policy, settings, protocol, episodes, seed, 0.0, threads, task, crew)) as playing,
    ):
        for played in playing.steps():
            progress.at(played, episodes, playing.env_steps, "steps")
        return playing.result().mean


def _question(
    settings: EnvironmentConfig, protocol: str | None, episodes: int, seed: int, task: str
) -> dict[str, Any] | None:
    """All that decides the games. None where that cannot be told: an environment of the user's own may change."""
    packages = envs.decided_by(settings, task)
    if packages is None:
        return None
    protocol, played, _ = protocols.conditions(settings, protocol, 0.0, task)
    return {
        "environment": played.model_dump(mode="json", exclude={"num_envs"}),
        "task": task,
        "protocol": protocol,
        "episodes": episodes,
        "seed": seed,
        "versions": {"rltrain": __version__} | {name: metadata.version(name) for name in packages},
    }


def _numbers(found: Any, names: Sequence[str]) -> dict[str, float] | None:
    """What was kept, if it is a finite number for each name and nothing else."""
    if not isinstance(found, dict) or list(found) != list(names):
        return None
    good = all(type(mean) is float and math.isfinite(mean) for mean in found.values())
    return found if good else None


def games_within(steps_a_game: int | None) -> int:
    """How many whole games of at most so many steps fit."""
    return min(MOST, max(FEWEST, STEPS // (steps_a_game or UNLIMITED_STEPS)))


def write(experiment: Experiment, folder: Path, threads: int = 1, progress: Progress | None = None) -> None:
    """Play and write, unless these games were played. A table that is never evaluated has nothing to compare, unless
    its environment says which score counts as solved."""
    if experiment.task == "mdp":
        return
    settings = experiment.environment
    spec = envs.describe(settings, task=experiment.task)
    if experiment.task != "env" and experiment.run.evaluate.every is None and spec.reward_threshold is None:
        return
    protocol = experiment.run.evaluate.protocol or default_protocol(settings)
    games = games_within(spec.max_episode_steps)
    if _conditions_of(folder / FILE) == (protocol, games, SEED):
        return
    played = standing(settings, protocol, threads, experiment.task, progress)
    found = {
        "baselines": {name: mean for name, mean in played.items() if math.isfinite(mean)},
        "reward_threshold": spec.reward_threshold,
        "protocol": protocol,
        "episodes": games,
        "seed": SEED,
    }
    write_small(folder / FILE, json.dumps(found, indent=2, allow_nan=False) + "\n")


def _conditions_of(path: Path) -> tuple[Any, Any, Any] | None:
    """Protocol, games and seed of a file; None where there is none that can be read."""
    try:
        found = read_object(path)
    except (OSError, ValueError):
        return None
    return found.get("protocol"), found.get("episodes"), found.get("seed")
