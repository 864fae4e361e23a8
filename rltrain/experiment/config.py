"""YAML text and dotted overrides -> a typed, frozen experiment. Every config error is born here.

A config has three blocks: `algorithm` (its name and its own settings, typed by the algorithm's plugin), `environment`
and `run`. What a file leaves out is filled in here, once, so `Experiment.to_yaml` says all and is a valid config. A
discount that is left out is the one that the model's file states; else the algorithm's own default.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rltrain import kinds, registry
from rltrain.core import AlgorithmPlugin
from rltrain.errors import InputError
from rltrain.experiment import actors, catalog, earlier, on_disk
from rltrain.experiment.draft import Draft
from rltrain.experiment.faults import fields_at, sentences
from rltrain.experiment.settings import (
    STRICT,
    EnvironmentConfig,
    EvaluateConfig,
    RunConfig,
    SaveConfig,
    parse_duration,
)
from rltrain.spelling import described, did_you_mean, nearest, shown
from rltrain.yaml_subset import flow, write

__all__ = [
    "COUNTERS",
    "SAFE_KEYS",
    "STRICT",
    "EnvironmentConfig",
    "EvaluateConfig",
    "Experiment",
    "RunConfig",
    "SaveConfig",
    "differences",
    "is_safe",
    "load",
    "loads",
    "named",
    "parse_duration",
]

COUNTERS = ("env_steps", "episodes", "updates", "sweeps")  # what budgets and cadences may count, for every algorithm
# With all below them: may change on resume.
SAFE_KEYS = ("run.budget", "run.save", "run.evaluate", "run.sinks", "run.track", "run.distribute", "run.max_wall")
_BLOCKS = ("algorithm", "environment", "run")
_SHORTHAND = {"algorithm": "name", "environment": "id"}  # `algorithm: dqn` is `algorithm: {name: dqn}`
_OTHER_NAMES = {  # what other libraries call it
    "algo": "algorithm.name",
    "env": "environment.id",
    "env_id": "environment.id",
    "n_envs": "environment.num_envs",
    "n_timesteps": "run.budget.env_steps",
    "total_timesteps": "run.budget.env_steps",
}

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Experiment:
    """A config, checked and complete."""

    algorithm_name: str
    algorithm: BaseModel  # the algorithm's own Config
    environment: EnvironmentConfig
    run: RunConfig
    source: str = field(default="", compare=False)  # the file that it came from
    own_task: str = field(default="env", compare=False)  # what the algorithm learns from: `registry.TASKS`
    or_env: bool = field(default=False, compare=False)  # where no model is known it is any environment

    @cached_property
    def task(self) -> str:
        """What the algorithm learns from here, of `registry.TASKS`. MissingError or InputError of an environment."""
        if not self.or_env or kinds.check(self.environment).model(self.environment) is not None:
            return self.own_task
        return "env"

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """The three blocks with every setting that applies, as JSON has them."""
        said = self.environment
        unset = {key for key, given in {"needs": said.needs, "wrappers": said.wrappers}.items() if not given}
        own_run = {"sinks": self.run.sinks, "track": self.run.track, "distribute": self.run.distribute}
        own = set(kinds.own_keys(kinds.of(said.id))) - unset
        return {
            "algorithm": {"name": self.algorithm_name, **self.algorithm.model_dump(mode="json", by_alias=True)},
            "environment": said.model_dump(mode="json", include=own),
            "run": self.run.model_dump(mode="json", exclude={key for key, given in own_run.items() if not given}),
        }

    def to_yaml(self) -> str:
        """The complete config as text: `loads` of it is equal to this experiment."""
        return write(self.to_dict())

    def replace(self, *overrides: str) -> Experiment:
        """This experiment with `key.sub=value` overrides applied and checked. InputError."""
        return loads(self.to_yaml(), self.source, overrides)


def load(path: Path | str, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment in a file, or in the config of a name (`catalog.find`). InputError: every error, one a line."""
    found = catalog.find(Path(path))
    text = on_disk.text(found)
    return loads(text, str(found), [*earlier.overrides(found, text), *overrides])


def named(algorithm: str, environment: str, overrides: Sequence[str] = ()) -> Experiment:
    """An algorithm in an environment, both by name, with defaults but for the overrides. InputError, as of `load`."""
    names = [f"algorithm.name={flow(algorithm)}", f"environment.id={flow(environment)}"]
    return loads("{}", "command line", [*names, *overrides])


