"""A model as a folder of plain arrays, NAME.mdpd/: what is larger than memory is read through memory maps.

    model.json       format, name, states and actions (names, or how many), pairs, transitions, discount, and of each
                     file how many bytes it has and their sha256. Written last: a folder without it is no model
    first_pair.npy   int64 [S + 1]   action.npy  int32 [P]     first_next.npy  int64 [P + 1]   next.npy  int32 [N]
    prob.npy         float64 [N]     reward.npy  float64 [P]   [next_reward.npy float64 [N]]   [start.npy float64 [S]]

The arrays are those of `mdp.model`, in numpy's format, version 1. Every read goes through all bytes once: hashes, row
pointers, indices, probabilities and rewards, so that nothing is an index that was not looked at. No link is followed in
the folder, and nothing is executed. The files must not change while they are in use.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from rltrain import plain_files
from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import checks
from rltrain.mdp.checks import Faults
from rltrain.mdp.files.folder_rows import examine
from rltrain.mdp.files.loaded import LoadedModel
from rltrain.mdp.mapped import PIECE, Mapped, MappedFile, mapped_file
from rltrain.mdp.model import Model, Names, Numbered
from rltrain.spelling import described, did_you_mean, shown

SUFFIX = ".mdpd"
FORMAT = "rltrain model folder 1"
FACTS = "model.json"
MAX_FACTS = 64_000_000  # bytes of model.json: the names of a million states
DTYPES: dict[str, np.dtype[Any]] = {
    "first_pair": np.dtype("<i8"),
    "action": np.dtype("<i4"),
    "first_next": np.dtype("<i8"),
    "next": np.dtype("<i4"),
    "prob": np.dtype("<f8"),
    "reward": np.dtype("<f8"),
    "next_reward": np.dtype("<f8"),
    "start": np.dtype("<f8"),
}
OPTIONAL = ("next_reward", "start")
KEYS = ("format", "name", "states", "actions", "pairs", "transitions", "discount", "files")
MAPPED = 64 << 20  # bytes of all arrays: fewer are read into memory, where they are as quick as any other model's
HEADER = 128  # bytes before the numbers, which numpy leaves room in for any count


def header(dtype: np.dtype[Any], count: int) -> bytes:
    """What stands before the numbers of an array of one dimension in numpy's format; of one length for any count."""
    buffer = io.BytesIO()
    facts = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(buffer, facts)
    return buffer.getvalue()


def lengths(states: int, pairs: int, transitions: int) -> dict[str, int]:
    """How many numbers each array has."""
    of_next = dict.fromkeys(("next", "prob", "next_reward"), transitions)
    return of_next | {
        "first_pair": states + 1,
        "action": pairs,
        "first_next": pairs + 1,
        "reward": pairs,
        "start": states,
    }


def size_of(path: Path) -> int:
    """The bytes of all files of a model's folder."""
    return sum(entry.stat(follow_symlinks=False).st_size for entry in os.scandir(path))


def read(path: Path, mapped: int = MAPPED) -> LoadedModel:
    """The model in a folder, checked. Arrays of more than `mapped` bytes together are mapped. InputError."""
    folder = _Folder(path)
    with ExitStack() as stack:
        files = {name: folder.mapped(name, stack) for name in folder.names}
    model = replace(folder.model(files), mapped=Mapped({n: files[n] for n in files if n != "start"}, folder.digest))
    folder.check(model, files)
    if sum(file.array.nbytes for file in files.values()) > mapped:
        return LoadedModel(model)
    copies = {name: replace(file, array=file.array.copy()) for name, file in files.items()}
    return LoadedModel(folder.model(copies))


def stated_discount(path: Path) -> float | None:
    """The discount that model.json states. InputError."""
    return _Folder(path).discount


