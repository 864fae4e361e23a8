"""A model's folder from a function of some states: their rows as a table, so that millions take no call each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import build, checks
from rltrain.mdp.dense_rows import packed
from rltrain.mdp.files import folder_writer
from rltrain.mdp.model import Names
from rltrain.progress import Progress
from rltrain.spelling import described

PAIRS = 1 << 18  # of a state and an action, whose rows are asked for together
Rows = Callable[[Array], tuple[Any, Any, Any]]  # states [n] int64 -> next [n, A, k], prob [n, A, k], reward


class WrittenModel(NamedTuple):
    """How large a model is that was written and is not in memory."""

    num_states: int
    num_pairs: int
    num_next: int


def write_table(
    path: Path,
    states: Names | Sequence[str],
    actions: Names | Sequence[str],
    rows: Rows,
    *,
    start: Array | None = None,
    discount: float | None = None,
    name: str = "",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> WrittenModel:
    """The folder of a model, `rows` asked for some thousand states after the others; see `mdp.dense_rows`.

    `start` [S] are the probabilities of the first state. InputError for rows that are none; DiskError.
    """
    states, actions = build.names_of(states), build.names_of(actions)
    folder_writer.check_target(path, overwrite)
    checks.check_discount(discount)
    if not len(states) or not len(actions):
        raise InputError("a model has at least one state and one action")
    if start is not None and start.shape != (len(states),):
        raise InputError(f"start has the shape {start.shape}, expected ({len(states)},)")
    step = max(1, PAIRS // len(actions))
    tables = _tables(rows, len(states), step)
    first = next(tables)
    with folder_writer.writing(path, states, actions, np.asarray(first[1][2]).ndim == 3) as writer:
        for begin, table in chain((first,), tables):
            writer.add(packed(states, actions, begin, *(np.asarray(column) for column in table)))
            if progress is not None:
                progress.at(begin, len(states), begin, "states")
        writer.finish(start, discount, name)
    return WrittenModel(*writer.sizes)


def _tables(rows: Rows, states: int, step: int) -> Iterator[tuple[int, tuple[Any, Any, Any]]]:
    for begin in range(0, states, step):
        asked = np.arange(begin, min(states, begin + step))
        table = rows(asked)
        if not isinstance(table, tuple) or len(table) != 3:
            raise InputError(f"rows: expected (next, prob, reward), got {described(table)}")
        if len(np.asarray(table[0])) != len(asked):
            raise InputError(f"rows: {len(asked)} states were asked for, and next has {len(np.asarray(table[0]))}")
        yield begin, table
