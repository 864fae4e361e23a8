"""Arrays of a model that lie in files, seen through memory maps: read when they are looked at, let go when not.

A mapped page counts as the process's own memory for as long as it is mapped in. Whoever goes through a large model
lets go of what lies behind, which costs nothing where the page stays in the system's cache, and asks for what comes.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rltrain import words
from rltrain.core import Array
from rltrain.errors import OutOfMemoryError
from rltrain.memory import available_bytes

PIECE = 1 << 21  # successors that are looked at together
_PAGE = mmap.PAGESIZE


@dataclass(frozen=True, eq=False)
class MappedFile:
    """One array of one dimension in a file, after a header."""

    memory: mmap.mmap
    offset: int  # bytes of the header
    array: Array  # [count]

    def _pages(self, first: int, last: int) -> tuple[int, int]:
        """Start and length, in bytes, of the pages that hold the numbers first .. last."""
        size = self.array.itemsize
        start = (self.offset + first * size) // _PAGE * _PAGE
        return start, min(self.offset + last * size, len(self.memory)) - start

    def let_go(self, first: int, last: int) -> None:
        """The numbers first .. last need not stay in memory; they are there again when they are looked at."""
        if last > first:
            self.memory.madvise(mmap.MADV_DONTNEED, *self._pages(first, last))

    def ahead(self, first: int, last: int) -> None:
        """The numbers first .. last are wanted soon: the disk may begin."""
        if last > first:
            self.memory.madvise(mmap.MADV_WILLNEED, *self._pages(first, last))


class Mapped:
    """The arrays of a model in files, by name: first_pair, action, first_next, next, prob, reward, next_reward."""

    def __init__(self, files: Mapping[str, MappedFile], digest: str = "") -> None:
        self.files = dict(files)
        self.digest = digest  # of all numbers; equal for equal models

    def let_go(self, begin: int, end: int) -> None:
        """The rows of the states begin .. end need not stay in memory."""
        for name, first, last in self._spans(begin, end):
            self.files[name].let_go(first, last)

    def ahead(self, begin: int, end: int) -> None:
        """The rows of the states begin .. end are wanted soon."""
        for name, first, last in self._spans(begin, end):
            self.files[name].ahead(first, last)

    def _spans(self, begin: int, end: int) -> Iterator[tuple[str, int, int]]:
        """(name, first, last): where the rows of some states stand in each array."""
        first_pair, first_next = self.files["first_pair"].array, self.files["first_next"].array
        pairs = (int(first_pair[begin]), int(first_pair[end]))
        successors = (int(first_next[pairs[0]]), int(first_next[pairs[1]]))
        spans = {"first_pair": (begin, end + 1), "action": pairs, "first_next": pairs, "reward": pairs}
        for name in self.files:
            yield name, *spans.get(name, successors)


def mapped_file(descriptor: int, offset: int, dtype: np.dtype[Any], count: int) -> MappedFile:
    """The numbers after a file's header, read-only. The caller has held its size against the count. OSError."""
    memory = mmap.mmap(descriptor, os.fstat(descriptor).st_size, access=mmap.ACCESS_READ)
    return MappedFile(memory, offset, np.frombuffer(memory, dtype, count, offset))


def check_room(mapped: Mapped | None, successors: float, size: int, what: str) -> None:
    """OutOfMemoryError where `size` bytes of each of so many successors of a mapped model find no room in memory.

    The system would kill a process that tries, and say nothing.
    """
    if mapped is None:
        return
    need, free = successors * size, available_bytes()
    if need > free:
        raise OutOfMemoryError(
            f"{what} of a model that lies on the disk take about {words.size(need)} of memory, and {words.size(free)} "
            "is free; value iteration below discount 1 takes V, Q and the policy: rltrain mdp solve"
        )
