"""Starting a Q-network from a saved one, of whichever algorithm that learns values by such networks."""

from __future__ import annotations

from collections.abc import Iterable

from rltrain.deep.learner import Learner
from rltrain.deep.networks import QNetwork, copy_weights
from rltrain.errors import CheckpointError
from rltrain.warm_start import Taken, WarmSource


def start(learner: Learner, followers: Iterable[QNetwork], source: WarmSource) -> Taken:
    """Take over the layers that fit; `followers` are copies of the learner's network.

    InputError if no layer fits, CheckpointError for weights that are none.
    """
    source.check_made_by("dqn", "pqn")
    if source.algorithm == "dqn" and learner.master.is_image and "features" not in source.state:
        raise CheckpointError("saved by an earlier version of dqn, whose weights for images lie in another order")
    taken = learner.start_from(source.state.part("learner").part("weights"))
    for network in followers:
        copy_weights(learner.master, network)
    return taken
