"""Known models in a file as a kind of environment: the id is the file's path, and it is sampled as the file says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rltrain.core import Env, EnvironmentKind, EnvOptions, EnvSpec, Filmed
from rltrain.experiment.settings import MODEL_SUFFIXES, EnvironmentConfig

if TYPE_CHECKING:
    from rltrain.mdp.model import Model


def _describe(settings: EnvironmentConfig, options: EnvOptions) -> EnvSpec:
    from rltrain.envs.models import onehot, tabular
    from rltrain.mdp import files

    loaded = files.read(Path(settings.id))
    limit, masks = settings.max_episode_steps, settings.action_masks
    spec = tabular.spec_of(loaded, options.num_envs, limit, settings.id, masks)
    return onehot.spec_of(spec) if options.task == "env" else spec


def _make(settings: EnvironmentConfig, options: EnvOptions) -> Env:
    from rltrain.envs.models.onehot import OneHot
    from rltrain.envs.models.tabular import Tabular
    from rltrain.mdp import files

    loaded = files.read(Path(settings.id))
    limit, masks = settings.max_episode_steps, settings.action_masks
    env = Tabular(loaded.model, options.num_envs, limit, settings.id, loaded.warnings, masks, options.first_index or 0)
    return OneHot(env) if options.task == "env" else env


def _film(settings: EnvironmentConfig, task: str) -> Filmed:
    from rltrain.envs.models.film import FilmedModel

    return FilmedModel(_make(settings, EnvOptions(task=task)), _model(settings))


def _model(settings: EnvironmentConfig) -> Model:
    from rltrain.mdp import files

    return files.read(Path(settings.id)).model


KIND = EnvironmentKind(
    title="known model",
    form="such as mdp/book.yaml",
    settings=EnvironmentConfig,
    takes_kwargs=False,
    may_mask=True,
    tasks=("env", "tabular", "mdp"),
    handles=lambda env_id: env_id.endswith(MODEL_SUFFIXES),
    ids=lambda: (),
    exists=lambda _: True,  # who reads the file says what is wrong with it
    describe=_describe,
    make=_make,
    film=_film,
    model=_model,
    undivided=lambda *_: None,
)
