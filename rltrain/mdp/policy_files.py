"""Policies from files: .json, .npz and .csv as `mdp.policy_saving` writes them; .yaml for a few states, by hand.

    json   what `rltrain mdp solve --json` prints, with states and policy; or {state: action} as in yaml
    npz    policy [S] whole numbers of actions, -1 where terminal; or probability [P]
    csv    columns state, action, and probability unless it is 1
    yaml   state: action, or state: {action: probability, …}

Every name and number is checked, and all faults are told at once. Nothing is executed; arrays are read without pickle.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rltrain import yaml_subset
from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp.model import Model, Names, Numbered
from rltrain.spelling import described, did_you_mean, shown

SUFFIXES = (".json", ".npz", ".csv", ".yaml", ".yml")
TOLERANCE = 1e-9  # of the sum of a state's probabilities
FAULTS = 5  # that an error shows
MAX_BYTES = 8 << 30


class Faults:
    """What is wrong with a file; all of it is told at once."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0

    def add(self, where: str, text: str) -> None:
        self.count += 1
        if len(self.lines) < FAULTS:
            self.lines.append(f"{where}: {text}")

    def settle(self) -> None:
        """Raise them, if there are any."""
        if self.count:
            more = [f"and {self.count - FAULTS:,} more"] if self.count > FAULTS else []
            raise InputError("\n".join(self.lines + more))


