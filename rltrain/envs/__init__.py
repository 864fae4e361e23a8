"""The room of samples: environments that answer an action with a `Step`.

`make` builds them from the config's `environment` block, `describe` says what an algorithm may know before it pays for
them, and `check` refuses what does not exist. Each imports Gymnasium and ALE only when it is called.
"""

from __future__ import annotations

from rltrain.core import Env, EnvSpec
from rltrain.settings import EnvironmentConfig


def make(settings: EnvironmentConfig, *, num_envs: int | None = None, threads: int = 1, training: bool = True) -> Env:
    """N environments side by side. `num_envs` overrides the setting; without `training` a lost life cuts nothing.

    MissingError for an unknown id, ROM or package, InputError for settings that the environment refuses.
    """
    check(settings)
    count = num_envs or settings.num_envs or 1
    if not settings.id.startswith("ALE/"):
        from rltrain.envs import gym

        return gym.make(settings, count)
    if settings.preprocessing == "book":
        from rltrain.envs import book

        return book.make(settings, count, training)
    from rltrain.envs.atari import Atari

    return Atari(settings, count, threads, training)


def describe(settings: EnvironmentConfig, *, num_envs: int | None = None) -> EnvSpec:
    """What an algorithm may know of these environments, in about 0.2 s. Errors as `make`."""
    check(settings)
    count = num_envs or settings.num_envs or 1
    if not settings.id.startswith("ALE/"):
        from rltrain.envs import gym

        return gym.describe(settings, count)
    if settings.preprocessing == "book":
        from rltrain.envs import book

        return book.describe(settings, count)
    from rltrain.envs import atari

    return atari.describe(settings, count)


def check(settings: EnvironmentConfig) -> None:
    """Raise MissingError or InputError, naming the nearest ids, if this environment cannot exist here."""
    from rltrain.envs import known

    known.check(settings)
