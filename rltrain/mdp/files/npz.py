"""A model as arrays in an uncompressed zip: what numpy calls .npz. Read without pickle, each array into its own memory.

    ours    first_pair action first_next next prob reward [next_reward start discount name states actions num_actions]
            as in `mdp.model`; without `states` they are numbered
    dense   T [S, A, S] and R [S, A, S] or [S, A], as np.savez writes them; NaN where an action is impossible

Nothing that a file says of itself is believed: sizes are held against the file and the memory before anything is read.
"""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError, OutOfMemoryError
from rltrain.mdp import build
from rltrain.mdp.checks import quoted
from rltrain.mdp.files import Loaded
from rltrain.mdp.model import Model, Names, Numbered
from rltrain.spelling import did_you_mean, shown

OURS = ("first_pair", "action", "first_next", "next", "prob", "reward")
MAYBE = ("next_reward", "start", "discount", "name", "states", "actions", "num_actions")
DENSE = {"T": ("T", "P", "transitions", "transition_probabilities"), "R": ("R", "rewards", "reward")}
DENSE_MAYBE = ("discount", "gamma", "start", "name", "states", "actions")
MAX_MEMBERS = 100
DEFLATE = 1100  # the most that a byte of deflated data can stand for
UNCHECKED = 200_000_000  # bytes that are read without asking how much memory is free


def read(path: Path) -> Loaded:
    """The model of an .npz file."""
    source = shown(str(path))
    try:
        with zipfile.ZipFile(path) as archive:
            return _model(_Arrays(archive, source, path.stat().st_size), source, path.stem)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error) as error:
        if isinstance(error, RecursionError):
            raise
        raise InputError(f"{source}: damaged, or no .npz file: {shown(str(error)) or 'it ends too early'}") from error


class _Arrays:
    """The arrays of an archive, by name, each read when it is asked for."""

    def __init__(self, archive: zipfile.ZipFile, source: str, size: int) -> None:
        self.archive, self.source = archive, source
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            self.fail(f"holds {len(members):,} files, and a model has at most {MAX_MEMBERS}")
        self.members = {info.filename.removesuffix(".npy"): info for info in members}
        for name, info in self.members.items():
            largest = info.compress_size * (1 if info.compress_type == zipfile.ZIP_STORED else DEFLATE)
            if info.compress_size > size or info.file_size > largest:
                self.fail(f"'{shown(name)}' claims {info.file_size:,} bytes; the file has {size:,}")

    def fail(self, rule: str) -> NoReturn:
        raise InputError(f"{self.source}: {rule}")

    def refuse_what_does_not_fit(self, names: tuple[str, ...]) -> None:
        """OutOfMemoryError before the first byte is read."""
        needed = sum(self.members[name].file_size for name in names if name in self.members)
        if needed < UNCHECKED:
            return
        import psutil

        free = int(psutil.virtual_memory().available)
        if needed > free:
            raise OutOfMemoryError(
                f"{self.source}: its arrays take {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB of memory are free"
            )

    def read(self, name: str, kinds: str, dimensions: int | None = 1) -> Array:
        """One array. `kinds` are numpy's letters: i and u for whole numbers, f, b, U."""
        info = self.members[name]
        with self.archive.open(info) as file:
            shape, dtype = self._header(name, file, info.file_size)
            if dtype.kind not in kinds or (dtype.itemsize > 8 and dtype.kind != "U"):
                wanted = {"iu": "whole numbers", "U": "text"}.get(kinds, "numbers")
                self.fail(f"'{name}' holds {shown(str(dtype))}, expected {wanted}")
            if dimensions is not None and len(shape) != dimensions:
                self.fail(f"'{name}' has the shape {shape}, expected {dimensions} dimension{'s'[: dimensions != 1]}")
        with self.archive.open(info) as file:
            try:
                array: Array = np.lib.format.read_array(file, allow_pickle=False)
            except (ValueError, TypeError, OverflowError) as error:
                self.fail(f"'{name}' is damaged: {shown(str(error).splitlines()[0][:200])}")
            file.read(1)  # the end, where the checksum is compared
        return array.astype(array.dtype.newbyteorder("="), copy=False)

    def _header(self, name: str, file: Any, size: int) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """What the array says it is, once it is what the archive says it is."""
        try:
            version = np.lib.format.read_magic(file)
            if version == (1, 0):
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            elif version == (2, 0):
                shape, _, dtype = np.lib.format.read_array_header_2_0(file)
            else:
                self.fail(f"'{shown(name)}' is of an unknown version of numpy's format, {version}")
        except InputError:
            raise
        except Exception as error:  # numpy parses a literal here: many kinds of error, all the file's fault
            self.fail(
                f"'{shown(name)}' is damaged: {shown(str(error).splitlines()[0][:200]) if str(error) else 'empty'}"
            )
        if dtype.hasobject:
            self.fail(f"'{shown(name)}' holds Python objects, which are never read; save plain arrays")
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize + file.tell() != size:
            self.fail(
                f"'{shown(name)}' claims the shape {str(shape)[:80]} of {shown(str(dtype))}; its size is {size:,}"
            )
        return shape, dtype

    def text(self, name: str) -> str:
        return str(self.read(name, "U", 0)) if name in self.members else ""

    def number(self, name: str) -> float | None:
        return float(self.read(name, "fiu", 0)) if name in self.members else None

    def names(self, name: str, count: int) -> Names:
        if name not in self.members:
            return Numbered(count)
        names = tuple(self.read(name, "U").tolist())
        if len(names) != count:
            self.fail(f"'{name}' has {len(names):,} names, and the model has {count:,} {name}")
        return names


