"""A model as arrays in an uncompressed zip: what numpy calls .npz.

    ours    first_pair action first_next next prob reward [next_reward start discount name states actions num_actions
            terminal_reward], as in `mdp.model`; without `states` they are numbered
    dense   T and R as other tools have them: see `mdp.files.dense`

`terminal_reward` [S] is what terminal states pay, 0 elsewhere. An array that is not understood is an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np

from rltrain.core import Array
from rltrain.mdp import build, terminal
from rltrain.mdp.files import archive, dense
from rltrain.mdp.files.archive import Arrays
from rltrain.mdp.files.loaded import LoadedModel
from rltrain.mdp.files.source import Source
from rltrain.mdp.model import Model
from rltrain.spelling import did_you_mean, shown

OURS = ("first_pair", "action", "first_next", "next", "prob", "reward")
MAYBE = ("next_reward", "start", "discount", "name", "states", "actions", "num_actions", "terminal_reward")
LENGTHS = {  # array -> the one whose length it has, and by how much more
    "reward": ("action", 0),
    "first_next": ("action", 1),
    "prob": ("next", 0),
    "next_reward": ("next", 0),
}


def read(source: Source, strict: bool = False) -> LoadedModel:
    """The model of an .npz file."""
    with archive.opened(source) as arrays:
        return _model(arrays, source, strict)


def _model(arrays: Arrays, source: Source, strict: bool) -> LoadedModel:
    there = set(arrays.members)
    if there >= set(OURS):
        return _sparse(arrays, source, strict)
    if not there & {"first_pair", "first_next", "prob"} and there & dense.KNOWN:
        return dense.model(arrays, source, strict)
    if there & {"indptr", "indices"}:
        arrays.fail("holds one sparse matrix (scipy's); a model needs " + ", ".join(OURS))
    missing = [key for key in OURS if key not in there]
    if len(missing) < len(OURS):
        arrays.fail(f"the array '{missing[0]}' is missing{did_you_mean(missing[0], there - set(OURS) - set(MAYBE))}")
    found = ", ".join(shown(key) for key in sorted(there)[:10]) or "nothing"
    arrays.fail(f"holds {found}; a model has {', '.join(OURS)}, or T [S, A, S] and R")


def _sparse(arrays: Arrays, source: Source, strict: bool) -> LoadedModel:
    arrays.refuse_unknown(OURS + MAYBE)
    lengths = {key: arrays.shape(key) for key in (*OURS, "next_reward") if key in arrays}
    for key, shape in lengths.items():
        if len(shape) != 1:
            arrays.fail(f"'{key}' has the shape {shape}, expected 1 dimension")
    for key, (other, more) in LENGTHS.items():
        if key in lengths and lengths[key][0] != lengths[other][0] + more:
            arrays.fail(f"'{key}' has the shape {lengths[key]}, expected ({lengths[other][0] + more},)")
    arrays.refuse_what_does_not_fit(OURS + MAYBE)
    if not lengths["first_pair"][0]:
        arrays.fail("'first_pair' is empty")
    first_pair = _pointers(arrays, "first_pair", lengths["action"][0], least=0)
    first_next = _pointers(arrays, "first_next", lengths["next"][0], least=1)
    action = arrays.read("action", "iu")
    if "num_actions" in arrays:
        num_actions = int(arrays.read("num_actions", "iu", 0))
    elif "actions" in arrays:
        num_actions = arrays.shape("actions")[0] if len(arrays.shape("actions")) == 1 else 0
    else:
        num_actions = int(action.max(initial=0)) + 1
    if not 1 <= num_actions < 2**31:
        arrays.fail(f"'num_actions' is {num_actions}; expected 1 or more")
    warnings: list[str] = []
    model = build.from_arrays(
        states=arrays.names("states", len(first_pair) - 1),
        actions=arrays.names("actions", num_actions),
        first_pair=first_pair,
        action=action,
        first_next=first_next,
        next=arrays.read("next", "iu"),
        prob=arrays.read("prob", "f"),
        reward=arrays.read("reward", "fiu"),
        next_reward=arrays.read_if_there("next_reward"),
        start=arrays.read_if_there("start"),
        discount=arrays.number("discount"),
        name=arrays.one_line("name", source.stem),
        source=source.text,
        warnings=warnings,
        strict=strict,
    )
    model = terminal.paid(model, archive.terminal_rewards(arrays, model.states, model.terminal))
    return LoadedModel(model, tuple(f"{source.text}: {warning}" for warning in warnings))


def _pointers(arrays: Arrays, key: str, end: int, least: int) -> Array:
    """Where rows begin, from 0 to `end`, by steps of `least` at least: looked at before more takes memory."""
    last = 0
    for number, block in enumerate(arrays.blocks(key, "iu")):
        if number == 0 and int(block[0]) != 0:
            arrays.fail(f"'{key}' runs from {block[0]}, expected 0")
        steps = np.diff(block.astype(np.int64), prepend=last - (least if number == 0 else 0))
        if steps.min() < least:
            rule = "must not descend" if least == 0 else "must ascend: every pair has a successor"
            arrays.fail(f"'{key}' {rule}")
        last = int(block[-1])
    if last != end:
        arrays.fail(f"'{key}' runs to {last}, expected {end}")
    return arrays.read(key, "iu")


def write(model: Model, file: IO[bytes], path: Path) -> None:
    """The model's arrays, stored as they are: packing would cost more than it saves."""
    arrays = {
        "first_pair": model.first_pair,
        "action": model.action,
        "first_next": model.first_next,
        "next": model.next,
        "prob": model.prob,
        "reward": model.reward,
        "next_reward": model.next_reward,
        "start": model.start,
        "discount": model.discount,
        "name": np.array(model.name),
    }
    arrays = {key: array for key, array in arrays.items() if array is not None}
    archive.write(file, arrays | archive.names_to_write(model) | {"num_actions": np.int64(model.num_actions)})
