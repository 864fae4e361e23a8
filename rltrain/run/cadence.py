"""When a run is evaluated and saved: arithmetic on its counters, so that a resumed run does so at the same steps.

A cadence is a mapping such as {"env_steps": 100_000}: due each time that a counter reaches a multiple of its interval.
"""

from __future__ import annotations

from collections.abc import Mapping

from rltrain.counters import crossed
from rltrain.experiment.config import Experiment

SAVES_A_BUDGET = 20
MOST_STEPS_BETWEEN_SAVES = 50_000  # of the environments: about two minutes of an Atari run

Counters = Mapping[str, int]


def is_due(every: Counters | None, before: Counters, now: Counters) -> bool:
    """Whether a counter reached a multiple of its interval between two moments of a run."""
    return any(crossed(before[name], now[name], interval) for name, interval in (every or {}).items())


def saves(experiment: Experiment) -> Counters:
    """The cadence of saves: what the config asks for, else parts of the budget, where they are worth their time."""
    asked = experiment.run.save.every
    if asked is not None:
        return asked
    cadence = {name: max(1, limit // SAVES_A_BUDGET) for name, limit in (experiment.run.budget or {}).items()}
    if "env_steps" in cadence and experiment.task == "env":
        cadence["env_steps"] = min(cadence["env_steps"], MOST_STEPS_BETWEEN_SAVES)
    return cadence


def next_limits(experiment: Experiment, now: Counters) -> dict[str, int]:
    """Where each counter comes next to its budget, to an evaluation, or to a save that the config asks for."""
    run = experiment.run
    found = dict(run.budget or {})
    for every in (run.evaluate.every, run.save.every):
        for name, interval in (every or {}).items():
            due = (now[name] // interval + 1) * interval
            found[name] = min(found.get(name, due), due)
    return found
