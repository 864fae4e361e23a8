"""What the numbers of actions mean in environments of Gymnasium, whose spaces do not say."""

from __future__ import annotations

from dataclasses import replace

from rltrain.core import EnvSpec
from rltrain.spaces import Actions, Discrete

ACTIONS = {  # by the id, without version and size
    "CartPole": ("left", "right"),
    "MountainCar": ("left", "none", "right"),
    "Acrobot": ("-1", "0", "+1"),
    "LunarLander": ("none", "left", "main", "right"),
    "FrozenLake": ("left", "down", "right", "up"),
    "CliffWalking": ("up", "right", "down", "left"),
    "Taxi": ("south", "north", "east", "west", "pickup", "dropoff"),
    "Blackjack": ("stick", "hit"),
}


def named(spec: EnvSpec) -> Actions:
    """The actions of an environment, with names where they are known and it has given none."""
    if not isinstance(spec.actions, Discrete) or spec.actions.names not in ((), tuple(map(str, range(spec.actions.n)))):
        return spec.actions
    known = ACTIONS.get(spec.id.rsplit("/", 1)[-1].split("-v")[0].rstrip("0123456789x"), ())
    return replace(spec.actions, names=known) if len(known) == spec.actions.n else spec.actions
