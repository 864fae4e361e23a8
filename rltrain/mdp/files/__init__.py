"""Model files: `read` and `write` choose the format by the file's suffix.

.yaml .yml   by hand, named, exact      .npz   sparse arrays, for millions of states      .csv   rows
.mdp .pomdp  Cassandra's text
.dot .gv     Graphviz, written only     .prism .pm   PRISM, written only
"""

from __future__ import annotations

import importlib
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from rltrain.errors import InputError, OutOfMemoryError
from rltrain.mdp import reachability
from rltrain.mdp.model import Model
from rltrain.spelling import nearest, shown
from rltrain.whole_files import replacing

FORMATS = {  # suffix -> the module that knows it
    ".yaml": "yaml_text",
    ".yml": "yaml_text",
    ".npz": "npz",
    ".csv": "csv_rows",
    ".mdp": "cassandra",
    ".pomdp": "cassandra",
    ".dot": "dot",
    ".gv": "dot",
    ".prism": "prism",
    ".pm": "prism",
}
READABLE = (".yaml", ".yml", ".npz", ".csv", ".mdp", ".pomdp")
BOOK = Path(__file__).parents[1] / "book.yaml"  # the chapter's model
MAX_TEXT = 2_000_000_000  # bytes of a text that is read


class Loaded(NamedTuple):
    """A model, and what its reader should be told."""

    model: Model
    warnings: tuple[str, ...] = ()


def is_model_file(argument: str) -> bool:
    """Whether this argument means a file rather than an environment's id."""
    return Path(argument).suffix.lower() in FORMATS


def read(path: Path | str) -> Loaded:
    """The model in a file, checked. InputError for everything that is wrong with it."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in READABLE:
        raise InputError(f"{shown(str(path))}: cannot read '{shown(suffix)}'; a model's file ends in {_list(READABLE)}")
    _check_file(path)
    try:
        loaded: Loaded = _format(suffix).read(path)
    except InputError as error:
        if shown(str(path)) in str(error):
            raise
        raise InputError(f"{shown(str(path))}: {error}") from error
    except OSError as error:
        raise InputError(f"{shown(str(path))}: {error.strerror or error}") from error
    except MemoryError as error:
        raise OutOfMemoryError(f"{shown(str(path))}: memory ran out while the model was read") from error
    model = loaded.model
    found = reachability.check_reachable(model)
    return Loaded(model, (*loaded.warnings, *(f"{shown(str(path))}: {line}" for line in found)))


def write(model: Model, path: Path | str, overwrite: bool = False) -> None:
    """The model in a file, whole or not at all: written aside, synced, renamed. DiskError when the disk refuses."""
    path = Path(path)
    check_target(path, overwrite)
    with replacing(path) as file:
        _format(path.suffix.lower()).write(model, file, path)


def check_target(path: Path, overwrite: bool) -> None:
    """InputError unless `write` may make this file."""
    suffix, text = path.suffix.lower(), shown(str(path))
    if suffix not in FORMATS:
        raise InputError(f"{text}: cannot write '{shown(suffix)}'; a model's file ends in {_list(FORMATS)}")
    if path.is_dir():
        raise InputError(f"{text}: is a folder")
    if not overwrite and (path.exists() or path.is_symlink()):
        raise InputError(f"{text}: exists; --overwrite replaces it")


def text_of(path: Path, limit: int = MAX_TEXT) -> str:
    """A text file as UTF-8. InputError names the line that is no text."""
    data = path.read_bytes() if path.stat().st_size <= limit else None
    if data is None:
        raise InputError(f"{shown(str(path))}: larger than {limit:,} bytes; a model that large belongs in an .npz file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{shown(str(path))}:{line}: not text in UTF-8: the byte 0x{data[error.start]:02x}") from None


def missing(path: Path) -> InputError:
    """No such file; did you mean one that is there?"""
    where = path.parent if path.parent.is_dir() else None
    names: list[str] = []
    if where is not None:
        with suppress(OSError):
            names = [entry.name for entry in where.iterdir() if entry.suffix.lower() in READABLE]
    found = nearest(path.name, names) if names else None
    hint = f"; did you mean '{shown(str(path.with_name(found)))}'?" if found else ""
    return InputError(f"{shown(str(path))}: no such file{hint}")


def _check_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise missing(path) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(str(path))}: {error}") from error
    if not stat.S_ISREG(mode):
        raise InputError(f"{shown(str(path))}: is {'a folder' if stat.S_ISDIR(mode) else 'no regular file'}")


def _format(suffix: str) -> Any:
    """The module of a format, imported when it is needed."""
    return importlib.import_module(f"{__name__}.{FORMATS[suffix]}")


def _list(suffixes: Any) -> str:
    return " ".join(suffixes)


Writer = Callable[[Model, IO[bytes], Path], None]  # what every format's `write` is: bytes of a file named `path`
