"""Hyperparameters of the Zoo's PPO and A2C as settings of `ppo`, which calls most of them as they are called there.

A2C is PPO with one epoch of one batch (Huang et al. 2022). Of actions that are numbers there is a deviation in their
own units, here in halves of their bounds' width h: log_std_init is less by log h.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from rltrain import envs
from rltrain.errors import RltrainError
from rltrain.experiment.config import named
from rltrain.policies.distributions import middle_and_half
from rltrain.spaces import Continuous
from rltrain.verbs import zoo_file
from rltrain.verbs.zoo_keys import (
    WRAPPERS,
    Rule,
    ZooAlgorithm,
    ZooBlock,
    ZooKey,
    falling,
    lost,
    number,
    partly,
    short,
    torch_name,
    whole,
    whole_number,
    widths,
)
from rltrain.yaml_subset import flow

NUMBERS = ("gae_lambda", "ent_coef", "vf_coef")  # called and meant as here
ACTIVATIONS = {"Tanh": "tanh", "ReLU": "relu", "ELU": "elu"}
SIGNS = {"name": "ClipReward", "min_reward": -1.0, "max_reward": 1.0}
LOG_STD = "algorithm.log_std_init"
MOST_LOG_STD = 100
IN_HALVES = "here in halves of the bounds' width"
SAMPLED = "there noise depends on what is seen, and may last for some steps; here it is drawn anew for each action"


def _optional(block: ZooBlock, key: str, value: Any) -> ZooKey:
    return ZooKey(key, value) if value is None else number(block, key, value)


def _yes_or_no(block: ZooBlock, key: str, value: Any) -> ZooKey:
    return ZooKey(key, value, {f"algorithm.{key}": value}) if isinstance(value, bool) else lost(key, value)


def _noise(block: ZooBlock, key: str, value: Any) -> ZooKey:
    return ZooKey(key, value) if value is False else lost(key, value, SAMPLED)


def _noise_steps(block: ZooBlock, key: str, value: Any) -> ZooKey:
    return ZooKey(key, value, why="part of use_sde", lost=bool(block.own.get("use_sde")))


def _rollout_is_batch(block: ZooBlock, key: str, value: Any) -> ZooKey:
    """A2C learns once from all that was played."""
    steps = whole(value)
    if steps is None:
        return lost(key, value)
    rollout = {"n_steps": steps, "n_epochs": 1, "batch_size": steps * block.envs}
    return ZooKey(key, value, {f"algorithm.{name}": item for name, item in rollout.items()}, "one epoch of one batch")


def _rms_prop(block: ZooBlock, key: str, value: Any) -> ZooKey:
    if not isinstance(value, bool):
        return lost(key, value)
    return ZooKey(key, value, {"algorithm.optimizer": "rmsprop" if value else "adam"})


def _rms_prop_eps(block: ZooBlock, key: str, value: Any) -> ZooKey:
    made = number(block, key, value)
    return made if made.lost else ZooKey(key, value, {"algorithm.optimizer_eps": value})


def _network(block: ZooBlock, key: str, value: Any) -> ZooKey:
    try:
        given = zoo_file.arguments(value)
    except ValueError:
        return lost(key, value, zoo_file.NO_ARGUMENTS)
    settings: dict[str, Any] = {}
    left = []
    pictures = block.own.get("policy") in ("CnnPolicy", "MultiInputPolicy")
    for name, item in given.items():
        own, why = _argument(name, item, pictures)
        settings |= own
        left += [f"{name}={short(item)}{why}"] if why is not None else []
    deviation, without = _deviation(block, given.get("log_std_init", 0.0))
    made = partly(key, value, settings | deviation, left + without)
    if deviation and deviation[LOG_STD] != given.get("log_std_init", 0.0):
        made.why = "; ".join([IN_HALVES, *([made.why] if made.why else [])])
    return made


def _argument(name: str, item: Any, pictures: bool) -> tuple[dict[str, Any], str | None]:
    """The settings of an argument of the policy, and why they are not the same; None: they are."""
    match name:
        case "log_std_init":
            return {}, None  # see `_deviation`
        case "net_arch":
            found = _layers(item)
            if isinstance(found, str):
                return {}, f", {found}"
            if pictures:
                return {}, ", after pictures policy and value share their layers" if found else None
            return {"algorithm.hidden": found}, None
        case "activation_fn" if torch_name(item) in ACTIVATIONS:
            return ({} if pictures else {"algorithm.activation": ACTIVATIONS[torch_name(item)]}), None
        case "ortho_init":
            return {}, None if item is True else ", weights are always orthogonal at first"
        case "optimizer_kwargs" if isinstance(item, dict) and set(item) == {"eps"}:
            return {"algorithm.optimizer_eps": item["eps"]}, None
        case "optimizer_class" if item == "RMSpropTFLike":
            return {}, ", RMSprop is torch's, with epsilon beside the root"
    return {}, ""


def _layers(item: Any) -> list[int] | str:
    """Widths of `[64]` or `dict(pi=[64], vf=[64])`, which older files have in a list; or why there are none."""
    if isinstance(item, list) and len(item) == 1 and isinstance(item[0], dict):
        item = item[0]
    if (found := widths(item)) is not None:
        return found
    if not isinstance(item, dict) or not set(item) <= {"pi", "vf"}:
        return "layers that are no list of widths"
    policy, value = (widths(item.get(part, [])) for part in ("pi", "vf"))
    if policy is None or value is None or policy != value:
        return "the networks of policy and value have the same widths"
    return policy


def _deviation(block: ZooBlock, value: Any) -> tuple[dict[str, Any], list[str]]:
    """The setting for log_std_init, and what of it is not the same."""
    halves = _halves(block)
    if halves is None:
        return {}, []
    if block.own.get("use_sde"):
        return {}, [f"log_std_init={short(value)}, part of use_sde"] if value else []
    if not isinstance(value, int | float) or abs(value) > MOST_LOG_STD:
        return {}, [f"log_std_init={short(value)}"]
    if len(set(halves)) != 1 or not halves[0]:
        return {LOG_STD: value}, ["log_std_init counts in halves of bounds, which differ"]
    return {LOG_STD: round(value - math.log(halves[0]), 4)}, []


def _halves(block: ZooBlock) -> list[float] | None:
    """Half the width of each action's bounds; None where they are no numbers, or the environment is not here."""
    with suppress(RltrainError, ValueError):
        kwargs = zoo_file.arguments(block.own.get("env_kwargs", {}))
        given = [f"environment.kwargs={flow(dict(kwargs))}"] if kwargs else []
        actions = envs.describe(named("ppo", block.world, given).environment).actions
        if isinstance(actions, Continuous):
            return [float(half) for half in middle_and_half(actions)[1]]
    return None


