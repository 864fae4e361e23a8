"""What can be plugged in, by name: each thing of ours, and those that other packages bring by entry points.

    rltrain.algorithms   `name = "package.module:PLUGIN"`, a `core.AlgorithmPlugin`
    rltrain.sinks        `name = "package.module:Sink"`, from a run's folder to a `core.Sink`

Of ours, each file of `rltrain/algos` is an algorithm; its plugin stands in it, or, where the file imports something
heavy, in `_NAME_plugin.py`. Nothing is imported before it is asked for. What is plugged in is checked when it is
imported: an error names the entry point, the member and the rule.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from rltrain import distributions, guard
from rltrain.computation import Computation
from rltrain.core import AlgorithmPlugin, Metrics, Sink, State, Table
from rltrain.errors import DiskError, InputError, MissingError
from rltrain.spelling import did_you_mean, in_one_line
from rltrain.warm_start import Taken

ALGORITHMS = "rltrain.algorithms"
SINKS = "rltrain.sinks"
FORMS = ("discrete", "multi_discrete", "continuous")  # of spaces of actions
TASKS = ("env", "tabular", "mdp")  # learns from any environment, from numbered states, from a known model
ALGORITHM_MEMBERS = ("counters", "done", "step", "policy", "save", "load")
OWN_TABLES = ("metrics", "eval")  # files of a run that no table of an algorithm takes the place of
SINK_MEMBERS = ("write", "flush", "save", "load", "close")
MAX_ENVS = 1024  # as in a config


def names() -> list[str]:
    """Every algorithm's name, sorted."""
    return sorted({*_our_algorithms(), *distributions.entry_points(ALGORITHMS).names})


def summary(name: str) -> str:
    """The algorithm's one line: the first of its module's docstring, read without running the module."""
    ours = _our_algorithms()
    point = None if name in ours else _point(ALGORITHMS, "algorithm", name)
    try:
        source = _source(point.module) if point is not None else ours[name].with_name(f"{name}.py")
        docstring = ast.get_docstring(ast.parse(source.read_bytes()))
    except (ImportError, OSError, SyntaxError, ValueError, AttributeError):  # another package's must break no listing
        return ""
    return docstring.partition("\n")[0] if docstring else ""


def _source(module: str) -> Path:
    """The file of a module, found without importing the packages that it lies in. ImportError."""
    root, *parts = module.split(".")
    spec, name = importlib.util.find_spec(root), root
    for part in parts:
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, spec.submodule_search_locations) if spec is not None else None
    if spec is None or spec.origin is None:
        raise ImportError(f"no file of {module}")
    return Path(spec.origin)


def plugin(name: str) -> AlgorithmPlugin:
    """The algorithm of this name, checked.

    InputError with the nearest name for an unknown one, and for one that breaks the contract; MissingError for a
    package that is not installed.
    """
    ours = _our_algorithms()
    if name in ours:  # no package replaces it
        point = EntryPoint(name, f"{__package__}.algos.{ours[name].stem}:PLUGIN", ALGORITHMS)
        found = point.load()
    else:
        point = _point(ALGORITHMS, "algorithm", name)
        found = loaded(point, "algorithm")
    what = f"algorithm '{name}' ({point.value})"
    checked = _checked(found, what)
    return checked if name in ours else _guarded(checked, what)


def sink(name: str) -> Callable[[Path], Sink]:
    """A function from a run's folder to the sink of this name, which another package brings.

    InputError with the nearest name for an unknown one, and for one that breaks the contract; MissingError for a
    package that is not installed.
    """
    point = _point(SINKS, "sink", name)
    made = loaded(point, "sink")
    if not callable(made):
        raise InputError(f"sink '{name}' ({point.value}): must name a function from a run's folder to a sink")

    what = f"sink '{name}' ({point.value})"

    def make(folder: Path) -> Sink:
        found = guard.Guarded(what, "making it", made, InputError)(folder)
        lacking = [member for member in SINK_MEMBERS if member not in dir(found)]
        if lacking:
            raise InputError(f"{what}: what it makes lacks {', '.join(lacking)} of core.Sink")
        sink: Sink = GuardedSink(what, found)
        return sink

    return make


