"""What a given policy is worth, and how much it loses: linear equations, and a bound proven from what is left of them.

A policy is pi [P], the probability of each pair in its state. With P_pi its transitions and r_pi its rewards,

    V = r_pi + gamma P_pi V                                     (Bellman 1957)

is solved, whichever way, and one more backup W of V proves the error, as for V* in `mdp.bellman`:

    |V_pi - V|  <=  max |W - V| / (1 - gamma)

With a discount of 1 the same holds where the policy ends: if w >= 1 + P_pi w for some w >= 0, at every state from which
reward can still come, then |V_pi - V| <= w max |W - V| (Bertsekas and Tsitsiklis 1991: w bounds the expected steps).
Where it may be caught in a class of states in which it loses on average, it is worth -infinity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError, UncertifiedError
from rltrain.mdp.files.policy_files import read as read
from rltrain.mdp.files.policy_saving import write as write
from rltrain.mdp.model import Model, Numbered
from rltrain.mdp.solvers import bellman
from rltrain.mdp.solvers.bellman import UNIT
from rltrain.mdp.undiscounted.lost import may_gain
from rltrain.spelling import shown

if TYPE_CHECKING:
    from rltrain.mdp.solution import Solution

DENSE = 700  # states up to which the equations are solved as a full matrix, without scipy
DIRECT = 5_000  # states up to which they are factorised
ROUNDS = 12  # of refinement, at most
GOOD = 1e-13  # of the largest value: nothing is gained by going on


class Evaluated(NamedTuple):
    """Every number is within `bound` of the truth; -inf, which discount 1 alone allows, is proven to be so."""

    value: Array  # [S] float64
    bound: float
    start_value: float  # mean over where the model starts


class Losses(NamedTuple):
    """What each state loses under a policy; every finite number is within `bound` of the truth."""

    loss: Array  # [S] V* - V_pi; 0 where both are -inf: no policy does better
    bound: float
    optimal: Solution
    evaluated: Evaluated


class Chain(NamedTuple):
    """The Markov chain of a model under a policy, in compressed sparse rows; a terminal state has none."""

    first: Array  # [S + 1] int64
    next: Array  # [M] int32
    prob: Array  # [M] float64, > 0
    reward: Array  # [S] float64, expected under the policy
    gross: Array  # [S] float64, the same of the rewards without their signs: what its rounding is measured by
    calm: Array  # [S] bool: the policy takes no pair with a reward
    terms: int  # the most roundings that stand behind one number of a backup


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
    """[P] one action everywhere; where only one is possible, that one."""
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


def chain_of(model: Model, policy: Array) -> Chain:
    """The chain of a policy. Pairs that it never takes cost nothing."""
    taken = np.flatnonzero(policy > 0)
    length = np.diff(model.first_next)[taken]
    states = model.pair_state[taken]
    first = np.zeros(model.num_states + 1, dtype=np.int64)
    np.cumsum(np.bincount(states, weights=length, minlength=model.num_states), out=first[1:])
    offset = np.repeat(model.first_next[taken] - np.concatenate(([0], np.cumsum(length)[:-1])), length)
    where = np.arange(int(length.sum())) + offset
    reward = np.bincount(states, weights=policy[taken] * model.reward[taken], minlength=model.num_states)
    gross = np.bincount(states, weights=policy[taken] * np.abs(model.reward[taken]), minlength=model.num_states)
    noisy = model.reward[taken] != 0
    calm = np.ones(model.num_states, dtype=bool)
    calm[states[noisy]] = False
    most = int(np.diff(first).max(initial=0)) + int(np.diff(model.first_pair).max(initial=0)) + 8
    return Chain(
        first, model.next[where], model.prob[where] * np.repeat(policy[taken], length), reward, gross, calm, most
    )


def evaluate(model: Model, policy: Array, discount: float, epsilon: float = 1e-9) -> Evaluated:
    """V of the policy. Solved as well as floating point can where that is cheap, else to epsilon or better.

    InputError where discount 1 gives a state no value: its policy earns for ever, or rewards that never settle.
    """
    if policy.shape != (model.num_pairs,):
        raise ValueError(f"a policy has one probability for each of {model.num_pairs} pairs, got {policy.shape}")
    chain = chain_of(model, policy)
    quiet = endless(chain) if discount == 1 else model.terminal
    lost = _lost(model, policy, chain, quiet) if discount == 1 else np.zeros(model.num_states, dtype=bool)
    if discount < 1 and model.num_states > DENSE:
        value, bound = _by_sweeps(chain, discount, epsilon)
    else:
        value, bound = _solved(chain, discount, quiet | lost, epsilon)  # no other state leads to a lost one
    value[lost] = -np.inf
    return Evaluated(value, bound, bellman.mean(model.start_distribution(), value))


def losses(model: Model, policy: Array, discount: float, epsilon: float = 1e-9) -> Losses:
    """V* - V_pi of each state."""
    evaluated = evaluate(model, policy, discount, epsilon / 2)
    if discount == 1:
        from rltrain.mdp.undiscounted import total_reward

        optimal = total_reward.solve(model, epsilon / 2)
    else:
        from rltrain.mdp.solvers.solve import solve

        optimal = solve(model, discount, "auto", epsilon / 2)
    size = bellman.size(optimal.value) + bellman.size(evaluated.value)
    loss = np.zeros(model.num_states)
    np.subtract(optimal.value, evaluated.value, out=loss, where=~optimal.lost)
    return Losses(loss, optimal.bound + evaluated.bound + UNIT * size, optimal, evaluated)


def endless(chain: Chain) -> Array:
    """[S] bool: from here no reward ever comes, so the value is 0 whatever the discount. Terminal states are such."""
    quiet = chain.calm.copy()
    disturbed = reaching(chain, ~quiet)
    return np.asarray(~disturbed)


def reaching(chain: Chain, goal: Array) -> Array:
    """[S] bool: a state of `goal` can be reached, in no step or more."""
    num = len(chain.first) - 1
    source = np.repeat(np.arange(num, dtype=np.int64), np.diff(chain.first))
    order = np.argsort(chain.next, kind="stable")
    source = source[order]
    first = np.concatenate(([0], np.cumsum(np.bincount(chain.next, minlength=num))))
    found = goal.copy()
    edge = np.flatnonzero(found)
    while len(edge):
        length = first[edge + 1] - first[edge]
        offset = np.repeat(first[edge] - np.concatenate(([0], np.cumsum(length)[:-1])), length)
        before = source[np.arange(int(length.sum())) + offset]
        edge = np.unique(before[~found[before]])
        found[edge] = True
    return found


def _lost(model: Model, policy: Array, chain: Chain, quiet: Array) -> Array:
    """[S] bool: worth -infinity, since the policy may be caught where it loses on average.

    InputError where it may be caught in a class of states of which that is not proven.
    """
    stuck = ~reaching(chain, quiet)
    if not stuck.any():
        return stuck
    losing = _losing(model, policy, stuck)
    caught = np.flatnonzero(stuck & ~reaching(chain, losing))
    if len(caught):
        more = f" and {len(caught) - 1:,} more states" if len(caught) > 1 else ""
        raise InputError(
            f"discount 1: from state {shown(model.states[int(caught[0])])}{more} this policy never ends, and rewards "
            "come for ever, without a sum; take a discount below 1, or the average reward: solve --average"
        )
    return reaching(chain, losing)


def _losing(model: Model, policy: Array, stuck: Array) -> Array:
    """[S] bool: in a class that the policy never leaves and in which it is proven to lose on average."""
    from rltrain.mdp.chains import chain as chains
    from rltrain.mdp.chains import long_run

    chain = chains.of_policy(model, policy)
    classes = chains.classes(chain)
    gaining = np.zeros(model.num_states, dtype=bool)  # a pair that is taken may earn something
    gaining[model.pair_state[may_gain(model) & (policy > 0)]] = True
    most = max(bellman.size(model.reward), 0.0 if model.next_reward is None else bellman.size(model.next_reward))
    losing = np.zeros(model.num_states, dtype=bool)
    for number in np.unique(classes.label[stuck]):
        if not classes.recurrent[number]:
            continue
        members = classes.members(int(number))
        reward = chain.reward[members]
        loses = bool(reward.min() < 0)
        if loses and gaining[members].any():
            share = long_run.stationary(chain, members)
            terms = len(members) + int(np.diff(model.first_next).max()) + int(np.diff(model.first_pair).max()) + 8
            loses = bool(float(share.value @ reward) < -(len(members) * share.bound + 2 * terms * UNIT) * most)
        losing[members] = loses
    return losing


def alone(chain: Chain) -> Model:
    """A chain as a model with one action."""
    acting = np.diff(chain.first) > 0
    return Model(
        states=Numbered(len(acting)),
        actions=Numbered(1),
        first_pair=np.concatenate(([0], np.cumsum(acting))),
        action=np.zeros(int(acting.sum()), dtype=np.int32),
        first_next=np.concatenate((chain.first[:-1][acting], chain.first[-1:])),
        next=chain.next,
        prob=chain.prob,
        reward=chain.reward[acting],
    )


def _by_sweeps(chain: Chain, discount: float, epsilon: float) -> tuple[Array, float]:
    """V and its proven error: a chain is a model with one action, so the solver of large models does it."""
    from rltrain.mdp.solvers.solve import solve

    solution = solve(alone(chain), discount, "auto", epsilon)
    size = float(np.abs(solution.value).max(initial=0.0))
    return solution.value, solution.bound + rounding(chain, discount, size) / (
        1 - discount
    )  # of the chain's own numbers


def _solved(chain: Chain, discount: float, quiet: Array, epsilon: float) -> tuple[Array, float]:
    """V and its proven error: solve, look at what is left, solve for that, while it helps."""
    num = len(chain.first) - 1
    busy = np.flatnonzero(~quiet)
    value = np.zeros(num)
    if not len(busy):
        return value, 0.0
    solver = _solver(chain, discount, busy)
    steps = solver(np.ones(len(busy))) if discount == 1 else None
    best, best_bound = value, np.inf
    for _ in range(ROUNDS):
        rest = chain.reward + discount * expected(chain, value) - value
        rest[quiet] = 0.0
        size = float(np.abs(value).max())
        slack = rounding(chain, discount, size)
        bound = _bound(chain, discount, busy, quiet, rest, slack, steps) + 4 * UNIT * size
        if bound < best_bound / 2:
            best, best_bound = value.copy(), bound
        else:
            break
        if bound <= GOOD * size or (len(busy) > DIRECT and bound <= epsilon):
            break
        value[busy] += solver(rest[busy])
    if not np.isfinite(best_bound):
        raise UncertifiedError("the policy's equations are so near to singular that no bound could be proven")
    return best, float(best_bound)


def expected(chain: Chain, value: Array) -> Array:
    """[S] P V."""
    row = np.diff(chain.first) > 0
    expected = np.zeros(len(value))
    if row.any():
        expected[row] = np.add.reduceat(chain.prob * value[chain.next], chain.first[:-1][row])
    return expected


def rounding(chain: Chain, discount: float, size: float) -> float:
    """The greatest error of floating point in one backup (Higham 2002, section 3.1), the policy's own included."""
    return chain.terms * UNIT * (float(chain.gross.max(initial=0.0)) + (discount + 1) * size)


