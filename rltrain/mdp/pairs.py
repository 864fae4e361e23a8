"""Policies as numbers of a model's pairs: pi [P], the probability of each pair in its state, or one pair a state."""

from __future__ import annotations

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp.graph import ranges
from rltrain.mdp.model import Model
from rltrain.spelling import shown

PIECE = 1 << 18  # states that are looked at together


def of_choice(model: Model, choice: Array) -> Array:
    """[P] the policy that takes pair choice[s] in each state; -1 where it is terminal."""
    policy = np.zeros(model.num_pairs)
    policy[choice[choice >= 0]] = 1.0
    return policy


def uniform(model: Model) -> Array:
    """[P] every possible action is as likely."""
    count = np.diff(model.first_pair)
    return np.asarray(1.0 / count[model.pair_state])


def always(model: Model, action: str) -> Array:
    """[P] one action everywhere; where only one is possible, that one. InputError where it is impossible."""
    number = model.actions.index(action)
    only = np.diff(model.first_pair) == 1
    choice = np.where(only, model.first_pair[:-1], -1)
    found = np.flatnonzero(model.action == number)
    choice[model.pair_state[found]] = found
    lacking = np.flatnonzero((choice < 0) & ~model.terminal)
    if len(lacking):
        state = int(lacking[0])
        possible = ", ".join(shown(model.actions[int(model.action[i])]) for i in model.pairs(state))
        raise InputError(
            f"action {shown(action)} is impossible in state {shown(model.states[state])} (possible: {possible}); "
            "write a policy file with an action for each state"
        )
    return of_choice(model, choice)


def mean_over(model: Model, policy: Array, of_pairs: Array) -> Array:
    """[S] the mean of numbers of pairs [P] over those that the policy [P] takes; 0 where terminal."""
    return np.bincount(model.pair_state, weights=policy * of_pairs, minlength=model.num_states)


def outcomes(model: Model, pair: int) -> list[tuple[int, float, float]]:
    """What may follow a pair: the next state, its probability and its reward."""
    span = model.successors(pair)
    following = model.next[span].tolist()
    rewards = [float(model.reward[pair])] * len(following)
    if model.next_reward is not None:
        rewards = model.next_reward[span].tolist()
    return list(zip(following, model.prob[span].tolist(), rewards, strict=True))


def entries(model: Model, pairs: Array) -> tuple[Array, Array]:
    """Where the successors of some pairs [k] stand in `next` and `prob` [n], pair by pair; how many each has [k]."""
    first, last = model.first_next[pairs], model.first_next[pairs + 1]
    return ranges(first, last), last - first


def may_gain(model: Model) -> Array:
    """[P] bool: some outcome of the pair earns more than 0. Their mean may be rounded; outcomes are as given."""
    if model.next_reward is None or not model.num_pairs:
        return np.asarray(model.reward > 0)
    return np.logical_or.reduceat(model.next_reward > 0, model.first_next[:-1])


def absorbing(model: Model, own: tuple[int, int] | None = None) -> Array:
    """[S] bool: terminal, or every action stays here for ever: no other state matters.

    Of some states alone where `own` says from where to where; False for the others, whose rows are not looked at.
    """
    first_own, last_own = own or (0, model.num_states)
    kept = np.zeros(model.num_states, dtype=bool)
    kept[first_own:last_own] = True
    for begin in range(first_own, last_own, PIECE):  # no array as long as the pairs
        end = min(last_own, begin + PIECE)
        first, last = int(model.first_pair[begin]), int(model.first_pair[end])
        states = np.repeat(np.arange(begin, end), np.diff(model.first_pair[begin : end + 1]))
        stays = np.diff(model.first_next[first : last + 1]) == 1
        stays[stays] = model.next[model.first_next[first:last][stays]] == states[stays]
        kept[states[~stays]] = False
        if model.mapped is not None:
            model.mapped.let_go(begin, end)
    return kept


def loops(model: Model) -> Array:
    """[P] bool: the pair surely stays in its state."""
    single = np.diff(model.first_next) == 1
    stays = np.zeros(model.num_pairs, dtype=bool)
    stays[single] = model.next[model.first_next[:-1][single]] == model.pair_state[single]
    return stays
