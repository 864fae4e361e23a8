"""A known model of any size from a function: what `rltrain.write_model` does."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import files
from rltrain.mdp.files.folder_tables import Rows, write_table
from rltrain.mdp.model import Names, Numbered
from rltrain.spelling import described, shown
from rltrain.verbs.given import chance, path_of, text_of, whole, yes_or_no


def write_model(
    path: str | os.PathLike[str],
    *,
    states: int | Sequence[str],
    actions: int | Sequence[str],
    rows: Rows,
    discount: float | None = None,
    start: Array | None = None,
    name: str = "",
    overwrite: bool = False,
) -> None:
    """Write a known model of any size into a folder, NAME.mdpd, from a function; only some of it is ever in memory.

    states, actions  how many, or their names
    rows             is called with some states, numbers [n] in their order, and returns (next, prob, reward):
                     next    [n, A, k]  int, up to k successors of each of all A actions, in any order
                     prob    [n, A, k]  their probabilities; 0: no successor, all 0: the action is impossible, and a
                                        state where all are is terminal
                     reward  [n, A], or [n, A, k] where it depends on the successor
    start            [S] the probabilities of each state to be the first; None: not said
    name             what people call the model; else that of the folder

    Then `rltrain.solve("NAME.mdpd")`, and every command that takes a model's file. The folder stands whole under its
    name or not at all. InputError, with state and action, for numbers that no model can have; DiskError.
    """
    place, overwrite, name = path_of("path", path), yes_or_no("overwrite", overwrite), text_of("name", name)
    if not callable(rows):
        raise InputError(f"rows: expected a function of states, got {described(rows)}")
    discount = chance("discount", discount)
    if not files.is_folder(place):
        raise InputError(f"{shown(str(place))}: a model's folder ends in {files.FOLDER}")
    write_table(
        place,
        _names_of("states", states),
        _names_of("actions", actions),
        rows,
        start=None if start is None else np.asarray(start, dtype=np.float64),
        discount=discount,
        name=name or place.stem,
        overwrite=overwrite,
    )


def _names_of(what: str, given: int | Sequence[str]) -> Names | Sequence[str]:
    """The names, or numbers in their place where there is only how many."""
    return tuple(given) if isinstance(given, Sequence) else Numbered(whole(what, given, 1))
