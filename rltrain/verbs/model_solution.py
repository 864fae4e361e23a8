"""The solution of a known model by the names of its states and actions: which question is asked, and its answer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp.files.numerals import fraction
from rltrain.mdp.model import Model
from rltrain.verbs.mdp import models
from rltrain.yaml_subset import flow

Numbers = Sequence[Any] | Array  # floats or fractions


@dataclass(frozen=True)
class ModelSolution:
    """The best policy of a known model, by the names of its states and actions."""

    value: dict[str, Any]  # state -> the most that can be earned from there; float, or Fraction
    policy: dict[str, str | None]  # state -> action; None where the state is terminal
    q: dict[str, dict[str, Any]]  # state -> action -> the most that can be earned when it is taken first
    bound: float  # proven: no number is farther from the truth; 0 in fractions
    answer: Any  # as arrays: Solution, ExactSolution, Horizon, Average or ExactAverage

    def __repr__(self) -> str:
        few = list(self.policy.items())[:6]
        more = ", ..." if len(self.policy) > len(few) else ""
        lines = ", ".join(f"{state}: {action or '-'} {float(self.value[state]):.6g}" for state, action in few)
        return f"<{len(self.policy)} states, within {self.bound:.1e}: {lines}{more}>"


def solved(
    source: str | os.PathLike[str] | Model | None,
    settings: Mapping[str, Any],
    discount: float | str | Fraction | None = None,
    method: str = "auto",
    epsilon: float = 1e-6,
    exact: bool = False,
    average: bool = False,
    horizon: int | None = None,
) -> ModelSolution:
    """The answer to the one question that the arguments ask. InputError for those that make no sense together."""
    asked = {"average": average, "exact": exact, "horizon": horizon is not None, "discount": discount is not None}
    asked["method"] = method != "auto"
    for one, others in (("horizon", ("average", "exact", "method")), ("average", ("discount", "method"))):
        wrong = [other for other in others if asked[one] and asked[other]]
        if wrong:
            raise InputError(f"{one} goes without {', '.join(wrong)}")
    if exact and method != "auto":
        raise InputError("exact goes without method: rational policy iteration ends by itself, without error")
    model = source if isinstance(source, Model) else _read(source, settings)
    if average:
        from rltrain.mdp.undiscounted import average as averages

        if exact:
            gains = averages.exactly(model)
            return _named(model, gains.gain, gains.choice, None, 0.0, gains)
        found = averages.solve(model, epsilon)
        return _named(model, found.gain, found.choice, None, found.bound, found)
    gamma = models.discount_of(model, None if discount is None else str(discount))
    if horizon is not None:
        from rltrain.mdp.solvers import horizon as backward

        if horizon < 1:
            raise InputError(f"horizon: {horizon} is not a number of steps; at least 1")
        steps = backward.solve(model, gamma, horizon)
        return _named(model, steps.value[-1], steps.choice[-1], steps.q[-1], steps.bound, steps)
    if exact:
        from rltrain.mdp.exact import discounted

        written = None if discount is None else fraction(str(discount))
        if discount is None and model.exact is not None:
            written = model.exact.discount
        truth = discounted.solve_exact(model, Fraction(repr(gamma)) if written is None else written)
        return _named(model, truth.value, truth.choice, truth.q, 0.0, truth)
    if gamma == 1:
        from rltrain.mdp.undiscounted import sweeps, total_reward

        way = total_reward.solve(model, epsilon) if method in ("auto", "pi") else sweeps.solve(model, method, epsilon)
        return _named(model, way.value, way.choice, way.q, way.bound, way)
    from rltrain.mdp.solvers.solve import solve

    best = solve(model, gamma, method, epsilon)
    return _named(model, best.value, best.choice, best.q, best.bound, best)


def _read(source: str | os.PathLike[str] | None, settings: Mapping[str, Any]) -> Model:
    given = [f"{key}={flow(value)}" for key, value in settings.items()]
    return models.load(None if source is None else os.fspath(source), given).model


def _named(model: Model, value: Numbers, choice: Array, q: Numbers | None, bound: float, answer: Any) -> ModelSolution:
    """Of value [S], choice [S], a pair or -1, and q [P]."""
    values = {state: _plain(number) for state, number in zip(model.states, value, strict=True)}
    policy = {
        state: None if pair < 0 else model.actions[int(model.action[pair])]
        for state, pair in zip(model.states, choice, strict=True)
    }
    table: dict[str, dict[str, Any]] = {state: {} for state in model.states} if q is not None else {}
    for pair, number in enumerate(q if q is not None else ()):
        table[model.states[int(model.pair_state[pair])]][model.actions[int(model.action[pair])]] = _plain(number)
    return ModelSolution(values, policy, table, float(bound), answer)


def _plain(number: Any) -> Any:
    """A number of numpy's as Python's own; a Fraction as it is."""
    return number.item() if isinstance(number, np.generic) else number
