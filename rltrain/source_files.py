"""A file of Python, or a package's folder, that is no installed module: its hash, and how it is run under its own name.

What runs are the very bytes that were hashed, never a compiled file that lies beside them. A file may import what lies
in its folder: that is searched after everything that is installed, so that a `random.py` in it hides nobody's module.
"""

from __future__ import annotations

import hashlib
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

from rltrain.errors import InputError, NotBroughtError
from rltrain.guard import running
from rltrain.spelling import described, shown

MAX_SOURCE = 1 << 26  # bytes of a file
MOST_FILES = 10_000  # of a folder


class RunFile(NamedTuple):
    """A file that was run."""

    module: ModuleType
    sha256: str
    beside: dict[str, str]  # what it imported from its own folder: name -> sha256


class _Source(importlib.abc.InspectLoader):
    """Python's protocol of a loader, for bytes that were read."""

    def __init__(self, path: Path, source: bytes) -> None:
        self._path, self._source = path, source

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self._source)

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._source, str(self._path))


def is_file(given: str) -> bool:
    """Whether a person means a file or folder, and no module: it ends with `.py`, or has a slash."""
    return given.endswith(".py") or "/" in given or os.sep in given


def place(given: str) -> Path:
    """The absolute path of a file or a folder that a person named."""
    return Path(given).expanduser().resolve()


def hash_of(given: str) -> str:
    """The sha256 of what would be run: of a file's bytes; of a folder, of all its files of Python. InputError."""
    main = _main(given)
    return _hash(main, _read(main), place(given).is_dir())


def run(given: str, sha256: str | None, then: Callable[[ModuleType], None]) -> RunFile:
    """Run a file as the module of its name; `then` is called with that, and a fault of either leaves no module behind.

    `sha256` is what a trusted file must hold: NotBroughtError for another. InputError for what is no file of Python or
    has the name of another module, MissingError for a module that it needs, EnvironmentFault for what goes wrong in it.
    """
    what = f"--import {shown(given)}"
    path, main = place(given), _main(given)
    package = path.is_dir()
    name, home = (path.name, path.parent) if package else (path.stem, path.parent)
    if not name.isidentifier():
        raise InputError(f"{what}: {described(name)} is no name of a module: call it by letters, digits and _")
    if name in sys.modules or _is_installed(name, main):
        raise InputError(f"{what}: Python has another module that is called {name}; give this one another name")
    source = _read(main)
    found = _hash(main, source, package)
    if sha256 is not None and found != sha256:
        again = f"if you still trust it: rltrain trust {shown(str(path))}"
        raise NotBroughtError(f"{shown(str(path))} was changed since you trusted it; {again}", [str(path)])
    loader = _Source(main, source)
    spec = importlib.util.spec_from_loader(name, loader, origin=str(main), is_package=package)
    assert spec is not None
    spec.has_location = True
    if package:
        spec.submodule_search_locations = [str(path)]
    module = importlib.util.module_from_spec(spec)
    if str(home) not in sys.path:
        sys.path.append(str(home))
    before = set(sys.modules)
    sys.modules[name] = module
    try:
        with running(what, main.parent):
            loader.exec_module(module)
        then(module)
    except BaseException:
        del sys.modules[name]
        raise
    return RunFile(module, found, _beside(set(sys.modules) - before - {name}, home))


def _is_installed(name: str, main: Path) -> bool:
    """Whether Python finds another module of this name."""
    spec = importlib.util.find_spec(name)
    return spec is not None and (spec.origin is None or Path(spec.origin).resolve() != main)


def _main(given: str) -> Path:
    """The file that is run: of a folder its `__init__.py`. InputError where there is none."""
    path = place(given)
    if path.is_dir():
        path /= "__init__.py"
    if not path.is_file():
        raise InputError(f"--import {shown(given)}: no such file: {shown(str(path))}")
    return path


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_SOURCE:
            raise InputError(f"--import {shown(str(path))}: larger than {MAX_SOURCE:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"--import {shown(str(path))}: cannot be read: {error.strerror}") from error


def _hash(main: Path, source: bytes, package: bool) -> str:
    if not package:
        return hashlib.sha256(source).hexdigest()
    files = sorted(path for path in main.parent.rglob("*.py") if path.is_file())
    if len(files) > MOST_FILES:
        raise InputError(f"--import {shown(str(main.parent))}: more than {MOST_FILES:,} files")
    lines = (f"{path.relative_to(main.parent)} {hashlib.sha256(_read(path)).hexdigest()}\n" for path in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _beside(modules: set[str], home: Path) -> dict[str, str]:
    """Of these modules, those of files in this folder that are of no installed package: name of the file -> sha256."""
    specs = [sys.modules[name].__spec__ for name in modules if name in sys.modules]
    paths = {Path(spec.origin) for spec in specs if spec is not None and spec.origin and spec.has_location}
    own = [path for path in paths if path.is_relative_to(home) and "site-packages" not in path.parts]
    return {str(path.relative_to(home)): hashlib.sha256(_read(path)).hexdigest() for path in sorted(own)}
