"""Whether the evaluations of runs may be compared: were the games played under the same rules?

The rules are the protocol and those settings of the environment that change what a policy can score: the time limit,
frames an action is repeated for, sticky actions, the environment's own arguments. What a learner sees, which actions it
chooses among and which rewards it learns from are its own affair, and so is the number of games.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rltrain.errors import InputError
from rltrain.report.reading import Record
from rltrain.spelling import brief, shown
from rltrain.yaml_subset import flow

OF_THE_LEARNER = (  # settings of an environment that change no score of one policy
    "id",  # the environment itself
    "num_envs",
    "reseed_every",
    "needs",
    "action_masks",
    "frame_stack",
    "screen_size",
    "full_action_space",
    "terminal_on_life_loss",  # in training alone
    "wrappers",  # but for those below
)
WRAPPERS = ("MaxAndSkipObservation", "RepeatAction", "StickyAction", "DelayObservation")  # that change scores
OWN_RULES = ("noop_max", "repeat_action_probability", "max_episode_steps")  # in place of a config's
OF_THE_PROTOCOL = {"nature": OWN_RULES, "sticky": OWN_RULES}
LONGEST = 60  # characters of a value in an error


def rules(run: Record) -> dict[str, Any]:
    """The rules by which the games of a run's evaluations were played, by name."""
    environment, protocol = run.config["environment"], evaluation_of(run).get("protocol")
    left_out = (*OF_THE_LEARNER, *OF_THE_PROTOCOL.get(str(protocol), ()))
    found = {} if protocol is None else {"protocol": protocol}  # a config of a run names it; another's may not
    found |= {key: value for key, value in environment.items() if key not in left_out}
    return found | {"wrappers": list(_wrappers(environment.get("wrappers")))}


def evaluation_of(run: Record) -> Mapping[str, Any]:
    """The block `run.evaluate` of a run's config; empty where it has none."""
    found = run.config["run"].get("evaluate")
    return found if isinstance(found, Mapping) else {}


def check(runs: Sequence[Record]) -> None:
    """InputError for runs of one environment whose evaluations were played by different rules, which it names."""
    first = rules(runs[0])
    for run in runs[1:]:
        other = rules(run)
        for name in first:
            if name in other and flow(first[name]) != flow(other[name]):
                one, two = (f"{name} {brief(flow(value[name]), LONGEST)}" for value in (first, other))
                raise InputError(
                    f"{shown(str(runs[0].folder))} was evaluated with {one}, {shown(str(run.folder))} with {two}:"
                    f" scores under different rules cannot be compared; `rltrain eval` plays games of both by one"
                    " protocol"
                )


def _wrappers(listed: Any) -> Iterator[Any]:
    """Those of a config's list that change what a policy can score."""
    for each in listed if isinstance(listed, list) else ():
        name = each.get("name") if isinstance(each, Mapping) else each
        if name in WRAPPERS:
            yield each
