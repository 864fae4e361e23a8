"""The solution of a known model by the names of its states and actions: which question is asked, and its answer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp.model import Model
from rltrain.verbs.mdp.models import GivenDiscount, model_of
from rltrain.verbs.mdp.solve import EPSILON, solve, solve_average, solve_average_exact, solve_exact, solve_horizon

EXCLUDES = {"horizon": ("average", "exact", "method"), "average": ("discount", "method"), "exact": ("method",)}
Numbers = Sequence[Any] | Array  # floats or fractions


@dataclass(frozen=True)
class ModelSolution:
    """The best policy of a known model, by the names of its states and actions, or themselves if a program made it."""

    value: dict[Any, Any]  # state -> the most that can be earned from there; float, or Fraction
    policy: dict[Any, Any]  # state -> action; None where the state is terminal
    q: dict[Any, dict[Any, Any]]  # state -> action -> the most that can be earned when it is taken first
    bound: float  # proven: no number is farther from the truth; 0 in fractions
    answer: Any  # as arrays: Solution, ExactSolution, Horizon, Average or ExactAverage

    def __repr__(self) -> str:
        few = list(self.policy.items())[:6]
        more = ", ..." if len(self.policy) > len(few) else ""
        lines = ", ".join(
            f"{state}: {'-' if action is None else action} {float(self.value[state]):.6g}" for state, action in few
        )
        return f"<{len(self.policy)} states, within {self.bound:.1e}: {lines}{more}>"


def solved(
    source: str | os.PathLike[str] | Model | None,
    settings: Mapping[str, Any],
    discount: GivenDiscount = None,
    method: str = "auto",
    epsilon: float = EPSILON,
    exact: bool = False,
    average: bool = False,
    horizon: int | None = None,
) -> ModelSolution:
    """The answer to the one question that the arguments ask. InputError for those that make no sense together."""
    asked = {"average": average, "exact": exact, "horizon": horizon is not None, "discount": discount is not None}
    asked["method"] = method != "auto"
    for one, others in EXCLUDES.items():
        wrong = [other for other in others if asked[one] and asked[other]]
        if wrong:
            raise InputError(f"{one} goes without {', '.join(wrong)}")
    model = source if isinstance(source, Model) else model_of(None if source is None else os.fspath(source), settings)
    if horizon is not None:
        if horizon < 1:
            raise InputError(f"horizon: {horizon} is not a number of steps; at least 1")
        steps = solve_horizon(model, horizon, discount)
        return _named(model, steps.value[-1], steps.choice[-1], steps.q[-1], steps.bound, steps)
    if average and exact:
        gains = solve_average_exact(model)
        return _named(model, gains.gain, gains.choice, None, 0.0, gains)
    if average:
        gain = solve_average(model, epsilon)
        return _named(model, gain.gain, gain.choice, None, gain.bound, gain)
    if exact:
        truth = solve_exact(model, discount)
        return _named(model, truth.value, truth.choice, truth.q, 0.0, truth)
    found = solve(model, discount, method, epsilon)
    return _named(model, found.value, found.choice, found.q, found.bound, found)


def _named(model: Model, value: Numbers, choice: Array, q: Numbers | None, bound: float, answer: Any) -> ModelSolution:
    """Of value [S], choice [S], a pair or -1, and q [P]."""
    named = model.objects or model
    states, actions = named.states, named.actions
    taken = model.action[choice].tolist() if model.num_pairs else [0] * len(states)
    policy = {
        state: actions[action] if pair >= 0 else None
        for state, action, pair in zip(states, taken, choice.tolist(), strict=True)
    }
    table: dict[Any, dict[Any, Any]] = {}
    if q is not None:
        numbers, of_pairs, first = _plain(q), model.action.tolist(), model.first_pair.tolist()
        for state, begin, end in zip(states, first[:-1], first[1:], strict=True):
            table[state] = {actions[of_pairs[pair]]: numbers[pair] for pair in range(begin, end)}
    values = dict(zip(states, _plain(value), strict=True))
    return ModelSolution(values, policy, table, float(bound), answer)


def _plain(numbers: Numbers) -> Sequence[Any]:
    """Numbers of numpy's as Python's own; fractions as they are."""
    return numbers.tolist() if isinstance(numbers, np.ndarray) else numbers
