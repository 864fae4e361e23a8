"""The threads of numpy's matrix products, on which the last bits of a product depend.

The command line says OPENBLAS_NUM_THREADS=1 before numpy is loaded. In a program that has loaded numpy already nobody
reads that any more; OpenBLAS then takes the number from its own setter, `openblas_set_num_threads` (interface/openblas
.h), which numpy's and scipy's wheels export under names of their own.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, NamedTuple

VARIABLE = "OPENBLAS_NUM_THREADS"
MODULES = ("numpy._core._multiarray_umath", "scipy.linalg._fblas")  # each is linked against the library it uses
ENDINGS = ("64_", "_64", "")
NAMES = tuple(f"{start}openblas_{{}}_num_threads{end}" for start in ("scipy_", "") for end in ENDINGS)
WHY = "matrix products take several threads here: numpy was loaded before, and its OpenBLAS has no known setter"


class Threads(NamedTuple):
    """A loaded OpenBLAS: how many threads it takes, and what changes that."""

    get: Any
    set: Any


class _Open:
    """How many runs of this process are at work with one thread, and what to restore when the last of them ends."""

    def __init__(self) -> None:
        self.lock, self.count = Lock(), 0
        self.before: list[tuple[Threads, int]] = []
        self.variable: str | None = None


_OPEN = _Open()


@contextmanager
def one_thread(names: Sequence[str] = NAMES) -> Iterator[bool]:
    """While open, products take one thread, in the whole process; yields whether that is sure.

    What loads an OpenBLAS meanwhile leaves it so. It may be open several times at once, in several threads.
    """
    with _OPEN.lock:
        _OPEN.count += 1
        if _OPEN.count == 1:
            _OPEN.variable = os.environ.get(VARIABLE)
            os.environ[VARIABLE] = "1"
            _OPEN.before = [(found, found.get()) for found in loaded(names)]
            for found, _ in _OPEN.before:
                found.set(1)
        sure = bool(_OPEN.before) or _OPEN.variable == "1" or not _numpy_has_openblas()
    try:
        yield sure
    finally:
        with _OPEN.lock:
            _OPEN.count -= 1
            if _OPEN.count == 0:
                for found, threads in _OPEN.before:
                    found.set(threads)
                if _OPEN.variable is None:
                    os.environ.pop(VARIABLE, None)
                else:
                    os.environ[VARIABLE] = _OPEN.variable


def loaded(names: Sequence[str] = NAMES) -> list[Threads]:
    """Every OpenBLAS that numpy and scipy have loaded in this process, as far as one of these names is exported."""
    found = []
    for module in MODULES:
        path = sys.modules[module].__file__ if module in sys.modules else None
        if path is None:
            continue
        library = ctypes.CDLL(path)  # it is loaded: names are looked up in it and in all that it is linked against
        for name in names:
            try:
                found.append(Threads(library[name.format("get")], library[name.format("set")]))
                break
            except AttributeError:
                continue
    return found


def _numpy_has_openblas() -> bool:
    import numpy as np

    built: Any = np.show_config(mode="dicts")
    return "openblas" in str(built["Build Dependencies"]["blas"]["name"])
