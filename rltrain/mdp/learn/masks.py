"""Which pairs of a state a learner may take, for compiled code: all of them, or those that its environment leaves.

`pairs` is first_pair [S + 1] where everything is possible, else `MaskedPairs`. Its type decides which of two functions
is compiled, so learners in worlds without masks run the code that they would if there were no masks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from rltrain.core import Array
from rltrain.mdp.learn.sampling import LOW, ONE, ZERO
from rltrain.mdp.splitmix import S32

INLINED: Any = {"nogil": True, "_nrt": False, "forceinline": True}  # as `sampling.inlined`


class MaskedPairs(NamedTuple):
    """The pairs of S states, and which of them each of L learners may take, as it saw last."""

    first_pair: Array  # [S + 1] int64
    possible: Array  # [L, P] bool; of every state one is

    def see(self, learner: int, state: int, mask: Array | None) -> None:
        """What can be done in a state, [A] bool; None, or nothing: everything."""
        own = slice(self.first_pair[state], self.first_pair[state + 1])
        self.possible[learner, own] = True if mask is None or not mask.any() else mask


def first_of(pairs: Any, state: Any) -> Any:
    """Where the pairs of a state begin, int64."""
    return _its_first_of(pairs, state) if isinstance(pairs, MaskedPairs) else pairs[state]


def is_possible(pairs: Any, learner: Any, pair: Any) -> Any:
    """Whether the learner may take a pair."""
    return _its_possible(pairs, learner, pair) if isinstance(pairs, MaskedPairs) else True


def first_possible(pairs: Any, learner: Any, first: Any, end: Any) -> Any:
    """The first possible one of the pairs from first to before end, uint64."""
    return _first_of_some(pairs, learner, first, end) if isinstance(pairs, MaskedPairs) else first


def at_random(pairs: Any, learner: Any, first: Any, end: Any, drawn: Any) -> Any:
    """One of the possible pairs from first to before end by the lower half of a draw, each as likely, uint64."""
    one = _one_of_some if isinstance(pairs, MaskedPairs) else _one_of_all
    return one(pairs, learner, first, end, drawn)


def _its_first_of(pairs: Any, state: Any) -> Any:
    return pairs.first_pair[state]


def _its_possible(pairs: Any, learner: Any, pair: Any) -> Any:
    return pairs.possible[learner, pair]


def _first_of_some(pairs: Any, learner: Any, first: Any, end: Any) -> Any:
    while first + ONE < end and not pairs.possible[learner, first]:
        first += ONE
    return first


def _one_of_all(pairs: Any, learner: Any, first: Any, end: Any, drawn: Any) -> Any:
    return first + (((drawn & LOW) * (end - first)) >> S32)


def _one_of_some(pairs: Any, learner: Any, first: Any, end: Any, drawn: Any) -> Any:
    count, found = ZERO, first
    for number in range(first, end):
        if pairs.possible[learner, np.uint64(number)]:
            count += ONE
    left = ((drawn & LOW) * count) >> S32
    for number in range(first, end):
        if pairs.possible[learner, np.uint64(number)]:
            found = np.uint64(number)
            if left == ZERO:
                break
            left -= ONE
    return found


def _compile(function: Any, of_all: Any, of_some: Any) -> None:
    """Compiled code that calls a function calls one of these, by the type of `pairs`."""

    def chosen(pairs: Any, *others: Any) -> Any:
        return of_all if isinstance(pairs, types.Array) else of_some

    overload(function, jit_options=INLINED, strict=False)(chosen)


_compile(first_of, lambda pairs, state: pairs[state], _its_first_of)
_compile(is_possible, lambda pairs, learner, pair: True, _its_possible)
_compile(first_possible, lambda pairs, learner, first, end: first, _first_of_some)
_compile(at_random, _one_of_all, _one_of_some)