def read(path: Path, model: Model) -> Array:
    """[P] the probability of each pair in its state."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: a policy ends in {', '.join(SUFFIXES)}")
    try:
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES >> 30} GiB; no policy is")
        if suffix == ".npz":
            return _from_npz(path, model)
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    if suffix == ".csv":
        return _from_csv(path, text, model)
    return _from_json(path, text, model) if suffix == ".json" else _from_yaml(path, text, model)


def _from_yaml(path: Path, text: str, model: Model) -> Array:
    document = yaml_subset.read(text)
    faults = Faults()
    for fault in document.faults:
        faults.add(f"{path}:{fault.line}", fault.rule)
    faults.settle()
    if not isinstance(document.value, dict):
        raise InputError(f"{path}: a policy is 'state: action' line by line, got {described(document.value)}")
    return _from_mapping(model, document.value, lambda state: f"{path}:{document.lines[state,]}", str(path))


def _from_json(path: Path, text: str, model: Model) -> Array:
    try:
        value = json.loads(text)
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
    return _from_mapping(model, value, lambda state: f"{path}: state {described(state)}", str(path))


def _from_csv(path: Path, text: str, model: Model) -> Array:
    rows = csv.DictReader(io.StringIO(text))
    if not {"state", "action"} <= set(rows.fieldnames or ()):
        raise InputError(f"{path}:1: the first line must name the columns state and action, and may name probability")
    mapping: dict[str, Any] = {}
    lines: dict[str, int] = {}
    faults = Faults()
    for row in rows:
        state, action, said = row["state"] or "", row["action"] or "", row.get("probability")
        where = f"{path}:{rows.line_num}"
        lines.setdefault(state, rows.line_num)
        of_state = mapping.setdefault(state, {})
        if not action:  # a terminal state
            continue
        if action in of_state:
            faults.add(where, f"the pair {described(state)}, {described(action)} stands in two lines")
        try:
            of_state[action] = 1.0 if said is None else float(said)
        except ValueError:
            faults.add(where, f"the probability {described(said)} is no number")
    faults.settle()
    return _from_mapping(model, mapping, lambda state: f"{path}:{lines[state]}", str(path))


def _from_mapping(model: Model, mapping: Mapping[str, Any], where: Callable[[str], str], file: str) -> Array:
    """From {state: action | {action: probability} | None}."""
    faults = Faults()
    policy = np.zeros(model.num_pairs)
    told = model.terminal.copy()
    state_of, action_of = _numbers(model.states), _numbers(model.actions)
    for name, entry in mapping.items():
        state = state_of(name)
        if state is None:
            faults.add(where(name), f"unknown state {described(name)}{_nearest(name, model.states)}")
            continue
        shares = entry if isinstance(entry, dict) else {} if entry is None else {_word(entry): 1.0}
        if model.terminal[state]:
            if any(share != 0 for share in shares.values()):
                faults.add(where(name), f"state {shown(name)} is terminal: no action is possible; leave it out")
            continue
        told[state] = True
        known = True
        for action_name, share in shares.items():
            action = action_of(action_name)
            pair = None if action is None else model.pair_of(state, action)
            if action is None:
                faults.add(
                    where(name), f"unknown action {described(action_name)}{_nearest(action_name, model.actions)}"
                )
            elif isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
                faults.add(where(name), f"the probability of {shown(action_name)} is {described(share)}, not 0 to 1")
            elif pair is None and share > 0:
                possible = ", ".join(shown(model.actions[int(model.action[i])]) for i in model.pairs(state))
                faults.add(
                    where(name), f"action {shown(action_name)} is impossible in {shown(name)}; one of {possible}"
                )
            else:
                if pair is not None:
                    policy[pair] = share
                continue
            known = False
        pairs = slice(int(model.first_pair[state]), int(model.first_pair[state + 1]))
        total = float(policy[pairs].sum())
        if known and abs(total - 1) > TOLERANCE:
            faults.add(where(name), f"the probabilities of state {shown(name)} sum to {total:.12g}, not to 1")
        elif known:
            policy[pairs] /= total
    for missing in np.flatnonzero(~told).tolist():
        faults.add(file, f"no action for state {shown(model.states[missing])}")
    faults.settle()
    return policy


def _from_npz(path: Path, model: Model) -> Array:
    wanted = {"policy", "probability", "states", "actions"}
    found: dict[str, Array] = {}
    longest = 16 * (model.num_pairs + model.num_states) + 4 * 200 * model.num_states + (1 << 20)
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                name = info.filename.removesuffix(".npy")
                if name in wanted:
                    if info.file_size > longest:
                        raise InputError(f"{path}: {name} is too large for a model of {model.num_states:,} states")
                    with archive.open(info) as member:
                        found[name] = np.lib.format.read_array(member, allow_pickle=False)
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{path}: damaged, or not an .npz of arrays: {error}") from error
    for key, names in (("states", model.states), ("actions", model.actions)):
        if key in found and found[key].tolist() != list(names):
            raise InputError(f"{path}: its {key} are not those of the model {model.name}".rstrip())
    if "probability" in found:
        return _checked(path, model, found["probability"])
    if "policy" not in found:
        raise InputError(f"{path}: no policy: neither the array 'policy' nor 'probability'")
    return _of_actions(path, model, found["policy"])


def _of_actions(path: Path, model: Model, action: Array) -> Array:
    if action.shape != (model.num_states,) or action.dtype.kind not in "iu":
        raise InputError(
            f"{path}: policy must be {model.num_states:,} whole numbers, got {action.dtype} {action.shape}"
        )
    policy: Array = (model.action == action[model.pair_state]).astype(np.float64)
    taken = np.bincount(model.pair_state[policy > 0], minlength=model.num_states) > 0
    faults = Faults()
    for state in np.flatnonzero(taken == model.terminal):
        number = int(action[state])
        rule = f"action number {number} is impossible in state {shown(model.states[int(state)])}"
        faults.add(str(path), rule)
    for state in np.flatnonzero(model.terminal & (action != -1)):
        faults.add(str(path), f"state {shown(model.states[int(state)])} is terminal: its action is -1")
    faults.settle()
    return policy


def _checked(path: Path, model: Model, policy: Array) -> Array:
    if policy.shape != (model.num_pairs,) or policy.dtype.kind != "f":
        raise InputError(f"{path}: probability must be {model.num_pairs:,} floats, got {policy.dtype} {policy.shape}")
    policy = policy.astype(np.float64)
    faults = Faults()
    for pair in np.flatnonzero(~((policy >= 0) & (policy <= 1))):
        state = shown(model.states[int(model.pair_state[pair])])
        faults.add(str(path), f"probability {policy[pair]:g} in state {state}, not 0 to 1")
    faults.settle()
    total = np.bincount(model.pair_state, weights=policy, minlength=model.num_states)
    for wrong in np.flatnonzero((np.abs(total - 1) > TOLERANCE) & ~model.terminal):
        faults.add(
            str(path), f"the probabilities of state {shown(model.states[int(wrong)])} sum to {total[wrong]:.12g}"
        )
    faults.settle()
    return np.asarray(policy / total[model.pair_state])


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
