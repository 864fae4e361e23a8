"""The one number that says how much a policy wants what it did: what patches and inputs are measured by."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rltrain.core import Array, Policy, Scoring
from rltrain.policies.asking import Planning, chosen, spread_of, thought, worth
from rltrain.spaces import MultiDiscrete
from rltrain.verbs.explain.playing import PlayedGame

COPIES = 16  # of one observation: a policy that answers them differently draws its actions


class Measured(NamedTuple):
    """A function of observations, and what it is called."""

    what: str  # "the probability of left"
    of: Callable[[Array], Array]  # obs [N, *obs] -> [N] float64


def measured(played: PlayedGame, step: int) -> Measured | None:
    """What is measured at a step. None of a policy that searches, and of one that draws actions and says no more."""
    policy, game, chosen_one = played.policy, played.game, int(played.game.chosen[step])
    if isinstance(policy, Planning):
        return None
    if isinstance(policy, Scoring) and chosen_one >= 0:
        scoring, mask = policy, played.mask(step)

        def score(obs: Array) -> Array:
            return np.asarray(thought(scoring, obs, _of_all(mask, obs))[:, chosen_one], np.float64)

        return Measured(f"the {game.score_name} of {game.actions[chosen_one]}", score)
    return _of_spread(played, policy, step) or _of_value(played, policy, step) or _of_action(played, policy, step)


def _of_all(mask: Array | None, obs: Array) -> Array | None:
    """A mask [1, width] for every row of obs [N, *obs]."""
    return None if mask is None else mask.repeat(len(obs), axis=0)


def _of_spread(played: PlayedGame, policy: Policy, step: int) -> Measured | None:
    """Of several choices the probability of what was chosen; of one number its mean."""
    space, mask = played.spec.actions, played.mask(step)
    if played.game.probability.shape[1] and isinstance(space, MultiDiscrete):
        action, columns = played.game.action[step], space.columns

        def together(obs: Array) -> Array:
            said = spread_of(policy, obs, _of_all(mask, obs))
            assert said is not None and said.probability is not None
            own = [said.probability[:, at][:, action[k]] for k, at in enumerate(columns)]
            return np.asarray(np.prod(own, axis=0), np.float64)

        return Measured("the probability of these choices", together)
    if played.game.mean.shape[1] == 1:

        def mean(obs: Array) -> Array:
            said = spread_of(policy, obs, _of_all(mask, obs))
            assert said is not None and said.mean is not None
            return np.asarray(said.mean[:, 0], np.float64)

        return Measured("the mean of the action", mean)
    return None


def _of_value(played: PlayedGame, policy: Policy, step: int) -> Measured | None:
    if worth(policy, played.seen[step][None]) is None:
        return None

    def value(obs: Array) -> Array:
        found = worth(policy, obs)
        assert found is not None
        return np.asarray(found, np.float64)

    return Measured("the value of the state", value)


def _of_action(played: PlayedGame, policy: Policy, step: int) -> Measured | None:
    """Of a policy that only acts: the number that it gives, or whether it would do the same."""
    obs, mask = played.seen[step], played.mask(step)
    copies = obs[None].repeat(COPIES, axis=0)
    said = np.asarray(chosen(policy, copies, _of_all(mask, copies)))
    if (said != said[:1]).any():
        return None
    if said.dtype.kind == "f" and said.ndim == 2 and said.shape[1] == 1:
        return Measured("the action", lambda rows: np.asarray(_acts(policy, rows, mask)[:, 0], np.float64))
    if said.dtype.kind == "f":  # how far the numbers are from what was done
        return Measured(
            "how near the action stays",
            lambda rows: -np.sqrt(((_acts(policy, rows, mask).astype(np.float64) - said[0]) ** 2).sum(axis=1)),
        )

    def same(rows: Array) -> Array:
        return np.asarray((_acts(policy, rows, mask) == said[0]).reshape(len(rows), -1).all(axis=1), np.float64)

    return Measured("whether it does the same", same)


def _acts(policy: Policy, rows: Array, mask: Array | None) -> Array:
    return np.asarray(chosen(policy, rows, _of_all(mask, rows)))
