"""Policies from files: .json, .npz and .csv as `mdp.policy_saving` writes them; .yaml for a few states, by hand.

    json   what `rltrain mdp solve --json` prints, with states and policy; or {state: action} as in yaml
    npz    policy [S] whole numbers of actions, -1 where terminal; or probability [P]
    csv    columns state, action, and probability unless it is 1
    yaml   state: action, or state: {action: probability, …}

Numbers, columns and names are written as in a model's file, and are read by the same code: 1/3 is a probability, the
header `State;Action` will do, and what is not understood is an error. Every name and number is checked, and all faults
are told at once. Nothing is executed; arrays are read without pickle.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from rltrain import yaml_subset
from rltrain.cells import unguarded
from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp.checks import Faults
from rltrain.mdp.files import archive, header
from rltrain.mdp.files.csv_table import CsvTable, whole_numbers
from rltrain.mdp.files.numerals import fraction
from rltrain.mdp.files.source import Source, opened
from rltrain.mdp.model import Model, Names, Numbered
from rltrain.spelling import described, did_you_mean, shown

SUFFIXES = (".json", ".npz", ".csv", ".yaml", ".yml")
TOLERANCE = 1e-9  # of the sum of a state's probabilities
COLUMNS = {column: header.COLUMNS[column] for column in ("state", "action", "probability")}
PASSED = ("Q", "V", "bound", "discount", "model")  # what `policy_saving` writes besides
ARRAYS = ("policy", "probability", "states", "actions", "first_pair", "action", *PASSED)


def read(path: Path, model: Model) -> Array:
    """[P] the probability of each pair in its state."""
    with opened(path, SUFFIXES) as source:
        if source.suffix == ".npz":
            return _from_npz(source, model)
        if source.suffix == ".csv":
            return _from_csv(source, model)
        reader = _from_json if source.suffix == ".json" else _from_yaml
        return reader(source.text, source.whole(_longest(model)), model)


def _longest(model: Model) -> int:
    """Bytes of a text about this model: names of at most 200 characters, and a table of numbers."""
    numbers = model.num_states * model.num_actions + 10 * model.num_pairs
    return (1 << 20) + 1000 * (model.num_states + model.num_actions) + 30 * numbers


def _from_yaml(path: str, text: str, model: Model) -> Array:
    document = yaml_subset.read(text)
    faults = Faults()
    for fault in document.faults:
        faults.add(f"{path}:{fault.line}: {fault.rule}")
    faults.stop_if_any()
    if not isinstance(document.value, dict):
        raise InputError(f"{path}: a policy is 'state: action' line by line, got {described(document.value)}")
    entries: dict[str, Any] = {}
    for state, said in document.value.items():  # as they were written: 1/3, and an action that is called 1e3
        if isinstance(said, dict):
            entries[state] = {action: document.texts.get((state, action), share) for action, share in said.items()}
        else:
            entries[state] = document.texts.get((state,), said) if said is not None else None
    return _from_mapping(model, entries, lambda state: f"{path}:{document.lines[state,]}", path)


def _from_json(path: str, text: str, model: Model) -> Array:
    try:
        value = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from error
    if isinstance(value, dict) and isinstance(value.get("policy"), list):
        states = value.get("states")
        if not isinstance(states, list) or len(states) != len(value["policy"]):
            raise InputError(f"{path}: 'policy' is a list, so 'states' must be one of as many names")
        value = dict(zip(map(str, states), value["policy"], strict=True))
    elif isinstance(value, dict) and isinstance(value.get("policy"), dict):
        value = value["policy"]
    if not isinstance(value, dict):
        raise InputError(f"{path}: a policy is an object {{state: action}}, got {described(value)}")
    return _from_mapping(model, value, lambda state: f"{path}: state {described(state)}", path)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys differ."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        double = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {described(double)} is given twice")
    return found


def _from_csv(source: Source, model: Model) -> Array:
    rows = CsvTable(source, COLUMNS)
    for column in ("state", "action"):
        rows.require(column)
    rows.refuse_unknown(PASSED)
    state_of, action_of = _numbers(model.states), _numbers(model.actions)
    mapping: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for line, (state_cell, action_cell, said) in rows:
        state, action = _meant(state_cell or "", state_of), _meant(action_cell or "", action_of)
        lines.setdefault(state, line)
        of_state = mapping.setdefault(state, {})
        if not action:  # a terminal state
            continue
        if action in of_state:
            rows.fault(line, f"the pair {described(state)}, {described(action)} stands in two lines")
        of_state[action] = 1.0 if said is None else said
        if said is not None and fraction(said) is None:
            rows.fault(line, f"the probability {described(said)} is no number")
    rows.faults.stop_if_any()
    return _from_mapping(model, mapping, lambda state: f"{source.text}:{lines[state]}", source.text)


def _meant(cell: str, number_of: Callable[[str], int | None]) -> str:
    """The name in a cell; `1` for the 1.0 of pandas, where nothing is called 1.0."""
    name = unguarded(cell)
    return name if number_of(name) is not None else whole_numbers([name]).get(name, name)


def _from_mapping(model: Model, mapping: Mapping[str, Any], where: Callable[[str], str], file: str) -> Array:
    """[P] from {state: action | {action: probability} | None}. `where(state)` is the place of a state's entry."""
    faults = Faults()
    policy = np.zeros(model.num_pairs)
    told = model.terminal.copy()
    state_of, action_of = _numbers(model.states), _numbers(model.actions)
    for name, entry in mapping.items():
        state = state_of(name)
        if state is None:
            faults.add(f"{where(name)}: unknown state {described(name)}{_nearest(name, model.states)}")
            continue
        shares = entry if isinstance(entry, dict) else {} if entry is None else {_word(entry): 1.0}
        if model.terminal[state]:
            if any(_share(share) != 0 for share in shares.values()):
                faults.add(f"{where(name)}: state {shown(name)} is terminal: no action is possible; leave it out")
            continue
        told[state] = True
        rules = []
        for action_name, share in shares.items():
            action, chance = action_of(action_name), _share(share)
            pair = None if action is None else model.pair_of(state, action)
            if action is None:
                rules.append(f"unknown action {described(action_name)}{_nearest(action_name, model.actions)}")
            elif chance is None:
                rules.append(f"the probability of {shown(action_name)} is {_written(share)}, not 0 to 1")
            elif pair is not None:
                policy[pair] = chance
            elif chance > 0:
                possible = ", ".join(shown(model.actions[int(model.action[i])]) for i in model.pairs(state))
                rules.append(f"action {shown(action_name)} is impossible in {shown(name)}; one of {possible}")
        pairs = slice(int(model.first_pair[state]), int(model.first_pair[state + 1]))
        total = float(policy[pairs].sum())
        if not rules and abs(total - 1) > TOLERANCE:
            rules.append(f"the probabilities of state {shown(name)} sum to {total:.12g}, not to 1")
        for rule in rules:
            faults.add(f"{where(name)}: {rule}")
        policy[pairs] /= total if not rules else 1.0
    faults.add_all(np.flatnonzero(~told), lambda state: f"{file}: no action for state {shown(model.states[state])}")
    faults.stop_if_any()
    return policy


