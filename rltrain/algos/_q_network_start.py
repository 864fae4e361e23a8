"""Starting a Q-network from a saved one, of whichever algorithm that learns values by such networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rltrain.deep.learner import Learner
from rltrain.deep.networks import QNetwork, copy_weights
from rltrain.errors import CheckpointError
from rltrain.warm_start import Taken, WarmSource


def start(learner: Learner, followers: Iterable[QNetwork], source: WarmSource, settings: Mapping[str, Any]) -> Taken:
    """Take over the layers that fit; `followers` are copies of the learner's network, which is of these settings.

    InputError if no layer fits, CheckpointError for weights that are none.
    """
    source.check_made_by("dqn", "pqn")
    if source.algorithm == "dqn" and learner.master.is_image and "features" not in source.state:
        raise CheckpointError("saved by an earlier version of dqn, whose weights for images lie in another order")
    there, here = _value(source.config.model_dump()), _value(settings)
    apart = "" if there == here else f"a value is {there} there, {here} here"
    taken = learner.start_from(source.state.part("learner").part("weights"), apart)
    for network in followers:
        copy_weights(learner.master, network)
    return taken


def _value(settings: Mapping[str, Any]) -> str:
    """What heads say of an action, by an algorithm's settings."""
    loss = settings["loss"]
    if loss in ("hl_gauss", "c51"):
        between = f"{settings['v_min']:g} to {settings['v_max']:g}"
        return f"a histogram ({loss}, {settings['num_bins']} bins, {between})"
    if loss == "quantile":
        return f"{settings['n_quantiles']} quantiles"
    return "a quantile of a level that it is told" if loss == "iqn" else "a number"
