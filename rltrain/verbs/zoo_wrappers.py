"""Wrappers of a hyperparameter file of RL Baselines3 Zoo as entries of `environment.wrappers`.

The Zoo puts `env_wrapper` around each environment, then VecNormalize around all of them, then VecFrameStack. Source:
`rl_zoo3/exp_manager.py` and Stable-Baselines3's `common/vec_env`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from rltrain.experiment.faults import sentences
from rltrain.experiment.wrappers import MODELS, REFUSED, Single, Wrapper

NO_CLASSES = "a config names no classes"
ATARI = "AtariWrapper"
ATARI_DEFAULTS: Mapping[str, Any] = {
    "noop_max": 30,
    "frame_skip": 4,
    "screen_size": 84,
    "terminal_on_life_loss": True,
    "clip_reward": True,
    "action_repeat_probability": 0.0,
}
FIRE = "it presses FIRE where a life begins, in games that have it"
GYMNASIUM = ("gym", "gymnasium")  # packages whose wrappers of the same name do the same
ALIKE = [model.__name__ for model in get_args(Single)]
NEARLY = {  # wrappers of other packages that are like one of Gymnasium's: what is another
    "TimeFeatureWrapper": "it shows the share of the time that is left; TimeAwareObservation shows what has passed",
}
RENAMED = {  # the Zoo's own that do what one of Gymnasium's does: its name, and what its arguments are called there
    "rl_zoo3.wrappers.FrameSkip": ("RepeatAction", {"skip": "num_repeats"}),
    "rl_zoo3.wrappers.YAMLCompatResizeObservation": ("ResizeObservation", {"shape": "shape"}),
}
FLAT_GRID = "minigrid.wrappers.FlatObsWrapper"
PICTURE_ALONE = ({"name": "FilterObservation", "filter_keys": ["image"]}, {"name": "FlattenObservation"})
NO_MISSION = "it shows the letters of the mission too; here the picture alone is seen, as one vector"
VEC_NORMALIZE: Mapping[str, Any] = {  # Stable-Baselines3's defaults
    "norm_obs": True,
    "norm_reward": True,
    "clip_obs": 10.0,
    "clip_reward": 10.0,
    "gamma": 0.99,
    "epsilon": 1e-8,
}
ENTRY: TypeAdapter[Any] = TypeAdapter(Wrapper)


def classes(value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """Path and arguments of each class of `env_wrapper`, written `package.Class` or `{package.Class: {key: value}}`."""
    found: list[tuple[str, Mapping[str, Any]]] = []
    for each in value if isinstance(value, list) else [value]:
        name, given = next(iter(each.items()), ("", {})) if isinstance(each, dict) else (str(each), {})
        found.append((name, given if isinstance(given, dict) else {}))
    return found


def of_atari(wrappers: Sequence[tuple[str, Mapping[str, Any]]], signs: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that do what the wrapper of all games does; none where there are others.

    signs   those by which the signs of rewards are learned from
    """
    known = [
        given for path, given in wrappers if path.rpartition(".")[2] == ATARI and set(given) <= set(ATARI_DEFAULTS)
    ]
    if len(wrappers) != 1 or not known:
        return {}
    given = {**ATARI_DEFAULTS, **known[0]}
    sticky, clipped = given.pop("action_repeat_probability"), given.pop("clip_reward")
    settings = {f"environment.{key}": value for key, value in given.items()}
    settings |= {"environment.repeat_action_probability": sticky} if sticky else {}
    return settings | (dict(signs) if clipped else {})


def entry(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A wrapper as a config has it, without what is the default. ValueError for settings that it does not take."""
    block = {"name": name, **given}
    try:
        checked = ENTRY.validate_python(block)
    except ValidationError as error:
        path, rule = next(sentences(error, MODELS[name], block, {}))
        raise ValueError(": ".join([*map(str, path), rule])) from error
    found: dict[str, Any] = checked.model_dump(mode="json", exclude_defaults=True)
    return found


def of_class(path: str, given: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """A class with its arguments, as a config has it, and what it does besides. ValueError, which says why not."""
    name = path.rpartition(".")[2]
    if path == FLAT_GRID and not given:
        return [*PICTURE_ALONE], NO_MISSION
    if path in RENAMED and set(given) == set(RENAMED[path][1]):
        other, arguments = RENAMED[path]
        return [entry(other, {arguments[key]: value for key, value in given.items()})], ""
    if path.partition(".")[0] not in GYMNASIUM:
        raise ValueError(NEARLY.get(name, NO_CLASSES))
    if name not in ALIKE:
        raise ValueError(REFUSED.get(name, "it is not among Gymnasium's wrappers that a config may name"))
    return [entry(name, given)], ""


def normalizing(given: Mapping[str, Any], gamma: Any) -> list[dict[str, Any]]:
    """VecNormalize with these arguments, as a config has it. ValueError, which says why not.

    gamma   the block's, which the Zoo prefers to an argument; None: it has none
    """
    for key in given:
        if key not in VEC_NORMALIZE:
            raise ValueError(f"{key} has no counterpart here")
    full = {**VEC_NORMALIZE, **given, **({} if gamma is None else {"gamma": gamma})}
    if not (type(full["norm_obs"]) is type(full["norm_reward"]) is bool):
        raise ValueError("norm_obs and norm_reward are true or false")
    found = []
    if full["norm_obs"]:
        found.append(entry("NormalizeObservation", {"epsilon": full["epsilon"], "clip": full["clip_obs"]}))
    if full["norm_reward"]:
        pay = {"gamma": full["gamma"], "epsilon": full["epsilon"], "clip": full["clip_reward"]}
        found.append(entry("NormalizeReward", pay))
    return found
