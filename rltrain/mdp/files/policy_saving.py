"""Policies to files, with the values they were found with, which `mdp.policy_files` reads.

json   what `rltrain mdp solve --json` prints
npz    policy [S] int32 numbers of actions, -1 where terminal, or probability [P]; V [S]; Q [P], of which first_pair
       and action say where it belongs; bound, discount, model; states and actions where they have names
csv    one line a pair: state, action, probability, Q, V, bound, discount, model
yaml   state: action, or state: {action: probability, …}: for a few states, to edit by hand
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rltrain import yaml_subset
from rltrain.cells import guarded
from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp.files import json_stream
from rltrain.mdp.files.policy_files import SUFFIXES
from rltrain.mdp.model import Model, Numbered
from rltrain.mdp.pairs import of_choice
from rltrain.mdp.solution import Solution
from rltrain.spelling import shown

BY_HAND = 10_000  # states up to which a policy is written as YAML


def check_target(path: Path, overwrite: bool = False) -> None:
    """Refuse a file that cannot be written, before any work is done."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: a policy is saved as {', '.join(SUFFIXES)}")
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it")
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists; --overwrite replaces it")
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist")


def write_solution(path: Path, solution: Solution, overwrite: bool = False) -> None:
    """The best policy with V, Q, the bound (for V, Q and gaps alike), the discount and the model's name."""
    if path.suffix.lower() == ".json":
        check_target(path, overwrite)
        _place(path, (piece.encode() for piece in (*json_stream.of_object(json_stream.of_solution(solution)), "\n")))
        return
    model, bound = solution.model, json_stream.proven(solution)
    policy = of_choice(model, solution.choice)
    write(path, model, policy, solution.value, solution.q, bound, solution.discount, overwrite)


def write(
    path: Path,
    model: Model,
    policy: Array,
    value: Array | None = None,
    q: Array | None = None,
    bound: float | None = None,
    discount: float | None = None,
    overwrite: bool = False,
) -> None:
    """A policy [P], and V [S] and Q [P] where they are known."""
    check_target(path, overwrite)
    match path.suffix.lower():
        case ".npz":
            made = _as_npz(model, policy, value, q, bound, discount)
        case ".csv":
            made = _as_csv(model, policy, value, q, bound, discount)
        case ".json":
            made = _as_json(model, policy, value, q, bound, discount)
        case _:
            made = _as_yaml(path, model, policy, bound, discount)
    _place(path, made)


def _as_yaml(path: Path, model: Model, policy: Array, bound: float | None, discount: float | None) -> Iterator[bytes]:
    if model.num_states > BY_HAND:
        raise InputError(f"{path}: {model.num_states:,} states are too many for a file to edit by hand; use .npz")
    facts = [f"of {shown(model.name)}"] if model.name else []
    facts += [f"discount {discount:.12g}"] if discount is not None else []
    facts += [f"values within {bound:.2g}"] if bound is not None else []
    yield f"# policy {', '.join(facts)}".encode() + b"\n"
    yield yaml_subset.write(dict(_entries(model, policy))).encode()


def _as_json(
    model: Model, policy: Array, value: Array | None, q: Array | None, bound: float | None, discount: float | None
) -> Iterator[bytes]:
    entries = dict(_entries(model, policy))
    fields: dict[str, Any] = {"model": model.name, "discount": discount, "bound": bound}
    fields |= {"states": json_stream.of_names(model.states), "actions": list(model.actions)}
    fields["policy"] = json_stream.of_list(
        model.num_states, lambda first, last: [entries.get(model.states[i]) for i in range(first, last)]
    )
    if value is not None:
        fields["V"] = json_stream.of_numbers(value)
    if q is not None:
        fields["Q"] = json_stream.of_pairs(model, q)
    for piece in json_stream.of_object(fields):
        yield piece.encode()
    yield b"\n"


def _as_csv(
    model: Model, policy: Array, value: Array | None, q: Array | None, bound: float | None, discount: float | None
) -> Iterator[bytes]:
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["state", "action", "probability", "Q", "V", "bound", "discount", "model"])
    same = ["" if bound is None else repr(float(bound)), "" if discount is None else repr(float(discount))]
    same.append(guarded(model.name))
    for state in range(model.num_states):
        name, of_state = guarded(model.states[state]), "" if value is None else repr(float(value[state]))
        for pair in model.pairs(state):
            of_pair = "" if q is None else repr(float(q[pair]))
            action = guarded(model.actions[int(model.action[pair])])
            out.writerow([name, action, repr(float(policy[pair])), of_pair, of_state, *same])
        if model.terminal[state]:
            out.writerow([name, "", "", "", of_state, *same])
        if text.tell() > 1 << 20:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _as_npz(
    model: Model, policy: Array, value: Array | None, q: Array | None, bound: float | None, discount: float | None
) -> Iterator[bytes]:
    arrays: dict[str, Any] = {"first_pair": model.first_pair, "action": model.action, "model": np.array(model.name)}
    taken = policy > 0
    if np.array_equal(policy, taken):
        arrays["policy"] = np.full(model.num_states, -1, dtype=np.int32)
        arrays["policy"][model.pair_state[taken]] = model.action[taken]
    else:
        arrays["probability"] = policy
    for key, said in (("V", value), ("Q", q), ("bound", bound), ("discount", discount)):
        if said is not None:
            arrays[key] = np.asarray(said)
    for key, names in (("states", model.states), ("actions", model.actions)):
        if not isinstance(names, Numbered):
            arrays[key] = np.array(names)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for key, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{key}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    yield data.getvalue()


def _entries(model: Model, policy: Array) -> Iterator[tuple[str, Any]]:
    """(state, action) or (state, {action: probability}); a terminal state has none."""
    for state in range(model.num_states):
        shares = {model.actions[int(model.action[i])]: float(policy[i]) for i in model.pairs(state) if policy[i] > 0}
        if shares:
            only = next(iter(shares)) if list(shares.values()) == [1.0] else None
            yield model.states[state], only if only is not None else shares


def _place(path: Path, data: Iterator[bytes]) -> None:
    """Whole or not at all."""
    from rltrain.whole_files import replacing

    with replacing(path) as file:
        for piece in data:
            file.write(piece)
