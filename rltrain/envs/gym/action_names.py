"""What the numbers of actions mean in environments of Gymnasium, whose spaces do not say.

Every spec of such an environment has its names from here, so that a page, an exported policy, a film and `solve` agree.
"""

from __future__ import annotations

from dataclasses import replace

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


def named(name: str, actions: Actions) -> Actions:
    """The actions of the environment of this id, with names where they are known and it has given none."""
    if not isinstance(actions, Discrete) or actions.names:
        return actions
    known = ACTIONS.get(name.rsplit("/", 1)[-1].split("-v")[0].rstrip("0123456789x"), ())
    return replace(actions, names=known) if len(known) == actions.n else actions
