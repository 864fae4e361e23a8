"""From an experiment to its parts: the world that it learns from, the algorithm, and what a resumed run may change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from rltrain import envs, registry
from rltrain.computation import Computation, Seen
from rltrain.core import Algorithm, Env, EnvSpec, Hardware, Policy, State
from rltrain.deep.fast import allocator
from rltrain.envs.products import (
    Products,
    as_one_choice,
    combined,
    computation_of_choices,
    of_choices,
    seen_as_one_choice,
)
from rltrain.envs.remote.crew import Crew
from rltrain.errors import CheckpointError, InputError
from rltrain.experiment import config
from rltrain.experiment.config import Experiment
from rltrain.experiment.on_disk import MODEL_FOLDER
from rltrain.experiment.settings import MODEL_FOLDER_SUFFIX
from rltrain.experiment.wrappers import ClipReward, NormalizeReward
from rltrain.mdp.files import folder as model_folder
from rltrain.rng import Streams
from rltrain.run import machine, sinks
from rltrain.run.disk import REAL, Disk, disk_errors
from rltrain.run.own_files import copy_file, link_file, make_own_folder, own_file
from rltrain.run.starting_point import StartingPoint
from rltrain.spaces import MOST_PRODUCTS, MultiDiscrete
from rltrain.warm_start import Taken

MANY_PRODUCTS = 64  # combinations of several choices from which to learn them one by one is slow


class Parts(NamedTuple):
    """What an experiment is made of."""

    experiment: Experiment
    rng: Streams
    env: Env
    algorithm: Algorithm
    threads: int
    taken: Taken | None = None  # of the run that it starts from; None: of none
    crew: Crew | None = None  # who plays the environments, for whoever closes them; None: this process


def build(experiment: Experiment, repeats: bool = True, start: StartingPoint | None = None) -> Parts:
    """Environments and algorithm, from the run's seed. MissingError, InputError, OutOfMemoryError.

    repeats   whether a load may play the environments' running episodes again
    start     what was learned and seen there is taken over: InputError if nothing fits, CheckpointError
    """
    run = experiment.run
    sinks.check(run.sinks)
    threads = run.threads or machine.cores()
    rng = Streams(run.seed)
    allocator.keep_freed_memory()
    crew = crew_of(experiment)
    try:
        env = world(experiment, threads, repeats, crew)
    except BaseException:
        if crew is not None:
            crew.close()
        raise
    try:
        if start is not None:  # now, so that the first observations are shown by them
            start.give_statistics(env)
        made = algorithm(experiment, experiment.algorithm, env, rng, Hardware(run.device, threads))
        check_counters(experiment, made)
        taken = None
        if start is not None:  # again, so that the first policy is evaluated as it was there: nothing is counted yet
            taken = start.give(experiment.algorithm_name, made).and_also(start.give_statistics(env))
    except BaseException:
        env.close()
        if crew is not None:
            crew.close()
        raise
    return Parts(experiment, rng, env, made, threads, taken, crew)


def check_counters(experiment: Experiment, made: Algorithm) -> None:
    """InputError for a budget or a cadence in what this algorithm does not count."""
    run = experiment.run
    cadences = {"budget": run.budget, "evaluate.every": run.evaluate.every, "save.every": run.save.every}
    for place, names in cadences.items():
        for name in names or {}:
            if name not in made.counters:
                rule = f"{experiment.algorithm_name} does not count {name!r}; it counts {', '.join(made.counters)}"
                raise InputError(f"run.{place}: {rule}")


def doubts(experiment: Experiment, spec: EnvSpec) -> list[str]:
    """What its user should know before it begins: how the model was read, why nothing may be learned or nothing end."""
    budget, name = experiment.run.budget or {}, experiment.algorithm_name
    found, seen = list(spec.warnings), seen_by(name, spec)
    if spec.endless and set(budget) == {"episodes"}:
        found.append(
            f"run.budget: {budget['episodes']:,} episodes never come: no state of {spec.id} is terminal; set"
            " environment.max_episode_steps, or a budget of env_steps"
        )
    if seen is not spec and seen.num_actions > MANY_PRODUCTS:
        found.append(
            f"environment.id: an action of {spec.id} is {spec.actions}; {name} learns each of their"
            f" {seen.num_actions:,} combinations apart"
        )
    return [*found, *registry.plugin(name).doubts(experiment.algorithm, seen, budget)]


def world(experiment: Experiment, cores: int = 1, repeats: bool = True, crew: Crew | None = None) -> Env:
    """What the algorithm learns from, played by all cores; where it learns on a GPU, by all but one, and in parts.

    A `crew` plays it in place of them.
    """
    gpu = cores > 2 and experiment.task == "env" and machine.device(experiment) != "cpu"
    distribute = experiment.run.distribute
    return envs.make(
        experiment.environment,
        task=experiment.task,
        threads=cores - gpu,
        in_parts=gpu,
        repeats=repeats,
        crew=crew,
        refresh=distribute.refresh if distribute and distribute.mode == "async" else None,
    )


def crew_of(experiment: Experiment) -> Crew | None:
    """The actors that are to play the experiment's environments, which whoever asks closes. None: there are none.

    MissingError without Ray, InputError for a cluster that has no room for them.
    """
    distribute = experiment.run.distribute
    return None if distribute is None else _crew(distribute.actors)


@contextmanager
def played_by(actors: int | None) -> Iterator[Crew | None]:
    """While it is open there are so many actors; None: there are none. Errors as `crew_of`."""
    crew = None if actors is None else _crew(actors)
    try:
        yield crew
    finally:
        if crew is not None:
            crew.close()


def _crew(actors: int) -> Crew:
    from rltrain.envs.remote.on_ray import RayCrew

    return RayCrew(actors, machine.cores())


def algorithm(experiment: Experiment, settings: BaseModel, env: Env, rng: Streams, hardware: Hardware) -> Algorithm:
    """The algorithm on this world; one that solves a model is given the model itself."""
    plugin = registry.plugin(experiment.algorithm_name)
    check_rewards(experiment)
    if experiment.task == "mdp":
        model = envs.known_model(experiment.environment, experiment.algorithm_name)
        return plugin.make(settings, model, rng, hardware)
    choices = combined_choices(experiment.algorithm_name, env.spec)
    if choices is not None and experiment.run.distribute and experiment.run.distribute.mode == "async":
        raise InputError(
            f"run.distribute.mode: async is for one choice at a time; an action of {env.spec.id} is"
            f" {env.spec.actions}; write exact"
        )
    return plugin.make(settings, env if choices is None else Products(env, choices), rng, hardware)


def seen_by(algorithm_name: str, spec: EnvSpec) -> EnvSpec:
    """An environment as the algorithm is told of it: each combination of several choices is an action, if need be.

    InputError if it cannot choose among the actions.
    """
    choices = combined_choices(algorithm_name, spec)
    return spec if choices is None else as_one_choice(spec, choices)


def in_the_world(algorithm_name: str, spec: EnvSpec, policy: Policy) -> Policy:
    """A policy of the algorithm as one of the environment of this spec, whose own actions it gives."""
    choices = combined_choices(algorithm_name, spec)
    return policy if choices is None else of_choices(policy, choices)


def computation(algorithm_name: str, settings: BaseModel, spec: EnvSpec, state: State, seen: Seen) -> Computation:
    """What the policy of an algorithm's saved state computes, of the environment of this spec.

    InputError for an algorithm that does not say, or says why it cannot. CheckpointError.
    """
    hook = registry.plugin(algorithm_name).computation
    if hook is None:
        rule = "its package does not say what its policy computes: AlgorithmPlugin.computation of rltrain.core"
        raise InputError(f"{algorithm_name} cannot be exported: {rule}")
    choices = combined_choices(algorithm_name, spec)
    if choices is None:
        found: Computation = hook(settings, spec, state, seen)
        return found
    found = hook(settings, as_one_choice(spec, choices), state, seen_as_one_choice(seen, choices))
    return computation_of_choices(found, choices)


def combined_choices(algorithm_name: str, spec: EnvSpec) -> MultiDiscrete | None:
    """The choices whose combinations are single actions for the algorithm; None if it takes the actions as they are.

    InputError if it cannot choose among them.
    """
    plugin, form = registry.plugin(algorithm_name), spec.actions.form
    choices = combined(plugin, spec)
    if choices is not None or form in plugin.actions:
        return choices
    many = ""
    if isinstance(spec.actions, MultiDiscrete) and plugin.task == "env" and spec.actions.products > MOST_PRODUCTS:
        many = f" of their {spec.actions.products:,} combinations, and takes {MOST_PRODUCTS:,} at most"
    able = [name for name in registry.names() if form in registry.plugin(name).actions]
    others = f"; those that can: {', '.join(able)}" if able else ""
    cannot = f"{algorithm_name} cannot choose one{many}{others}"
    raise InputError(f"environment.id: an action of {spec.id} is {spec.actions}; {cannot}")


def check_rewards(experiment: Experiment) -> None:
    """InputError for rewards that are to be changed for a learner which takes none but the raw ones."""
    name = experiment.algorithm_name
    changed = [each.name for each in experiment.environment.wrappers if isinstance(each, NormalizeReward | ClipReward)]
    if changed and not registry.plugin(name).scaled_rewards:
        able = ", ".join(other for other in registry.names() if registry.plugin(other).scaled_rewards)
        raise InputError(
            f"environment.wrappers: {changed[0]} changes the rewards that are learned from, and {name} learns from the"
            f" raw ones; those that take it: {able}"
        )


def keep_model(experiment: Experiment, folder: Path, disk: Disk = REAL) -> None:
    """Copy the model's file into the run folder, so that the run goes on whatever becomes of the original.

    Files of a model's folder are linked where the disk can: they are large, and whoever writes them anew writes others.
    """
    if not experiment.environment.is_model:
        return
    source = Path(experiment.environment.id)
    target = folder / MODEL_FOLDER / source.name
    make_own_folder(disk, target.parent)
    if source.name.endswith(MODEL_FOLDER_SUFFIX):
        return _keep_folder(source, target, disk)
    with disk_errors(f"cannot copy the model to {target}"):
        copy_file(disk, source, target, follow=True)


def _keep_folder(source: Path, target: Path, disk: Disk) -> None:
    """The files of a model's folder under the same names in another one; model.json is the last."""
    make_own_folder(disk, target)
    with disk_errors(f"cannot copy the model to {target}"):
        for name in (*(f"{name}.npy" for name in model_folder.DTYPES), model_folder.FACTS):
            if (source / name).exists():
                link_file(disk, source / name, target / name)
        disk.sync_folder(target)


def experiment_of(folder: Path, overrides: Sequence[str], file: str = "config.yaml") -> Experiment:
    """The run's configuration with what may change on a resume changed. InputError if more than that would.

    Nothing is written: the caller keeps it once the run has been loaded.
    """
    path = folder / file
    if not own_file(path):
        raise CheckpointError(f"{folder}: no {file} here; it is not a run folder")
    old = config.load(path)
    new = config.load(path, overrides)
    changed = config.differences(old, new)
    refused = [key for key, _, _ in changed if not (config.is_safe(key, old) and config.is_safe(key, new))]
    if refused:
        lines = [f"{key}: {before!r} -> {after!r}" for key, before, after in changed if key in refused]
        hint = f"go on with them in a run of its own: rltrain resume {folder} ... --fork NAME"
        raise InputError("\n".join(["a resumed run keeps its settings; these would change:", *lines, hint]))
    first, now = (next(iter(experiment.run.budget or {}), None) for experiment in (old, new))
    if now != first:  # it names the checkpoints, so that the newest can be told
        raise InputError(f"run.budget: a resumed run goes on counting {first}; name it first, before {now}")
    return new
