"""The best candidate so far, by games that it was not chosen for: a lucky score must not win.

The best of many noisy scores is mostly the luckiest. So whoever looks best plays again from fresh starts, beside the
champion, and takes over only if the mean of these games is more than its standard error above the mean of all games
that the champion has ever replayed. A lucky champion falls back with every generation, since it plays in each. Right
after a change its mean is still that of the games which it won by.
"""

from __future__ import annotations

import math

import numpy as np

from rltrain.core import Array, Env, Metrics, Policy, State
from rltrain.policies.parameters import Family, Fixed
from rltrain.policies.trials import Trials, play
from rltrain.policies.walk_and_turn import WalkAndTurn, Wandering
from rltrain.rng import derive
from rltrain.saved import Saved

MOST_NAMED = 4  # parameters that are metrics of their own
MOST_TOLD = 8  # that are told at the end


class Champion:
    """The best candidate so far, and the sum and number of its games."""

    def __init__(self, family: Family, env: Env, games: int, seed: int) -> None:
        self._family, self._env, self._games, self._seed = family, env, games, seed
        self.candidate = np.full(len(family.parameters), math.nan)  # [P]
        self.total = 0.0
        self.played = 0  # of a candidate that was taken over from another run: 0 until it plays in this one

    @property
    def mean(self) -> float:
        """Mean return of its games; NaN before the first challenge."""
        return self.total / self.played if self.played else math.nan

    def challenge(self, challengers: Array, generation: int) -> Trials:
        """Challengers [K, P] and the champion play `games` each. Returns all that was played."""
        new = challengers[(challengers != self.candidate).any(axis=1)]
        sitting = [] if np.isnan(self.candidate).all() else [self.candidate]
        candidates = np.array([*sitting, *new])
        trials = play(self._family, candidates, self._env, self._games, derive(self._seed, "recheck", generation))
        if sitting:
            self.total += float(trials.returns[0].sum())
            self.played += self._games
        for candidate, returns in zip(new, trials.returns[len(sitting) :], strict=True):
            error = float(returns.std()) / math.sqrt(len(returns))  # its standard error: few games prove little
            if not self.played or returns.mean() - error > self.mean:
                self.candidate, self.total, self.played = candidate.copy(), float(returns.sum()), self._games
        return trials

    def metrics(self) -> Metrics:
        """The champion's mean return over `champion/games` games; its parameters, where they are few."""
        names = self._family.parameters.names
        named = {f"champion/{name}": float(value) for name, value in zip(names, self.candidate, strict=True)}
        return {
            "return/mean": self.mean,
            "champion/games": float(self.played),
            **(named if len(names) <= MOST_NAMED else {}),
        }

    def policy(self) -> Policy:
        return fixed(self._family, self.candidate, self._seed)

    def save(self) -> State:
        return {"candidate": self.candidate.copy(), "total": self.total, "played": self.played}

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.candidate = candidate_of(self._family, saved)
        self.total, self.played = saved.number("total"), saved.integer("played")


def candidate_of(family: Family, saved: Saved) -> Array:
    """Parameters [P] of a saved champion, all NaN before there is one. CheckpointError for anything else."""
    candidate = saved.array("candidate", "float64", (len(family.parameters),), finite=False)
    if not np.isnan(candidate).all() and not np.isfinite(candidate).all():
        saved.refuse("candidate", "must be finite numbers, or all NaN before the first champion")
    return candidate


def champion_of(family: Family, state: State) -> Policy:
    """The champion of a saved algorithm, as a policy."""
    return fixed(family, candidate_of(family, Saved.of(state).part("champion")), seed=0)


def fixed(family: Family, candidate: Array, seed: int) -> Policy:
    """A candidate [P] as a policy; where it is NaN, the middle of the ranges."""
    known, seed = filled(family, candidate), derive(seed, "policy")
    return Wandering(family, known, seed) if isinstance(family, WalkAndTurn) else Fixed(family, known, seed)


def filled(family: Family, candidate: Array) -> Array:
    """A candidate [P], the middle of the ranges where it is NaN."""
    return np.where(np.isnan(candidate), family.parameters.middle, candidate)


def described(family: Family, saved: State) -> list[str]:
    """A saved champion in words: its parameters where they are few, and what it scored when played again."""
    if not saved["played"]:
        return []
    named = zip(family.parameters.names, saved["candidate"].tolist(), strict=True)
    many = len(family.parameters)
    what = ", ".join(f"{name} {value:.4g}" for name, value in named) if many <= MOST_TOLD else f"{many:,} parameters"
    return [f"best: {what}: mean {saved['total'] / saved['played']:.4g} of {saved['played']:,} games played again"]


def spread(scores: Array) -> Metrics:
    """Metrics of a generation's scores [C]: their best, their median, their standard deviation."""
    return {
        "population/best": float(scores.max()),
        "population/median": float(np.median(scores)),
        "population/sd": float(scores.std()),
    }
