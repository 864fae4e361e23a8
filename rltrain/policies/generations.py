"""Algorithms that judge policies by whole games alone, generation by generation.

    ask for candidates -> they play -> tell their scores -> the best of them challenge the champion

A `Strategy` is the algorithm proper: its equation and the state of its distribution. The games, the champion, which is
what is learned, and the counters are here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from rltrain.computation import Computation, Seen
from rltrain.core import Array, Env, EnvSpec, Hardware, Metrics, Policy, State, Stateful
from rltrain.errors import InputError
from rltrain.policies import choosing, rule_computations, trials
from rltrain.policies.champion import Champion, candidate_of, champion_of, described, filled, spread
from rltrain.policies.parameters import Family
from rltrain.rng import derive
from rltrain.saved import Saved
from rltrain.steps import held
from rltrain.warm_start import Taken, WarmSource


class GameSettings(choosing.Settings, Protocol):
    """The settings of an algorithm that judges policies by whole games."""

    @property
    def games(self) -> int: ...  # of each candidate
    @property
    def same_starts(self) -> bool: ...
    @property
    def recheck(self) -> int: ...  # games of each challenger, and of the champion beside them


class Strategy(Stateful, Protocol):
    """Where candidates come from, and what is made of their scores."""

    counter: str  # what `count` counts, "generations"
    purpose: str  # of the seeds of its games, "generation"

    @property
    def count(self) -> int: ...  # grows with every `tell`
    @property
    def done(self) -> bool: ...  # there is nothing more to ask for

    def ask(self) -> Array: ...  # the next candidates [C, P]
    def start_from(self, candidate: Array) -> None: ...  # before the first `ask`: look around this candidate [P]
    def tell(self, candidates: Array, scores: Array) -> tuple[Array, Metrics]:
        """Learn the scores [C] of candidates [C, P]. Returns challengers of the champion [K, P], and metrics."""
        ...


class Generations:
    """A strategy as an `Algorithm`: one generation a step."""

    def __init__(self, settings: GameSettings, family: Family, env: Env, seed: int, strategy: Strategy) -> None:
        self.strategy, self._settings, self._family, self._env, self._seed = strategy, settings, family, env, seed
        self.champion = Champion(family, env, settings.recheck, seed)
        self.env_steps = self.episodes = 0

    @property
    def counters(self) -> Mapping[str, int]:
        return {self.strategy.counter: self.strategy.count, "env_steps": self.env_steps, "episodes": self.episodes}

    @property
    def done(self) -> bool:
        return self.strategy.done

    def step(self) -> Metrics:
        number, settings = self.strategy.count, self._settings
        seed = derive(self._seed, self.strategy.purpose, number)
        candidates = self.strategy.ask()
        with held(self._env):
            played = trials.play(self._family, candidates, self._env, settings.games, seed, settings.same_starts)
            challengers, metrics = self.strategy.tell(candidates, played.scores)
            replayed = self.champion.challenge(challengers, number)
        self.env_steps += int(played.lengths.sum() + replayed.lengths.sum())
        self.episodes += played.lengths.size + replayed.lengths.size
        return {**spread(played.scores), **self.champion.metrics(), **metrics}

    def start_from(self, source: WarmSource) -> Taken:
        """Look around the champion of another run, which is the first here. InputError if it does not fit."""
        source.check_made_by("cmaes", "genetic", "openai_es", "search")
        champion, own = source.state.part("champion"), len(self._family.parameters)
        rule, other = (choosing.rule(settings, self._env.spec) for settings in (self._settings, source.config))
        count = len(champion.array("candidate", "float64", (None,), finite=False))
        if rule != other or count != own:
            raise InputError(f"its champion is {other} of {count} parameters, the policy here {rule} of {own}")
        candidate = candidate_of(self._family, champion)
        if np.isnan(candidate).all():
            raise InputError("it has no champion yet")
        self.champion.candidate = self._family.parameters.inside(candidate[None])[0]
        self.strategy.start_from(self.champion.candidate)
        beyond = [] if (self.champion.candidate == candidate).all() else ["what lies beyond the ranges here"]
        return Taken([f"the champion, {other} of {count} parameters"], beyond)

    def policy(self) -> Policy:
        return self.champion.policy()

    def save(self) -> State:
        own = {"champion": self.champion.save(), "env_steps": self.env_steps, "episodes": self.episodes}
        return {**self.strategy.save(), **own}

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.strategy.load(saved)
        self.champion.load(saved.part("champion"))
        self.env_steps, self.episodes = saved.integer("env_steps"), saved.integer("episodes")


def family_for(settings: GameSettings, spec: EnvSpec) -> Family:
    """The policy whose parameters are looked for. InputError where it cannot be, or where its games might never end."""
    trials.check(spec, settings.games, settings.same_starts)
    return choosing.make(settings, spec)


def warm_start(algorithm: Generations, source: WarmSource) -> Taken:
    """The hook of a plugin whose algorithm is `Generations`."""
    return algorithm.start_from(source)


def load_policy(settings: choosing.Settings, spec: EnvSpec, state: Mapping[str, Any], hardware: Hardware) -> Policy:
    """The champion of an algorithm's saved state, as a policy."""
    return champion_of(choosing.make(settings, spec), state)


def computation(settings: choosing.Settings, spec: EnvSpec, state: Mapping[str, Any], seen: Seen) -> Computation:
    """What the champion of an algorithm's saved state computes. InputError for a family that draws; CheckpointError."""
    family = choosing.make(settings, spec)
    candidate = filled(family, candidate_of(family, Saved.of(state).part("champion")))
    return rule_computations.of_family(settings, spec, family, candidate, seen)


def summary_lines(settings: choosing.Settings, spec: EnvSpec, state: Mapping[str, Any]) -> list[str]:
    """The champion of an algorithm's saved state in words, for the end of a run."""
    return described(choosing.make(settings, spec), state["champion"])


def cost(settings: choosing.Settings, spec: EnvSpec) -> dict[str, int]:
    """The parameters that a run looks for."""
    return {"parameters": len(choosing.make(settings, spec).parameters)}
