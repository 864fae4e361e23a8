"""What policies are asked, also those of other packages that know no masks: these are asked without where none is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

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


def chosen(policy: Policy, obs: Array, mask: Array | None) -> Array:
    """Actions [N, *action] of a policy at obs [N, *obs]; mask [N, mask_width], None: nothing is masked."""
    return policy.act(obs) if mask is None else policy.act(obs, mask)


def thought(policy: Scoring, obs: Array, mask: Array | None) -> Array:
    """Scores [N, A] of a policy at obs [N, *obs]; mask [N, mask_width], None: nothing is masked."""
    return policy.scores(obs) if mask is None else policy.scores(obs, mask)
