"""How good a policy is: whole games, raw scores, under the rules of `run.protocols`.

Every lane plays a number of games that is fixed beforehand: the first to end would mostly be short ones. A lane that
has played them is closed. What its games bring does not depend on the others, so it makes the rest quicker, no more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from rltrain import envs
from rltrain.core import Array, Policy, Retiring, RowByRow, Step
from rltrain.envs.remote.crew import Crew
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.policies.asking import Planning, chosen
from rltrain.rng import derive
from rltrain.run import protocols
from rltrain.spaces import Actions, Discrete

RESAMPLES = 10_000  # of the bootstrap


class Game(NamedTuple):
    """One whole game."""

    total: float  # the raw return
    length: int  # agent steps
    truncated: bool


@dataclass(frozen=True)
class Evaluation:
    """The games, and what they say. One entry a game, in an order that does not depend on which ended first."""

    protocol: dict[str, Any]  # nine fields; None where the environment has no such thing
    seed: int
    returns: tuple[float, ...]
    lengths: tuple[int, ...]  # agent steps
    truncated: tuple[bool, ...]  # stopped by the time limit
    chosen: tuple[int, ...] = ()  # how often the policy chose each action, in all games; (): it chooses no one of some

    @property
    def mean(self) -> float:
        return float(np.mean(self.returns))

    @property
    def sd(self) -> float:
        """Of these games (divided by their number), as numpy and the literature print it."""
        return float(np.std(self.returns))

    @property
    def median(self) -> float:
        return float(np.median(self.returns))

    @property
    def min(self) -> float:
        return min(self.returns)

    @property
    def max(self) -> float:
        return max(self.returns)

    @property
    def truncated_share(self) -> float:
        return float(np.mean(self.truncated))

    @cached_property
    def ci95(self) -> tuple[float, float]:
        """The 95 % percentile-bootstrap interval of the mean. It speaks of games, not of training runs."""
        return bootstrap(np.array(self.returns), derive(self.seed, "bootstrap"))

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return {
            "protocol": self.protocol,
            "seed": self.seed,
            "episodes": len(self.returns),
            "returns": list(self.returns),
            "lengths": list(self.lengths),
            "truncated": list(self.truncated),
            "mean": self.mean,
            "sd": self.sd,
            "median": self.median,
            "min": self.min,
            "max": self.max,
            "ci95": list(self.ci95),
            "truncated_share": self.truncated_share,
        }


class OngoingEvaluation:
    """An evaluation under way: `steps` plays it, `result` says what its games brought so far, `close` ends it.

    `task` is the algorithm's: its policy sees what it saw.
    `protocol` None is `protocols.default_protocol`; `epsilon` None is the protocol's. InputError for what does not fit.
    What the games bring does not depend on `threads`, nor on a `crew` that plays them.
    """

    def __init__(
        self,
        policy: Policy,
        settings: EnvironmentConfig,
        protocol: str | None,
        episodes: int,
        seed: int,
        epsilon: float | None = None,
        threads: int = 1,
        task: str = "env",
        crew: Crew | None = None,
    ) -> None:
        if episodes < 1:
            raise InputError(f"episodes: {episodes} is not a number of games; at least 1")
        self.episodes, self.seed, self._policy = episodes, seed, policy
        protocol, played, self._epsilon = protocols.conditions(settings, protocol, epsilon, task)
        lanes = min(episodes, envs.side_by_side(played))
        self._due = np.full(lanes, episodes // lanes)  # games that each lane still has to play
        self._due[: episodes % lanes] += 1

        self._env = envs.make(played, task=task, num_envs=lanes, threads=threads, training=False, crew=crew)
        self._stream = np.random.default_rng(derive(seed, "explore"))
        actions = self._env.spec.actions
        self._chosen = np.zeros(actions.n if isinstance(actions, Discrete) else 0, np.int64)  # what the policy wants
        self._games: list[list[Game]] = [[] for _ in range(lanes)]
        self.env_steps = 0  # of games that count
        self.protocol = protocols.fields(protocol, played, self._env.spec, self._epsilon, episodes)

    def steps(self) -> Iterator[int]:
        """Play one step of every lane that has games left, and say how many games are over; until all are."""
        lanes, actions = self._env.spec.num_envs, self._env.spec.actions
        total, length = np.zeros(lanes), np.zeros(lanes, dtype=np.int64)
        # Asked once: to hold an object against a protocol takes longer than a step of a small game.
        planning = self._policy if isinstance(self._policy, Planning) else None
        retiring = self._env if planning is None and isinstance(self._env, Retiring) else None
        row_block = self._policy.row_block if isinstance(self._policy, RowByRow) else None
        step = self._env.reset(derive(self.seed, "games"))
        while self._due.any():
            playing = self._due > 0
            if planning is None:
                action = _asked(self._policy, step, actions, playing, row_block)
            else:
                action = planning.plan(self._env, step._replace(last=step.last | ~playing))
            if len(self._chosen):
                self._chosen += np.bincount(action[playing & ~step.last], minlength=len(self._chosen))
            if self._epsilon > 0:  # drawn for all lanes: what one draws does not depend on who still plays
                random = self._stream.random(lanes) < self._epsilon
                random = random.reshape(lanes, *(1 for _ in actions.shape))
                action = np.where(random, actions.sample(self._stream, lanes, step.mask), action)
            step = self._env.step(action)
            total = np.where(step.first, 0.0, total + step.reward)
            length = np.where(step.first, 0, length + 1)
            self.env_steps += int((playing & ~step.first).sum())
            ended = step.last & playing
            for lane in np.flatnonzero(ended):
                self._games[lane].append(Game(float(total[lane]), int(length[lane]), bool(step.discount[lane] > 0)))
            self._due[ended] -= 1
            done = ended & (self._due == 0)
            if retiring is not None and done.any() and self._due.any():
                retiring.retire(done)
            yield self.played

    @property
    def played(self) -> int:
        """Games that are over."""
        return sum(len(own) for own in self._games)

    def result(self) -> Evaluation:
        """Of the games that are over, lane by lane. InputError if there is none."""
        games = [game for own in self._games for game in own]
        if not games:
            raise InputError(f"none of {self.episodes} games was played to its end, so there is nothing to say")
        returns, lengths, truncated = zip(*games, strict=True)
        return Evaluation(self.protocol, self.seed, returns, lengths, truncated, tuple(self._chosen.tolist()))

    def close(self) -> None:
        self._env.close()


def evaluate(
    policy: Policy,
    settings: EnvironmentConfig,
    protocol: str | None,
    episodes: int,
    seed: int,
    epsilon: float | None = None,
    threads: int = 1,
    task: str = "env",
) -> Evaluation:
    """Play whole games, all of them. The arguments and errors are those of `OngoingEvaluation`."""
    with contextlib.closing(
        OngoingEvaluation(policy, settings, protocol, episodes, seed, epsilon, threads, task)
    ) as playing:
        for _ in playing.steps():
            pass
        return playing.result()


def bootstrap(returns: Array, seed: int) -> tuple[float, float]:
    """The 2.5 % and 97.5 % points of the means of 10,000 resamples of returns [n]."""
    stream = np.random.default_rng(seed)
    block = max(1, 1_000_000 // len(returns))  # resamples at a time, to bound memory
    means = [
        returns[stream.integers(len(returns), size=(min(block, RESAMPLES - done), len(returns)))].mean(axis=1)
        for done in range(0, RESAMPLES, block)
    ]
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return float(low), float(high)


def _asked(policy: Policy, step: Step, actions: Actions, playing: Array, row_block: int | None) -> Array:
    """Actions [N, *action] of a policy at a step. Where it goes row by row, only as many rows as are wanted are asked.

    `row_block` is that of `core.RowByRow`; None: the policy goes by whole batches.

    Those are the first lanes that play, filled up to whole blocks, and the lanes after the last whole block: so the
    action of a lane is to the bit what it would be among all.
    """
    lanes = len(playing)
    if row_block is None or lanes < 2 * row_block:
        return chosen(policy, step.obs, step.mask)
    whole = lanes - lanes % row_block
    wanted = np.flatnonzero(playing[:whole])
    number = max(1, -(-len(wanted) // row_block)) * row_block
    rest = np.flatnonzero(~playing[:whole])[: number - len(wanted)]
    if len(wanted) + len(rest) == whole:
        return chosen(policy, step.obs, step.mask)
    rows = np.concatenate([wanted, rest, np.arange(whole, lanes)])
    action = np.zeros((lanes, *actions.shape), actions.dtype)
    action[rows] = chosen(policy, step.obs[rows], None if step.mask is None else step.mask[rows])
    return action