class _Folder:
    """What model.json says, once it has the right form, and the files of the folder."""

    def __init__(self, path: Path) -> None:
        self.path, self.text = path, shown(str(path))
        if not path.is_dir():
            self.fail("not a folder; a model's folder has model.json and arrays")
        try:
            facts = plain_files.read_object(path / FACTS, MAX_FACTS)
        except FileNotFoundError:
            self.fail(f"has no {FACTS}: it is no model, or was not written to its end")
        except (OSError, ValueError) as error:
            self.fail(f"{FACTS}: {shown(plain_files.reason(error))}")
        if facts.get("format") != FORMAT:
            self.fail(f"{FACTS}: format is {described(facts.get('format'))}; expected '{FORMAT}'")
        for key in facts:
            if key not in KEYS:
                self.fail(f"{FACTS}: unknown key '{shown(key)}'{did_you_mean(key, KEYS)}")
        self.states = self._names(facts, "states")
        self.actions = self._names(facts, "actions")
        sizes = [self._count(facts, key) for key in ("pairs", "transitions")]
        self.lengths = lengths(len(self.states), *sizes)
        discount, self.name = facts.get("discount"), facts.get("name", "")
        if discount is not None and type(discount) not in (int, float):
            self.fail(f"{FACTS}: discount is {described(discount)}; expected a number or null")
        checks.check_discount(discount, f"{self.text}: {FACTS}: ")
        self.discount = None if discount is None else float(discount)
        if not isinstance(self.name, str) or not self.name.isprintable() or len(self.name) > checks.MAX_NAME:
            self.fail(f"{FACTS}: name is not one line of text")
        self.files: dict[str, Any] = facts["files"] if isinstance(facts.get("files"), dict) else {}
        self.names = [name for name in DTYPES if f"{name}.npy" in self.files or name not in OPTIONAL]
        known = [f"{name}.npy" for name in DTYPES]
        for key in self.files:
            if key not in known:
                self.fail(f"{FACTS}: files: unknown file '{shown(key)}'{did_you_mean(key, known)}")

    @property
    def digest(self) -> str:
        """What model.json says of the hashes of all files, which `check` holds them against."""
        return hashlib.sha256(repr(sorted(self.files.items())).encode()).hexdigest()

    def fail(self, rule: str) -> NoReturn:
        raise InputError(f"{self.text}: {rule}")

    def _count(self, facts: dict[str, Any], key: str) -> int:
        value = facts.get(key)
        if not plain_files.is_count(value):
            self.fail(f"{FACTS}: {key} is {described(value)}; expected a whole number")
        return value

    def _names(self, facts: dict[str, Any], key: str) -> Names:
        value = facts.get(key)
        count = len(value) if isinstance(value, list) else self._count(facts, key)
        if not 1 <= count < 2**31:
            self.fail(f"{FACTS}: {count:,} {key}; expected 1 to {2**31 - 1:,}")
        if not isinstance(value, list):
            return Numbered(count)
        if not all(isinstance(name, str) for name in value):
            self.fail(f"{FACTS}: {key}: a name that is no text")
        names = tuple(value)
        checks.check_names(names, key[:-1])
        return names

    def mapped(self, name: str, stack: ExitStack) -> MappedFile:
        """One array, once the file has the size, the type and the shape that model.json says."""
        dtype, count, text = DTYPES[name], self.lengths[name], f"{name}.npy"
        try:
            file = stack.enter_context(plain_files.open_plain(self.path / text))
            size = os.fstat(file.fileno()).st_size
            expected = HEADER + count * dtype.itemsize
            if size != expected:
                self.fail(f"{text} has {size:,} bytes; {count:,} numbers of {dtype} take {expected:,}")
            if file.read(HEADER) != header(dtype, count):
                self.fail(f"{text} does not begin as numpy's file of {count:,} numbers of {dtype} does")
            return mapped_file(file.fileno(), HEADER, dtype, count)
        except FileNotFoundError:
            self.fail(f"{text} is missing")
        except (OSError, ValueError) as error:
            self.fail(f"{text}: {shown(plain_files.reason(error))}")

    def model(self, files: dict[str, MappedFile]) -> Model:
        """Of arrays that may not have been looked at yet."""
        first_pair, action, first_next, next, prob, reward = (files[n].array for n in DTYPES if n not in OPTIONAL)
        of_next, start = (files[n].array if n in files else None for n in OPTIONAL)
        return Model(
            self.states, self.actions, first_pair, action, first_next, next, prob, reward, of_next, start,
            self.discount, self.name or self.path.stem,
        )  # fmt: skip

    def check(self, model: Model, files: dict[str, MappedFile]) -> None:
        """Every byte against its hash, every number against the rules. InputError."""
        faults, digests = Faults(), {name: hashlib.sha256(header(DTYPES[name], self.lengths[name])) for name in files}
        with ThreadPoolExecutor(1) as pool:  # neither hashing nor compiled code holds the interpreter
            try:
                for piece, begin, spans in _pieces(model):
                    parts = {name: files[name].array[first:last] for name, (first, last) in spans.items()}
                    hashing = pool.submit(_add, digests, parts)
                    examine(piece, begin, faults)
                    hashing.result()
                    for name, (first, last) in spans.items():
                        files[name].let_go(first, last)
            except InputError as error:
                self.fail(str(error))
        if model.start is not None:
            digests["start"].update(model.start.data)
        for name, digest in digests.items():
            facts = self.files.get(f"{name}.npy")
            if not isinstance(facts, dict) or facts.get("sha256") != digest.hexdigest():
                self.fail(f"{name}.npy is damaged: its sha256 is not that of {FACTS}; write the model again")
        if faults.count:
            faults.lines[0] = f"{self.text}: {faults.lines[0]}"
            faults.stop()
        if model.start is not None:
            checks.check_starts(model.start, model.states, f"{self.text}: ")


