"""Discount 1: which states can end, and which go on losing for ever whatever is done.

A circle of pairs that earn exactly nothing is as good as an end. States from which no policy surely comes to an end or
to such a circle are lost. From them every policy may, with some chance, be caught in circles among lost states; where
each of these loses on average, their value is -infinity, and no policy that ends goes near them. So the rest of the
model is solved without the pairs that lead to lost states, and what is lost is said state by state.
(Bertsekas and Tsitsiklis 1991; circles are end components: de Alfaro 1997.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp.checks import pair_text, quoted
from rltrain.mdp.graph import almost_sure_reach, cannot_end, cannot_reach, end_components, may_not_end
from rltrain.mdp.model import Model
from rltrain.spelling import shown


@dataclass(frozen=True)
class Idle:
    """Largest end components of pairs that earn 0, each seen as one state."""

    number: Array  # [S] of each state, -1: in none
    pair: Array  # [P] bool: the pairs inside them


class Fates(NamedTuple):
    """What discount 1 makes of the states of a model."""

    idle: Idle
    lost: Array  # [S] bool: no policy surely ends from here
    usable: Array  # [P] bool: the pairs that never lead to a lost state
    circling: Array  # [P] bool: the pairs that can be taken again and again among lost states


def fates(model: Model, zero: Array) -> Fates:
    """What discount 1 makes of each state, given which pairs earn exactly nothing, zero [P] bool."""
    idle = Idle(*end_components(model, zero))
    inside, _ = almost_sure_reach(model, model.terminal | (idle.number >= 0), np.ones(model.num_pairs, dtype=bool))
    lost = ~inside
    if not lost.any():
        return Fates(idle, lost, np.ones(model.num_pairs, dtype=bool), np.zeros(model.num_pairs, dtype=bool))
    usable = ~np.logical_or.reduceat(lost[model.next], model.first_next[:-1])
    within = np.logical_and.reduceat(lost[model.next], model.first_next[:-1]) & lost[model.pair_state]
    return Fates(idle, lost, usable, end_components(model, within)[1])


def check_any_ends(model: Model, lost: Array) -> None:
    """InputError where every state that has an action is lost: then there is nothing to say of any."""
    if lost.any() and (lost | model.terminal).all():
        raise infinite(model, int(np.flatnonzero(lost)[0]), "?")


def restricted(model: Model, kept: Array) -> Model:
    """The model with some pairs [P] bool alone; a state that loses all of them is terminal."""
    if kept.all():
        return model
    entries = np.repeat(kept, np.diff(model.first_next))
    return replace(
        model,
        first_pair=np.concatenate(([0], np.cumsum(np.bincount(model.pair_state[kept], minlength=model.num_states)))),
        action=model.action[kept],
        first_next=np.concatenate(([0], np.cumsum(np.diff(model.first_next)[kept]))),
        next=model.next[entries],
        prob=model.prob[entries],
        reward=model.reward[kept],
        next_reward=None if model.next_reward is None else model.next_reward[entries],
        start=None,
        exact=None,
    )


def infinite(model: Model, state: int, sign: str) -> InputError:
    """Why a state has no finite value. `sign`: +, ? for a sum that never settles, or policy."""
    name = shown(model.states[state])
    says = {
        "+": f"a circle through state '{name}' earns for ever: its value is infinite",
        "?": f"no policy surely ends from state '{name}': its rewards go on for ever and have no finite sum",
        "policy": f"the policy never ends from state '{name}', and not all that it earns on its circle is 0",
    }
    return InputError(f"discount 1: {says[sign]}; take a discount below 1")


def endings(model: Model) -> list[str]:
    """What a discount of 1 would make of this model, as warnings; none where every policy ends, or goes round for 0.

    For a person who looks at a model. Who solves it at discount 1 is told what each state is worth.
    """
    stays, never = may_not_end(model), cannot_end(model)
    if never.any():
        circling = end_components(model, np.ones(model.num_pairs, dtype=bool))[1]
        pays = circling & (model.reward != 0) & never[model.pair_state]
        if not pays.any():
            stays &= ~never  # goes round for ever, surely for nothing
        else:
            resting = end_components(model, model.reward == 0)[0] >= 0
            lost = cannot_reach(model, model.terminal | resting)
            if lost.any():
                pair = int(np.flatnonzero(pays & lost[model.pair_state])[0])
                return [
                    f"discount 1: {pair_text(model, pair)}: gives {model.reward[pair]:g} again and again, and neither "
                    "a terminal state nor a circle without rewards can be reached from there "
                    f"({int(lost.sum()):,} such {'state' if lost.sum() == 1 else 'states'}): "
                    "the rewards have no finite sum; a discount below 1 gives one"
                ]
    if not stays.any():
        return []
    state = int(np.flatnonzero(stays)[0])
    return [
        f"discount 1: some policies never end: from {int(stays.sum()):,} of {model.num_states:,} states, such as "
        f"{quoted(model.states[state])}; the values of discount 1 are those of the best policy that ends"
    ]
