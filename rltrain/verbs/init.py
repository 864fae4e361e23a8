"""A config to begin with: an algorithm in an environment with every setting, or a copy of one that rltrain has."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rltrain import envs, registry
from rltrain.errors import InputError
from rltrain.experiment import catalog, template
from rltrain.experiment.config import Experiment, named
from rltrain.experiment.settings import MODEL_SUFFIXES
from rltrain.outputs import check_home, check_place
from rltrain.run.build import doubts
from rltrain.spelling import nearest, shown
from rltrain.verbs import zoo
from rltrain.verbs.cost import trial
from rltrain.whole_files import refused
from rltrain.yaml_subset import flow

WORLDS = {"env": "CartPole-v1", "tabular": "FrozenLake-v1", "mdp": "mdp/book.yaml"}  # for each task of an algorithm
LEARNERS = ("qlearn", "dqn", "reinforce", "cmaes")  # the first that can learn an environment is the one for it
SOLVER = "viter"  # of known models


@dataclass(frozen=True)
class NewConfig:
    """A config that is to be written."""

    title: str  # what it is, in a few words
    stem: str  # what its file is called unless a person says otherwise
    text: Callable[[str], str]  # of the file's name
    notes: Sequence[str] = ()  # for the screen, a line each
    flags: str = ""  # of the commands that take it
    beside: Mapping[Path, str] = field(default_factory=dict)  # files that it needs, which are to be written too


def copy(name: str, folder: Path) -> NewConfig:
    """A config that comes with rltrain, to the byte, for this folder; with the files of Python that it needs."""
    home, entry = (catalog.HOME / name).parent, catalog.entry(name)
    text = (catalog.HOME / f"{name}.yaml").read_text(encoding="utf-8")
    needs = {need: folder / need if need.endswith(".py") else need for need in entry.needs}
    beside = {to: (home / need).read_text(encoding="utf-8") for need, to in needs.items() if isinstance(to, Path)}
    flags = "".join(f" --import {to}" for to in needs.values())
    return NewConfig(f"a copy of {name}: {entry.summary}", Path(name).name, lambda _: text, (), flags, beside)


def fresh(algorithm: str | None, environment: str | None, overrides: Sequence[str] = ()) -> NewConfig:
    """An algorithm in an environment, with every setting; either may be left to rltrain.

    InputError for what cannot be learned so, MissingError for an environment that is not here.
    """
    if environment is None:
        algorithm = algorithm or "dqn"
        environment = WORLDS[registry.plugin(algorithm).task]
    if algorithm is None:
        algorithm = SOLVER if environment.endswith(MODEL_SUFFIXES) else _learner(environment, overrides)
    experiment = named(algorithm, environment, overrides)
    others = "default" if not overrides else "default, but for what was given"
    found = [] if overrides else catalog.tuned(algorithm, environment)
    notes = [f"tuned settings for these come with rltrain: rltrain init {name}" for name in found]
    return _complete(experiment, environment, [f"every setting, with its {others}"], notes)


def from_zoo(path: Path, algorithm: str | None, environment: str, overrides: Sequence[str] = ()) -> NewConfig:
    """What a hyperparameter file of RL Baselines3 Zoo says of an environment. Errors as of `fresh`, and of `zoo`."""
    made = zoo.translated(path, algorithm, environment, overrides)
    source = f"{shown(path.name)} of RL Baselines3 Zoo, block {shown(made.block)}"
    keys = [f"  {key.line}" for key in made.keys if not key.silent]
    silent = [f"  {key.line}" for key in made.keys if key.silent]
    about = [f"every setting, from {source}", "", *keys]
    about += ["Where it says nothing, the defaults of Stable-Baselines3:", *silent] if silent else []
    lost = [f"not translated: {key.key}: {key.why}" for key in made.keys if key.lost]
    lost += [f"in part: {key.line}" for key in made.keys if key.settings and "NOT TRANSLATED" in key.why]
    notes = [f"translated {sum(not key.lost for key in made.keys if not key.silent)} keys of {source}", *lost]
    return _complete(made.experiment, made.environment, about, notes)


def needed(imports: Sequence[str]) -> list[str]:
    """What a person imported for the environment, as a setting of the config that says so."""
    return [f"environment.needs={flow(list(imports))}"] if imports else []


def source_of(name: str) -> str | None:
    """The config of rltrain's that is called so. InputError where one is only like it."""
    names = catalog.names()
    if name in names:
        return name
    near = nearest(name, names)
    if near is not None:
        raise InputError(
            f"{shown(name)}: no config that comes with rltrain is called so; did you mean '{near}'? "
            "To write a new one of this name, say --env or --algo"
        )
    return None


def write_all(texts: Mapping[Path, str]) -> None:
    """New files, all or none, see `outputs`. InputError where there is one, which is never overwritten; DiskError."""
    there = [path for path in texts if os.path.lexists(path)]
    for path in texts:
        check_home(path)
        if path.is_dir():
            check_place(path)
    for path, text in () if there else texts.items():
        _write(path, text)
    if there:
        raise _is_there(there[0])


def _write(path: Path, text: str) -> None:
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise _is_there(path) from error
    except OSError as error:
        raise refused(path, error) from error
    except ValueError as error:
        raise InputError(f"{shown(str(path))}: no name of a file") from error


def _is_there(path: Path) -> InputError:
    return InputError(f"{shown(str(path))}: is there already, and is not overwritten; -o FILE writes another")


def _complete(experiment: Experiment, environment: str, about: Sequence[str], notes: Sequence[str]) -> NewConfig:
    """The config of an experiment that can be run here; `environment` as a person calls it."""
    with trial(experiment):  # or the error that `check` would have; its memory may be another machine's
        pass
    spec = envs.describe(experiment.environment, task=experiment.task)
    title = f"{experiment.algorithm_name} on {experiment.environment.name}"
    first, *rest = about
    flags = "".join(f" --import {name}" for name in experiment.environment.needs)

    def text(name: str) -> str:
        commands = [f"  rltrain check {name}{flags}    is it right, what will it cost?"]
        commands += [f"  rltrain train {name}{flags}    Ctrl-C saves, and says how to go on"]
        head = [f"{title}: {first}.", "", *commands, *([""] if rest and rest[0] else []), *rest]
        return template.written(experiment, head, environment)

    warned = [f"warning: {doubt}" for doubt in doubts(experiment, spec)]
    stem = f"{experiment.algorithm_name}-{title.split('/')[-1].split(' ')[-1]}"
    return NewConfig(title, stem, text, [*notes, *warned], flags)


def _learner(environment: str, overrides: Sequence[str]) -> str:
    """The first of LEARNERS that can learn this environment; where none can, the error is that of dqn."""
    for name in LEARNERS:
        with suppress(InputError), trial(named(name, environment, overrides)):
            return name
    return "dqn"