class GuardedSink:
    """A sink of another package. What its disk refuses is a DiskError, all else an InputError that names it."""

    def __init__(self, what: str, sink: Sink) -> None:
        self._what, self._sink = what, sink

    def write(self, table: Table, counters: Mapping[str, int], metrics: Metrics) -> None:
        self._call("write", partial(self._sink.write, table, counters, metrics))

    def flush(self) -> None:
        self._call("flush", self._sink.flush)

    def save(self) -> State:
        rule: dict[str, Any] = {"wanted": "a mapping", "fits": lambda answer: isinstance(answer, Mapping)}
        state: State = self._call("save", self._sink.save, **rule)
        return state

    def load(self, state: State) -> None:
        self._sink.load(state)  # what it stumbles over is the checkpoint's: `saved.loading`

    def close(self) -> None:
        self._call("close", self._sink.close)

    def _call(self, member: str, function: Callable[..., Any], **rule: Any) -> Any:
        try:
            return guard.Guarded(self._what, member, function, InputError, **rule)()
        except InputError as error:
            if isinstance(error.__cause__, OSError):
                raise DiskError(str(error)) from error.__cause__
            raise


@cache
def _our_algorithms() -> Mapping[str, Path]:
    """Name -> the file in which its plugin stands."""
    files = sorted((Path(__file__).parent / "algos").glob("*.py"))
    light = {file.stem: file for file in files if file.stem.endswith("_plugin")}
    return {file.stem: light.get(f"_{file.stem}_plugin", file) for file in files if not file.stem.startswith("_")}


def _point(group: str, kind: str, name: str) -> EntryPoint:
    """The entry point of this name. InputError with the nearest name."""
    found = {point.name: point for point in distributions.entry_points(group)}
    if name not in found:
        known = {*found, *(_our_algorithms() if group == ALGORITHMS else ())}
        raise InputError(f"unknown {kind} {name!r}{did_you_mean(name, known)}")
    return found[name]


def loaded(point: EntryPoint, kind: str) -> Any:
    """The object that another package's entry point names; `kind` says what it is to be, for messages.

    MissingError for a module that is not installed, InputError for whatever else goes wrong in the package.
    """
    what = f"{kind} '{point.name}'"
    try:
        with contextlib.redirect_stdout(sys.stderr):  # standard output is for what the person asked
            return point.load()
    except ModuleNotFoundError as error:
        raise MissingError(f"{what} needs the module '{error.name}', which is not installed") from error
    except (Exception, SystemExit) as error:  # whoever wrote the package: no plugin of another may break the program
        said = in_one_line(f"{type(error).__name__}: {error}", 200)
        raise InputError(f"{what} ({point.value}) cannot be loaded: {said}") from error


