"""Every id that no other kind claims: what is registered with Gymnasium, its own environments and a user's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rltrain.core import Env, EnvironmentKind, EnvOptions, EnvSpec, Filmed
from rltrain.experiment.settings import EnvironmentConfig

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
    if options.task != "env":
        from rltrain.envs.gym import numbered

        return numbered.make(settings, options.num_envs)
    from rltrain.envs.gym import games

    return games.make(settings, options.num_envs)


def _film(settings: EnvironmentConfig, task: str) -> Filmed:
    from rltrain.envs.gym import film

    return film.make(settings, task)


def _model(settings: EnvironmentConfig) -> Model | None:
    from rltrain.envs.gym import tables

    return tables.model_of(settings)


def _decided_by(settings: EnvironmentConfig) -> tuple[str, ...] | None:
    """Of games that Gymnasium plays without other packages."""
    import gymnasium

    spec = gymnasium.registry.get(settings.id)
    own = spec is not None and str(spec.entry_point).startswith(OWN_ENTRIES)
    return ("gymnasium", "numpy") if own else None


def _side_by_side(settings: EnvironmentConfig) -> int:
    from rltrain.envs.gym import cartpole

    return cartpole.SIDE_BY_SIDE if settings.id in cartpole.NATIVE else 32


KIND = EnvironmentKind(
    title="Gymnasium",
    form="such as CartPole-v1",
    settings=EnvironmentConfig,
    tasks=("env", "tabular", "mdp"),
    handles=lambda _: True,
    ids=_ids,
    exists=_exists,
    describe=_describe,
    make=_make,
    film=_film,
    model=_model,
    decided_by=_decided_by,
    side_by_side=_side_by_side,
)
