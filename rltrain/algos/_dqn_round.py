"""A round of DQN that is under way, and the unit of rounds that it belongs to: what a pause in the middle remembers.

Between two units there is nothing of either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from rltrain.core import Array, EnvSpec, State
from rltrain.deep.actor import Exploration, Played
from rltrain.deep.learner import Learnt
from rltrain.saved import Saved, step_of


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

    def save(self) -> State:
        return {
            "before": self.before,
            "plan": self.plan._asdict(),
            "at": self.at,
            "held": [
                {"now": now._asdict(), "action": action, "then": then._asdict()} for now, action, then in self.held
            ],
        }


@dataclass
class Unit:
    """The rounds of one `step` of the algorithm."""

    rounds: int = 0  # that are over
    learnt: list[Learnt] = field(default_factory=list)  # in them
    round: Round | None = None  # the one that is under way

    @property
    def begun(self) -> bool:
        """Whether the unit has begun, and is not over."""
        return self.rounds > 0 or self.round is not None

    def save(self) -> State:
        return {
            "rounds": self.rounds,
            "learnt": {
                "loss": _numbers([each.loss for each in self.learnt]),
                "value": _numbers([each.value for each in self.learnt]),
                "norm": _numbers([each.norm for each in self.learnt]),
            },
            "round": None if self.round is None else self.round.save(),
        }


def unit_of(
    saved: Saved,
    spec: EnvSpec,
    rounds: int,
    shape: tuple[int, int],
    env_steps: int,
    held: bool,
    device: torch.device,
) -> Unit:
    """The unit that `Unit.save` told of.

    rounds   of a unit
    shape    [K, N] of a round
    held     whether what a round has played waits for its end
    """
    numbers = saved.part("learnt")
    loss = numbers.array("loss", "float32", (None,))
    columns = [loss, numbers.like("value", loss), numbers.like("norm", loss)]
    rows = zip(*(torch.from_numpy(column).to(device) for column in columns), strict=True)
    unit = Unit(saved.integer("rounds", 0, rounds - 1), [Learnt(torch.empty(0), *row) for row in rows])
    if saved.given("round"):
        unit.round = _round_of(saved.part("round"), spec, shape, env_steps, held)
    elif unit.rounds == 0:
        saved.refuse("rounds", "0, and no round is under way: there must be one or the other")
    return unit


def _round_of(saved: Saved, spec: EnvSpec, shape: tuple[int, int], env_steps: int, held: bool) -> Round:
    at = saved.integer("at", 1, shape[0] - 1)
    before = saved.integer("before", max(0, env_steps - at * shape[1]), env_steps)
    plan = saved.part("plan")
    highest = spec.num_actions - 1
    exploration = Exploration(plan.array("random", "bool", shape), plan.array("action", "int64", shape, 0, highest))
    found = saved.listed("held", at if held else 0)
    newest = replace(spec, obs_shape=(1, *spec.obs_shape[1:])) if spec.frame_stack > 1 else spec
    played = [
        Played(
            step_of(part.part("now"), newest),
            part.array("action", "int64", shape[1:], 0, highest),
            step_of(part.part("then"), newest),
        )
        for part in map(found.part, found)
    ]
    for i, (one, other) in enumerate(pairwise(played)):
        if (one.now.last & other.now.last).any() or (one.then.last != other.now.last).any():
            found.refuse(str(i), "it must end where the next begins, and no episode ends twice in a row")
    return Round(before, exploration, at, played)


def _numbers(values: Sequence[Tensor]) -> Array:
    """Scalars as [n] float32."""
    return torch.stack(list(values)).float().cpu().numpy() if values else np.zeros(0, np.float32)
