"""Every id that no other kind claims: what is registered with Gymnasium, its own environments and a user's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rltrain.core import Env, EnvironmentKind, EnvOptions, EnvSpec, Filmed
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.experiment.wrappers import ResizeObservation, single
from rltrain.spaces import OwnForm

if TYPE_CHECKING:
    from rltrain.mdp.model import Model

OWN_ENTRIES = ("gymnasium.envs.classic_control", "gymnasium.envs.toy_text", "gymnasium.envs.tabular")


def _ids() -> Sequence[str]:
    import gymnasium

    from rltrain.envs.atari import roms

    roms.register()  # its old ids can be told from others once they are known
    return [name for name, spec in gymnasium.registry.items() if not roms.is_atari(name, spec.entry_point)]


def _exists(settings: EnvironmentConfig) -> bool:
    import gymnasium

    from rltrain.envs.atari import roms

    spec = gymnasium.registry.get(settings.id)
    return spec is not None and not roms.is_atari(settings.id, spec.entry_point)


def _describe(settings: EnvironmentConfig, options: EnvOptions) -> EnvSpec:
    if options.task != "env":
        from rltrain.envs.gym import numbered

        return numbered.describe(settings, options.num_envs)
    from rltrain.envs.gym import games

    return games.describe(settings, options.num_envs)


def _make(settings: EnvironmentConfig, options: EnvOptions) -> Env:
    longest = settings.reseed_every if options.training else None
    if options.task != "env":
        from rltrain.envs.gym import numbered

        return numbered.make(settings, options.num_envs, longest, options.repeats)
    from rltrain.envs import normalized
    from rltrain.envs.gym import games

    made = games.make(settings, options.num_envs, longest, options.repeats, options.first_index)
    return normalized.around(made, settings.wrappers) if options.training and options.first_index is None else made


def _film(settings: EnvironmentConfig, task: str) -> Filmed:
    from rltrain.envs.gym import film

    return film.make(settings, task)


def _model(settings: EnvironmentConfig) -> Model | None:
    from rltrain.envs.gym import tables

    return tables.model_of(settings)


def _own_form(settings: EnvironmentConfig, task: str) -> OwnForm | None:
    from rltrain.envs.gym import games, numbered

    return games.own_form(settings) if task == "env" else numbered.own_form(settings)


def _decided_by(settings: EnvironmentConfig) -> tuple[str, ...] | None:
    drawn = any(isinstance(each, ResizeObservation) for each in settings.wrappers)  # by OpenCV
    return ("gymnasium", "numpy") if _is_own(settings) and not drawn else None


def _varies(settings: EnvironmentConfig, options: EnvOptions) -> str | None:
    if _is_own(settings):
        return None
    from rltrain.envs.gym import repetition

    return repetition.why_not(settings, options.task)


def _undivided(settings: EnvironmentConfig, options: EnvOptions) -> str | None:
    from rltrain.envs.gym import games

    if not games.is_one_vector(settings, options.num_envs):
        return None
    return f"{options.num_envs} of them are one vector of Gymnasium's, which draw from one random stream"


def _is_own(settings: EnvironmentConfig) -> bool:
    """Whether Gymnasium plays its games without other packages."""
    import gymnasium

    spec = gymnasium.registry.get(settings.id)
    return spec is not None and str(spec.entry_point).startswith(OWN_ENTRIES)


def _side_by_side(settings: EnvironmentConfig) -> int:
    from rltrain.envs.gym import cartpole

    return cartpole.SIDE_BY_SIDE if settings.id in cartpole.NATIVE and not single(settings.wrappers) else 32


KIND = EnvironmentKind(
    title="Gymnasium",
    replays=True,
    form="such as CartPole-v1",
    settings=EnvironmentConfig,
    may_mask=True,
    takes_wrappers=True,
    tasks=("env", "tabular", "mdp"),
    handles=lambda _: True,
    ids=_ids,
    exists=_exists,
    describe=_describe,
    make=_make,
    film=_film,
    model=_model,
    decided_by=_decided_by,
    own_form=_own_form,
    varies=_varies,
    undivided=_undivided,
    side_by_side=_side_by_side,
)