def _model(arrays: _Arrays, source: str, name: str) -> Loaded:
    there = set(arrays.members)
    dense = {key: next((alias for alias in aliases if alias in there), None) for key, aliases in DENSE.items()}
    if there >= set(OURS):
        return _sparse(arrays, source, name)
    if dense["T"] and dense["R"]:
        return _dense(arrays, source, name, dense["T"], dense["R"])
    if there & {"indptr", "indices"}:
        arrays.fail("holds one sparse matrix (scipy's); a model needs " + ", ".join(OURS))
    missing = [key for key in OURS if key not in there]
    if len(missing) < len(OURS):
        arrays.fail(f"the array '{missing[0]}' is missing{did_you_mean(missing[0], there - set(OURS) - set(MAYBE))}")
    found = ", ".join(shown(key) for key in sorted(there)[:10]) or "nothing"
    arrays.fail(f"holds {found}; a model has {', '.join(OURS)}, or T [S, A, S] and R")


def _sparse(arrays: _Arrays, source: str, name: str) -> Loaded:
    for key in arrays.members:
        if key not in OURS + MAYBE:
            arrays.fail(f"unknown array '{shown(key)}'{did_you_mean(key, OURS + MAYBE)}")
    arrays.refuse_what_does_not_fit(OURS + MAYBE)
    first_pair = arrays.read("first_pair", "iu")
    action = arrays.read("action", "iu")
    if not len(first_pair):
        arrays.fail("'first_pair' is empty")
    if "num_actions" in arrays.members:
        num_actions = int(arrays.read("num_actions", "iu", 0))
    elif "actions" in arrays.members:
        num_actions = len(arrays.read("actions", "U"))
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
        first_next=arrays.read("first_next", "iu"),
        next=arrays.read("next", "iu"),
        prob=arrays.read("prob", "f"),
        reward=arrays.read("reward", "fiu"),
        next_reward=arrays.read("next_reward", "fiu") if "next_reward" in arrays.members else None,
        start=arrays.read("start", "fiu") if "start" in arrays.members else None,
        discount=arrays.number("discount"),
        name=_one_line(arrays, name),
        source=source,
        warnings=warnings,
    )
    return Loaded(model, tuple(f"{source}: {warning}" for warning in warnings))


