"""Files that a stranger may have made, read without harm: regular files only, and never more than a limit.

A name in a folder that somebody sent may be a symbolic link, a FIFO that waits for ever, a device that never ends, or a
hole of terabytes; JSON in it may be nested until the interpreter's stack ends. So what is opened is looked at before a
byte is read, and every reader says how much it will take.

All faults are of two kinds, those of the system and those found here alike: OSError with the reason in `strerror`, for
a file that cannot be read, and ValueError for a text that is not what it should be. `reason` words both for a person.
"""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

from rltrain.spelling import described

MAX_SMALL = 10_000_000  # bytes of a small JSON file: seeds.json of 1,000 seeds has 300 kB
MAX_LINE = 1 << 20  # bytes of a line of numbers: a row of metrics has hundreds
MOST_COUNT = 2**63  # whole numbers of ours stay below
LARGEST = 1e100  # what measurements come to; beyond it sums of a few overflow
_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def kind(mode: int) -> str | None:
    """A file's type, of its `st_mode`, in words such as `a FIFO`; None for a regular file."""
    return next((words for test, words in _KINDS if test(mode)), None)


def open_plain(path: Path, *, follow: bool = False) -> BinaryIO:
    """A regular file, opened for reading. OSError for anything else, and for a symbolic link unless to `follow` it."""
    try:
        descriptor = descriptor_of(path, os.O_RDONLY | (0 if follow else os.O_NOFOLLOW))
    except OSError as error:
        if error.errno == errno.ELOOP and os.path.islink(path):
            raise OSError(errno.ELOOP, "a symbolic link, where a regular file belongs", str(path)) from error
        raise
    return os.fdopen(descriptor, "rb")


def descriptor_of(path: Path, flags: int) -> int:
    """A descriptor of a regular file, opened or made by `flags` as `os.open` has them. OSError for anything else."""
    # O_NONBLOCK: a FIFO of that name must not wait for a process at its other end that never comes.
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    found = kind(os.fstat(descriptor).st_mode)
    if found is not None:
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"{found}, where a regular file belongs", str(path))
    return descriptor


def reason(error: Exception) -> str:
    """Why a file could not be read, for the end of a sentence, of an OSError or ValueError that a reader here raised.

    It may quote the file: what is printed goes through `spelling.shown`.
    """
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "not text in UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def read_plain(path: Path, limit: int) -> bytes:
    """The bytes of a regular file. OSError if they are more than `limit`, before memory is taken."""
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        data = b"" if size > limit else file.read(limit + 1)
    if max(size, len(data)) > limit:  # the second: it grew meanwhile
        raise OSError(errno.EFBIG, f"larger than {limit:,} bytes", str(path))
    return data


def read_json(path: Path, limit: int = MAX_SMALL) -> Any:
    """The JSON value in a small file. OSError if it cannot be read, ValueError if it is not JSON."""
    return parse_json(read_plain(path, limit))


def read_object(path: Path, limit: int = MAX_SMALL) -> dict[str, Any]:
    """The JSON object in a small file. OSError if it cannot be read, ValueError if it holds anything else."""
    value = read_json(path, limit)
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, found {described(value)}")
    return value


def parse_json(text: bytes | str) -> Any:
    """The value of a JSON text. ValueError for whatever is wrong with it, nesting without end included."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines, in turn. A torn line is left out, and one that is no object.

    OSError if the file cannot be read. What follows a line of over a megabyte is left out: no row of ours has that.
    """
    with open_plain(path) as file:
        while line := file.readline(MAX_LINE):
            if len(line) == MAX_LINE:
                return
            try:
                row = parse_json(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                yield row


def last_json_line(path: Path, most: int = 1 << 24) -> dict[str, Any]:
    """The last whole line of a file of JSON lines, read from its end; empty where there is none. Raises OSError.

    `most` bytes are looked at, at most. ValueError if the line is not JSON.
    """
    with open_plain(path) as file:
        size = file.seek(0, os.SEEK_END)
        length = min(size, 4_096)  # the last line is nearly always in them
        while True:
            file.seek(size - length)
            lines = file.read(length).split(b"\n")[:-1]  # what follows the last line end is still being written
            if len(lines) > 1 or length == size or length >= most:
                break
            length = min(size, 4 * length)
    row = parse_json(lines[-1]) if lines else {}
    return row if isinstance(row, dict) else {}


def is_count(value: Any) -> TypeGuard[int]:
    """Whether a value is an int (no bool) from 0 to 2^63 - 1, as counters are."""
    return type(value) is int and 0 <= value < MOST_COUNT


def as_number(value: Any) -> float:
    """A value as a float; NaN for what is no measurement: text, a bool, None, infinity, and numbers beyond LARGEST."""
    return float(value) if type(value) in (int, float) and -LARGEST <= value <= LARGEST else math.nan
