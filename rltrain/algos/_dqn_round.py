"""A round of DQN that is under way, and the unit of rounds that it belongs to: what a pause in the middle remembers.

Between two units there is nothing of either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from rltrain.core import Array, EnvSpec, State, Step
from rltrain.counters import reached
from rltrain.deep.actor import Exploration, Played
from rltrain.deep.learner import UpdateStats
from rltrain.saved import Saved, step_of, step_state


@dataclass
class Round:
    """A round of K steps of N environments, played in part."""

    before: int  # environment steps when it began
    plan: Exploration  # [K, N]
    at: int = 0  # steps of each environment so far
    held: list[Played] = field(default_factory=list)  # with overlap: they enter the memory when the round is over

    @property
    def left(self) -> int:
        """Steps of each environment that are still to be played."""
        return len(self.plan.random) - self.at

    @property
    def to_come(self) -> Exploration:
        """The plan of those steps."""
        return Exploration(*(column[self.at :] for column in self.plan))

    def end(self) -> None:
        """The steps that are left belong to the next round."""
        self.plan = Exploration(*(column[: self.at] for column in self.plan))

    def may_reach(self, limits: Mapping[str, int], counters: Mapping[str, int]) -> bool:
        """Whether the steps that are left could; updates are counted when they are over."""
        most = self.left * self.plan.random.shape[1]
        return reached(limits, {name: counters[name] + most for name in ("env_steps", "episodes")})

    def go_on_from(self, now: Step) -> None:
        """What is held ends in `now`, which may have become a `last` when it was loaded: see `core.Reopening`."""
        if self.held:
            newest = self.held[-1]
            self.held[-1] = newest._replace(next_step=newest.next_step._replace(last=now.last))

    def save(self) -> State:
        return {
            "before": self.before,
            "plan": self.plan._asdict(),
            "at": self.at,
            "held": [
                {"now": step_state(step), "action": action, "then": step_state(next_step)}
                for step, action, next_step in self.held
            ],
        }


@dataclass
class Unit:
    """The rounds of one `step` of the algorithm."""

    rounds: int = 0  # that are over
    stats: list[UpdateStats] = field(default_factory=list)  # of their updates
    round: Round | None = None  # the one that is under way

    @property
    def begun(self) -> bool:
        """Whether the unit has begun, and is not over."""
        return self.rounds > 0 or self.round is not None

    def save(self) -> State:
        return {
            "rounds": self.rounds,
            "learnt": {
                "loss": _numbers([each.loss for each in self.stats]),
                "value": _numbers([each.value for each in self.stats]),
                "norm": _numbers([each.norm for each in self.stats]),
            },
            "round": None if self.round is None else self.round.save(),
        }


def unit_of(
    saved: Saved,
    spec: EnvSpec,
    device: torch.device,
    *,
    rounds: int,
    collect_steps: int,
    env_steps: int,
    overlap: bool,
) -> Unit:
    """The inverse of `Unit.save`. CheckpointError.

    rounds         of a unit
    collect_steps  of each environment in a round
    env_steps      of the algorithm so far
    overlap        whether what a round has played waits for its end
    """
    numbers = saved.part("learnt")
    loss = numbers.array("loss", "float32", (None,))
    columns = [loss, numbers.like("value", loss), numbers.like("norm", loss)]
    rows = zip(*(torch.from_numpy(column).to(device) for column in columns), strict=True)
    unit = Unit(saved.integer("rounds", 0, rounds - 1), [UpdateStats(torch.empty(0), *row) for row in rows])
    if saved.given("round"):
        unit.round = _round_of(saved.part("round"), spec, collect_steps, env_steps, overlap)
    elif unit.rounds == 0:
        saved.refuse("rounds", "0, and no round is under way: there must be one or the other")
    return unit


def _round_of(saved: Saved, spec: EnvSpec, collect_steps: int, env_steps: int, overlap: bool) -> Round:
    n, highest = spec.num_envs, spec.num_actions - 1
    at = saved.integer("at", 1, collect_steps - 1)
    before = saved.integer("before", max(0, env_steps - at * n), env_steps)
    plan, shape = saved.part("plan"), (collect_steps, n)
    exploration = Exploration.of(plan.array("random", "bool", shape), plan, "action", spec)
    found = saved.listed("held", at if overlap else 0)
    newest = replace(spec, obs_shape=(1, *spec.obs_shape[1:])) if spec.frame_stack > 1 else spec
    played = [
        Played(
            step_of(part.part("now"), newest),
            part.array("action", "int64", (n,), 0, highest),
            step_of(part.part("then"), newest),
        )
        for part in map(found.part, found)
    ]
    for i, (one, other) in enumerate(pairwise(played)):
        if (one.step.last & other.step.last).any() or (one.next_step.last != other.step.last).any():
            found.refuse(str(i), "it must end where the next begins, and no episode ends twice in a row")
    return Round(before, exploration, at, played)


def _numbers(values: Sequence[Tensor]) -> Array:
    """Scalars as [n] float32."""
    return torch.stack(list(values)).float().cpu().numpy() if values else np.zeros(0, np.float32)
