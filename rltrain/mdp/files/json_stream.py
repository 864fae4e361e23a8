"""Answers about a model as JSON text in pieces: a million states need not stand in memory as text."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.mdp.model import Model
from rltrain.mdp.solution import PIECE, Solution

CHUNK = 20_000  # states turned into text at once


def of_object(fields: dict[str, Any]) -> Iterator[str]:
    """A JSON object. A value that is an iterator yields its own text."""
    for number, (key, value) in enumerate(fields.items()):
        yield f"{', ' if number else '{'}{json.dumps(key)}: "
        if isinstance(value, Iterator):
            yield from value
        else:
            yield json.dumps(value, ensure_ascii=False, allow_nan=False)
    yield "}"


def of_list(count: int, part: Callable[[int, int], list[Any]]) -> Iterator[str]:
    """A list of `count` items, of which `part(first, last)` gives any stretch."""
    yield "["
    for first in range(0, count, CHUNK):
        text = json.dumps(part(first, min(first + CHUNK, count)), ensure_ascii=False, allow_nan=False)
        yield (", " if first else "") + text[1:-1]
    yield "]"


def of_numbers(values: Array) -> Iterator[str]:
    """A list of floats; what is not finite is null."""
    return of_list(len(values), lambda first, last: plain(values[first:last]))


def of_names(names: Sequence[str]) -> Iterator[str]:
    """A list of names."""
    return of_list(len(names), lambda first, last: list(names[first:last]))


def of_states(model: Model, which: Array) -> Iterator[str]:
    """The names of some states, [S] bool."""
    found = np.flatnonzero(which)
    return of_list(len(found), lambda first, last: [model.states[int(state)] for state in found[first:last]])


def of_choice(model: Model, choice: Array) -> Iterator[str]:
    """A policy by name; null where terminal."""
    return of_list(model.num_states, lambda first, last: model.action_names(choice[first:last]))


def of_pairs(model: Model, values: Array) -> Iterator[str]:
    """Numbers of pairs [P] as S lists of A; null where an action is impossible."""
    return of_list(model.num_states, lambda first, last: plain(dense(model, values, first, last)))


def dense(model: Model, values: Array, first: int, last: int) -> Array:
    """[last - first, A] NaN where an action is impossible."""
    begin, end = int(model.first_pair[first]), int(model.first_pair[last])
    found = np.full((last - first, model.num_actions), np.nan)
    found[model.pair_state[begin:end] - first, model.action[begin:end]] = values[begin:end]
    return found


def plain(values: Array) -> list[Any]:
    """Nested lists; None where a number is not finite."""
    made = values.astype(object)
    made[~np.isfinite(values)] = None
    nested: list[Any] = made.tolist()
    return nested


def finite(value: float) -> float | None:
    """A number; None where there is none."""
    return float(value) if math.isfinite(value) else None


def tied_states(solution: Solution) -> Array:
    """[S] bool: more than one action may be optimal, as far as the bound can tell."""
    model = solution.model
    many = np.zeros(model.num_states, dtype=bool)
    for begin in range(0, model.num_states, PIECE):  # no array of numbers as long as the pairs
        pairs = model.first_pair[begin : begin + PIECE + 1]
        tied = np.flatnonzero(solution.tied[pairs[0] : pairs[-1]]) + pairs[0]
        state = np.searchsorted(pairs, tied, side="right") - 1
        many[begin : begin + PIECE] = np.bincount(state, minlength=len(pairs) - 1) > 1
    return many


def proven(solution: Solution) -> float:
    """What V, Q and gaps are all within: a gap is the difference of two Q, so twice the bound of one."""
    return 2 * solution.bound


def of_solution(solution: Solution) -> dict[str, Any]:
    """The fields of a solved model, for `of_object`. `bound` is for V, Q and gaps alike."""
    model = solution.model
    tied = np.flatnonzero(tied_states(solution))
    fields = {
        "model": model.name,
        "states": of_names(model.states),
        "actions": list(model.actions),
        "discount": float(solution.discount),
        "V": of_numbers(solution.value),
        "Q": of_pairs(model, solution.q),
        "policy": of_choice(model, solution.choice),
        "gaps": of_numbers(solution.gaps),
        "ties": of_list(len(tied), lambda first, last: [model.states[int(state)] for state in tied[first:last]]),
        "bound": finite(proven(solution)),
        "converged": bool(solution.converged),
        "sweeps": int(solution.sweeps),
        "seconds": float(solution.seconds),
        "method": solution.method,
    }
    if solution.lost.any():  # their V is null, as that of nothing that is no number
        fields["minus_infinity"] = of_states(model, solution.lost)
    if solution.circle is not None:
        fields["circle"] = model.states[solution.circle]
    return fields
