"""What policies that keep a table compute, as a `computation.Computation`."""

from __future__ import annotations

import numpy as np

from rltrain.computation import ArgMax, Computation, Lookup, Masked, Possible, Seen, Shares, Value
from rltrain.core import Array
from rltrain.mdp.learn.stochastic_policy import StochasticPolicy
from rltrain.mdp.learn.table_policy import TablePolicy


def of_table(policy: TablePolicy, seen: Seen) -> Computation:
    """A choice for each state, and Q; where a mask excludes the choice, the first best of what it leaves."""
    q = _rows(policy.first_pair, policy.action, policy.q, policy.num_actions, -np.inf)
    scores: Value = Lookup(seen.array, q)
    if seen.mask is None:
        return Computation(Lookup(seen.array, policy.choice.astype(np.int64)), scores)
    able = Possible(seen.mask)
    return Computation(ArgMax(Masked(Lookup(seen.array, _ranks(q, policy.choice)), able)), Masked(scores, able))


def of_probabilities(policy: StochasticPolicy, seen: Seen) -> Computation:
    """The probability of each action in each state, of what a mask leaves; the likeliest of them."""
    table = _rows(policy.first_pair, policy.action, policy.taken, policy.num_actions, 0.0)
    shares: Value = Lookup(seen.array, table)
    if seen.mask is not None:
        shares = Shares(shares, Possible(seen.mask))
    return Computation(ArgMax(shares), shares, (shares,), "an action is drawn, each with its probability")


def _rows(first_pair: Array, action: Array, values: Array, num_actions: int, otherwise: float) -> Array:
    """Values [P] of pairs as a table [S, A]."""
    found = np.full((len(first_pair) - 1, num_actions), otherwise)
    found[np.repeat(np.arange(len(found)), np.diff(first_pair)), action] = values
    return found


def _ranks(q: Array, choice: Array) -> Array:
    """[S, A] how many actions of its state each is better than by q [S, A]; the choice [S] is above them all."""
    ranks = np.stack([(q < column[:, None]).sum(axis=1) for column in q.T], axis=1).astype(np.float64)
    ranks[np.arange(len(q)), choice] = q.shape[1]
    return ranks
