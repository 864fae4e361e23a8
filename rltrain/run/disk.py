"""The door between a run folder and the disk: the only module whose functions change files of a run.

`Disk` lists the system calls. Everything else is built from them, so a test that hands over another `Disk` can fail any
one of them, or forget what was never synced, and see what a person would find afterwards.

Nothing outside the folder is touched, whatever a stranger put into it: no symbolic link is followed, what is written
anew is made anew, what grows is a regular file of one name, and a tree is removed without leaving it. Reading trusts
nothing: regular files only, size checked before a byte is read, a limit on every size.

Source: the model is SQLite's VFS and its crash tests (sqlite.org/testing.html, sections 3.2 and 3.3).
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from rltrain.errors import DiskError
from rltrain.plain_files import descriptor_of

PIECE = 1 << 20  # bytes that a read asks for, so that a large file never lies in memory whole
UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}  # odd network mounts
_NOT_A_FILE = {errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.ENAMETOOLONG}
_ELSEWHERE = "make the folder writable, or choose another with --runs-dir"
_HINTS = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "your quota is used up: free some space",
    errno.EROFS: _ELSEWHERE,
    errno.EACCES: _ELSEWHERE,
    errno.EPERM: _ELSEWHERE,
    errno.EIO: "the disk reports a fault; copy the run folder to another disk",
}


class Damaged(Exception):
    """A file of a checkpoint is not what was written. `faults` has a line for each thing that is wrong."""

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class FileEntry(NamedTuple):
    """The size and the hash by which a manifest knows a file."""

    size: int  # bytes
    sha256: str


class Disk(Protocol):
    """The system calls that change or read a run's files, a method each; all raise OSError as the system does."""

    def make_folder(self, path: Path) -> None: ...
    def create(self, path: Path) -> int: ...  # a descriptor for writing; the file must be new
    def append(self, path: Path) -> int: ...  # a descriptor that writes at the end of a regular file, new or not
    def truncate(self, descriptor: int, size: int) -> None: ...
    def write(self, descriptor: int, data: memoryview) -> int: ...  # how many bytes were taken
    def sync(self, descriptor: int) -> None: ...
    def close(self, descriptor: int) -> None: ...
    def sync_folder(self, path: Path) -> None: ...  # makes the names in a folder durable
    def rename(self, old: Path, new: Path) -> None: ...
    def link(self, old: Path, new: Path) -> None: ...  # a second name for a file, on disks that know such
    def remove(self, path: Path) -> None: ...
    def remove_folder(self, path: Path) -> None: ...
    def open(self, path: Path) -> int: ...  # a descriptor for reading
    def read(self, descriptor: int, count: int) -> bytes: ...


class RealDisk:
    """`Disk` by the operating system."""

    def make_folder(self, path: Path) -> None:
        os.mkdir(path)

    def create(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)

    def append(self, path: Path) -> int:
        return descriptor_of(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def write(self, descriptor: int, data: memoryview) -> int:
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in UNSUPPORTED:  # `reserve.probe` has warned of a mount that cannot
                raise

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def sync_folder(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        os.rename(old, new)

    def link(self, old: Path, new: Path) -> None:
        os.link(old, new, follow_symlinks=False)

    def remove(self, path: Path) -> None:
        os.unlink(path)

    def remove_folder(self, path: Path) -> None:
        os.rmdir(path)

    def open(self, path: Path) -> int:
        # O_NONBLOCK: a FIFO of that name must not wait for a writer that never comes.
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)

    def read(self, descriptor: int, count: int) -> bytes:
        return os.read(descriptor, count)


REAL = RealDisk()


def entry(data: bytes) -> FileEntry:
    """Size and hash of these bytes, for a manifest."""
    return FileEntry(len(data), hashlib.sha256(data).hexdigest())


def write_file(disk: Disk, path: Path, data: bytes | Iterable[bytes], durable: bool = True) -> None:
    """Writes a new file; if `durable`, waits until its bytes are on the disk. Its name is there after `sync_folder`."""
    descriptor = disk.create(path)
    try:
        for piece in (data,) if isinstance(data, bytes) else data:
            rest = memoryview(piece)
            while rest:
                rest = rest[disk.write(descriptor, rest) :]
        if durable:
            disk.sync(descriptor)
    finally:
        disk.close(descriptor)


def replace_file(disk: Disk, path: Path, data: bytes | Iterable[bytes], durable: bool = True) -> None:
    """Gives `path` this content, so that at any moment either the old or the new one is there, whole.

    The caller syncs the folder when the name must outlive a power loss. Not `durable`: after one, it may be empty.
    """
    aside = path.with_name(f"tmp-{path.name}")
    with suppress(FileNotFoundError):
        disk.remove(aside)  # of a process that was killed here
    try:
        write_file(disk, aside, data, durable)
        disk.rename(aside, path)
    except OSError:
        with suppress(OSError):
            disk.remove(aside)
        raise


def remove_tree(disk: Disk, path: Path) -> None:
    """Removes a file, or a folder and all in it. A symbolic link is removed, never followed. OSError."""
    if path.is_symlink() or not path.is_dir():
        disk.remove(path)
        return
    for inside in sorted(path.iterdir()):
        remove_tree(disk, inside)
    disk.remove_folder(path)


def read_file(disk: Disk, path: Path, limit: int, expected: FileEntry | None = None) -> bytes:
    """The bytes of a regular file of at most `limit` bytes, proven to be the expected ones. Damaged or OSError."""
    return b"".join(_pieces(disk, path, limit, expected))


def check_file(disk: Disk, path: Path, limit: int, expected: FileEntry) -> None:
    """Proves a regular file of at most `limit` bytes to be the expected one, piece by piece. Damaged or OSError."""
    for _ in _pieces(disk, path, limit, expected):
        pass


def _pieces(disk: Disk, path: Path, limit: int, expected: FileEntry | None) -> Iterator[bytes]:
    """The bytes of a file in turn. Damaged, at the latest after the last, if they are not the expected ones."""
    try:
        descriptor = disk.open(path)
    except OSError as error:
        if error.errno in _NOT_A_FILE or error.errno == errno.EIO:
            raise Damaged(f"{path.name}: {os.strerror(error.errno)}") from error
        raise
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Damaged(f"{path.name} is not a regular file")
        if expected is not None and found.st_size != expected.size:
            raise Damaged(f"{path.name} is damaged: {found.st_size:,} bytes where the manifest says {expected.size:,}")
        if found.st_size > limit:
            raise Damaged(f"{path.name} is damaged: {found.st_size:,} bytes, and at most {limit:,} are possible")
        left, digest = found.st_size, hashlib.sha256()
        while left:
            piece = disk.read(descriptor, min(PIECE, left))
            if not piece:
                raise Damaged(f"{path.name} became shorter while it was read")
            left -= len(piece)
            if expected is not None:
                digest.update(piece)
            yield piece
        if expected is not None and digest.hexdigest() != expected.sha256:
            raise Damaged(f"{path.name} is damaged: its sha256 differs from the manifest's")
    except OSError as error:
        if error.errno == errno.EIO:  # a bad sector; other errors say nothing about the file
            raise Damaged(f"{path.name}: {os.strerror(errno.EIO)}") from error
        raise
    finally:
        with suppress(OSError):  # nothing was written through it
            disk.close(descriptor)


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turns an OSError of the block into a DiskError that says what could not be done and what to do."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0)
        raise DiskError(f"{what}: {error.strerror or error}" + (f"; {hint}" if hint else "")) from error
