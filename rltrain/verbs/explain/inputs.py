"""What each number of an observation contributes: how the measure falls where it is replaced by its mean of the game.

    contribution_i = m(x) - m(x with x_i = its mean over the game's steps)

Occlusion, as for pictures, and not a gradient times the input: it asks a policy for nothing but its answers, so it is
the same for a table of weights, numpy and torch, and it has no step size to be chosen. It says nothing of inputs that
matter only together (Zeiler and Fergus 2014 for pictures; here one input at a time).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rltrain.core import Array, EnvSpec
from rltrain.envs.input_names import names_of
from rltrain.verbs.explain.measure import measured
from rltrain.verbs.explain.playing import PlayedGame

MOST_INPUTS = 4096


@dataclass(frozen=True, eq=False)
class Contributions:
    """Of D inputs at a step."""

    what: str  # what is measured: "the Q of left"
    measure: float  # its value at the step
    names: tuple[str, ...]  # [D]
    inputs: Array  # [D] float64 what is seen
    means: Array  # [D] float64 over the game
    contribution: Array  # [D] float64, in the units of the measure

    @property
    def order(self) -> Array:
        """[D] int64, the inputs of the greatest absolute contributions first."""
        return np.argsort(-np.abs(self.contribution), kind="stable")

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it, the inputs that contribute most first."""
        rows = [
            {
                "input": self.names[number],
                "value": float(self.inputs[number]),
                "mean": float(self.means[number]),
                "contribution": float(self.contribution[number]),
            }
            for number in self.order.tolist()
        ]
        return {"of": self.what, "measure": self.measure, "inputs": rows}


def contributions(played: PlayedGame, step: int) -> Contributions | None:
    """Of the numbers that are seen at a step; None where there are none, or nothing can be measured."""
    spec = played.spec
    if spec.num_states is not None or spec.is_image or not _reads(spec):
        return None
    measure = measured(played, step)
    if measure is None:
        return None
    seen = np.stack([numbers(spec, played.seen[number]) for number in range(len(played.seen))])
    now, means = seen[step], seen.mean(axis=0)
    if len(now) > MOST_INPUTS:
        return None
    obs = played.seen[step]
    rows = np.stack([obs, *(_replaced(spec, obs, number, means[number]) for number in range(len(now)))])
    found = measure.of(rows)
    return Contributions(measure.what, float(found[0]), names_of(spec), now, means, found[0] - found[1:])


def numbers(spec: EnvSpec, obs: Array) -> Array:
    """The numbers [D] float64 of one observation, pictures among its parts left out."""
    if not spec.parts:
        return obs.reshape(-1).astype(np.float64)
    each = [part.of(obs[None]).reshape(-1) for part in spec.parts if not part.is_image]
    return np.concatenate(each).astype(np.float64)


def _reads(spec: EnvSpec) -> bool:
    """Whether there are numbers that are no picture's."""
    if spec.parts:
        return any(not part.is_image for part in spec.parts)
    return spec.obs_dtype == "float32"


def _replaced(spec: EnvSpec, obs: Array, number: int, value: float) -> Array:
    """A copy of an observation with another value in the place of one of its numbers."""
    found = obs.copy()
    if not spec.parts:
        found.reshape(-1)[number] = value
        return found
    for part in spec.parts:
        if part.is_image:
            continue
        own = part.of(found[None]).reshape(-1)
        if number < len(own):
            own[number] = value
            found[part.start : part.stop] = np.ascontiguousarray(own).view(found.dtype)
            break
        number -= len(own)
    return found
