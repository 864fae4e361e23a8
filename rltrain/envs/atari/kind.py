"""Atari games as a kind of environment, and the rules by which the literature scores them.

    nature   at most 30 no-ops, epsilon .05, no sticky actions, 18,000 frames   (Mnih et al. 2015)
    sticky   no no-ops, sticky actions .25, epsilon .001, 18,000 frames         (Machado et al. 2018)
    training the config's own environment, epsilon .05

In all of them a lost life ends nothing, and the action set, frame skip and frame stack are those that the policy was
trained with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rltrain.core import Env, EnvironmentKind, EnvOptions, EnvSpec, Filmed
from rltrain.envs.atari import old_ids
from rltrain.envs.atari.settings import MAX_FRAMES, AtariConfig
from rltrain.errors import InputError

EPSILON = 0.05
Rules = tuple[AtariConfig, float]


def _handles(env_id: str) -> bool:
    return env_id.startswith("ALE/") or old_ids.meaning(env_id) is not None


def _ids() -> Sequence[str]:
    from rltrain.envs.atari import roms

    return list(roms.games())


def _exists(settings: AtariConfig) -> bool:
    from rltrain.envs.atari import roms

    if settings.id not in roms.games():
        old = old_ids.meaning(settings.id)
        if old is not None and old.id in roms.games():
            raise InputError(old_ids.explained(settings.id, old))
        return False
    roms.rom_path(settings.id)  # MissingError where its file is not what it should be
    return True


def _describe(settings: AtariConfig, options: EnvOptions) -> EnvSpec:
    from rltrain.envs.atari import book, vector

    describe = book.describe if _is_book(settings) else vector.describe
    return describe(settings, options.num_envs)


def _make(settings: AtariConfig, options: EnvOptions) -> Env:
    from rltrain.envs import normalized

    made = _games(settings, options)
    return normalized.around(made, settings.wrappers) if options.training and options.first_index is None else made


def _games(settings: AtariConfig, options: EnvOptions) -> Env:
    from rltrain.envs.atari import book
    from rltrain.envs.atari.halves import LEAST_ENVS, Halves
    from rltrain.envs.atari.vector import Atari

    count, threads, training, first = options.num_envs, options.threads, options.training, options.first_index or 0
    if _is_book(settings):
        return book.make(settings, count, training, first)
    in_parts = options.in_parts and not settings.wrappers  # which look at all games together
    if training and in_parts and threads > 2 and count % 2 == 0 and count >= LEAST_ENVS:
        return Halves(settings, count, threads)
    return Atari(settings, count, threads, training, first_index=first, apart=not training)


def _film(settings: AtariConfig, _: str) -> Filmed:
    from rltrain.envs.atari import film

    return film.book(settings) if _is_book(settings) else film.FilmedAtari(settings)


def _is_book(settings: AtariConfig) -> bool:
    return settings.preprocessing == "book"


def _nature(settings: AtariConfig) -> Rules:
    return _published(settings, "nature", noop_max=30, sticky=0.0), EPSILON


def _sticky(settings: AtariConfig) -> Rules:
    return _published(settings, "sticky", noop_max=0, sticky=0.25), 0.001


def _training(settings: AtariConfig) -> Rules:
    return settings.model_copy(update={"terminal_on_life_loss": False}), EPSILON


def _published(settings: AtariConfig, protocol: str, noop_max: int, sticky: float) -> AtariConfig:
    if _is_book(settings):
        raise InputError(f"protocol: '{protocol}' does not go with `preprocessing: book`; write training")
    return settings.model_copy(
        update={
            "terminal_on_life_loss": False,
            "noop_max": noop_max,
            "repeat_action_probability": sticky,
            "max_episode_steps": max(1, MAX_FRAMES // settings.frame_skip),
        }
    )


def _conditions(settings: AtariConfig) -> Mapping[str, Any]:
    return {
        "noop_max": None if _is_book(settings) else settings.noop_max,
        "repeat_action_probability": settings.repeat_action_probability,
        "lives": "whole games",
    }


KIND = EnvironmentKind(
    title="Atari",
    form="ALE/…",
    settings=AtariConfig,
    takes_kwargs=False,
    takes_wrappers=True,
    replays=True,
    handles=_handles,
    ids=_ids,
    exists=_exists,
    describe=_describe,
    make=_make,
    film=_film,
    undivided=lambda *_: None,
    decided_by=lambda _: ("gymnasium", "numpy", "ale-py"),
    protocols={"nature": _nature, "sticky": _sticky, "training": _training},
    default_protocol=lambda settings: "training" if _is_book(settings) else "nature",
    conditions=_conditions,
)