def _checked(found: Any, what: str) -> AlgorithmPlugin:
    """Refuse what breaks the contract, now rather than in the middle of a run."""
    if not isinstance(found, AlgorithmPlugin):
        kind = type(found).__name__
        raise InputError(f"{what}: must name a rltrain.core.AlgorithmPlugin, as package.module:PLUGIN; it is a {kind}")
    config, budget = found.config, found.budget
    if not (
        isinstance(config, type) and issubclass(config, BaseModel) and config.model_config.get("extra") == "forbid"
    ):
        rule = "must be a pydantic model with model_config = rltrain.experiment.settings.STRICT"
        raise InputError(f"{what}: config {rule}")
    if "name" in config.model_fields:
        raise InputError(f"{what}: config must have no setting 'name': in a config that is the algorithm's")
    if found.task not in TASKS:
        raise InputError(f"{what}: task must be one of {', '.join(TASKS)}, is {found.task!r}")
    counts = isinstance(budget, dict) and all(type(key) is str and _counts(limit) for key, limit in budget.items())
    if not counts or not budget:
        raise InputError(f"{what}: budget must be a dict of a counter and its limit, a whole number, is {budget!r}")
    if not _counts(found.num_envs) or found.num_envs > MAX_ENVS:
        raise InputError(f"{what}: num_envs must be a whole number from 1 to {MAX_ENVS}, is {found.num_envs!r}")
    if not isinstance(found.actions, tuple) or not found.actions or not set(found.actions) <= set(FORMS):
        raise InputError(f"{what}: actions must be some of {', '.join(FORMS)}, are {found.actions!r}")
    flags = {
        "or_env": found.or_env,
        "on_gpu": found.on_gpu,
        "images": found.images,
        "scaled_rewards": found.scaled_rewards,
    }
    for name, value in flags.items():
        if type(value) is not bool:
            raise InputError(f"{what}: {name} must be True or False, is {value!r}")
    hooks = {
        "make": found.make,
        "doubts": found.doubts,
        "cost": found.cost,
        "chosen": found.chosen,
        "warnings": found.warnings,
        "tables": found.tables,
        "summary_lines": found.summary_lines,
    }
    hooks |= {
        name: hook
        for name, hook in (
            ("load_policy", found.load_policy),
            ("computation", found.computation),
            ("warm_start", found.warm_start),
        )
        if hook is not None
    }
    check_functions(what, hooks)
    return found


def check_functions(what: str, members: Mapping[str, object]) -> None:
    """InputError, which begins with `what`, if one of the members of a plugged-in object is no function."""
    for member, function in members.items():
        if not callable(function):
            raise InputError(f"{what}: {member} must be a function, is {function!r}")


def _counts(value: Any) -> bool:
    return type(value) is int and value >= 1


def _guarded(found: AlgorithmPlugin, what: str) -> AlgorithmPlugin:
    """A plugin of another package, its hooks guarded; `load_policy` stumbles over checkpoints, see `saved.loading`."""

    def of(member: str, hook: Callable[..., Any], wanted: str, fits: guard.Rule) -> Any:
        return guard.Guarded(what, member, hook, InputError, wanted, fits)

    made = f"an object with {', '.join(ALGORITHM_MEMBERS)}, see core.Algorithm"
    return replace(
        found,
        make=of("make", found.make, made, guard.has(*ALGORITHM_MEMBERS)),
        doubts=of("doubts", found.doubts, "a list of lines", guard.lines),
        cost=of("cost", found.cost, "a dict of names and whole numbers", guard.entries(int)),
        chosen=of("chosen", found.chosen, "a dict of names and texts", guard.entries(str)),
        warnings=of("warnings", found.warnings, "a list of lines", guard.lines),
        tables=of("tables", found.tables, "a dict of tables, each of columns [n]; names [a-z0-9_-]", _are_tables),
        summary_lines=of("summary_lines", found.summary_lines, "a list of lines", guard.lines),
        computation=found.computation and of("computation", found.computation, "a Computation", _is_computation),
        warm_start=found.warm_start and of("warm_start", found.warm_start, "a warm_start.Taken of lines", _is_taken),
    )


def _is_computation(answer: Any) -> bool:
    return isinstance(answer, Computation)


def _is_taken(answer: Any) -> bool:
    return isinstance(answer, Taken) and all(guard.lines(said) for said in answer)


def _are_tables(answer: Any) -> bool:
    """Whether these are tables of columns of one length, each to a file NAME.csv that is not one of the run's own."""
    if not guard.entries(Mapping)(answer):
        return False
    named = all(re.fullmatch(r"[a-z0-9_-]{1,60}", name) and name not in OWN_TABLES for name in answer)
    shapes = [[np.shape(column) for column in columns.values()] for columns in answer.values()]
    return named and all(len(shape) == 1 and shape == each[0] for each in shapes for shape in each)
