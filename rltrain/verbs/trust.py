"""What a person trusts, changed: nothing is imported here, a module is looked for and a file is hashed."""

from __future__ import annotations

import importlib.util

from rltrain import imports, source_files, trust
from rltrain.errors import InputError, MissingError
from rltrain.spelling import did_you_mean, shown


def add(name: str) -> list[str]:
    """Trust a module that is installed, or a file as it is now. What to say. InputError, MissingError, DiskError."""
    if source_files.is_file(name):
        path = str(source_files.place(name))
        trust.add(path, source_files.hash_of(name))
        return [f"trusted: {path}, as it is now", "when it changes, you are asked to trust it anew"]
    if not imports.MODULE.fullmatch(name):
        raise InputError(f"{shown(name)}: expected a module, such as minigrid, or a file, such as ./my_env.py")
    top = name.partition(":")[0].partition(".")[0]
    if importlib.util.find_spec(top) is None:
        raise MissingError(f"{name}: no module called {top} is installed")
    trust.add(name, None)
    return [f"trusted: {name}"]


def gone(name: str) -> list[str]:
    """Trust a module or a file no more. What to say. InputError for what is not trusted, DiskError."""
    known = trust.load().all()
    path = str(source_files.place(name)) if source_files.is_file(name) else name
    if path not in known:
        raise InputError(f"{shown(name)} is not trusted{did_you_mean(path, known)}")
    trust.remove(path)
    return [f"no longer trusted: {path}"]
