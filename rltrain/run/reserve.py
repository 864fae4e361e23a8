"""Whether a run folder's disk can be trusted, and the space set aside on it for the last save."""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path

from rltrain.run.disk import REAL, UNSUPPORTED, disk_errors

BALLAST_BYTES = 16 << 20


def probe(folder: Path) -> list[str]:
    """Tries, in the run's first second, all that a save will need. Returns warnings; raises DiskError."""
    number = secrets.token_hex(4)
    first, second = folder / f".probe-{number}-1", folder / f".probe-{number}-2"
    lacking = []
    with disk_errors(f"cannot save in {folder}"):
        descriptor = REAL.create(first)
        try:
            os.write(descriptor, b"rltrain")
            for what, attempt in (("fsync", os.fsync), ("locks", _try_lock)):
                try:
                    attempt(descriptor)
                except OSError as error:
                    if error.errno not in UNSUPPORTED:
                        raise
                    lacking.append(what)
            os.rename(first, second)
        finally:
            os.close(descriptor)
            for path in (first, second):
                with suppress(OSError):
                    os.unlink(path)
    return [f"{folder}: this disk has no {what}; a run here is not safe from a crash" for what in lacking]


def _try_lock(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def free_bytes(path: Path) -> int:
    """What a process without privileges may still write to the disk of this path, which must exist."""
    with disk_errors(f"cannot read the free space of {path}"):
        found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def create_ballast(folder: Path, size: int = BALLAST_BYTES) -> bool:
    """Sets space aside for the last save on a disk that fills up. False if there is no room for it."""
    path = folder / ".ballast"
    try:
        with suppress(FileNotFoundError):
            REAL.remove(path)  # of a process that was killed
        descriptor = REAL.create(path)
    except OSError:
        return False
    try:
        os.posix_fallocate(descriptor, 0, size)  # blocks, without writing them
    except OSError:
        with suppress(OSError):
            os.unlink(path)
        return False
    finally:
        os.close(descriptor)
    return True


def release_ballast(folder: Path) -> bool:
    """Gives the space back. False if none was set aside."""
    try:
        os.unlink(folder / ".ballast")
    except OSError:
        return False
    return True
