"""The chapter's vacuum cleaner: forward with probability p, else a turn by an angle uniform in [-r, r].

Two numbers are all that there is to find (Géron, Hands-On Machine Learning, chapter 16). It chooses among the actions
"forward" and "turn <degrees>" of its environment: the angle that is drawn becomes the nearest of theirs.
"""

from __future__ import annotations

import re

import numpy as np

from rltrain.core import Array, EnvSpec
from rltrain.errors import InputError
from rltrain.policies.parameters import Fixed, Parameters

FORWARD = "forward"
TURN = re.compile(r"turn ([+-]?\d+(?:\.\d+)?)°?")


class WalkAndTurn:
    """A `Family` with two parameters: p, the probability of going forward, and r, the greatest turn in degrees."""

    def __init__(self, spec: EnvSpec) -> None:
        turns = {number: TURN.fullmatch(name) for number, name in enumerate(spec.action_names)}
        angles = {number: float(found[1]) for number, found in turns.items() if found}
        if FORWARD not in spec.action_names or not angles:
            some = ", ".join(spec.action_names[:6])
            raise InputError(
                f'algorithm.policy: walk_and_turn needs the actions "forward" and "turn <degrees>", as RobotVacuum-v0 '
                f"has them; those of {spec.id} are {some}"
            )
        if spec.masked:
            raise InputError(
                f"algorithm.policy: walk_and_turn does not look at what is possible, and {spec.id} masks actions;"
                " linear and mlp do"
            )
        self.draws = 2
        self.parameters = Parameters(("p", "r"), np.array([0.0, 0.0]), np.array([1.0, 180.0]), np.ones(2, bool))
        self._forward, self._count = spec.action_names.index(FORWARD), spec.num_actions
        self._turns, self._borders = _nearest(angles)

    def act(self, candidates: Array, obs: Array, uniform: Array, mask: Array | None = None) -> Array:
        p, r = candidates[:, 0], candidates[:, 1]  # [L or 1]
        angle = r * (2 * uniform[:, 1] - 1)
        turn = self._turns[np.searchsorted(self._borders, angle)]
        return np.where(uniform[:, 0] < p, self._forward, turn)

    def chances(self, candidate: Array) -> Array:
        """The probability [A] of each action of a candidate [2], whatever is seen."""
        p, r = candidate
        if r > 0:
            drawn = np.diff(np.clip([-np.inf, *self._borders, np.inf], -r, r)) / (2 * r)
        else:
            drawn = np.arange(len(self._turns)) == np.searchsorted(self._borders, 0.0)
        found = np.zeros(self._count)
        np.add.at(found, self._turns, (1 - p) * drawn)
        found[self._forward] += p
        return found


class Wandering:
    """A candidate [2] of `WalkAndTurn` as a policy, which says how probable each action is: `core.Scoring`."""

    score_name = "probability"

    def __init__(self, family: WalkAndTurn, candidate: Array, seed: int) -> None:
        self._fixed, self._chances = Fixed(family, candidate, seed), family.chances(candidate)

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        return self._fixed.act(obs, mask)

    def scores(self, obs: Array, mask: Array | None = None) -> Array:
        """Probabilities [N, A] at obs [N, *obs]."""
        return np.repeat(self._chances[None], len(obs), axis=0)


def _nearest(angles: dict[int, float]) -> tuple[Array, Array]:
    """Actions [n + 2] in the order of their angles, once round the circle, and the borders [n + 1] between them."""
    around = sorted(((angle + 180) % 360 - 180, number) for number, angle in angles.items())
    around = [(around[-1][0] - 360, around[-1][1]), *around, (around[0][0] + 360, around[0][1])]
    degrees = np.array([angle for angle, _ in around])
    return np.array([number for _, number in around], np.int64), (degrees[:-1] + degrees[1:]) / 2
