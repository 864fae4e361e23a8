"""Where a saved policy plays to be explained: its environment under an evaluation's rules, with or without pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from rltrain import envs
from rltrain.core import Array, Env, Filmed, Policy, Step
from rltrain.errors import InputError
from rltrain.experiment.config import Experiment
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.policies.asking import Planning
from rltrain.run import protocols
from rltrain.verbs.saved_policy import SavedRun, policy_of


class Unfilmed:
    """One environment as `core.Filmed`, without a picture: its games are those that an evaluation plays."""

    fps = 30.0

    def __init__(self, env: Env | Filmed) -> None:
        self.spec, self._env = env.spec, env

    def reset(self, seed: int) -> Step:
        return self._env.reset(seed)

    def step(self, action: Array) -> Step:
        return self._env.step(action)

    def frame(self) -> None:
        return None

    def state(self) -> str:
        return ""

    def close(self) -> None:
        self._env.close()


@dataclass(frozen=True)
class Arena:
    """A policy, and what it takes to play games with it again and again."""

    saved: SavedRun
    policy: Policy
    settings: EnvironmentConfig  # under the protocol's rules
    protocol: str
    epsilon: float
    gamma: float
    pictures: bool  # the games are to be seen

    @property
    def experiment(self) -> Experiment:
        """What the policy was trained with."""
        return self.saved.experiment

    @contextmanager
    def open(self) -> Iterator[tuple[Filmed, Env | None]]:
        """A fresh game, and the environment beside it in which a planning policy may try things out."""
        task = self.experiment.task
        with ExitStack() as opened:
            env = opened.enter_context(closing(self._game()))
            twin = None
            if isinstance(self.policy, Planning):
                twin = envs.make(self.settings, task=task, num_envs=1, training=False)
                opened.enter_context(closing(twin))
            yield env, twin

    def _game(self) -> Filmed:
        """One game. Of numbered states it is the environment's own, whether or not it is seen; see `run.play`."""
        task = self.experiment.task
        if self.pictures or task != "env" or self.settings.is_model:
            try:
                filmed = envs.film(self.settings, task)
            except InputError:
                pass  # it cannot be drawn
            else:
                return filmed if self.pictures or self.settings.is_model else Unfilmed(filmed)
        return Unfilmed(envs.make(self.settings, task=task, num_envs=1, training=False))


def arena(
    saved: SavedRun,
    protocol: str | None = None,
    epsilon: float | None = None,
    device: str | None = None,
    pictures: bool = False,
) -> Arena:
    """Of a saved policy. `protocol` None is the run's, `epsilon` None the protocol's. InputError for what fits not."""
    experiment = saved.experiment
    protocol, settings, epsilon = protocols.conditions(
        experiment.environment, protocol or experiment.run.evaluate.protocol, epsilon, experiment.task
    )
    policy = policy_of(experiment, saved.loaded, device, experiment.run.threads or 1)
    return Arena(saved, policy, settings, protocol, epsilon, discount_of(experiment), pictures)


def discount_of(experiment: Experiment) -> float:
    """What later rewards count for, in the values that were learned: the config's, else the model's own, else 1."""
    settings = experiment.algorithm.model_dump()
    found = settings.get("gamma_final")
    found = settings.get("gamma") if found is None else found
    if found is None:
        found = envs.describe(experiment.environment, task=experiment.task).discount
    return 1.0 if found is None else float(found)
