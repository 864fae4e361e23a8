"""Scores of a population: every candidate plays the same number of whole games, spread over environments side by side.

An environment whose game is over takes the next candidate's. Nobody gains by short games: each is played out, and each
counts. Every call starts all games anew, so nothing is in flight when it returns.

With the same starts for all, candidates differ by their play alone (common random numbers). It is not the default: the
environments then serve one candidate after the other, which takes as many times as long as there are candidates, and
selection by a few fixed starts favours who happens to suit those.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rltrain.core import Array, Env, EnvSpec
from rltrain.errors import InputError
from rltrain.policies.parameters import Family
from rltrain.rng import derive

SAME_STARTS = (
    "every point of a step plays from the same starts and with the same chance: fairer with few games and much slower,"
    " one point after the other; needs environment.num_envs of at least `games`"
)


class Trials(NamedTuple):
    """The games of C candidates, G each."""

    returns: Array  # [C, G] float64, raw
    lengths: Array  # [C, G] int64, agent steps

    @property
    def scores(self) -> Array:
        """[C] the mean return of each candidate."""
        return np.asarray(self.returns.mean(axis=1))


def play(family: Family, candidates: Array, env: Env, games: int, seed: int, same_starts: bool = False) -> Trials:
    """Candidates [C, P] play `games` games each. A function of its arguments alone, whatever was played before."""
    if same_starts:
        each = [_play(family, candidate[None], env, games, seed) for candidate in candidates]
        return Trials(*map(np.concatenate, zip(*each, strict=True)))
    return _play(family, candidates, env, games, seed)


def _play(family: Family, candidates: Array, env: Env, games: int, seed: int) -> Trials:
    num_envs, count = env.spec.num_envs, len(candidates)
    returns, lengths = (
        np.zeros(count * games),
        np.zeros(count * games, np.int64),
    )  # of each game, candidate by candidate
    stream = np.random.default_rng(derive(seed, "act"))
    game = np.arange(num_envs)  # [N] the number of each environment's game
    due = min(num_envs, count * games)  # the next game to be opened
    playing = game < due
    acting = candidates[np.minimum(game // games, count - 1)]  # [N, P]
    total, length = np.zeros(num_envs), np.zeros(num_envs, np.int64)
    step = env.reset(derive(seed, "games"))
    while playing.any():
        step = env.step(family.act(acting, step.obs, stream.random((num_envs, family.draws)), step.mask))
        total = np.where(step.first, 0.0, total + step.reward)
        length = np.where(step.first, 0, length + 1)
        if not step.last.any():
            continue
        for env_index in np.flatnonzero(step.last & playing):
            returns[game[env_index]], lengths[game[env_index]] = total[env_index], length[env_index]
            if due < len(returns):  # the next step opens it there
                game[env_index] = due
                acting[env_index] = candidates[due // games]
                due += 1
            else:
                playing[env_index] = False
    return Trials(returns.reshape(count, games), lengths.reshape(count, games))


def check(spec: EnvSpec, games: int, same_starts: bool) -> None:
    """InputError where a bad candidate might never end a game, and where starts cannot be the same."""
    if same_starts and games > spec.num_envs:
        raise InputError(
            f"algorithm.same_starts: {games} games need as many environments side by side; environment.num_envs is"
            f" {spec.num_envs}"
        )
    if spec.max_episode_steps is None and spec.longest is None:
        raise InputError(
            f"environment.max_episode_steps: {spec.id} has no time limit, and a bad policy may never end a game; set"
            " one, such as 1_000"
        )
