"""Hyperparameters of the Zoo's DQN as settings of `dqn`.

With N environments its `train_freq` counts steps of all of them together, so it is N times as large here;
`gradient_steps: -1` is an update for each step.
"""

from __future__ import annotations

from typing import Any

from rltrain.verbs import zoo_file
from rltrain.verbs.zoo_keys import (
    ZooAlgorithm,
    ZooBlock,
    ZooKey,
    falling,
    lost,
    normalize,
    number,
    partly,
    short,
    torch_name,
    whole,
    whole_number,
    widths,
)

WHOLE = ("buffer_size", "learning_starts", "batch_size", "target_update_interval")  # called and meant as here
NUMBERS = ("exploration_initial_eps", "exploration_final_eps")
MEMORY = "the memory keeps what was seen; there it is normalised anew whenever it is drawn"


def _learning_rate(block: ZooBlock, key: str, value: Any) -> ZooKey:
    made = falling(block, key, value, 1e-3)
    if isinstance(value, str) and made.settings:
        made.why = "the Zoo's falls to 0, here to a thousandth"
    return made


def _train_freq(block: ZooBlock, key: str, value: Any) -> ZooKey:
    steps = whole(value)
    if steps is None:
        return lost(key, value, "rltrain counts steps, not episodes")
    why = f"of all {block.envs} environments" if block.envs > 1 else ""
    return ZooKey(key, value, {"algorithm.train_freq": steps * block.envs}, why)


def _gradient_steps(block: ZooBlock, key: str, value: Any) -> ZooKey:
    if whole(value) != -1:
        return whole_number(block, key, value)
    steps = (whole(block.full["train_freq"]) or 1) * block.envs
    return ZooKey(key, value, {"algorithm.gradient_steps": steps}, "one for each step")


def _exploration(block: ZooBlock, key: str, value: Any) -> ZooKey:
    if not isinstance(value, int | float) or block.steps is None:
        return lost(key, value)
    return ZooKey(key, value, {"algorithm.exploration_steps": max(1, round(value * block.steps))})


def _network(block: ZooBlock, key: str, value: Any) -> ZooKey:
    try:
        given = zoo_file.arguments(value)
    except ValueError:
        return lost(key, value, zoo_file.NO_ARGUMENTS)
    settings: dict[str, Any] = {}
    left = []
    for name, item in given.items():
        if name == "net_arch" and (hidden := widths(item)) is not None:
            settings["algorithm.hidden"] = hidden
        elif name == "optimizer_kwargs" and isinstance(item, dict) and set(item) == {"eps"}:
            settings["algorithm.optimizer_eps"] = item["eps"]
        elif not (name == "activation_fn" and torch_name(item) == "ReLU"):
            left.append(f"{name}={short(item)}")
    return partly(key, value, settings, left)


def _tau(block: ZooBlock, key: str, value: Any) -> ZooKey:
    if value == 1:
        return ZooKey(key, value, why="the target network is a copy")
    return lost(key, value, "the target network is a copy, not a moving mean")


def _normalize(block: ZooBlock, key: str, value: Any) -> ZooKey:
    made = normalize(block, key, value)
    if made.settings:
        made.why = "; ".join([MEMORY, *([made.why] if made.why else [])])
    return made


def _memory(block: ZooBlock, key: str, value: Any) -> ZooKey:
    return ZooKey(key, value, why="frames are always kept once")


DQN = ZooAlgorithm(
    name="dqn",
    silent={
        "n_envs": 1,
        "learning_rate": 1e-4,
        "buffer_size": 1_000_000,
        "learning_starts": 100,
        "batch_size": 32,
        "gamma": 0.99,
        "train_freq": 4,
        "gradient_steps": 1,
        "target_update_interval": 10_000,
        "exploration_fraction": 0.1,
        "exploration_initial_eps": 1.0,
        "exploration_final_eps": 0.05,
        "max_grad_norm": 10.0,
    },
    rules={
        **dict.fromkeys(WHOLE, whole_number),
        **dict.fromkeys(NUMBERS, number),
        "learning_rate": _learning_rate,
        "train_freq": _train_freq,
        "gradient_steps": _gradient_steps,
        "exploration_fraction": _exploration,
        "policy_kwargs": _network,
        "tau": _tau,
        "normalize": _normalize,
        "optimize_memory_usage": _memory,
    },
    signs={"algorithm.reward_clip": 1.0},
)
