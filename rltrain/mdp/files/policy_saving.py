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
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rltrain import yaml_subset
from rltrain.cells import guarded
from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp.files import archive, json_stream
from rltrain.mdp.files.policy_files import SUFFIXES
from rltrain.mdp.model import Model
from rltrain.mdp.pairs import of_choice
from rltrain.mdp.solution import Solution
from rltrain.outputs import check_output
from rltrain.spelling import shown
from rltrain.whole_files import replacing

BY_HAND = 10_000  # states up to which a policy is written as YAML


def check_target(path: Path, overwrite: bool = False) -> None:
    """Refuse a file that cannot be written, before any work is done."""
    check_output(path, "a policy", SUFFIXES, overwrite)


class PolicyFacts(NamedTuple):
    """What is known of a policy besides itself."""

    value: Array | None  # V [S]
    q: Array | None  # Q [P]
    bound: float | None  # of both
    discount: float | None


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
    """A policy [P], and V [S] and Q [P] where they are known. InputError where `path` is no place for it."""
    check_target(path, overwrite)
    suffix = path.suffix.lower()
    if suffix in (".yaml", ".yml") and model.num_states > BY_HAND:
        raise InputError(f"{path}: {model.num_states:,} states are too many for a file to edit by hand; use .npz")
    made = {".npz": _as_npz, ".csv": _as_csv, ".json": _as_json}.get(suffix, _as_yaml)
    _place(path, made(model, policy, PolicyFacts(value, q, bound, discount)))


def _as_yaml(model: Model, policy: Array, facts: PolicyFacts) -> Iterator[bytes]:
    said = [f"of {shown(model.name)}"] if model.name else []
    said += [f"discount {facts.discount:.12g}"] if facts.discount is not None else []
    said += [f"values within {facts.bound:.2g}"] if facts.bound is not None else []
    yield f"# policy {', '.join(said)}".encode() + b"\n"
    yield yaml_subset.write(dict(_entries(model, policy))).encode()


def _as_json(model: Model, policy: Array, facts: PolicyFacts) -> Iterator[bytes]:
    entries = dict(_entries(model, policy))
    fields: dict[str, Any] = {"model": model.name, "discount": facts.discount, "bound": facts.bound}
    fields |= {"states": json_stream.of_names(model.states), "actions": list(model.actions)}
    fields["policy"] = json_stream.of_list(
        model.num_states, lambda first, last: [entries.get(model.states[i]) for i in range(first, last)]
    )
    if facts.value is not None:
        fields["V"] = json_stream.of_numbers(facts.value)
    if facts.q is not None:
        fields["Q"] = json_stream.of_pairs(model, facts.q)
    for piece in json_stream.of_object(fields):
        yield piece.encode()
    yield b"\n"


def _as_csv(model: Model, policy: Array, facts: PolicyFacts) -> Iterator[bytes]:
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["state", "action", "probability", "Q", "V", "bound", "discount", "model"])
    same = [_cell(facts.bound), _cell(facts.discount), guarded(model.name)]
    for state in range(model.num_states):
        name, of_state = guarded(model.states[state]), _cell(None if facts.value is None else facts.value[state])
        for pair in model.pairs(state):
            action = guarded(model.actions[int(model.action[pair])])
            of_pair = _cell(None if facts.q is None else facts.q[pair])
            out.writerow([name, action, _cell(policy[pair]), of_pair, of_state, *same])
        if model.terminal[state]:
            out.writerow([name, "", "", "", of_state, *same])
        if text.tell() > 1 << 20:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _cell(number: float | None) -> str:
    """A number in full; empty where it is not known."""
    return "" if number is None else repr(float(number))


def _as_npz(model: Model, policy: Array, facts: PolicyFacts) -> Iterator[bytes]:
    arrays: dict[str, Any] = {"first_pair": model.first_pair, "action": model.action, "model": np.array(model.name)}
    taken = policy > 0
    if np.array_equal(policy, taken):
        arrays["policy"] = np.full(model.num_states, -1, dtype=np.int32)
        arrays["policy"][model.pair_state[taken]] = model.action[taken]
    else:
        arrays["probability"] = policy
    known = {"V": facts.value, "Q": facts.q, "bound": facts.bound, "discount": facts.discount}
    arrays |= {key: said for key, said in known.items() if said is not None}
    data = io.BytesIO()
    archive.write(data, arrays | archive.names_to_write(model))
    yield data.getvalue()


def _entries(model: Model, policy: Array) -> Iterator[tuple[str, Any]]:
    """(state, action) or (state, {action: probability}); a terminal state has none."""
    for state in range(model.num_states):
        shares = {model.actions[int(model.action[i])]: float(policy[i]) for i in model.pairs(state) if policy[i] > 0}
        if shares:
            yield model.states[state], next(iter(shares)) if list(shares.values()) == [1.0] else shares


def _place(path: Path, data: Iterator[bytes]) -> None:
    """The bytes under this name, whole or not at all."""
    with replacing(path) as file:
        for piece in data:
            file.write(piece)
