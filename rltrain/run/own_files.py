"""The files of a run beside its checkpoints: small ones that are replaced whole, ones that grow, folders, copies.

Whatever a stranger put into the folder, nothing outside it is created, changed or deleted: a symbolic link in place of
a folder is refused by name, one in place of a file is never followed, and a file that has a second name elsewhere is
parted from it before it grows.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from rltrain.errors import CheckpointError
from rltrain.plain_files import kind, open_plain
from rltrain.run.disk import PIECE, REAL, Disk, disk_errors, replace_file

_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS}  # or none for this file


def write_small(path: Path, text: str, disk: Disk = REAL, durable: bool = True) -> None:
    """Replaces a small file of a run, whole or not at all, now and for good. DiskError.

    Not `durable`: for what is written again within seconds and may be lost with the power.
    """
    with disk_errors(f"{path}: cannot be written"):
        replace_file(disk, path, text.encode("utf-8", "backslashreplace"), durable)
        if durable:
            disk.sync_folder(path.parent)


def copy_file(disk: Disk, source: Path, target: Path, *, follow: bool = False) -> None:
    """Replaces `target` by a copy of a regular file, now and for good. OSError."""
    with open_plain(source, follow=follow) as file:
        replace_file(disk, target, iter(lambda: file.read(PIECE), b""))
    disk.sync_folder(target.parent)


def link_file(disk: Disk, source: Path, target: Path) -> None:
    """A second name for a regular file that is never written to, on disks that know such; else a copy. OSError."""
    with open_plain(source):
        pass  # no link, and nothing else than a file
    try:
        disk.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        copy_file(disk, source, target)


def open_tail(disk: Disk, path: Path) -> int:
    """A descriptor that writes at the end of a run's file, which is made if need be. OSError if it is no regular file.

    A file with a second name, as `cp -al` makes them, is first parted from it: the copy must not grow with the run.
    """
    if path.exists() and os.lstat(path).st_nlink > 1:
        copy_file(disk, path, path)
    return disk.append(path)


def append(path: Path, text: str, disk: Disk = REAL) -> None:
    """Adds to the end of a file that nothing depends on, such as timings. OSError."""
    descriptor = open_tail(disk, path)
    try:
        disk.write(descriptor, memoryview(text.encode()))
    finally:
        disk.close(descriptor)


def make_own_folder(disk: Disk, path: Path) -> None:
    """Makes a folder of a run unless it is there, for good. CheckpointError if a link or a file is in its place."""
    if own_folder(path):
        return
    disk.make_folder(path)
    disk.sync_folder(path.parent)


def own_file(path: Path) -> int:
    """How many names a run's file has; 0 if there is none. CheckpointError if it is no regular file."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return 0
    what = kind(found.st_mode)
    if what is not None:
        raise CheckpointError(
            f"{path} is {what}, where a file of the run belongs; remove it, or put a copy in its place"
        )
    return found.st_nlink


def own_folder(path: Path) -> bool:
    """Whether a run has this folder. CheckpointError if a symbolic link or a file has its name."""
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    if not stat.S_ISDIR(mode):
        what = kind(mode) or "a file"
        raise CheckpointError(f"{path} is {what}, where a folder of the run belongs; put a copy in its place")
    return True
