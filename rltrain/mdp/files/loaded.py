"""From what a reader of a model file found to a checked model: every format of rows ends in `loaded_model`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from rltrain.core import Array
from rltrain.mdp import build, terminal
from rltrain.mdp.model import Model, Names

KEPT_AS_WRITTEN = 20_000  # rows of a text; more are not for rational arithmetic


class LoadedModel(NamedTuple):
    """A model, and what its reader should be told."""

    model: Model
    warnings: tuple[str, ...] = ()
    costs: bool = False  # it was written with costs, which are negative rewards here


class TransitionRows(NamedTuple):
    """Rows of a file as parallel columns of one length, numbered by the names of states and actions."""

    state: Any  # [rows] int
    action: Any  # [rows] int
    next: Any  # [rows] int
    prob: Any  # [rows] float
    reward: Any  # [rows] float


def loaded_model(
    source: str,
    states: Names,
    actions: Names,
    rows: TransitionRows,
    *,
    place: Callable[[int], str],
    paid: Mapping[int, Fraction],
    written: tuple[Sequence[Fraction], Sequence[Fraction]] | None = None,
    discount: Fraction | float | None = None,
    start: Any = None,
    name: str = "",
    done: Array | None = None,
    ends: Any = None,
    costs: bool = False,
    warnings: Sequence[str] = (),
    strict: bool = False,
) -> LoadedModel:
    """A checked model of rows in any order, whose rewards have their sign already. InputError names every fault.

    `source` is what messages call the file, `place(row)` where a row stands in it. `paid` maps terminal states to the
    rewards that are paid in them. `written` holds the probabilities and rewards of the rows as fractions; None where
    they are not known exactly. `start` [S] probabilities; `done` [rows] bool: the episode ends with the row; `ends`
    [S] bool: states that are declared terminal, None where nothing is declared.
    """
    said = list(warnings)
    model = build.from_transitions(
        states,
        actions,
        *rows,
        done=done,
        start=start,
        discount=None if discount is None else float(discount),
        name=name,
        place=place,
        terminal=ends,
        exact=written and build.Written(*written, None if discount is None else Fraction(discount)),
        warnings=said,
        strict=strict,
    )
    added = len(states) if model.num_states > len(states) else None  # the state "end", which `done` needed
    return LoadedModel(terminal.paid(model, paid, added), tuple(f"{source}: {line}" for line in said), costs)
