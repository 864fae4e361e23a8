"""What was asked for: which seeds, and how many of their runs at once.

How many run at once changes no result. A run takes the same `run.threads` as it would alone, so what is divided is the
cores: as many runs at a time as each of them, with the cores that it keeps busy, finds room.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rltrain import envs, words
from rltrain.errors import InputError, OutOfMemoryError
from rltrain.experiment.config import Experiment
from rltrain.launchers.choose import LOCAL, LauncherChoice
from rltrain.launchers.needs import Needs
from rltrain.memory import available_bytes
from rltrain.run import machine
from rltrain.run.group import MOST_SEEDS
from rltrain.verbs.cost import costs, memory_bytes, refuse_what_does_not_fit

RULE = "write how many (5), which (3,7,9), or from where to where (0-4)"


def seeds_of(text: str, first: int, first_is_given: bool = False) -> list[int]:
    """The seeds that `--seeds` means: a number counts up from `first`, the config's seed. InputError.

    >>> seeds_of("3", 10), seeds_of("3,7,9", 0), seeds_of("0-2,8", 0)
    ([10, 11, 12], [3, 7, 9], [0, 1, 2, 8])
    """
    given = f"--seeds {text[:60]}"
    if re.fullmatch(r"[0-9]{1,19}", text):
        count = int(text)
        if not 1 <= count <= MOST_SEEDS:
            hint = f"; for the one seed {count} write --seed {count}" if count else ""
            raise InputError(f"{given}: the number of seeds must be 1 to {MOST_SEEDS:,}{hint}")
        return list(range(first, first + count))
    seeds: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*([0-9]{1,19})\s*(?:-\s*([0-9]{1,19})\s*)?", part)
        if not found:
            raise InputError(f"{given}: {part.strip()[:40]!r} is neither a seed nor a range; {RULE}")
        low, high = int(found[1]), int(found[2] or found[1])
        if high < low:
            raise InputError(f"{given}: the range {low}-{high} ends before it begins; write {high}-{low}")
        if high - low >= MOST_SEEDS or len(seeds) + high - low >= MOST_SEEDS:
            raise InputError(f"{given}: at most {MOST_SEEDS:,} seeds")
        seeds += range(low, high + 1)
    twice = next((seed for seed in seeds if seeds.count(seed) > 1), None)
    if twice is not None:
        raise InputError(f"{given}: seed {twice} stands there twice; its two runs would be the same")
    if first_is_given:
        raise InputError(f"{given}: these are the seeds, so leave out --seed {first}; {RULE}")
    return seeds


def jobs_for(
    experiment: Experiment, runs: int, asked: int | None, resumed: bool = False, where: LauncherChoice = LOCAL
) -> int:
    """How many of so many runs at once. OutOfMemoryError if not one fits, or not as many as were asked for.

    Where they run elsewhere nothing is known of the room: as many as there are, if nothing was `asked`.
    """
    if where.elsewhere:
        return min(asked or runs, runs)
    _, cost = refuse_what_does_not_fit(experiment, resumed)
    threads = experiment.run.threads or machine.cores()
    busy = threads if experiment.task == "mdp" else min(threads, cost.get("cores", 1))
    return divided(runs, busy, machine.cores(), memory_bytes(cost), available_bytes(), asked)


def needs_of(experiment: Experiment) -> Needs:
    """What a run of this takes, wherever it runs."""
    cost = costs(experiment, envs.describe(experiment.environment, task=experiment.task))
    threads = experiment.run.threads or cost.get("cores", 1)
    cores = threads if experiment.task == "mdp" else min(threads, cost.get("cores", 1))
    return Needs(cores, memory_bytes(cost), int(machine.device(experiment) != "cpu"))


def divided(runs: int, busy: int, cores: int, needed: int, available: int, asked: int | None) -> int:
    """The rule of `jobs_for`: each run keeps `busy` cores busy and needs `needed` of the `available` bytes."""
    fit = max(1, available // needed)
    if asked is None:
        return max(1, min(runs, cores // busy, fit))
    if min(asked, runs) > fit:
        sizes = f"{words.size(needed)} of memory and {words.size(available)} are available"
        raise OutOfMemoryError(f"--jobs {asked}: each run needs about {sizes}: write --jobs {fit}")
    return min(asked, runs)


def spelled(seeds: Sequence[int]) -> str:
    """Seeds for a sentence: seed 3; seeds 0 to 4; seeds 3, 7, 9."""
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"seeds {seeds[0]} to {seeds[-1]}"
    shown = [str(seed) for seed in seeds]
    return "seeds " + (", ".join(shown) if len(shown) <= 10 else ", ".join([*shown[:8], "...", shown[-1]]))


def share_of(counters: Mapping[str, int], budget: Mapping[str, int]) -> float:
    """How much of the budget is spent, 0..1."""
    return min(1.0, max((counters.get(name, 0) / limit for name, limit in budget.items()), default=0.0))
