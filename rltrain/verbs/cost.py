"""What an experiment will cost before it is paid: memory, disk, time.

An algorithm's `AlgorithmPlugin.cost` may say "parameters", "replay_bytes" or "rollout_bytes", "checkpoint_bytes" and
"cores", and leave out any of them. `cores` are those that a run keeps busy at most; one, where it does not say.
"frame_bytes" of the replay lie on the GPU of a run that has one.
"""

from __future__ import annotations

import bisect
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from rltrain import envs, registry, words
from rltrain.core import Algorithm, EnvSpec, Hardware
from rltrain.deep.fast import allocator
from rltrain.errors import OutOfMemoryError
from rltrain.experiment.config import Experiment
from rltrain.memory import available_bytes
from rltrain.progress import Progress
from rltrain.rng import Streams
from rltrain.run import build, machine

PROCESS_BYTES = 700_000_000  # Python, torch, emulators and batches of a run without its replay memory
GPU_BYTES = 2_000_000_000  # libraries, networks and batches of a run there, without its replay memory
NETWORK_COPIES = 6  # online, target, gradients, two moments, what acts; 4 bytes a parameter
# A probe must reach its first update soon and needs no long memory. Settings are called this in every algorithm that
# has them, as in Stable-Baselines3.
PROBE_SETTINGS = {"learning_starts": 500, "buffer_size": 20_000}
PATIENCE_SECONDS = 20.0  # for the first update of a probe


def costs(experiment: Experiment, spec: EnvSpec) -> dict[str, int]:
    """parameters, replay_bytes, gpu_bytes of them, checkpoint_bytes, cores; empty where the algorithm does not say."""
    name = experiment.algorithm_name
    found = dict(registry.plugin(name).cost(experiment.algorithm, build.seen_by(name, spec)))
    if not found:
        return {}
    frames = found.pop("frame_bytes", 0)
    return found | {"gpu_bytes": frames if machine.device(experiment) != "cpu" else 0}


def refuse_what_does_not_fit(experiment: Experiment, resumed: bool = False) -> tuple[EnvSpec, dict[str, int]]:
    """OutOfMemoryError naming the number to lower, if the memory that is free now cannot hold the run.

    Nothing can be lowered of a run that is `resumed`: it keeps its settings.
    """
    spec = envs.describe(experiment.environment, task=experiment.task)
    if experiment.task == "mdp":
        envs.known_model(experiment.environment, experiment.algorithm_name)
    cost = costs(experiment, spec)

    def with_memory_of(transitions: int) -> dict[str, int]:
        settings = experiment.algorithm.model_copy(update={"buffer_size": transitions})
        return costs(replace(experiment, algorithm=settings), spec)

    check_memory(experiment, cost, available_bytes(), resumed, with_memory_of)
    if cost.get("gpu_bytes"):
        from rltrain.deep import device  # what has frames on a GPU has imported torch

        available = device.free_bytes(experiment.run.device)
        check_memory(experiment, cost, available, resumed, with_memory_of, on_gpu=True)
    return spec, cost


def check_memory(
    experiment: Experiment,
    cost: Mapping[str, int],
    available: int,
    resumed: bool,
    with_memory_of: Callable[[int], Mapping[str, int]],
    on_gpu: bool = False,
) -> None:
    """The rule of `refuse_what_does_not_fit`, for a given amount of memory, the machine's or the GPU's.

    `with_memory_of`: the cost with a replay memory of so many transitions.
    """
    bytes_of, whose = (gpu_memory_bytes, "the GPU's memory") if on_gpu else (memory_bytes, "memory")
    needed = bytes_of(cost)
    if needed <= available:
        return
    message = f"this run needs about {words.size(needed)} of {whose} and {words.size(available)} are available"
    _name_what_fits(experiment, message, lambda size: bytes_of(with_memory_of(size)) <= available, resumed)
    if on_gpu:
        raise OutOfMemoryError(f"{message}: free some, or use run.device=cpu")
    if cost.get("rollout_bytes", 0) > needed / 2:
        length = "n_steps" if "n_steps" in experiment.algorithm.model_dump() else "rollout_steps"
        raise OutOfMemoryError(f"{message}: lower algorithm.{length} or environment.num_envs")
    raise OutOfMemoryError(f"{message}: free some, or use a smaller network")


def _name_what_fits(experiment: Experiment, message: str, fits: Callable[[int], bool], resumed: bool) -> None:
    """OutOfMemoryError with the largest replay memory in thousands that fits; returns if none does."""
    if resumed:
        raise OutOfMemoryError(f"{message}: free some; a resumed run keeps its settings, so nothing can be lowered")
    present = experiment.algorithm.model_dump().get("buffer_size", 0)
    largest = bisect.bisect_left(range(1, present // 1000 + 1), True, key=lambda size: not fits(1000 * size)) * 1000
    if largest > 0:
        raise OutOfMemoryError(
            f"{message}: lower algorithm.buffer_size from {present:,} to at most {largest:,} "
            f"(algorithm.buffer_size={largest})"
        )


def memory_bytes(cost: Mapping[str, int]) -> int:
    """What the process will hold at most, a GPU's memory apart."""
    experience = cost.get("replay_bytes", 0) - cost.get("gpu_bytes", 0) + cost.get("rollout_bytes", 0)
    return PROCESS_BYTES + 4 * NETWORK_COPIES * cost.get("parameters", 0) + experience


def gpu_memory_bytes(cost: Mapping[str, int]) -> int:
    """What it will hold on the GPU: the frames of the replay memory, and the rest."""
    return GPU_BYTES + cost["gpu_bytes"]


@contextmanager
def trial(experiment: Experiment) -> Iterator[Algorithm]:
    """The algorithm as `train` would build it, but with a short memory, and nothing is left. Errors as `build`."""
    settings = experiment.algorithm.model_dump()
    smaller = {key: min(value, settings[key]) for key, value in PROBE_SETTINGS.items() if key in settings}
    if "exploration_initial_eps" in settings and "exploration_final_eps" in settings:
        smaller["exploration_initial_eps"] = settings["exploration_final_eps"]  # to act costs more than to guess
    config = experiment.algorithm.model_copy(update=smaller)
    threads = experiment.run.threads or machine.cores()
    allocator.keep_freed_memory()
    distribute = experiment.run.distribute
    with (
        build.played_by(distribute.actors if distribute else None) as crew,
        closing(build.world(experiment, threads, crew=crew)) as env,
    ):
        hardware = Hardware(experiment.run.device, threads)
        made = build.algorithm(experiment, config, env, Streams(experiment.run.seed), hardware)
        build.check_counters(experiment, made)
        yield made


def probe(
    algorithm: Algorithm, budget: Mapping[str, int], seconds: float, progress: Progress | None = None
) -> dict[str, Any]:
    """Train for a few seconds. Returns counts a second, and the seconds that the budget will take."""
    begun = time.monotonic()
    algorithm.step()
    while algorithm.counters.get("updates", 1) == 0 and time.monotonic() - begun < PATIENCE_SECONDS:
        algorithm.step()
    before, begun = dict(algorithm.counters), time.monotonic()
    while time.monotonic() - begun < seconds and not algorithm.done:
        algorithm.step()
        if progress is not None:
            progress.at(time.monotonic() - begun, seconds)
    elapsed = time.monotonic() - begun
    after = dict(algorithm.counters)
    speeds = {name: (after[name] - before[name]) / elapsed for name in after}
    times = [limit / speeds[name] for name, limit in budget.items() if speeds.get(name)]
    return {"seconds": elapsed, "per_second": speeds, "expected_seconds": min(times, default=None)}
