"""What policies are asked, also those of other packages that know no masks: these are asked without where none is."""

from __future__ import annotations

from rltrain.core import Array, Policy, Scoring


def chosen(policy: Policy, obs: Array, mask: Array | None) -> Array:
    """Actions [N, *action] of a policy at obs [N, *obs]; mask [N, mask_width], None: nothing is masked."""
    return policy.act(obs) if mask is None else policy.act(obs, mask)


def thought(policy: Scoring, obs: Array, mask: Array | None) -> Array:
    """Scores [N, A] of a policy at obs [N, *obs]; mask [N, mask_width], None: nothing is masked."""
    return policy.scores(obs) if mask is None else policy.scores(obs, mask)
