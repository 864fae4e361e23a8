"""Keys of RL Baselines3 Zoo's hyperparameters as settings of rltrain: what a rule makes of a key.

Here are the rules of the keys that the Zoo itself reads, whatever learns, and those that the algorithms' own share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rltrain.spelling import described, shown
from rltrain.verbs import zoo_file, zoo_wrappers
from rltrain.verbs.zoo_wrappers import NO_CLASSES
from rltrain.yaml_subset import flow

WRAPPERS = "environment.wrappers"
INWARDS_OUT = ("env_wrapper", "frame_stack", "normalize")  # the keys that become wrappers, as they stand around it here
NOTHING_AROUND = "nothing is put around these environments"
OF_GAMES = "of games pictures are seen from 0 to 1, and rewards by their signs"
TORCH = ("nn", "th.nn", "torch.nn")  # what such files call torch.nn


@dataclass
class ZooKey:
    """A key of a block, with what it is here."""

    key: str
    value: Any
    settings: dict[str, Any] = field(default_factory=dict)  # by rltrain's dotted names; {}: nothing is to be set
    why: str = ""  # a remark, or why nothing is set
    lost: bool = False  # it would matter, and is not translated
    silent: bool = False  # the block does not have it: a default of Stable-Baselines3

    @property
    def line(self) -> str:
        """The key and what became of it, for a person."""
        left = f"{self.key}: {shown(short(self.value))}"
        if self.lost:
            return f"{left}  NOT TRANSLATED: {self.why}"
        told = ", ".join(f"{name.partition('.')[2]}={short(value)}" for name, value in self.settings.items())
        return f"{left}  -> {told or 'nothing to set'}{f' ({self.why})' if self.why else ''}"


@dataclass(frozen=True)
class ZooAlgorithm:
    """How hyperparameters of one of the Zoo's algorithms are said here."""

    name: str  # of rltrain's
    silent: Mapping[str, Any]  # what Stable-Baselines3 takes where a block does not say
    rules: Mapping[str, Rule]  # of its own keys
    signs: Mapping[str, Any]  # the settings by which it learns from the signs of a game's rewards


@dataclass(frozen=True)
class ZooBlock:
    """The block for an environment, as its rules see it."""

    own: Mapping[str, Any]  # what stands in it
    algorithm: ZooAlgorithm
    world: str  # the environment's id here
    is_atari: bool
    takes_wrappers: bool

    @property
    def full(self) -> Mapping[str, Any]:
        """Its keys in their order, then what Stable-Baselines3 adds."""
        return {**self.own, **{key: value for key, value in self.algorithm.silent.items() if key not in self.own}}

    @property
    def steps(self) -> int | None:
        """Environment steps of the whole training; None where it does not say so."""
        return whole(self.own.get("n_timesteps"))

    @property
    def envs(self) -> int:
        """Environments side by side."""
        return whole(self.full["n_envs"]) or 1

    def keys(self) -> list[ZooKey]:
        """What each of them is here."""
        rules = {**COMMON, **self.algorithm.rules}
        found = []
        for key, value in self.full.items():
            made = rules[key](self, key, value) if key in rules else lost(key, value, "rltrain has no such setting")
            made.silent = key not in self.own
            found.append(made)
        return found


Rule = Callable[[ZooBlock, str, Any], ZooKey]


# Rules that the algorithms' own share


def whole_number(block: ZooBlock, key: str, value: Any) -> ZooKey:
    """A setting of the same name and meaning, a whole number."""
    number = whole(value)
    return lost(key, value) if number is None else ZooKey(key, value, {f"algorithm.{key}": number})


def number(block: ZooBlock, key: str, value: Any) -> ZooKey:
    """A setting of the same name and meaning, a number."""
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    return ZooKey(key, value, {f"algorithm.{key}": value}) if fits else lost(key, value)


def falling(block: ZooBlock, key: str, value: Any, end: float = 0.0) -> ZooKey:
    """A number, or `lin_` and the number from which it falls in a straight line to `end` of it."""
    if not isinstance(value, str):
        return number(block, key, value)
    kind, _, text = value.partition("_")
    start = _as_number(text)
    if kind != "lin" or start is None:
        return lost(key, value)
    if block.steps is None:
        return lost(key, value, "it falls over n_timesteps, and there are none")
    line = {key: start, f"{key}_final": start * end, "learning_rate_steps": block.steps}
    return ZooKey(key, value, {f"algorithm.{name}": item for name, item in line.items()})


