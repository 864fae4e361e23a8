"""The robot vacuum as a kind of environment: all robots move in one compiled second, which Gymnasium plays singly."""

from __future__ import annotations

from rltrain.core import Env, EnvironmentKind, EnvOptions, EnvSpec, Filmed
from rltrain.envs import vacuum
from rltrain.experiment.settings import EnvironmentConfig


def _make(settings: EnvironmentConfig, options: EnvOptions) -> Env:
    from rltrain.envs.vacuum.robots import Vacuum

    return Vacuum(settings, options.num_envs, options.first_index or 0)


def _describe(settings: EnvironmentConfig, options: EnvOptions) -> EnvSpec:
    return vacuum.describe(settings, options.num_envs)


def _film(settings: EnvironmentConfig, task: str) -> Filmed:
    from rltrain.envs.gym import film

    return film.make(settings, task)


KIND = EnvironmentKind(
    title="robot vacuum",
    form=vacuum.ID,
    settings=EnvironmentConfig,
    handles=lambda env_id: env_id == vacuum.ID,
    ids=lambda: (vacuum.ID,),
    describe=_describe,
    make=_make,
    film=_film,
    undivided=lambda *_: None,
    decided_by=lambda _: ("gymnasium", "numpy"),
)