def loads(text: str, source: str, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment in a text; `source` is what errors call it."""
    draft = Draft(text, source, _BLOCKS, _SHORTHAND)
    for override in overrides:
        draft.override(override)
    if "sweep" in draft.tree and not draft.tree.keys() & set(_BLOCKS):
        raise InputError(f"{shown(source)}: a sweep, of many configs; type: rltrain sweep {shown(source)}")
    blocks = {name: _block(draft, name) for name in _BLOCKS}
    name = blocks["algorithm"].pop("name", None)
    plugin = _plugin(draft, name)
    world = _environment_model(draft, blocks["environment"])
    models: dict[str, type[BaseModel]] = {"environment": world, "run": RunConfig}
    if plugin is not None:
        models["algorithm"] = plugin.config
        _check_counters(draft, blocks["run"], {*COUNTERS, *plugin.budget})
    elsewhere = {key: f"{block}.{key}" for block, model in models.items() for key in fields_at(model, ())}
    elsewhere |= _OTHER_NAMES
    for key in draft.tree:
        if key not in blocks:
            hint = f"; did you mean '{elsewhere[key]}'?" if key in elsewhere else did_you_mean(key, blocks)
            draft.fault((key,), f"unknown key{hint}")

    algorithm = _validated(draft, "algorithm", models["algorithm"], blocks, elsewhere) if plugin else None
    environment = _validated(draft, "environment", world, blocks, elsewhere)
    run = _validated(draft, "run", RunConfig, blocks, elsewhere)
    if run and run.evaluate.protocol not in (None, "training"):
        _check_protocol(draft, environment, str(run.evaluate.protocol))
    if plugin and environment and run and run.distribute:
        actors.check(draft, str(name), plugin, environment, run.distribute)
    if environment and environment.is_model:
        typed = draft.was_typed(("environment", "id"))
        found = on_disk.model_file(Path(environment.id), Path(source).parent, typed)
        if found is None:
            draft.fault(("environment", "id"), on_disk.no_model(Path(environment.id), Path(source).parent))
        else:
            environment = environment.model_copy(update={"id": found})
            if algorithm and not draft.faults:
                algorithm = _with_own_discount(draft, algorithm, blocks["algorithm"], found)
    if environment and environment.needs:
        home = Path(source).parent
        needs = tuple(on_disk.needed_file(n, home) if n.endswith(".py") else n for n in environment.needs)
        environment = environment.model_copy(update={"needs": needs})
    if draft.faults or not (plugin and algorithm and environment and run):
        draft.raise_faults()
    return _filled_in(Experiment(name, algorithm, environment, run, source, plugin.task, plugin.or_env), plugin)


def _with_own_discount(draft: Draft, algorithm: Model, block: Mapping[str, Any], model_file: str) -> Model:
    """The algorithm's settings with the discount that the model states, where they have a default and set none.

    A default of None is left alone: that algorithm asks the model itself.
    """
    field = type(algorithm).model_fields.get("gamma")
    if field is None or field.default is None or "gamma" in block:
        return algorithm
    from rltrain.mdp import files

    own = files.stated_discount(model_file)
    if own is None:
        return algorithm
    try:
        return type(algorithm).model_validate_json(json.dumps({**block, "gamma": own}), strict=True)
    except ValidationError as error:
        rules = "; ".join(rule for _, rule in sentences(error, type(algorithm), {**block, "gamma": own}, {}))
        draft.fault(("algorithm", "gamma"), f"left out, so it is the model's own discount, {own:.12g}: {rules}")
        return algorithm


def differences(old: Experiment, new: Experiment) -> list[tuple[str, Any, Any]]:
    """(key, old value, new value) of every setting that differs; None where a side lacks it, then "null" for a null."""
    before, after = (dict(leaves(experiment.to_dict())) for experiment in (old, new))
    found = []
    for key in [*before, *(key for key in after if key not in before)]:
        one, other = (flow(side[key]) if key in side else "" for side in (before, after))
        if one != other:  # as text: 1, 1.0 and true are three values, and .nan is one
            lacking = "" in (one, other)
            was, now = ("null" if lacking and side.get(key, 0) is None else side.get(key) for side in (before, after))
            found.append((key, was, now))
    return found


def is_safe(key: str, experiment: Experiment | None = None) -> bool:
    """Whether this setting may change when a run is resumed: nothing that is learned depends on it.

    `experiment`: the run's, where it is known: asynchronous actors are a part of what is learned.
    """
    distribute = experiment and experiment.run.distribute
    if key.startswith("run.distribute") and distribute and distribute.mode == "async":
        return False
    return any(key == safe or key.startswith(f"{safe}.") for safe in SAFE_KEYS)


def _block(draft: Draft, name: str) -> dict[str, Any]:
    """A copy of one block; an empty dict where it is absent or empty."""
    block = draft.tree.get(name)
    if block is None:
        return {}
    if not isinstance(block, dict):
        draft.fault((name,), f"expected a block of settings, got {described(block)}")
        return {}
    return dict(block)


def _plugin(draft: Draft, name: object) -> AlgorithmPlugin | None:
    """The algorithm; None where there is no such one, which is noted."""
    if name is None:
        draft.fault(("algorithm", "name"), f"missing; one of {', '.join(registry.names())}")
        return None
    try:
        return registry.plugin(name if isinstance(name, str) else json.dumps(name))
    except InputError as error:
        draft.fault(("algorithm", "name"), str(error))
        return None


def _environment_model(draft: Draft, block: dict[str, Any]) -> type[EnvironmentConfig]:
    """The settings of the kind that the id is of. A key that only other kinds have is a fault, and leaves the block."""
    name = block.get("id")
    kind = kinds.of(name) if isinstance(name, str) else None
    own = list(EnvironmentConfig.model_fields) if kind is None else kinds.own_keys(kind)
    for key in [key for key in block if key not in own]:
        owners = " and ".join(f"{other.title} ids ({other.form})" for other in kinds.with_key(key))
        if not owners:  # a key of none, which its model refuses; or of a kind that should be there
            for fault in kinds.broken(str(name)):
                draft.fault(("environment", "id"), fault)
            continue
        del block[key]
        if kind is not None:
            takes = f"{kind.title} ids take {', '.join(own)}"
            draft.fault(("environment", key), f"for {owners} only, and the id is {described(name)}; {takes}")
    model: type[EnvironmentConfig] = EnvironmentConfig if kind is None else kind.settings
    return model


def _check_protocol(draft: Draft, environment: EnvironmentConfig | None, protocol: str) -> None:
    """Rules that no kind of environment knows, or this one does not, are a fault."""
    able = kinds.with_protocol(protocol)
    if not able:
        *most, last = [f"'{name}'" for name in kinds.protocols()]
        near = nearest(protocol, kinds.protocols())
        hint = f"; did you mean '{near}'?" if near else ""
        rule = f"expected {', '.join(most)} or {last}, got {described(protocol)}{hint}"
        draft.fault(("run", "evaluate", "protocol"), rule)
    elif environment and kinds.of(environment.id) not in able:
        whose = " and ".join(f"{kind.title} ids ({kind.form})" for kind in able)
        draft.fault(("run", "evaluate", "protocol"), f"'{protocol}' is for {whose} only; write training")


def _validated(
    draft: Draft, block: str, model: type[Model], blocks: Mapping[str, Any], elsewhere: Mapping[str, str]
) -> Model | None:
    """One block as its model. Read as JSON, so that a list may fill a tuple though nothing else is converted."""
    try:
        return model.model_validate_json(json.dumps(blocks[block]), strict=True)
    except ValidationError as error:
        for path, rule in sentences(error, model, blocks[block], elsewhere):
            draft.fault((block, *path), rule)
        return None


def _check_counters(draft: Draft, run: Mapping[str, Any], known: Iterable[str]) -> None:
    """A budget in a counter that nothing counts would never be spent."""
    for path in (("budget",), ("evaluate", "every"), ("save", "every")):
        counts: Any = run
        for key in path:
            counts = counts.get(key) if isinstance(counts, Mapping) else None
        for counter in counts if isinstance(counts, Mapping) else ():
            if counter not in known:
                draft.fault(("run", *path, counter), f"unknown counter{did_you_mean(counter, known)}")


def _filled_in(experiment: Experiment, plugin: AlgorithmPlugin) -> Experiment:
    """The experiment with the defaults that depend on the algorithm and the environment."""
    environment, run = experiment.environment, experiment.run
    if environment.num_envs is None:
        environment = environment.model_copy(update={"num_envs": plugin.num_envs})
    if run.budget is None:
        run = run.model_copy(update={"budget": dict(plugin.budget)})
    if run.evaluate.protocol is None:
        protocol = kinds.default_protocol(environment)
        run = run.model_copy(update={"evaluate": run.evaluate.model_copy(update={"protocol": protocol})})
    return replace(experiment, environment=environment, run=run)


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of everything that is no block; an empty block is a value."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