def _share(said: Any) -> float | None:
    """A probability: a number from 0 to 1, or its text."""
    value = fraction(said) if isinstance(said, str) else said
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction) or not 0 <= value <= 1:
        return None
    return float(value)


def _written(share: Any) -> str:
    """A share as its author wrote it."""
    return shown(share[:60]) if isinstance(share, str) else described(share)


def _from_npz(source: Source, model: Model) -> Array:
    path = source.text
    with archive.opened(source) as arrays:
        arrays.refuse_unknown(ARRAYS)
        for key, names in (("states", model.states), ("actions", model.actions)):
            if key in arrays and (
                arrays.shape(key) != (len(names),) or list(arrays.names(key, len(names))) != list(names)
            ):
                arrays.fail(f"its {key} are not those of the model {model.name}".rstrip())
        for key, numbers in (("first_pair", model.first_pair), ("action", model.action)):
            if key in arrays and (
                arrays.shape(key) != numbers.shape or not np.array_equal(arrays.read(key, "iu"), numbers)
            ):
                arrays.fail(f"its pairs of state and action ('{key}') are not those of the model {model.name}".rstrip())
        if "probability" in arrays and "policy" in arrays:
            arrays.fail("holds 'policy' and 'probability': which is the policy?")
        if "probability" in arrays:
            _fits(arrays, "probability", model.num_pairs)
            return _checked(path, model, arrays.read("probability", "fiu"))
        if "policy" not in arrays:
            arrays.fail("no policy: neither the array 'policy' nor 'probability'")
        _fits(arrays, "policy", model.num_states)
        return _of_actions(path, model, arrays.read("policy", "iu"))


def _fits(arrays: archive.Arrays, name: str, count: int) -> None:
    """InputError before an array of another length is read."""
    if arrays.shape(name) != (count,):
        arrays.fail(f"'{name}' has the shape {arrays.shape(name)}, expected ({count},)")


def _of_actions(path: str, model: Model, action: Array) -> Array:
    """[P] of the number of each state's action [S], -1 where terminal."""
    policy: Array = (model.action == action[model.pair_state]).astype(np.float64)
    taken = np.bincount(model.pair_state[policy > 0], minlength=model.num_states) > 0
    faults = Faults()
    faults.add_all(
        np.flatnonzero(taken == model.terminal),
        lambda state: f"{path}: action number {action[state]} is impossible in state {shown(model.states[state])}",
    )
    faults.add_all(
        np.flatnonzero(model.terminal & (action != -1)),
        lambda state: f"{path}: state {shown(model.states[state])} is terminal: its action is -1",
    )
    faults.stop_if_any()
    return policy


def _checked(path: str, model: Model, policy: Array) -> Array:
    """[P] probabilities, those of each state divided by their sum."""
    policy = policy.astype(np.float64)
    faults = Faults()
    state_of = model.pair_state
    faults.add_all(
        np.flatnonzero(~((policy >= 0) & (policy <= 1))),
        lambda i: f"{path}: probability {policy[i]:g} in state {shown(model.states[int(state_of[i])])}, not 0 to 1",
    )
    faults.stop_if_any()
    total = np.bincount(state_of, weights=policy, minlength=model.num_states)
    faults.add_all(
        np.flatnonzero((np.abs(total - 1) > TOLERANCE) & ~model.terminal),
        lambda s: f"{path}: the probabilities of state {shown(model.states[s])} sum to {total[s]:.12g}",
    )
    faults.stop_if_any()
    return np.asarray(policy / total[state_of])


def _numbers(names: Names) -> Callable[[str], int | None]:
    """From a name to its number, quickly."""
    if isinstance(names, Numbered):
        return lambda name: names.index(name) if name in names else None
    return {name: number for number, name in enumerate(names)}.get


def _nearest(name: str, names: Names) -> str:
    if isinstance(names, Numbered):
        return f"; one of 0 to {len(names) - 1}"
    return did_you_mean(name, names) if len(names) <= 20_000 else ""


def _word(value: Any) -> str:
    """An action that YAML reads as a number is its name."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
