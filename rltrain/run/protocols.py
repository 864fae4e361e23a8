"""Under which rules games are played that say how good a policy is. They are named, and printed with the result.

    nature, sticky   of Atari games, as the literature scores them: `envs.atari.kind`
    training         the config's own environment, epsilon 0 unless its kind has another

An environment without a time limit is cut off: a bad policy might never end a game there.
"""

from __future__ import annotations

from rltrain import envs, kinds
from rltrain.core import EnvSpec
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.spaces import Discrete

UNLIMITED_STEPS = 10_000


def default_protocol(settings: EnvironmentConfig) -> str:
    """The protocol where a config names none: nature for Atari with that preprocessing, else training."""
    return kinds.default_protocol(settings)


def conditions(
    settings: EnvironmentConfig, protocol: str | None, epsilon: float | None, task: str = "env"
) -> tuple[str, EnvironmentConfig, float]:
    """The protocol's name, the environment in which its games are played, and epsilon in 0..1.

    None: the default of the environment's kind, and of the protocol. InputError for a value that does not fit.
    """
    if epsilon is not None and not 0 <= epsilon <= 1:
        raise InputError(f"epsilon: {epsilon} is not a chance; from 0 to 1")
    protocol = protocol or default_protocol(settings)
    if protocol not in kinds.protocols():
        raise InputError(f"protocol: '{protocol}' is unknown; one of {', '.join(kinds.protocols())}")
    own = kinds.of(settings.id).protocols
    if protocol in own:
        played, usual = own[protocol](settings)
    elif protocol == "training":
        played, usual = settings, 0.0
        if envs.describe(settings, task=task).max_episode_steps is None:
            played = settings.model_copy(update={"max_episode_steps": UNLIMITED_STEPS})
    else:
        whose = " and ".join(f"{kind.title} ({kind.form})" for kind in kinds.with_protocol(protocol))
        raise InputError(f"protocol: '{protocol}' is for {whose}; for {settings.id} write training")
    return protocol, played, usual if epsilon is None else epsilon


def fields(
    protocol: str, played: EnvironmentConfig, spec: EnvSpec, epsilon: float, episodes: int
) -> dict[str, str | int | float | None]:
    """The rules of the games in nine fields, to be printed; None where the environment has no such rule."""
    rules, limit = kinds.of(played.id).conditions(played), spec.max_episode_steps
    return {
        "name": protocol,
        "noop_max": rules.get("noop_max"),
        "repeat_action_probability": rules.get("repeat_action_probability"),
        "lives": rules.get("lives"),
        "actions": spec.actions.n if isinstance(spec.actions, Discrete) else str(spec.actions),
        "frame_skip": spec.frames_per_step,
        "max_frames": None if limit is None else limit * spec.frames_per_step,
        "epsilon": epsilon,
        "episodes": episodes,
    }
