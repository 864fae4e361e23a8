"""The C library's memory: what was freed is kept for the next allocation, not given back to the system.

A step of many Atari games and an update of a network allocate and free some ten arrays of megabytes. By default they
may go back to the system each time, and come again as pages that have to be zeroed. A heap for each thread would be
given back whole, whatever the thresholds say, so there is one.
"""

from __future__ import annotations

import contextlib
import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
MAPPED_FROM = 32 << 20  # bytes; the most that glibc allows
KEPT = 512 << 20


def keep_freed_memory() -> None:
    """For the rest of this process; before it has threads. Nothing happens where the C library has no such switch."""
    with contextlib.suppress(AttributeError, OSError):  # another system, another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, MAPPED_FROM)
        mallopt(M_TRIM_THRESHOLD, KEPT)
