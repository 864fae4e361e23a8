"""Hyperparameters of RL Baselines3 Zoo as settings of rltrain: what each key means here, or that it means nothing.

Where a block is silent the defaults of Stable-Baselines3 hold (2.3 and later). With N environments its `train_freq`
counts steps of all of them together, so it is N times as large here; `gradient_steps: -1` is an update for each step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rltrain import kinds, registry
from rltrain.envs.atari import old_ids
from rltrain.errors import InputError
from rltrain.experiment.config import Experiment, named
from rltrain.spelling import described, shown
from rltrain.verbs import zoo_file, zoo_wrappers
from rltrain.verbs.zoo_wrappers import NO_CLASSES
from rltrain.yaml_subset import flow

TRANSLATED = ("dqn",)  # the algorithms that the Zoo and rltrain both have
SILENT: Mapping[str, Any] = {  # what Stable-Baselines3's DQN takes where a block does not say
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
}
WHOLE = ("buffer_size", "learning_starts", "batch_size", "target_update_interval")  # called and meant as here
NUMBERS = ("gamma", "exploration_initial_eps", "exploration_final_eps", "max_grad_norm")
WRAPPERS = "environment.wrappers"
INWARDS_OUT = ("env_wrapper", "frame_stack", "normalize")  # the keys that become wrappers, as they stand around it here
NOTHING_AROUND = "nothing is put around these environments"
RELU = ("nn.ReLU", "th.nn.ReLU", "torch.nn.ReLU")


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
        left = f"{self.key}: {shown(_short(self.value))}"
        if self.lost:
            return f"{left}  NOT TRANSLATED: {self.why}"
        told = ", ".join(f"{name.partition('.')[2]}={_short(value)}" for name, value in self.settings.items())
        return f"{left}  -> {told or 'nothing to set'}{f' ({self.why})' if self.why else ''}"


@dataclass(frozen=True)
class ZooExperiment:
    """A block of a hyperparameter file as an experiment."""

    experiment: Experiment
    environment: str  # as a config says it
    block: str  # its name in the file
    keys: Sequence[ZooKey]


def translated(path: Path, algorithm: str | None, environment: str, overrides: Sequence[str] = ()) -> ZooExperiment:
    """The experiment that a hyperparameter file describes for an environment.

    path       the file, called after its algorithm: dqn.yml
    algorithm  of the file, where its name does not say it
    InputError for a file that cannot be read, an algorithm that rltrain has not, an environment that has no block.
    """
    name = algorithm or path.stem
    if name not in TRANSLATED:
        have = "an algorithm whose settings are others here" if name in registry.names() else "which rltrain has not"
        mended = "" if algorithm else "; where the file is called otherwise, --algo says which"
        raise InputError(
            f"{shown(str(path))}: hyperparameters of {shown(name)}, {have}; of the Zoo's it can translate "
            f"{', '.join(TRANSLATED)}, and `rltrain list algorithms` shows all{mended}"
        )
    old = old_ids.meaning(environment)
    is_atari = old is not None or environment.startswith("ALE/")
    block_name, block = zoo_file.block_for(path, environment, is_atari)
    world = environment if old is None else old.id
    keys = _Block(block, is_atari, "wrappers" in kinds.own_keys(kinds.of(world))).keys()
    if old is not None:
        keys.insert(0, ZooKey("env", environment, _dotted({"id": old.id, **old.settings}), "; ".join(old.notes)))
    settings = {name: value for key in keys for name, value in key.settings.items() if name != "environment.id"}
    by_name = {key.key: key.settings.get(WRAPPERS, []) for key in keys}
    if WRAPPERS in settings:
        settings[WRAPPERS] = [each for name in INWARDS_OUT for each in by_name.get(name, [])]
    given = [f"{name}={flow(value)}" for name, value in settings.items()]
    return ZooExperiment(named(name, world, [*given, *overrides]), world, block_name, keys)


class _Block:
    """The keys of a block, one after the other."""

    def __init__(self, block: Mapping[str, Any], is_atari: bool, takes_wrappers: bool) -> None:
        self._block, self._is_atari, self._takes_wrappers = block, is_atari, takes_wrappers
        self._all = {**block, **{key: value for key, value in SILENT.items() if key not in block}}
        self._steps = _whole(block.get("n_timesteps"))
        self._envs = _whole(self._all["n_envs"]) or 1
        self._rules: dict[str, Callable[[str, Any], ZooKey]] = {
            **dict.fromkeys(WHOLE, self._whole_number),
            **dict.fromkeys(NUMBERS, self._number),
            "n_timesteps": self._budget,
            "n_envs": self._num_envs,
            "learning_rate": self._learning_rate,
            "train_freq": self._train_freq,
            "gradient_steps": self._gradient_steps,
            "exploration_fraction": self._exploration,
            "policy": self._policy,
            "policy_kwargs": self._network,
            "frame_stack": self._frame_stack,
            "env_wrapper": self._wrappers,
            "env_kwargs": self._arguments,
            "tau": self._tau,
            "normalize": self._normalize,
            "optimize_memory_usage": lambda key, value: ZooKey(key, value, why="frames are always kept once"),
        }

    def keys(self) -> list[ZooKey]:
        """Those of the block in its order, then what Stable-Baselines3 adds."""
        found = []
        for key, value in self._all.items():
            rule = self._rules.get(key)
            made = rule(key, value) if rule is not None else _lost(key, value, "rltrain has no such setting")
            made.silent = key not in self._block
            found.append(made)
        return found

    def _whole_number(self, key: str, value: Any) -> ZooKey:
        number = _whole(value)
        return _lost(key, value) if number is None else ZooKey(key, value, {f"algorithm.{key}": number})

    def _number(self, key: str, value: Any) -> ZooKey:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        return ZooKey(key, value, {f"algorithm.{key}": value}) if fits else _lost(key, value)

    def _budget(self, key: str, value: Any) -> ZooKey:
        if self._steps is None:
            return _lost(key, value)
        return ZooKey(key, value, {"run.budget": {"env_steps": self._steps}})

    def _num_envs(self, key: str, value: Any) -> ZooKey:
        return ZooKey(key, value, {"environment.num_envs": self._envs})

    def _learning_rate(self, key: str, value: Any) -> ZooKey:
        if not isinstance(value, str):
            return self._number(key, value)
        kind, _, start = value.partition("_")
        number = _as_number(start)
        if kind != "lin" or number is None or self._steps is None:
            return _lost(key, value)
        falls = {"learning_rate": number, "learning_rate_final": number / 1000, "learning_rate_steps": self._steps}
        why = "the Zoo's falls to 0, here to a thousandth"
        return ZooKey(key, value, {f"algorithm.{name}": item for name, item in falls.items()}, why)

    def _train_freq(self, key: str, value: Any) -> ZooKey:
        number = _whole(value)
        if number is None:
            return _lost(key, value, "rltrain counts steps, not episodes")
        why = f"of all {self._envs} environments" if self._envs > 1 else ""
        return ZooKey(key, value, {"algorithm.train_freq": number * self._envs}, why)

    def _gradient_steps(self, key: str, value: Any) -> ZooKey:
        number = _whole(value)
        if number == -1:
            steps = (_whole(self._all["train_freq"]) or 1) * self._envs
            return ZooKey(key, value, {"algorithm.gradient_steps": steps}, "one for each step")
        return self._whole_number(key, value)

    def _exploration(self, key: str, value: Any) -> ZooKey:
        if not isinstance(value, int | float) or self._steps is None:
            return _lost(key, value)
        return ZooKey(key, value, {"algorithm.exploration_steps": max(1, round(value * self._steps))})

    def _policy(self, key: str, value: Any) -> ZooKey:
        fits = value in ("MlpPolicy", "CnnPolicy", "MultiInputPolicy")
        return ZooKey(key, value, why="the network follows the observations") if fits else _lost(key, value)

    def _network(self, key: str, value: Any) -> ZooKey:
        try:
            given = zoo_file.arguments(value)
        except ValueError:
            return _lost(key, value, "it is Python, which is never run, and no dict(...)")
        settings: dict[str, Any] = {}
        left = []
        for name, item in given.items():
            if name == "net_arch" and isinstance(item, list | tuple) and all(type(width) is int for width in item):
                settings["algorithm.hidden"] = list(item)
            elif name == "optimizer_kwargs" and isinstance(item, dict) and set(item) == {"eps"}:
                settings["algorithm.optimizer_eps"] = item["eps"]
            elif not (name == "activation_fn" and item in RELU):
                left.append(f"{name}={_short(item)}")
        return _partly(key, value, settings, left)

    def _frame_stack(self, key: str, value: Any) -> ZooKey:
        number = _whole(value)
        if number is None or not (self._is_atari or self._takes_wrappers):
            return _lost(key, value)
        if self._is_atari:
            return ZooKey(key, value, {"environment.frame_stack": number})
        if number == 1:
            return ZooKey(key, value)
        try:
            stack = zoo_wrappers.entry("FrameStackObservation", {"stack_size": number, "padding_type": "zero"})
        except ValueError as error:
            return _lost(key, value, str(error))
        return ZooKey(key, value, {WRAPPERS: [stack]})

    def _wrappers(self, key: str, value: Any) -> ZooKey:
        wrappers = zoo_wrappers.classes(value)
        if self._is_atari:
            games = zoo_wrappers.of_atari(wrappers)
            return ZooKey(key, value, games, "what the wrapper does") if games else _lost(key, value, NO_CLASSES)
        settings: dict[str, Any] = {}
        left = []
        for path, given in wrappers:
            name, limit = path.rpartition(".")[2], _whole(given.get("max_episode_steps"))
            try:
                if name == "TimeLimit" and limit is not None:
                    settings["environment.max_episode_steps"] = limit
                elif self._takes_wrappers:
                    made = zoo_wrappers.of_gymnasium(path, given)
                    settings[WRAPPERS] = [*settings.get(WRAPPERS, []), made]
                else:
                    left.append(f"{name}, {NOTHING_AROUND}")
            except ValueError as error:
                left.append(f"{name}, {error}")
        return _partly(key, value, settings, left)

    def _arguments(self, key: str, value: Any) -> ZooKey:
        try:
            return ZooKey(key, value, {"environment.kwargs": dict(zoo_file.arguments(value))})
        except ValueError:
            return _lost(key, value)

    def _tau(self, key: str, value: Any) -> ZooKey:
        if value == 1:
            return ZooKey(key, value, why="the target network is a copy")
        return _lost(key, value, "the target network is a copy, not a moving mean")

    def _normalize(self, key: str, value: Any) -> ZooKey:
        if value is False:
            return ZooKey(key, value)
        if not self._takes_wrappers:
            return _lost(key, value, NOTHING_AROUND)
        try:
            found = zoo_wrappers.normalizing(
                {} if value is True else zoo_file.arguments(value), self._block.get("gamma")
            )
        except ValueError as error:
            return _lost(key, value, str(error))
        why = "the memory keeps what was seen; there it is normalised anew whenever it is drawn"
        stacked = "; of stacks, there of each observation" if (_whole(self._block.get("frame_stack")) or 1) > 1 else ""
        return ZooKey(key, value, {WRAPPERS: found} if found else {}, why + stacked if found else "")


def _dotted(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {f"environment.{key}": value for key, value in settings.items()}


def _partly(key: str, value: Any, settings: dict[str, Any], left: Sequence[str]) -> ZooKey:
    """A key of several parts, some of which may not be translated."""
    why = "; ".join(left)
    if left and settings:
        return ZooKey(key, value, settings, f"NOT TRANSLATED: {why}")
    return ZooKey(key, value, settings, why, lost=bool(left))


def _lost(key: str, value: Any, why: str = "") -> ZooKey:
    return ZooKey(key, value, why=why or f"{described(value)} has no counterpart here", lost=True)


def _whole(value: Any) -> int | None:
    """A whole number that may be written as a float: 1e5."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
    return int(value) if fits else None


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _short(value: Any) -> str:
    try:
        text = flow(value)
    except TypeError:
        text = repr(value)
    return text if len(text) <= 70 else f"{text[:67]}..."
