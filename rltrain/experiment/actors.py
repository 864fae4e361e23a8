"""Which experiments other processes can play: the faults of `run.distribute`."""

from __future__ import annotations

from rltrain import registry
from rltrain.core import AlgorithmPlugin
from rltrain.experiment.draft import Draft
from rltrain.experiment.settings import DistributeConfig, EnvironmentConfig
from rltrain.experiment.wrappers import Shared


def check(
    draft: Draft, name: str, plugin: AlgorithmPlugin, environment: EnvironmentConfig, distribute: DistributeConfig
) -> None:
    """Actors for whom there is nothing to play, or nothing to decide, are a fault of the draft."""
    num_envs = environment.num_envs or plugin.num_envs
    if plugin.task != "env":
        rule = "of an algorithm that keeps a table nothing is played by actors: leave it out"
        draft.fault(("run", "distribute"), rule)
        return
    if distribute.actors > num_envs:
        rule = f"{distribute.actors} actors, and environment.num_envs is {num_envs}: each plays at least one"
        draft.fault(("run", "distribute", "actors"), rule)
    if distribute.mode == "async":
        _check_async(draft, name, plugin, environment)


def _check_async(draft: Draft, name: str, plugin: AlgorithmPlugin, environment: EnvironmentConfig) -> None:
    """Only some learn from what others decide, of observations and rewards as the environments give them."""
    shared = [each.name for each in environment.wrappers if isinstance(each, Shared)]
    if not plugin.asynchronous:
        able = ", ".join(other for other in registry.names() if registry.plugin(other).asynchronous)
        rule = f"{name} decides for its environments itself; write exact, or take one of: {able}"
        draft.fault(("run", "distribute", "mode"), rule)
    if shared:
        what = " and ".join(shared)
        rule = f"actors that decide for themselves know nothing of {what}; leave that out, or write"
        draft.fault(("environment", "wrappers"), f"{rule} run.distribute.mode=exact")