def _dense(arrays: _Arrays, source: str, name: str, key: str, reward_key: str) -> Loaded:
    """The chapter's arrays. Impossible: NaN for every next state."""
    arrays.refuse_what_does_not_fit((key, key, reward_key, reward_key))  # and as much again for the rows
    chance = arrays.read(key, "fiu", 3).astype(np.float64, copy=False)
    num_states, num_actions, last = chance.shape
    if num_states != last or not num_states or not num_actions:
        hint = "; move the actions into the middle: np.moveaxis(T, 0, 1)" if num_actions == last else ""
        arrays.fail(f"'{key}' has the shape {chance.shape}, expected (states, actions, states){hint}")
    reward = arrays.read(reward_key, "fiu", None).astype(np.float64, copy=False)
    if reward.shape not in (chance.shape, chance.shape[:2]):
        arrays.fail(f"'{reward_key}' has the shape {reward.shape}, expected {chance.shape} or {chance.shape[:2]}")
    states, actions = arrays.names("states", num_states), arrays.names("actions", num_actions)
    nothing: Array = np.isnan(chance)
    impossible = np.all(nothing, axis=2)
    some = np.argwhere(np.any(nothing, axis=2) & ~impossible)
    if len(some):
        state, action = some[0]
        arrays.fail(
            f"state {quoted(states[state])}, action {quoted(actions[action])}: NaN for some next states; "
            "an impossible action has NaN for all"
        )
    empty = ~impossible & ~np.any(chance, axis=2)
    if empty.any():
        state, action = np.argwhere(empty)[0]
        arrays.fail(
            f"state {quoted(states[state])}, action {quoted(actions[action])}: the probabilities sum to 0; "
            "an impossible action has NaN"
        )
    s, a, following = np.nonzero(np.where(nothing, 0, chance))
    discount = arrays.number("discount") if "discount" in arrays.members else arrays.number("gamma")
    ends = np.flatnonzero(np.all(impossible, axis=1))
    warnings = [f"terminal, since no action is possible there: {_some(states, ends)}"] if len(ends) else []
    if len(ends) == num_states:
        arrays.fail(f"'{key}' has no possible action at all")
    model = build.from_transitions(
        states,
        actions,
        s,
        a,
        following,
        chance[s, a, following],
        reward[s, a, following] if reward.ndim == 3 else reward[s, a],
        start=arrays.read("start", "fiu") if "start" in arrays.members else None,
        discount=discount,
        name=_one_line(arrays, name),
        place=lambda row: source,
        warnings=warnings,
    )
    return Loaded(model, tuple(f"{source}: {warning}" for warning in warnings))


def _one_line(arrays: _Arrays, otherwise: str) -> str:
    name = arrays.text("name") if "name" in arrays.members else otherwise
    if not name.isprintable() or len(name) > 200:
        arrays.fail("'name' is not one line of text")
    return name


def _some(states: Names, numbers: Array) -> str:
    more = f" and {len(numbers) - 5:,} more" if len(numbers) > 5 else ""
    return ", ".join(quoted(states[int(number)]) for number in numbers[:5]) + more


def write(model: Model, file: IO[bytes], path: Path) -> None:
    """The model's arrays, stored as they are: no compression, which would cost more than it saves."""
    arrays: dict[str, Any] = {key: getattr(model, key) for key in OURS}
    for key in ("next_reward", "start"):
        if getattr(model, key) is not None:
            arrays[key] = getattr(model, key)
    if model.discount is not None:
        arrays["discount"] = np.float64(model.discount)
    arrays["name"] = np.array(model.name)
    for key, names in (("states", model.states), ("actions", model.actions)):
        if not isinstance(names, Numbered):
            arrays[key] = np.array(names)
    arrays["num_actions"] = np.int64(model.num_actions)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for key, array in arrays.items():
            entry = zipfile.ZipInfo(f"{key}.npy", (1980, 1, 1, 0, 0, 0))  # the same model, the same bytes
            with archive.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
