"""Rewards as the values of a saved algorithm count them: those may be clipped or scaled, a game's own never are."""

from __future__ import annotations

import numpy as np

from rltrain.core import Array
from rltrain.experiment.config import Experiment
from rltrain.experiment.wrappers import ClipReward, NormalizeReward
from rltrain.policies.normalizing import cut
from rltrain.run.reading import Loaded
from rltrain.saved import Saved, loading


def to_learn(experiment: Experiment, loaded: Loaded, rewards: Array) -> tuple[Array, str]:
    """Raw rewards [T] as what was learned counts them, float64, and in words what was done to them; "": nothing.

    The settings `reward_clip` and `reward_scale` of the algorithm are meant, and the wrappers that change rewards.
    CheckpointError for a scale that cannot be read.
    """
    found, said = np.asarray(rewards, np.float64), list[str]()
    with loading(loaded.name):
        for each in experiment.environment.wrappers:
            if isinstance(each, ClipReward):
                found = np.clip(found, each.min_reward, each.max_reward)
                said.append("clipped")
            elif isinstance(each, NormalizeReward):
                deviation = _deviation(loaded.state.part("world"), each.epsilon)
                found = cut(found / deviation, each.clip)
                said.append(f"divided by {deviation:.4g}")
        settings = experiment.algorithm.model_dump()
        clip, scale = settings.get("reward_clip"), settings.get("reward_scale")
        if clip is not None:
            found = cut(found, clip)
            said.append(f"cut to -{clip:g}..{clip:g}")
        if scale == "auto":
            scale = _automatic(loaded.state.part("algorithm"))
        if scale is not None and scale != 1:
            found = found * scale
            said.append(f"times {scale:.4g}")
    return found, ", ".join(said)


def _deviation(world: Saved, epsilon: float) -> float:
    variance = world.part("returns").array("variance", "float64", (1,), 0)
    return float(np.sqrt(variance[0] + epsilon))


def _automatic(algorithm: Saved) -> float:
    """A scale that a learner found by its first rewards; 1 before it has seen one."""
    return algorithm.number("auto_scale", 0) if algorithm.given("auto_scale") else 1.0
