"""Rows of a model's folder, looked at as they are written and as they are read: what is not right is never an index.

A folder's rows are as a solver needs them: they sum to 1 within what rounding explains, successors and actions ascend.
Many at once are looked at by compiled code; where it finds anything, and for few, `mdp.checks` finds the words.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import checks, thresholds
from rltrain.mdp.checks import Faults, quoted
from rltrain.mdp.model import Model


def examine(piece: Model, begin: int, faults: Faults) -> None:
    """Look at rows of the states from `begin` on, whose pointers begin at 0. Faults of numbers are gathered.

    InputError for row pointers that lead out of the arrays, or where a successor or an action is none.
    """
    if piece.num_next > thresholds.PLAIN_NEXT:
        from rltrain.mdp.files import folder_kernels as kernels

        paid = np.zeros(0) if piece.next_reward is None else piece.next_reward
        rows = (piece.first_pair, piece.action, piece.first_next, piece.next, piece.prob, piece.reward, paid)
        sizes = (len(piece.states), len(piece.actions))
        if kernels.look(*rows, *sizes, checks.MOST_REWARD, checks.EPSILON) == kernels.FINE:
            return
    _check_pointers("first_pair", piece.first_pair, piece.num_pairs, 0)
    _check_pointers("first_next", piece.first_next, piece.num_next, 1)
    for name, numbers, count in (("action", piece.action, piece.num_actions), ("next", piece.next, len(piece.states))):
        if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < count:
            worst = int(numbers.min()) if numbers.min() < 0 else int(numbers.max())
            raise InputError(f"'{name}' holds {worst}; expected 0 to {count - 1}")

    def of_pair(pair: int) -> str:
        state = begin + int(np.searchsorted(piece.first_pair, pair, side="right")) - 1
        action = piece.actions[int(piece.action[pair])]
        return f"state {quoted(piece.states[state])}, action {quoted(action)}"

    def of_next(number: int) -> str:
        pair = int(np.searchsorted(piece.first_next, number, side="right")) - 1
        return f"{of_pair(pair)}, next {quoted(piece.states[int(piece.next[number])])}"

    checks.check_pairs(piece, faults, of_pair)
    for first, last in checks.pieces(piece):
        before = faults.count
        checks.check_successors(piece, first, last, faults, of_pair, of_next)
        if faults.count == before:
            _check_whole(piece, first, last, faults, of_pair)


def _check_pointers(name: str, pointers: Array, end: int, least: int) -> None:
    if pointers[0] != 0 or pointers[-1] != end:
        raise InputError(f"'{name}' does not lead from row to row: its numbers are not those of the other arrays")
    steps = np.diff(pointers)
    if len(steps) and steps.min() < least:
        rule = "must not descend" if least == 0 else "must ascend: every pair has a successor"
        raise InputError(f"'{name}' {rule}")


def _check_whole(piece: Model, first: int, last: int, faults: Faults, of_pair: Callable[[int], str]) -> None:
    """Faults for rows whose sum is as far from 1 as only digits explain: whoever wrote them should have divided."""
    begin, end = int(piece.first_next[first]), int(piece.first_next[last])
    sums = np.add.reduceat(piece.prob[begin:end], piece.first_next[first:last] - begin)
    counts = np.diff(piece.first_next[first : last + 1])
    faults.add_all(
        np.flatnonzero(~(np.abs(sums - 1) <= checks.EPSILON * counts)) + first,
        lambda pair: (
            f"{of_pair(pair)}: the probabilities sum to {sums[pair - first]:.17g}; in a folder, each row is divided by "
            "its sum before it is written"
        ),
    )
