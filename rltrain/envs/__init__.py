"""The room of samples: environments that answer an action with a `Step`.

`make` builds them from the config's `environment` block, `describe` says what an algorithm may know before it pays for
them, `film` shows one to a person, and `check` refuses what does not exist. Each asks the kind that the id is of, see
`kinds`; Gymnasium and ALE are imported only when they are called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rltrain import kinds
from rltrain.core import Env, EnvironmentKind, EnvOptions, EnvSpec, Filmed
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.kinds import check
from rltrain.spaces import OwnForm

if TYPE_CHECKING:
    from rltrain.envs.remote.crew import Crew
    from rltrain.mdp.model import Model

__all__ = [
    "check",
    "decided_by",
    "describe",
    "film",
    "known_model",
    "make",
    "model_named",
    "model_of",
    "own_form",
    "side_by_side",
    "varies",
]


def make(
    settings: EnvironmentConfig,
    *,
    task: str = "env",
    num_envs: int | None = None,
    threads: int = 1,
    in_parts: bool = False,
    training: bool = True,
    repeats: bool = True,
    crew: Crew | None = None,
    refresh: int | None = None,
) -> Env:
    """N environments side by side. `num_envs` overrides the setting; without `training` a lost life cuts nothing.

    Emulators are played by `threads`; many of them, if `in_parts`, as two vectors that may be stepped apart. Without
    `training`, those of which each goes its own way are `core.Retiring`. What is known not to repeat itself is never
    played again by a `load`. A `crew` plays them, if there is one: InputError for those that cannot be divided; without
    `training` they are then played here. With `refresh` it decides for them by itself, and is sent
    the weights after so many updates each time: `deep.actor.PlayedApart`.

    `task` is the algorithm's TASK: what is not "env" sees the numbers of states. MissingError for an unknown id, ROM or
    package, InputError for settings that the environment refuses.
    """
    options = EnvOptions(num_envs or settings.num_envs or 1, task, threads, in_parts, training, repeats)
    kind = _kind(settings, options)
    if crew is None or (not training and kind.undivided(settings, options) is not None):
        return kind.make(settings, options)
    from rltrain.envs import normalized
    from rltrain.envs.remote import env as remote

    why = kind.undivided(settings, options)
    if why is not None:
        raise InputError(f"run.distribute: {settings.id} cannot be played by actors: {why}; leave out run.distribute")
    if refresh is not None:
        from rltrain.envs.remote.apart import Asynchronous

        return Asynchronous(settings, options, crew, refresh)
    env = remote.Remote(settings, options, crew)
    return normalized.around(env, settings.wrappers) if training else env


def describe(settings: EnvironmentConfig, *, task: str = "env", num_envs: int | None = None) -> EnvSpec:
    """What an algorithm may know of these environments, in about 0.2 s. Errors as `make`."""
    options = EnvOptions(num_envs or settings.num_envs or 1, task)
    return _kind(settings, options).describe(settings, options)


def varies(settings: EnvironmentConfig, task: str = "env") -> str | None:
    """Why games of one seed with the same actions differ, so that no run with them can be exact. None: they do not.

    Some are played, in some seconds at most, unless they are known to be equal. Errors as `make`, and what they raise.
    """
    options = EnvOptions(task=task)
    return None if task == "mdp" else _kind(settings, options).varies(settings, options)


def film(settings: EnvironmentConfig, task: str = "env") -> Filmed:
    """One game. InputError for an environment that cannot be drawn, MissingError for an unknown id or package."""
    kind = _kind(settings, EnvOptions(task=task))
    if kind.film is None:
        raise InputError(f"environment.id: {settings.id} cannot be shown: {kind.title} environments have no picture")
    return kind.film(settings, task)


def own_form(settings: EnvironmentConfig, task: str = "env") -> OwnForm | None:
    """How the environment's own code says what is seen and done. None: as learners see and do it. Errors as `make`."""
    return _kind(settings, EnvOptions(task=task)).own_form(settings, task)


def side_by_side(settings: EnvironmentConfig) -> int:
    """How many games an evaluation plays at once, at most: more where another one costs next to nothing."""
    return kinds.of(settings.id).side_by_side(settings)


def decided_by(settings: EnvironmentConfig, task: str = "env") -> tuple[str, ...] | None:
    """The packages whose versions, with rltrain's and these settings, decide every game. None: that is not known."""
    return kinds.of(settings.id).decided_by(settings) if task == "env" else None


def known_model(settings: EnvironmentConfig, algorithm: str) -> Model:
    """The model behind these settings. InputError, naming who asks, if there is only something to sample."""
    if settings.wrappers:
        names = ", ".join(each.name for each in settings.wrappers)
        raise InputError(
            f"environment.wrappers: {algorithm} solves a known model, and {names} would be no part of it; take qlearn, "
            "or no wrappers"
        )
    model = model_of(settings)
    if model is None:
        if settings.action_masks and model_of(settings.model_copy(update={"action_masks": False})) is not None:
            raise InputError(
                f"environment.action_masks: {settings.id} does not say what is masked in the rest of its table; "
                f"with false {algorithm} solves the table as it is"
            )
        raise InputError(
            f"environment.id: {algorithm} solves a known model, and {settings.id} can only be sampled; take a model's "
            "file, such as mdp/book.yaml, an environment with a table, such as FrozenLake-v1, or qlearn"
        )
    return model


def model_of(settings: EnvironmentConfig) -> Model | None:
    """The known model behind these settings. None where there is only an environment to sample."""
    model: Model | None = check(settings).model(settings)
    return model


def model_named(env_id: str, kwargs: Mapping[str, Any] | None = None) -> Model | None:
    """The known model of an id and arguments as a person types them, see `model_of`; whatever its masks say."""
    return model_of(EnvironmentConfig.model_construct(id=env_id, kwargs=dict(kwargs or {}), action_masks=False))


def _kind(settings: EnvironmentConfig, options: EnvOptions) -> EnvironmentKind[Any]:
    """The kind of this id, which exists and can be given to such an algorithm."""
    kind = check(settings)
    if not isinstance(settings, kind.settings):
        raise TypeError(f"{settings.id} needs {kind.settings.__name__}, not {type(settings).__name__}: kinds.typed")
    if settings.wrappers and not kind.takes_wrappers:
        raise InputError(f"environment.wrappers: for Gymnasium's ids and Atari only; {settings.id} is of another kind")
    if options.task not in kind.tasks:
        raise InputError(
            f"environment.id: the observations of {settings.id} have no numbers; a table needs finitely many, such as "
            "FrozenLake-v1's; for this one take `dqn`"
        )
    return kind