_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(NUMBERS, number),
    "learning_rate": falling,
    "n_steps": whole_number,
    "normalize_advantage": _yes_or_no,
    "use_sde": _noise,
    "sde_sample_freq": _noise_steps,
    "policy_kwargs": _network,
}
_SILENT: Mapping[str, Any] = {
    "n_envs": 1,
    "gamma": 0.99,
    "ent_coef": 0.0,
    "vf_coef": 0.5,
    "max_grad_norm": 0.5,
    "policy_kwargs": "dict(log_std_init=0.0)",
}
PPO = ZooAlgorithm(
    name="ppo",
    silent={
        **_SILENT,
        "learning_rate": 3e-4,
        "n_steps": 2048,
        "batch_size": 64,
        "n_epochs": 10,
        "gae_lambda": 0.95,
        "clip_range": 0.2,
        "normalize_advantage": True,
    },
    rules={
        **_RULES,
        "batch_size": whole_number,
        "n_epochs": whole_number,
        "clip_range": falling,
        "clip_range_vf": _optional,
        "target_kl": _optional,
    },
    signs={WRAPPERS: [SIGNS]},
)
A2C = ZooAlgorithm(
    name="ppo",
    silent={
        **_SILENT,
        "learning_rate": 7e-4,
        "n_steps": 5,
        "gae_lambda": 1.0,
        "normalize_advantage": False,
        "use_rms_prop": True,
    },
    rules={
        **_RULES,
        "n_steps": _rollout_is_batch,
        "use_rms_prop": _rms_prop,
        "rms_prop_eps": _rms_prop_eps,
    },
    signs={WRAPPERS: [SIGNS]},
)
