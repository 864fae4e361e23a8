"""What the installed packages say of themselves: their entry points, and which of them a module is of.

To ask importlib.metadata reads the files of all packages, some ten milliseconds each time. It is asked anew where a
folder of the import path has changed since, as an installation changes it.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoints

Place = tuple[str, int]  # a folder of the import path, and when its list of files changed, in nanoseconds


def entry_points(group: str) -> EntryPoints:
    """The entry points of a group, of all installed packages."""
    return _entry_points(_places()).select(group=group)


def groups() -> set[str]:
    """The names of all groups of entry points."""
    return set(_entry_points(_places()).groups)


def of_module(name: str) -> list[str]:
    """The names of the installed packages that bring a top-level module."""
    return list(_of_modules(_places()).get(name, ()))


def _places() -> tuple[Place, ...]:
    places = []
    for folder in sys.path:
        try:
            places.append((folder, os.stat(folder or os.curdir).st_mtime_ns))
        except OSError:  # not there: it holds no package
            continue
    return tuple(places)


@functools.lru_cache(maxsize=1)
def _entry_points(places: tuple[Place, ...]) -> EntryPoints:
    found = importlib.metadata.entry_points()  # a class of its own in Python 3.11
    return EntryPoints(point for group in found.groups for point in found.select(group=group))


@functools.lru_cache(maxsize=1)
def _of_modules(places: tuple[Place, ...]) -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()
