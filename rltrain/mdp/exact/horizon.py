"""H steps in fractions: backward induction, of the best or of a given policy.

    V_0 = 0        V_t(s) = max_a or sum_a pi(a | s) of  r(s, a) + gamma sum_s' T(s, a, s') V_(t-1)(s')

(Bellman 1957). Every step multiplies denominators, so that long horizons take long fractions: `Clock` gives up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from rltrain.mdp.exact.rational import MAX_SECONDS, ZERO, Clock, Number, action_values, rational, table
from rltrain.mdp.model import Model


def values(
    model: Model,
    taken: Sequence[Mapping[int, Fraction]] | None,
    discount: Fraction,
    steps: int,
    max_seconds: float | None = MAX_SECONDS,
) -> tuple[Fraction, ...]:
    """V [S] with H steps to go. `taken`: the probabilities of each state's pairs; None: the best of each time to go."""
    rows, clock = table(model, rational(model)), Clock(max_seconds)
    value: list[Number] = [ZERO] * model.num_states
    for _ in range(steps):
        clock.check()
        q = action_values(rows, value, discount)
        if taken is None:
            value = [max((q[pair] for pair in pairs), default=ZERO) for pairs in rows.pairs]
        else:
            value = [sum((share * q[pair] for pair, share in shares.items()), ZERO) for shares in taken]
    return tuple(Fraction(v) for v in value)  # none is infinite
