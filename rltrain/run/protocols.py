"""Under which rules games are played that say how good a policy is. They are named, and printed with the result.

    nature   at most 30 no-ops, epsilon .05, no sticky actions, 18,000 frames   (Mnih et al. 2015)
    sticky   no no-ops, sticky actions .25, epsilon .001, 18,000 frames         (Machado et al. 2018)
    training the config's own environment, epsilon 0 (Atari: .05)

In all of them a lost life ends nothing, and the action set, frame skip and frame stack are those that the policy was
trained with.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from rltrain import envs
from rltrain.core import EnvSpec
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig

ATARI_FRAMES = 18_000
UNLIMITED_STEPS = 10_000  # cut for an environment without a time limit: a bad policy might never end a game there


class Rules(NamedTuple):
    """What a protocol lays down. None: as the config has it."""

    noop_max: int | None
    repeat_action_probability: float | None
    max_frames: int | None
    epsilon: float | None


PROTOCOLS = {
    "nature": Rules(noop_max=30, repeat_action_probability=0.0, max_frames=ATARI_FRAMES, epsilon=0.05),
    "sticky": Rules(noop_max=0, repeat_action_probability=0.25, max_frames=ATARI_FRAMES, epsilon=0.001),
    "training": Rules(noop_max=None, repeat_action_probability=None, max_frames=None, epsilon=None),
}


def default_protocol(settings: EnvironmentConfig) -> str:
    """nature for Atari as Mnih et al. 2015 prepare it, the config's own environment for all else."""
    return "nature" if settings.is_atari and settings.preprocessing == "nature" else "training"


def conditions(
    settings: EnvironmentConfig, protocol: str | None, epsilon: float | None, task: str = "env"
) -> tuple[str, EnvironmentConfig, float]:
    """The protocol's name, the environment in which its games are played, and epsilon. InputError as `evaluate`."""
    if epsilon is not None and not 0 <= epsilon <= 1:
        raise InputError(f"epsilon: {epsilon} is not a chance; from 0 to 1")
    protocol = protocol or default_protocol(settings)
    rules = _rules(protocol, settings)
    if epsilon is None:
        epsilon = rules.epsilon if rules.epsilon is not None else (0.05 if settings.is_atari else 0.0)
    return protocol, _environment(settings, rules, task), epsilon


def fields(
    protocol: str, played: EnvironmentConfig, spec: EnvSpec, epsilon: float, episodes: int
) -> dict[str, str | int | float | None]:
    """What a protocol came to, by name, to be printed. None where the environment has no such thing."""
    atari, book, limit = played.is_atari, played.preprocessing == "book", spec.max_episode_steps
    return {
        "name": protocol,
        "noop_max": played.noop_max if atari and not book else None,
        "repeat_action_probability": played.repeat_action_probability if atari else None,
        "lives": "whole games" if atari else None,
        "actions": spec.num_actions,
        "frame_skip": spec.frames_per_step,
        "max_frames": None if limit is None else limit * spec.frames_per_step,
        "epsilon": epsilon,
        "episodes": episodes,
    }


def _rules(protocol: str, settings: EnvironmentConfig) -> Rules:
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol: '{protocol}' is unknown; one of {', '.join(PROTOCOLS)}")
    if protocol != "training":
        if not settings.is_atari:
            raise InputError(f"protocol: '{protocol}' is for Atari (ALE/…); for {settings.id} write training")
        if settings.preprocessing == "book":
            raise InputError(f"protocol: '{protocol}' does not go with `preprocessing: book`; write training")
    return PROTOCOLS[protocol]


def _environment(settings: EnvironmentConfig, rules: Rules, task: str) -> EnvironmentConfig:
    """The environment in which the games are played."""
    changes: dict[str, Any] = {"terminal_on_life_loss": False}
    if rules.noop_max is not None:
        changes["noop_max"] = rules.noop_max
    if rules.repeat_action_probability is not None:
        changes["repeat_action_probability"] = rules.repeat_action_probability
    if rules.max_frames is not None:
        changes["max_episode_steps"] = max(1, rules.max_frames // settings.frame_skip)
    elif not settings.is_atari and envs.describe(settings, task=task).max_episode_steps is None:
        changes["max_episode_steps"] = UNLIMITED_STEPS
    return settings.model_copy(update=changes)
