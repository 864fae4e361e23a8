"""A known model from a Python function, and into a file: what `rltrain.model` and `rltrain.save_model` do."""

from __future__ import annotations

import os
import warnings
from fractions import Fraction
from typing import Any

from rltrain.errors import InputError
from rltrain.mdp import files
from rltrain.mdp.explore import MOST, Step, explore
from rltrain.mdp.model import Model
from rltrain.progress import Progress
from rltrain.spelling import described
from rltrain.verbs.given import discount_of, text_of, whole, yes_or_no
from rltrain.verbs.mdp.models import as_written


def model(
    step: Step,
    initial: Any,
    *,
    discount: float | str | Fraction | None = None,
    most: int = MOST,
    names: bool | None = None,
    name: str = "",
    progress: Progress | None = None,
) -> Model:
    """A known model from a function: all states that can be reached from the first, for `solve` and `save_model`.

    step      is called with each state, once, and returns {action: [(probability, next_state, reward), ...]} of the
              actions that are possible there; {} where an episode ends. States and actions are any values that can be
              keys of a dict: tuples, texts, numbers, frozen dataclasses
    initial   the first state, or {state: probability}
    discount  what the model states, 0 to 1, also as "19/20"; None: nothing
    most      states that may be found; more are an InputError
    names     whether states are called by their texts in files and messages; None: up to 100,000 states, else by number
    progress  is told how many states were explored: `at(explored, found, explored, "states")`; see `rltrain.progress`

    The states are found breadth first, in an order that only `step` decides. Probabilities must sum to 1 as near as a
    file's, and what is mended of their rounding is a Python warning. InputError, with state and action, for what
    `step` raises or returns that is none; OutOfMemoryError.
    """
    if not callable(step):
        raise InputError(f"step: expected a function of a state, got {described(step)}")
    if names is not None:
        names = yes_or_no("names", names)
    discount, name = discount_of(discount), text_of("name", name)
    most, given = whole("most", most, 1), None if discount is None else float(as_written(discount))
    said: list[str] = []
    found = explore(step, initial, most=most, names=names, discount=given, name=name, warnings=said, progress=progress)
    for line in said:
        warnings.warn(line, stacklevel=2)
    return found


def save_model(model: Model, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a model into a file, whose suffix says how: .yaml, .npz, .csv and what else `rltrain mdp convert` writes.

    The file stands whole under its name or not at all. InputError for a suffix that is none, and for a file that is
    there, unless `overwrite`; DiskError.
    """
    if not isinstance(model, Model):
        raise InputError(f"model: expected what rltrain.model made, got {described(model)}")
    files.write(model, text_of("path", path), yes_or_no("overwrite", overwrite))
