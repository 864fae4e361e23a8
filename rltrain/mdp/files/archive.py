"""The arrays of an .npz file, read without pickle, each into its own memory.

Nothing that a file says of itself is believed: sizes are held against the file, each other and the memory before
anything is read, and a packed array is refused where it unpacks to far more than a model's arrays do.
"""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import IO, Any, NoReturn, cast

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError, OutOfMemoryError
from rltrain.mdp.checks import MAX_NAME, MOST_REWARD, quoted
from rltrain.mdp.files.source import Source
from rltrain.mdp.model import Model, Names, Numbered
from rltrain.spelling import did_you_mean, shown

MAX_MEMBERS = 100
RATIO = 100  # the most that a byte of a packed array stands for, above SMALL bytes
SMALL = 50_000_000  # bytes that are unpacked whatever their ratio
UNCHECKED = 200_000_000  # bytes that are read without asking how much memory is free
LONGEST_READ = 1 << 24  # bytes that are asked for at once, the archive's own directory among them
BLOCK = 1 << 21  # numbers of a block


class _Bounded:
    """A file of which no more than LONGEST_READ bytes are read at once: a directory may claim any length."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(LONGEST_READ + 1) if size < 0 or size > LONGEST_READ else self.file.read(size)
        if len(data) > LONGEST_READ:
            raise zipfile.BadZipFile(f"it claims a part of more than {LONGEST_READ:,} bytes")
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 0 and offset < 0:
            raise zipfile.BadZipFile(f"it claims a part that begins at {offset:,}")
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        """The file is closed by who opened it."""


@contextmanager
def opened(source: Source) -> Iterator[Arrays]:
    """The arrays of a file; what is damaged in it is an InputError."""
    try:
        with zipfile.ZipFile(cast(IO[bytes], _Bounded(source.file))) as archive:
            yield Arrays(archive, source)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error) as error:
        if isinstance(error, RecursionError):
            raise
        why = shown(str(error)[:200]) or "it ends too early"
        raise InputError(f"{source.text}: damaged, or no .npz file: {why}") from error


class Arrays:
    """The arrays of an archive, by name, each read when it is asked for."""

    def __init__(self, archive: zipfile.ZipFile, source: Source) -> None:
        self.archive, self.text = archive, source.text
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            self.fail(f"holds {len(members):,} files, and a model has at most {MAX_MEMBERS}")
        self.members = {info.filename.removesuffix(".npy"): info for info in members}
        if len(self.members) < len(members):
            self.fail("holds two arrays of one name")
        for name, info in self.members.items():
            stored = info.compress_type == zipfile.ZIP_STORED
            if info.compress_size > source.size or (stored and info.file_size > info.compress_size):
                self.fail(f"'{shown(name)}' claims {info.file_size:,} bytes; the file has {source.size:,}")
            if not stored and info.file_size > max(SMALL, RATIO * info.compress_size):
                self.fail(
                    f"'{shown(name)}' unpacks to {info.file_size:,} bytes, more than {RATIO} times what it takes; "
                    "save arrays so large and so empty without packing them (np.savez), or as sparse ones"
                )

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def fail(self, rule: str) -> NoReturn:
        raise InputError(f"{self.text}: {rule}")

    def refuse_what_does_not_fit(self, names: tuple[str, ...]) -> None:
        """OutOfMemoryError before the first byte is read."""
        needed = sum(self.members[name].file_size for name in names if name in self.members)
        if needed < UNCHECKED:
            return
        import psutil

        free = int(psutil.virtual_memory().available)
        if needed > free:
            raise OutOfMemoryError(
                f"{self.text}: its arrays take {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB of memory are free"
            )

    def shape(self, name: str) -> tuple[int, ...]:
        """What the header says, once it is what the archive says: nothing of the array is read."""
        with self.archive.open(self.members[name]) as file:
            return self._header(name, file)[0]

    def read(self, name: str, kinds: str, dimensions: int | None = 1) -> Array:
        """One array. `kinds` are numpy's letters: i and u for whole numbers, f, b, U."""
        info = self.members[name]
        with self.archive.open(info) as file:
            self._checked(name, file, kinds, dimensions)
        with self.archive.open(info) as file:
            try:
                array: Array = np.lib.format.read_array(file, allow_pickle=False)
            except (ValueError, TypeError, OverflowError) as error:
                self.fail(f"'{name}' is damaged: {shown(str(error).splitlines()[0][:200])}")
            file.read(1)  # the end, where the checksum is compared
        return array.astype(array.dtype.newbyteorder("="), copy=False)

    def blocks(self, name: str, kinds: str) -> Iterator[Array]:
        """Some of an array's first axis after the other, about BLOCK numbers each."""
        with self.archive.open(self.members[name]) as file:
            shape, turned, dtype = self._checked(name, file, kinds, None)
            step = max(1, BLOCK // max(1, math.prod(shape[1:])))
            if turned:  # Fortran's order: the first axis is the innermost
                whole = self.read(name, kinds, None)
                yield from (whole[first : first + step] for first in range(0, shape[0], step))
                return
            for first in range(0, shape[0], step):
                part = (min(step, shape[0] - first), *shape[1:])
                size = math.prod(part) * dtype.itemsize
                data = bytearray()
                while len(data) < size:
                    more = file.read(min(size - len(data), LONGEST_READ // 2))
                    if not more:
                        self.fail(f"'{name}' ends too early")
                    data += more
                yield np.frombuffer(data, dtype=dtype).reshape(part)
            file.read(1)  # the end, where the checksum is compared

    def _checked(
        self, name: str, file: Any, kinds: str, dimensions: int | None
    ) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        shape, turned, dtype = self._header(name, file)
        if dtype.kind not in kinds or (dtype.itemsize > 8 and dtype.kind != "U"):
            wanted = {"iu": "whole numbers", "U": "text"}.get(kinds, "numbers")
            self.fail(f"'{name}' holds {shown(str(dtype))}, expected {wanted}")
        if dtype.kind == "U" and dtype.itemsize > 4 * MAX_NAME:
            self.fail(f"'{name}' holds texts of {dtype.itemsize // 4:,} characters, at most {MAX_NAME} are a name")
        if dimensions is not None and len(shape) != dimensions:
            self.fail(f"'{name}' has the shape {shape}, expected {dimensions} dimension{'s'[: dimensions != 1]}")
        return shape, turned, dtype

    def _header(self, name: str, file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        """Shape, whether in Fortran's order, and type of an array, once they are what the archive says."""
        size = self.members[name].file_size
        try:
            version = np.lib.format.read_magic(file)
            if version == (1, 0):
                shape, turned, dtype = np.lib.format.read_array_header_1_0(file)
            elif version == (2, 0):
                shape, turned, dtype = np.lib.format.read_array_header_2_0(file)
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
        return shape, turned, dtype

    def refuse_unknown(self, known: Collection[str], near: Collection[str] | None = None) -> None:
        """InputError for an array that is not `known`, with the nearest of those, or of `near`."""
        for name in self.members:
            if name not in known:
                self.fail(f"unknown array '{shown(name)}'{did_you_mean(name, known if near is None else near)}")

    def read_if_there(self, name: str) -> Array | None:
        """Numbers of one dimension; None where there is no array of this name."""
        return self.read(name, "fiu") if name in self.members else None

    def word(self, name: str) -> str:
        """A text; empty where there is none of this name."""
        return str(self.read(name, "U", 0)) if name in self.members else ""

    def number(self, name: str) -> float | None:
        return float(self.read(name, "fiu", 0)) if name in self.members else None

    def names(self, name: str, count: int) -> Names:
        """The names of states or actions; numbers where there are none."""
        if name not in self.members:
            return Numbered(count)
        names = tuple(self.read(name, "U").tolist())
        if len(names) != count:
            self.fail(f"'{name}' has {len(names):,} names, and the model has {count:,} {name}")
        return names

    def one_line(self, name: str, otherwise: str) -> str:
        """A text of one line, such as the model's name."""
        text = self.word(name) if name in self.members else otherwise
        if not text.isprintable() or len(text) > MAX_NAME:
            self.fail(f"'{name}' is not one line of text")
        return text


def terminal_rewards(arrays: Arrays, states: Names, ends: Array) -> dict[int, Fraction]:
    """What terminal states pay. `ends` [S] bool: which these are."""
    if "terminal_reward" not in arrays:
        return {}
    given = arrays.read("terminal_reward", "fiu").astype(np.float64)
    if given.shape != ends.shape:
        arrays.fail(f"'terminal_reward' has the shape {given.shape}, expected {ends.shape}")
    wrong = np.flatnonzero(~(np.abs(given) <= MOST_REWARD) | ((given != 0) & ~ends))
    if len(wrong):
        state = int(wrong[0])
        rule = "is not terminal" if not ends[state] else f"can be paid at most {MOST_REWARD:g}"
        arrays.fail(f"terminal_reward: state {quoted(states[state])} {rule}, and has {given[state]:g}")
    return {state: Fraction(float(given[state])) for state in np.flatnonzero(given).tolist()}


def write(file: IO[bytes], arrays: Mapping[str, Any]) -> None:
    """Arrays as an .npz file, stored as they are: the same arrays, the same bytes."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for key, array in arrays.items():
            entry = zipfile.ZipInfo(f"{key}.npy", (1980, 1, 1, 0, 0, 0))
            with archive.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def names_to_write(model: Model) -> dict[str, Array]:
    """The arrays `states` and `actions` of a model, where these have names."""
    named = {"states": model.states, "actions": model.actions}
    return {key: np.array(names) for key, names in named.items() if not isinstance(names, Numbered)}