def _bound(
    chain: Chain, discount: float, busy: Array, quiet: Array, rest: Array, slack: float, steps: Array | None
) -> float:
    """max |V_pi - V| from the rest W - V of one backup."""
    most = float(np.abs(rest).max()) + slack
    if steps is None:
        return most / (1 - discount)
    weight = np.zeros(len(rest))
    weight[busy] = steps
    if not np.isfinite(steps).all() or (steps < 0).any():
        return np.inf
    margin = float((weight - expected(chain, weight))[busy].min())
    margin -= chain.terms * UNIT * 2 * float(weight.max())
    return most * float(weight.max()) / margin if margin > 0 else np.inf


def _solver(chain: Chain, discount: float, busy: Array) -> Any:
    """x with (I - gamma P) x = b on the states that matter: a full matrix, a factorisation, or Krylov's iterations."""
    num = len(busy)
    place = np.full(len(chain.first) - 1, -1, dtype=np.int64)
    place[busy] = np.arange(num)
    source = np.repeat(np.arange(len(chain.first) - 1), np.diff(chain.first))
    inside = (place[source] >= 0) & (place[chain.next] >= 0)
    row, column, entry = place[source[inside]], place[chain.next[inside]], discount * chain.prob[inside]
    if num <= DENSE:
        matrix = np.eye(num)
        np.subtract.at(matrix, (row, column), entry)
        return _dense(matrix)
    from scipy import sparse
    from scipy.sparse import linalg

    csc = sparse.identity(num, format="csc") - sparse.csc_matrix((entry, (row, column)), shape=(num, num))
    if num <= DIRECT:
        try:
            return linalg.splu(csc).solve
        except RuntimeError as error:  # so says scipy of a singular matrix
            raise UncertifiedError("the policy's equations are singular in floating point") from error
    csr = csc.tocsr()

    def iterate(b: Array) -> Array:
        scale = float(np.abs(b).max()) or 1.0
        x, _ = linalg.bicgstab(csr, b / scale, rtol=1e-9, atol=0.0, maxiter=2_000)
        if not np.isfinite(x).all() or np.abs(b / scale - csr @ x).max() > 0.5:
            x = b / scale
            for _ in range(2_000):
                x = b / scale + x - csr @ x
        return np.asarray(x * scale)

    return iterate


def _dense(matrix: Array) -> Any:
    def solve(b: Array) -> Array:
        try:
            return np.asarray(np.linalg.solve(matrix, b))
        except np.linalg.LinAlgError as error:
            raise UncertifiedError("the policy's equations are singular in floating point") from error

    return solve
