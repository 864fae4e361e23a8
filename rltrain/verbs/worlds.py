"""What to know of an environment before anything learns in it: spaces, whether it repeats itself, what can learn."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rltrain import envs
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.progress import Progress
from rltrain.verbs.environments import learned_by


@dataclass(frozen=True)
class EnvironmentReport:
    """An environment, for who thinks of learning in it."""

    environment: str  # its id
    obs_shape: list[int]  # of one observation
    obs_dtype: str
    parts: dict[str, str]  # of an observation: name -> "3x64x64 uint8"
    num_states: int | None
    actions: str  # in words: "4 actions", "2 numbers from -1 to 1"
    masked: bool  # it says at every step which actions are possible
    max_episode_steps: int | None
    differs: str | None  # how it was seen not to repeat itself; None: it was not
    learned_by: list[str]  # the algorithms that can learn in it
    wrappers: list[dict[str, Any]]  # what is put around it, the innermost first, as a config has it

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return asdict(self)


def world_of(settings: EnvironmentConfig, task: str = "env") -> EnvironmentReport:
    """Look at an environment, as an algorithm of this task sees it. Some episodes of it are played.

    MissingError, InputError, EnvironmentFault.
    """
    spec = envs.describe(settings, task=task)
    return EnvironmentReport(
        environment=spec.id,
        obs_shape=list(spec.obs_shape),
        obs_dtype=spec.obs_dtype,
        parts={part.name: f"{'x'.join(map(str, part.shape))} {part.dtype}" for part in spec.parts},
        num_states=spec.num_states,
        actions=str(spec.actions),
        masked=spec.masked,
        max_episode_steps=spec.max_episode_steps,
        differs=envs.varies(settings, task),
        learned_by=learned_by(settings),
        wrappers=[each.model_dump(mode="json", exclude_defaults=True) for each in settings.wrappers],
    )


def steps_a_second(settings: EnvironmentConfig, seconds: float, progress: Progress | None = None) -> float:
    """How many steps a single environment makes with random actions and nothing else to do."""
    with closing(envs.make(settings, num_envs=1)) as env:
        stream, steps = np.random.default_rng(0), 0
        step = env.reset(0)
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            step = env.step(env.spec.actions.sample(stream, 1, step.mask))
            steps += not step.first[0]
            if progress is not None and steps % 100 == 0:
                progress.at(passed, seconds)
        return steps / (time.monotonic() - began)
