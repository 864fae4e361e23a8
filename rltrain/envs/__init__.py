"""The room of samples: environments that answer an action with a `Step`.

`make` builds them from the config's `environment` block, `describe` says what an algorithm may know before it pays for
them, and `check` refuses what does not exist. Each imports Gymnasium and ALE only when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rltrain.core import Env, EnvSpec
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig

if TYPE_CHECKING:
    from rltrain.mdp.model import Model

NATIVE = ("CartPole-v0", "CartPole-v1")  # played by all lanes in one step; see `vector`


def make(
    settings: EnvironmentConfig,
    *,
    task: str = "env",
    num_envs: int | None = None,
    threads: int = 1,
    in_parts: bool = False,
    training: bool = True,
) -> Env:
    """N environments side by side. `num_envs` overrides the setting; without `training` a lost life cuts nothing.

    Emulators are played by `threads`; many of them, if `in_parts`, as two vectors that may be stepped apart. Without
    `training`, those of which each goes its own way are `core.Retiring`.

    `task` is the algorithm's TASK: what is not "env" sees the numbers of states. MissingError for an unknown id, ROM or
    package, InputError for settings that the environment refuses.
    """
    count = num_envs or settings.num_envs or 1
    if task != "env":
        from rltrain.envs.models import tabular

        return tabular.make(settings, count)
    if settings.is_model:
        from rltrain.envs.models import onehot

        return onehot.make(settings, count)
    check(settings)
    from rltrain.envs import vacuum

    if settings.id == vacuum.ID:
        from rltrain.envs.vacuum.lanes import Vacuum

        return Vacuum(settings, count)
    if not settings.id.startswith("ALE/"):
        from rltrain.envs.gym import games

        return games.make(settings, count)
    if settings.preprocessing == "book":
        from rltrain.envs.atari import book

        return book.make(settings, count, training)
    from rltrain.envs.atari.halves import LEAST_ENVS, Halves
    from rltrain.envs.atari.vector import Atari

    if training and in_parts and threads > 2 and count % 2 == 0 and count >= LEAST_ENVS:
        return Halves(settings, count, threads)
    return Atari(settings, count, threads, training, apart=not training)


def describe(settings: EnvironmentConfig, *, task: str = "env", num_envs: int | None = None) -> EnvSpec:
    """What an algorithm may know of these environments, in about 0.2 s. Errors as `make`."""
    count = num_envs or settings.num_envs or 1
    if task != "env":
        from rltrain.envs.models import tabular

        return tabular.describe(settings, count)
    if settings.is_model:
        from rltrain.envs.models import onehot

        return onehot.describe(settings, count)
    check(settings)
    from rltrain.envs import vacuum

    if settings.id == vacuum.ID:
        return vacuum.describe(settings, count)
    if not settings.id.startswith("ALE/"):
        from rltrain.envs.gym import games

        return games.describe(settings, count)
    if settings.preprocessing == "book":
        from rltrain.envs.atari import book

        return book.describe(settings, count)
    from rltrain.envs.atari import vector

    return vector.describe(settings, count)


def side_by_side(settings: EnvironmentConfig) -> int:
    """How many games an evaluation plays at once, at most: more where another one costs next to nothing."""
    return 128 if settings.id in NATIVE else 32


def is_versioned(settings: EnvironmentConfig, task: str = "env") -> bool:
    """Whether the games follow from these settings and the versions of rltrain, Gymnasium and ALE alone."""
    if task != "env" or settings.is_model:
        return False
    from rltrain.envs import known, vacuum

    return settings.is_atari or settings.id == vacuum.ID or known.needs_gymnasium_alone(settings.id)


def known_model(settings: EnvironmentConfig, algorithm: str) -> Model:
    """The model behind these settings. InputError, naming who asks, if there is only something to sample."""
    from rltrain.envs.models import tabular

    model = tabular.model_of(settings)
    if model is None:
        raise InputError(
            f"environment.id: {algorithm} solves a known model, and {settings.id} can only be sampled; take a model's "
            "file, such as configs/mdp/book.yaml, an environment with a table, such as FrozenLake-v1, or qlearn"
        )
    return model


def check(settings: EnvironmentConfig) -> None:
    """Raise MissingError or InputError, naming the nearest ids, if this environment cannot exist here."""
    from rltrain.envs import known

    known.check(settings)
