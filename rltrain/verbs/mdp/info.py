"""What a model is, before it is solved: sizes, terminal states, branching, rewards, and what can be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.errors import OutOfMemoryError
from rltrain.mdp import checks, fates, graph
from rltrain.mdp.mapped import check_room
from rltrain.mdp.model import Model
from rltrain.verbs.mdp.models import Source, model_of

NAMES = 1000  # that a list of names has at most
GRAPH_BYTES = 24  # a successor, while it is found what leads where


@dataclass(frozen=True)
class CountRange:
    """Of how many there are of something."""

    min: int
    mean: float
    max: int


@dataclass(frozen=True)
class RewardRange:
    """The least and the greatest reward of a transition."""

    min: float
    max: float


@dataclass(frozen=True)
class StartStates:
    """Where a model starts."""

    stated: bool  # else it starts anywhere
    states: int
    names: list[str]


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a model by looking at it. Lists of names stop after NAMES."""

    name: str
    states: int
    state_names: list[str]
    actions: int
    action_names: list[str]
    pairs: int  # of a state and a possible action
    transitions: int
    terminal: int  # states
    terminal_names: list[str]
    actions_per_state: CountRange  # of states that are not terminal
    branching: CountRange  # successors of a pair
    deterministic: bool
    certain_pairs: int  # with one successor
    reward: RewardRange | None  # None: there is no transition
    reward_depends_on_next: bool
    start: StartStates
    reachable: int | None  # states, from the start; None: there was no memory to look at what leads where
    unreachable: int | None
    unreachable_names: list[str] | None
    classes: int | None  # sets of states that can reach each other
    closed_classes: int | None  # which no action leaves
    cannot_end: int | None  # states from which no terminal one can be reached
    may_not_end: int | None  # states from which some choice goes on for ever
    discount: float | None
    written_exactly: bool  # its numbers are known as they were written
    bytes: int
    warnings: list[str]


class LeadsTo(NamedTuple):
    """What of `ModelFacts` depends on which state leads where; None where there was no memory to find it."""

    reachable: int | None = None
    unreachable: int | None = None
    unreachable_names: list[str] | None = None
    classes: int | None = None
    closed_classes: int | None = None
    cannot_end: int | None = None
    may_not_end: int | None = None


def describe(model: Source = None, warnings: Sequence[str] = ()) -> ModelFacts:
    """Look at a model. `warnings` are those of its reader; at discount 1 others join them."""
    model = model_of(model)
    counts, branches = np.diff(model.first_pair), np.diff(model.first_next)
    rewards = model.reward if model.next_reward is None else model.next_reward
    start = np.flatnonzero(model.start_distribution())
    leads, found = LeadsTo(), list(warnings)
    try:
        leads = _leads_to(model)
        found += fates.endings(model) if model.discount == 1 else ()
    except OutOfMemoryError as error:
        found.append(f"left out: {error}")
    arrays = (model.first_pair, model.action, model.first_next, model.next, model.prob, model.reward, model.next_reward)
    return ModelFacts(
        name=model.name,
        states=model.num_states,
        state_names=_names(model.states, range(min(model.num_states, NAMES))),
        actions=model.num_actions,
        action_names=_names(model.actions, range(min(model.num_actions, NAMES))),
        pairs=model.num_pairs,
        transitions=model.num_next,
        terminal=int(model.terminal.sum()),
        terminal_names=_names(model.states, np.flatnonzero(model.terminal)[:NAMES].tolist()),
        actions_per_state=_range(counts[counts > 0]),
        branching=_range(branches),
        deterministic=bool((branches == 1).all()),
        certain_pairs=int((branches == 1).sum()),
        reward=RewardRange(float(rewards.min()), float(rewards.max())) if len(rewards) else None,
        reward_depends_on_next=model.next_reward is not None,
        start=StartStates(model.start is not None, len(start), _names(model.states, start[:NAMES].tolist())),
        **leads._asdict(),
        discount=model.discount,
        written_exactly=model.exact is not None,
        bytes=sum(array.nbytes for array in arrays if array is not None),
        warnings=found,
    )


def _leads_to(model: Model) -> LeadsTo:
    """OutOfMemoryError for a model on the disk whose graph finds no room in memory."""
    check_room(model.mapped, model.num_next, GRAPH_BYTES, "reachable states, classes and endings")
    reached = graph.reachable(model)
    lost = np.flatnonzero(~reached)
    return LeadsTo(
        int(reached.sum()),
        len(lost),
        _names(model.states, lost[:NAMES].tolist()),
        *_classes(model),
        int(graph.cannot_end(model).sum()),
        int(graph.may_not_end(model).sum()),
    )


def _classes(model: Model) -> tuple[int, int]:
    """Communicating classes, and how many of them no action leaves."""
    count, label = graph.strong_components(*graph.of_states(model))
    left = np.zeros(count, dtype=bool)
    for first, last in checks.pieces(model):
        begin, end = int(model.first_next[first]), int(model.first_next[last])
        here = np.repeat(label[model.pair_state[first:last]], np.diff(model.first_next[first : last + 1]))
        left[here[label[model.next[begin:end]] != here]] = True
    return count, int((~left).sum())


def _names(names: Sequence[str], numbers: Sequence[int]) -> list[str]:
    return [names[number] for number in numbers]


def _range(counts: Array) -> CountRange:
    if not len(counts):
        return CountRange(0, 0.0, 0)
    return CountRange(int(counts.min()), float(counts.mean()), int(counts.max()))
