"""A file that stands whole under its name or not at all, and that touches no other file, whatever lies in the folder.

It is written under a name that nobody had, made anew and not followed, then renamed: a rename replaces a symbolic link
and leaves what it points to alone.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from rltrain.errors import DiskError
from rltrain.spelling import shown

_HINTS = {errno.ENOSPC: "free some space", errno.EDQUOT: "your quota is used up: free some space"}


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A binary file to write, which becomes `path` if the block ends well and leaves no trace if not. DiskError."""
    with replacing_name(path) as aside, open(aside, "r+b") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def replacing_name(path: Path) -> Iterator[Path]:
    """The name of a new, empty file beside `path`, for libraries that open it themselves.

    It becomes `path` if the block ends well and leaves no trace if not. DiskError.
    """
    aside = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666))
        yield aside
        os.replace(aside, path)
    except OSError as error:
        raise refused(path, error) from error
    finally:
        with suppress(OSError):
            os.unlink(aside)


def refused(path: Path, error: OSError) -> DiskError:
    """The error for a file that the disk refused to write: the reason, and what to do about a full disk."""
    hint = _HINTS.get(error.errno or 0)
    what = f"{shown(str(path))}: cannot be written: {error.strerror or error}"
    return DiskError(what + (f"; {hint}" if hint else ""))
