"""Which environments there are: what is seen and done in each, what can learn them, and what is missing of the others.

One of each is made, which is cheap but of Atari, since nothing else tells what packages it needs and what it shows.
Of a kind whose ids all stand in a namespace of their own, such as Atari's, one stands for all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from rltrain import kinds, registry
from rltrain.core import AlgorithmPlugin, EnvOptions, EnvSpec
from rltrain.envs.products import combined
from rltrain.envs.screen import keep_quiet
from rltrain.errors import EnvironmentFault, InputError, MissingError, RltrainError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.kinds import Kind
from rltrain.spelling import in_one_line

NOT_LEARNING = ("basic",)  # it plays by rules that are written down
FAULTS = (InputError, MissingError, EnvironmentFault, ValidationError)  # the last: of an id that no config may have
REASON = re.compile(r"(?:[A-Z]\w*(?:Error|NotInstalled): )?(.*)", re.DOTALL)  # without the exception's name


@dataclass(frozen=True)
class EnvironmentSummary:
    """An environment that is registered here, or a kind of environment brings."""

    id: str
    kind: str  # the title of its kind
    form: str  # of the kind's ids: "ALE/…"
    observations: str | None  # such as "4 numbers"; None where it cannot be made
    actions: str | None  # such as "2 actions"; None where it cannot be made, and where each of a kind has its own
    learned_by: list[str]  # names of algorithms
    missing: str | None  # why it cannot be trained on here; None: it can


def environments() -> list[EnvironmentSummary]:
    """Every environment, by its id."""
    keep_quiet()  # some draw with pygame, which greets on standard output
    plugins = _plugins()
    found: dict[str, EnvironmentSummary] = {}
    for kind in kinds.all_kinds():  # an id is of the first kind that lists it
        ids = sorted(name for name in kinds.listed(kind) if name not in found)
        found |= {summary.id: summary for summary in _of_kind(kind, ids, plugins)}
    return [found[name] for name in sorted(found)]


def learned_by(settings: EnvironmentConfig) -> list[str]:
    """The algorithms that can learn in an environment. MissingError, InputError, EnvironmentFault."""
    return _able(_plugins(), _specs(kinds.check(settings), settings))


def _plugins() -> dict[str, AlgorithmPlugin]:
    """The algorithms that learn, of those that can be loaded."""
    found = {}
    for name in registry.names():
        try:
            found[name] = registry.plugin(name)
        except RltrainError:
            continue
    return {name: plugin for name, plugin in found.items() if name not in NOT_LEARNING}


def _of_kind(kind: Kind, ids: Sequence[str], plugins: dict[str, AlgorithmPlugin]) -> list[EnvironmentSummary]:
    if "/…" not in kind.form:
        return [_summary(kind, name, plugins) for name in ids]
    summaries: list[EnvironmentSummary] = []
    example: EnvironmentSummary | None = None  # the first that is there
    for name in ids:
        missing = _missing(kind, name)
        if missing is None and example is None:
            example = _summary(kind, name, plugins)
        seen, able = (None, []) if missing or example is None else (example.observations, example.learned_by)
        why = missing or (example.missing if example else None)
        summaries.append(EnvironmentSummary(name, kind.title, kind.form, seen, None, able, why))
    return summaries


def _missing(kind: Kind, name: str) -> str | None:
    """Why there is no environment of this id here; None: there is."""
    try:
        there = kind.exists is None or kind.exists(kind.settings(id=name))
    except FAULTS as error:
        return _reason(name, error)
    return None if there else "it is listed, and there is no such environment"


def _summary(kind: Kind, name: str, plugins: dict[str, AlgorithmPlugin]) -> EnvironmentSummary:
    try:
        specs = _specs(kind, kind.settings(id=name))
    except FAULTS as error:
        return EnvironmentSummary(name, kind.title, kind.form, None, None, [], _reason(name, error))
    able = _able(plugins, specs)
    spec = specs.get("tabular", specs["env"])
    missing = None if able else _unlearned(spec)
    acts = str(specs["env"].actions)  # as the environment has them, where a table numbers their combinations
    return EnvironmentSummary(name, kind.title, kind.form, observations(spec), acts, able, missing)


def _specs(kind: Kind, settings: EnvironmentConfig) -> dict[str, EnvSpec]:
    """What an environment is to algorithms of each task that it is for. Errors as `kind.describe`."""
    specs = {"env": kind.describe(settings, EnvOptions())}
    if "tabular" in kind.tasks:
        try:
            specs["tabular"] = kind.describe(settings, EnvOptions(task="tabular"))
            if kind.model(settings) is not None:
                specs["mdp"] = specs["tabular"]
        except FAULTS:
            pass  # its observations have no numbers
    return specs


def _able(plugins: Mapping[str, AlgorithmPlugin], specs: Mapping[str, EnvSpec]) -> list[str]:
    return [name for name, plugin in plugins.items() if (spec := _seen_by(plugin, specs)) and _fits(plugin, spec)]


def _seen_by(plugin: AlgorithmPlugin, specs: Mapping[str, EnvSpec]) -> EnvSpec | None:
    """The environment as it is to an algorithm; None: it is not for its task."""
    unknown = plugin.or_env and "mdp" not in specs  # no model of it is known
    return specs.get("env" if unknown else plugin.task)


def _fits(plugin: AlgorithmPlugin, spec: EnvSpec) -> bool:
    """Whether an algorithm can choose the actions of an environment, see what it shows, and take its rewards."""
    chooses = spec.actions.form in plugin.actions or combined(plugin, spec) is not None
    sees = plugin.images or not spec.has_image
    return chooses and sees and (plugin.scaled_rewards or not spec.scaled)


def _unlearned(spec: EnvSpec) -> str:
    """Why no algorithm can learn in an environment."""
    forms = {"discrete": "one of some", "multi_discrete": "several choices at once", "continuous": "numbers"}
    seen = "images" if spec.has_image else "vectors"
    return f"no algorithm here learns from {seen} to choose {forms[spec.actions.form]}"


def observations(spec: EnvSpec) -> str:
    """What is seen, in words: "4 numbers", "3 x 96 x 96 image", "one of 16 states"."""
    if spec.num_states is not None:
        return f"one of {spec.num_states:,} states"
    if spec.parts:
        return ", ".join(f"{part.name}: {_array(part.shape)}" for part in spec.parts)
    return _array(spec.obs_shape)


def _array(shape: Sequence[int]) -> str:
    if len(shape) == 3:
        return f"{' x '.join(map(str, shape))} image"
    return "1 number" if tuple(shape) == (1,) else f"{' x '.join(f'{size:,}' for size in shape)} numbers"


def _reason(name: str, error: Exception) -> str:
    """Why an environment cannot be made, without its name, so that what is missing of several is said once."""
    text = in_one_line(str(error).removeprefix("environment.id: ").removeprefix(name).strip(" :"), 300)
    if module := re.search(r"No module named '([\w.]+)'", text):
        return f"the package {module[1].partition('.')[0]} is not installed"
    found = REASON.fullmatch(text.rpartition("that is not installed: ")[2])
    return text if found is None else found[1]
