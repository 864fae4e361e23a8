"""What policies are asked, also those of other packages that know no masks: these are asked without where none is."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from rltrain.core import Array, Env, Policy, Scoring, Step


@runtime_checkable
class Planning(Policy, Protocol):
    """A policy that tries out what would follow, in environments that it is given, before it acts. `act` may refuse."""

    # What it does where `env` stands at this `step`, [N, *spec.actions.shape], anything where `last`. It may play there
    # and sets `env` back.
    def plan(self, env: Env, step: Step) -> Array: ...


@runtime_checkable
class Drawing(Policy, Protocol):
    """A policy that may draw its actions, and says which are the likeliest, [N, *action] at obs [N, *obs]."""

    def likeliest(self, obs: Array, mask: Array | None = None) -> Array: ...


class ActionSpread(NamedTuple):
    """How a policy that draws numbers, or several choices at once, spreads over them. None: it has none of the kind."""

    mean: Array | None = None  # [N, K] of numbers, within their bounds
    deviation: Array | None = None  # [N, K] of numbers, in their own units, before they are cut to their bounds
    probability: Array | None = None  # [N, sum of sizes] of several choices, side by side


@runtime_checkable
class Valuing(Policy, Protocol):
    """A policy that may say what a state is worth to who goes on with it: the discounted rewards as it learned them."""

    def values(self, obs: Array) -> Array | None: ...  # [N, *obs] -> [N] float64; None: this one has no value network


@runtime_checkable
class Spreading(Policy, Protocol):
    """A policy that may say how it spreads over actions which are numbers or several choices."""

    def spread(self, obs: Array, mask: Array | None = None) -> ActionSpread | None: ...  # None: this one does not say


def worth(policy: Policy, obs: Array) -> Array | None:
    """What states are worth [N] by a policy's own value network at obs [N, *obs]; None where it has none."""
    return policy.values(obs) if isinstance(policy, Valuing) else None


def spread_of(policy: Policy, obs: Array, mask: Array | None) -> ActionSpread | None:
    """How a policy spreads over numbers or several choices at obs [N, *obs]; None where it does not say."""
    if not isinstance(policy, Spreading):
        return None
    return policy.spread(obs) if mask is None else policy.spread(obs, mask)


def chosen(policy: Policy, obs: Array, mask: Array | None) -> Array:
    """Actions [N, *action] of a policy at obs [N, *obs]; mask [N, mask_width], None: nothing is masked."""
    return policy.act(obs) if mask is None else policy.act(obs, mask)


def thought(policy: Scoring, obs: Array, mask: Array | None) -> Array:
    """Scores [N, A] of a policy at obs [N, *obs]; mask [N, mask_width], None: nothing is masked."""
    return policy.scores(obs) if mask is None else policy.scores(obs, mask)