def _pieces(model: Model) -> Iterator[tuple[Model, int, dict[str, tuple[int, int]]]]:
    """The rows of some states after the others, the first of these, and what part of each array they are.

    Their pointers begin at 0. InputError where pointers lead out of the arrays; within a piece they may still be wrong.
    """
    states, pairs, transitions = model.num_states, model.num_pairs, model.num_next
    step = max(1, states * PIECE // max(transitions, 1))
    begin, pair, number = 0, 0, 0
    if model.first_pair[0] != 0 or model.first_next[0] != 0:
        raise InputError("'first_pair' or 'first_next' does not begin at 0")
    while begin < states:
        end = min(states, begin + step)
        last = int(model.first_pair[end])
        if not pair <= last <= pairs or (end == states and last != pairs):
            raise InputError(_leads("first_pair", last, pair, pairs))
        stop = int(model.first_next[last])
        if not number <= stop <= transitions or (end == states and stop != transitions):
            raise InputError(_leads("first_next", stop, number, transitions))
        ends = int(end == states)  # with the last piece comes the end of the last row
        of_pairs, of_next = (pair, last), (number, stop)
        spans = {"first_pair": (begin, end + ends), "first_next": (pair, last + ends)}
        spans |= {"action": of_pairs, "reward": of_pairs, "next": of_next, "prob": of_next}
        if model.next_reward is not None:
            spans["next_reward"] = of_next
        yield part_of(model, begin, end), begin, spans
        begin, pair, number = end, last, stop


def _leads(name: str, to: int, least: int, most: int) -> str:
    return f"'{name}' leads to {to:,}; expected {least:,} to {most:,}, and {most:,} at its end"


def part_of(model: Model, begin: int, end: int) -> Model:
    """The rows of the states begin .. end, with pointers that begin at 0; all states keep their names and numbers."""
    first, last = int(model.first_pair[begin]), int(model.first_pair[end])
    start, stop = int(model.first_next[first]), int(model.first_next[last])
    return replace(
        model,
        first_pair=model.first_pair[begin : end + 1] - first,
        action=model.action[first:last],
        first_next=model.first_next[first : last + 1] - start,
        next=model.next[start:stop],
        prob=model.prob[start:stop],
        reward=model.reward[first:last],
        next_reward=None if model.next_reward is None else model.next_reward[start:stop],
        start=None,
        exact=None,
    )


def _add(digests: Mapping[str, Any], parts: Mapping[str, Array]) -> None:
    for name, part in parts.items():
        digests[name].update(part.data)
