"""What the algorithms share that judge candidates by whole games alone: the games, their champion, and what is counted.

Such an algorithm asks its own distribution for candidates [C, P], has each of them scored here, tells its distribution
the scores, and lets the best of them challenge the champion, which is what it has learned. Its equation and the state
of its distribution are its own; the rest of a run's state is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from rltrain.core import Array, Env, EnvSpec, Hardware, Metrics, Policy, State
from rltrain.policies import choosing, trials
from rltrain.policies.champion import Champion, champion_of, described, spread
from rltrain.rng import derive
from rltrain.saved import Saved


class GameSettings(choosing.Settings, Protocol):
    """The settings of an algorithm that judges policies by whole games."""

    @property
    def games(self) -> int: ...  # of each candidate
    @property
    def same_starts(self) -> bool: ...
    @property
    def recheck(self) -> int: ...  # games of each challenger, and of the champion beside them


class Contest:
    """Scores one generation of candidates after the other, and keeps the champion of all."""

    def __init__(self, settings: GameSettings, env: Env, seed: int) -> None:
        """InputError where games might never end, and for a policy that is not for this environment."""
        trials.check(env.spec, settings.games, settings.same_starts)
        self.env, self._settings, self._seed = env, settings, seed
        self.family = choosing.make(settings, env.spec)
        self.champion = Champion(self.family, env, settings.recheck, seed)
        self.env_steps = self.episodes = 0

    @property
    def counters(self) -> Mapping[str, int]:
        return {"env_steps": self.env_steps, "episodes": self.episodes}

    def scores(self, candidates: Array, generation: int, purpose: str = "generation") -> Array:
        """[C] the mean return of each of the candidates [C, P], in games that no other generation has played."""
        seed, settings = derive(self._seed, purpose, generation), self._settings
        played = trials.play(self.family, candidates, self.env, settings.games, seed, settings.same_starts)
        self._count(played)
        return played.scores

    def challenge(self, challengers: Array, generation: int) -> None:
        """The best of a generation [K, P] play against the champion."""
        self._count(self.champion.challenge(challengers, generation))

    def _count(self, played: trials.Trials) -> None:
        self.env_steps += int(played.lengths.sum())
        self.episodes += played.lengths.size

    def metrics(self, scores: Array) -> Metrics:
        """What the scores [C] say, and how the champion stands."""
        return {**spread(scores), **self.champion.metrics()}

    def save(self) -> State:
        """Its part of an algorithm's state, to be merged into that."""
        return {"champion": self.champion.save(), "env_steps": self.env_steps, "episodes": self.episodes}

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.champion.load(saved.part("champion"))
        self.env_steps, self.episodes = saved.integer("env_steps"), saved.integer("episodes")


def load_policy(settings: choosing.Settings, spec: EnvSpec, state: Mapping[str, Any], hardware: Hardware) -> Policy:
    """The champion of an algorithm's saved state, as a policy."""
    return champion_of(choosing.make(settings, spec), state)


def summary_lines(settings: choosing.Settings, spec: EnvSpec, state: Mapping[str, Any]) -> list[str]:
    """The champion of an algorithm's saved state in words, for the end of a run."""
    return described(choosing.make(settings, spec), state["champion"])


def cost(settings: choosing.Settings, spec: EnvSpec) -> dict[str, int]:
    """The parameters that a run looks for."""
    return {"parameters": len(choosing.make(settings, spec).parameters)}