def normalize(block: ZooBlock, key: str, value: Any) -> ZooKey:
    """VecNormalize around all environments."""
    if value is False:
        return ZooKey(key, value)
    if block.is_atari or not block.takes_wrappers:
        return lost(key, value, OF_GAMES if block.is_atari else NOTHING_AROUND)
    try:
        found = zoo_wrappers.normalizing({} if value is True else zoo_file.arguments(value), block.own.get("gamma"))
    except ValueError as error:
        return lost(key, value, str(error))
    stacked = (whole(block.own.get("frame_stack")) or 1) > 1
    why = "of stacks, there of each observation" if found and stacked else ""
    return ZooKey(key, value, {WRAPPERS: found} if found else {}, why)


# Rules of the Zoo's own keys


def _budget(block: ZooBlock, key: str, value: Any) -> ZooKey:
    return lost(key, value) if block.steps is None else ZooKey(key, value, {"run.budget": {"env_steps": block.steps}})


def _num_envs(block: ZooBlock, key: str, value: Any) -> ZooKey:
    return ZooKey(key, value, {"environment.num_envs": block.envs})


def _policy(block: ZooBlock, key: str, value: Any) -> ZooKey:
    fits = value in ("MlpPolicy", "CnnPolicy", "MultiInputPolicy")
    return ZooKey(key, value, why="the network follows the observations") if fits else lost(key, value)


def _frame_stack(block: ZooBlock, key: str, value: Any) -> ZooKey:
    count = whole(value)
    if count is None or not (block.is_atari or block.takes_wrappers):
        return lost(key, value)
    if block.is_atari:
        return ZooKey(key, value, {"environment.frame_stack": count})
    if count == 1:
        return ZooKey(key, value)
    try:
        stack = zoo_wrappers.entry("FrameStackObservation", {"stack_size": count, "padding_type": "zero"})
    except ValueError as error:
        return lost(key, value, str(error))
    return ZooKey(key, value, {WRAPPERS: [stack]})


def _wrappers(block: ZooBlock, key: str, value: Any) -> ZooKey:
    classes = zoo_wrappers.classes(value)
    if block.is_atari:
        games = zoo_wrappers.of_atari(classes, block.algorithm.signs)
        return partly(key, value, games, [zoo_wrappers.FIRE]) if games else lost(key, value, NO_CLASSES)
    settings: dict[str, Any] = {}
    left = []
    for path, given in classes:
        name, limit = path.rpartition(".")[2], whole(given.get("max_episode_steps"))
        try:
            if name == "TimeLimit" and limit is not None:
                settings["environment.max_episode_steps"] = limit
            elif block.takes_wrappers:
                made, without = zoo_wrappers.of_class(path, given)
                settings[WRAPPERS] = [*settings.get(WRAPPERS, []), *made]
                left += [f"{name}: {without}"] if without else []
            else:
                left.append(f"{name}, {NOTHING_AROUND}")
        except ValueError as error:
            left.append(f"{name}, {error}")
    return partly(key, value, settings, left)


def _arguments(block: ZooBlock, key: str, value: Any) -> ZooKey:
    try:
        return ZooKey(key, value, {"environment.kwargs": dict(zoo_file.arguments(value))})
    except ValueError:
        return lost(key, value)


COMMON: Mapping[str, Rule] = {
    "n_timesteps": _budget,
    "n_envs": _num_envs,
    "policy": _policy,
    "frame_stack": _frame_stack,
    "env_wrapper": _wrappers,
    "env_kwargs": _arguments,
    "normalize": normalize,
    "gamma": number,
    "max_grad_norm": number,
}


# What rules say


def partly(key: str, value: Any, settings: dict[str, Any], left: Sequence[str]) -> ZooKey:
    """A key of several parts, some of which may not be translated."""
    why = "; ".join(left)
    if left and settings:
        return ZooKey(key, value, settings, f"NOT TRANSLATED: {why}")
    return ZooKey(key, value, settings, why, lost=bool(left))


def lost(key: str, value: Any, why: str = "") -> ZooKey:
    """A key that would matter, and that nothing here says."""
    return ZooKey(key, value, why=why or f"{described(value)} has no counterpart here", lost=True)


def torch_name(item: object) -> str:
    """Of a class of torch.nn its own name: nn.ReLU is ReLU. Of all else nothing."""
    package, _, name = item.rpartition(".") if isinstance(item, str) else ("", "", "")
    return name if package in TORCH else ""


def widths(item: object) -> list[int] | None:
    """Of layers, in a list of whole numbers; None for all else."""
    return list(item) if isinstance(item, list | tuple) and all(type(width) is int for width in item) else None


def whole(value: Any) -> int | None:
    """A whole number that may be written as a float: 1e5."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
    return int(value) if fits else None


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def short(value: Any) -> str:
    """A value in a line for a person."""
    try:
        text = flow(value)
    except TypeError:
        text = repr(value)
    return text if len(text) <= 70 else f"{text[:67]}..."
