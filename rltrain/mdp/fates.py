"""Discount 1: which states can end, and which go on losing for ever whatever is done.

A circle of pairs that earn exactly nothing is as good as an end. States from which no policy surely comes to an end or
to such a circle are lost. From them every policy may, with some chance, be caught in circles among lost states; where
each of these loses on average, their value is -infinity, and no policy that ends goes near them. So the rest of the
model is solved without the pairs that lead to lost states, and what is lost is said state by state.
(Bertsekas and Tsitsiklis 1991; circles are end components: de Alfaro 1997.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import parts
from rltrain.mdp.checks import pair_text, quoted
from rltrain.mdp.graph import almost_sure_reach, cannot_end, cannot_reach, end_components, may_not_end
from rltrain.mdp.model import Model
from rltrain.mdp.parts import Collapsed
from rltrain.spelling import shown


class Fates(NamedTuple):
    """What discount 1 makes of the states of a model."""

    idle: Array  # [S] the largest end component of pairs that earn 0 in which each state is, -1: in none
    idle_pairs: Array  # [P] bool: the pairs inside them
    lost: Array  # [S] bool: no policy surely ends from here
    usable: Array  # [P] bool: the pairs that never lead to a lost state
    circling: Array  # [P] bool: the pairs that can be taken again and again among lost states


def fates(model: Model, zero: Array) -> Fates:
    """What discount 1 makes of each state, given which pairs earn exactly nothing, zero [P] bool."""
    idle, idle_pairs = end_components(model, zero)
    inside, _ = almost_sure_reach(model, model.terminal | (idle >= 0), np.ones(model.num_pairs, dtype=bool))
    lost = ~inside
    if not lost.any():
        return Fates(
            idle, idle_pairs, lost, np.ones(model.num_pairs, dtype=bool), np.zeros(model.num_pairs, dtype=bool)
        )
    usable = ~np.logical_or.reduceat(lost[model.next], model.first_next[:-1])
    within = np.logical_and.reduceat(lost[model.next], model.first_next[:-1]) & lost[model.pair_state]
    return Fates(idle, idle_pairs, lost, usable, end_components(model, within)[1])


class Reduced(NamedTuple):
    """A model as far as it matters at discount 1: without lost states, and each idle component as one state."""

    whole: Model
    fates: Fates  # of the whole
    part: Model  # the whole without the pairs that lead to lost states
    kept: Array  # the numbers of its pairs in the whole
    idle_pairs: Array  # [its pairs] bool
    small: Collapsed  # of the part

    def values(self, value: Array) -> Array:
        """[S] of the whole from values [S'] of the small model: -infinity where lost."""
        full = value[self.small.group]
        full[self.whole.terminal] = 0.0
        full[self.fates.lost] = -np.inf
        return np.asarray(full)


def reduced(model: Model, found: Fates) -> Reduced:
    """What can be solved of a model. InputError where every state that has an action is lost: nothing can."""
    if found.lost.any() and (found.lost | model.terminal).all():
        raise infinite(model, int(np.flatnonzero(found.lost)[0]), "?")
    part = parts.of_pairs(model, found.usable)
    inside = found.idle_pairs[found.usable]
    small = parts.collapsed(part, found.idle, inside)
    return Reduced(model, found, part, np.flatnonzero(found.usable), inside, small)


def circles(model: Model, found: Fates) -> Collapsed:
    """The pairs that go round among lost states, alone; one may stop anywhere. `old` numbers those of the whole."""
    part = parts.of_pairs(model, found.circling)
    acting = np.flatnonzero(~part.terminal)
    number = np.full(model.num_states, -1, dtype=np.int64)
    number[acting] = acting
    small = parts.collapsed(part, number, np.zeros(part.num_pairs, dtype=bool))
    kept = np.append(np.flatnonzero(found.circling), -1)
    return small._replace(old=kept[small.old])


def stopping(small: Collapsed) -> Array:
    """[S'] the policy that stops wherever it may; -1 elsewhere."""
    stops = np.flatnonzero(small.old < 0)
    choice = np.full(small.model.num_states, -1, dtype=np.int64)
    choice[small.model.pair_state[stops]] = stops
    return choice


def ending(small: Collapsed) -> Array:
    """[S'] a policy that surely ends."""
    return almost_sure_reach(small.model, small.model.terminal, np.ones(small.model.num_pairs, dtype=bool))[1]


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
