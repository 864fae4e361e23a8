"""baselines.json of a run: what random play and the hard-coded rule score where it learned, for its picture.

They are played once, when the run has ended, by the rules of its evaluations, from a seed that derives from its own.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from rltrain import envs
from rltrain.config import Experiment
from rltrain.plain_files import read_json
from rltrain.rng import derive
from rltrain.run.evaluation import baselines
from rltrain.run.own_files import write_small
from rltrain.run.protocols import UNLIMITED_STEPS, default_protocol

FILE = "baselines.json"
STEPS = 12_800  # that the games of one policy may take together: a second or two of a slow environment
FEWEST, MOST = 4, 100  # games


def games_within(steps_a_game: int | None) -> int:
    """How many whole games of at most so many steps fit."""
    return min(MOST, max(FEWEST, STEPS // (steps_a_game or UNLIMITED_STEPS)))


def write(experiment: Experiment, folder: Path, threads: int = 1) -> None:
    """Play and write, unless that was done by this protocol. A table that is never evaluated has nothing to compare."""
    scored = experiment.task == "env" or experiment.run.evaluate.every is not None
    if not scored or experiment.task == "mdp":
        return
    settings, seed = experiment.environment, derive(experiment.run.seed, "baselines")
    protocol = experiment.run.evaluate.protocol or default_protocol(settings)
    if _protocol_of(folder / FILE) == protocol:
        return
    spec = envs.describe(settings, task=experiment.task)
    games = games_within(spec.max_episode_steps)
    means = baselines(settings, protocol, games, seed, threads, experiment.task)
    found = {
        "baselines": {name: mean for name, mean in means.items() if math.isfinite(mean)},
        "reward_threshold": spec.reward_threshold,
        "protocol": protocol,
        "episodes": games,
        "seed": seed,
    }
    write_small(folder / FILE, json.dumps(found, indent=2, allow_nan=False) + "\n")


def _protocol_of(path: Path) -> str | None:
    """By which the games of a file were played; None where there is none that can be read."""
    try:
        found = read_json(path)
    except (OSError, ValueError):
        return None
    return found.get("protocol") if isinstance(found, dict) else None
