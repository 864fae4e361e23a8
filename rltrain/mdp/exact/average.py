"""The average reward in fractions: gain, relative values and policy exactly, by Howard's policy iteration.

    g = P g,   g + h = r + P h,   h = 0 at the first state of each closed class            (evaluate)
    a pair that leads to more gain; where none does, of those that keep it one with more r + P h    (improve)

for models with any number of closed classes (Howard 1960; Puterman 1994, section 9.2). A terminal state earns 0 for
ever. It starts from a policy that floating point holds for optimal. Where nothing can be improved, (g, h) solves the
optimality equations, which proves every gain and the policy (Puterman 1994, theorem 9.1.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from rltrain.core import Array
from rltrain.errors import UncertifiedError
from rltrain.mdp.exact import linear
from rltrain.mdp.exact.policy_iteration import Shares, chain_of
from rltrain.mdp.exact.rational import (
    MAX_SECONDS,
    ONE,
    ZERO,
    Clock,
    Table,
    action_values,
    check_small,
    read_numbers,
    table,
)
from rltrain.mdp.graph import ordered_components
from rltrain.mdp.model import Model


@dataclass(frozen=True, eq=False)
class ExactAverage:
    """The truth about a model's long run, as far as its numbers are what they seem."""

    model: Model
    gain: tuple[Fraction, ...]  # [S]
    relative: tuple[Fraction, ...] | None  # [S] h, 0 at the first state; None where the gain is not one number
    choice: Array  # [S] int64, -1 where terminal
    iterations: int  # evaluations in fractions
    seconds: float
    numbers: str  # how the numbers were read: one of rational.READINGS

    @property
    def policy(self) -> list[str | None]:
        """[S] the best action of each state by name, None where terminal."""
        return self.model.action_names(self.choice)


def solve(model: Model, choice: Array, max_seconds: float | None = MAX_SECONDS) -> ExactAverage:
    """The best gain of every state, from the policy choice [S] on. InputError for a model that is not small."""
    rows, numbers = _rows(model)
    clock = Clock(max_seconds)
    choice = choice.copy()
    tried: set[bytes] = set()
    while True:
        if choice.tobytes() in tried:
            raise UncertifiedError("policy iteration in fractions came back to a policy: the gain is not proven")
        tried.add(choice.tobytes())
        gain, relative = _evaluated(rows, [{pair: ONE} if pair >= 0 else {} for pair in choice.tolist()], clock)
        if not _improve(rows, gain, relative, choice):
            break
    one = len(set(gain)) == 1 and not model.terminal.any()
    h = tuple(value - relative[0] for value in relative) if one else None
    return ExactAverage(model, tuple(gain), h, choice, len(tried), clock.seconds, numbers)


def evaluate(model: Model, taken: Sequence[Shares], max_seconds: float | None = MAX_SECONDS) -> tuple[Fraction, ...]:
    """The gain of every state under a policy: the probabilities of the pairs of each state; none where terminal."""
    return tuple(_evaluated(_rows(model)[0], taken, Clock(max_seconds))[0])


def _rows(model: Model) -> tuple[Table, str]:
    check_small(model)
    exact, numbers = read_numbers(model)
    return table(model, exact), numbers


def _evaluated(rows: Table, taken: Sequence[Shares], clock: Clock) -> tuple[list[Fraction], list[Fraction]]:
    """g and h of a policy."""
    chain, reward = chain_of(rows, taken)
    chain = [row or {state: ONE} for state, row in enumerate(chain)]  # a terminal state stays
    closed = [set(block) for block in ordered_components(chain) if {j for i in block for j in chain[i]} <= set(block)]
    roots = {min(block) for block in closed}
    on_the_way = [{} if i in roots else {j: p for j, p in row.items() if j not in roots} for i, row in enumerate(chain)]

    def until_root(constant: Sequence[Fraction]) -> list[Fraction]:
        known = [ZERO if i in roots else c for i, c in enumerate(constant)]
        return linear.solve(on_the_way, known, clock)

    earned, steps = until_root(reward), until_root([ONE] * len(chain))
    gain = [ZERO] * len(chain)
    for block in closed:
        root = min(block)
        total = reward[root] + sum((p * earned[j] for j, p in chain[root].items()), ZERO)
        length = ONE + sum((p * steps[j] for j, p in chain[root].items()), ZERO)
        for state in block:
            gain[state] = total / length
    recurrent = set().union(*closed)
    passing = [
        {} if i in recurrent else {j: p for j, p in row.items() if j not in recurrent} for i, row in enumerate(chain)
    ]
    arriving = [
        gain[i] if i in recurrent else sum((p * gain[j] for j, p in row.items() if j in recurrent), ZERO)
        for i, row in enumerate(chain)
    ]
    gain = linear.solve(passing, arriving, clock)
    return gain, until_root([r - g for r, g in zip(reward, gain, strict=True)])


def _improve(rows: Table, gain: Sequence[Fraction], relative: Sequence[Fraction], choice: Array) -> bool:
    """Take a pair that leads to more gain; if there is none anywhere, one of the same gain and more h. In place."""
    ahead = [
        sum((p * gain[j] for j, p in zip(rows.next[i], rows.prob[i], strict=True)), ZERO)
        for i in range(len(rows.reward))
    ]
    q = action_values(rows, relative, ONE)
    more = {
        state: max(pairs, key=lambda i: (ahead[i], q[i], -i))
        for state, pairs in enumerate(rows.pairs)
        if pairs and max(ahead[i] for i in pairs) > gain[state]
    }
    if not more:
        for state, pairs in enumerate(rows.pairs):
            best = max((i for i in pairs if ahead[i] == gain[state]), key=lambda i: (q[i], -i), default=-1)
            if pairs and q[best] > gain[state] + relative[state]:
                more[state] = best
    for state, pair in more.items():
        choice[state] = pair
    return bool(more)
