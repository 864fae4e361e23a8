"""The lock of a run folder: one process at a time may work in it.

It is the kernel's (flock), so it ends with its process, however that ends: no stale lock, no clock.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from rltrain.errors import BusyError, CheckpointError
from rltrain.plain_files import descriptor_of
from rltrain.run.disk import UNSUPPORTED, disk_errors
from rltrain.run.own_files import own_file


class Lock:
    """A run folder that is this process's alone, from here to `release` or to the end of `with Lock(folder):`.

    BusyError, which names the other process, where one has it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = -1
        if own_file(folder / ".lock") > 1:
            name = folder / ".lock"
            raise CheckpointError(f"{name} has a second name (a hard link); remove it: it is made anew")
        with disk_errors(f"cannot lock {folder}"):
            try:
                self._acquire()
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)
            except BaseException:
                self.release()
                raise

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def release(self) -> None:
        """Ends the lock; a second call does nothing."""
        # The file stays: were it removed, two processes could each lock a file of that name.
        if self._descriptor >= 0:
            with suppress(OSError):  # a mount without locks
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # a child that was forked meanwhile has the file open too
            os.close(self._descriptor)
            self._descriptor = -1

    def _acquire(self) -> None:
        attempts = 5
        for attempt in range(attempts):
            self._descriptor = descriptor_of(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_in_place():
                    return
            except BlockingIOError:
                if attempt < attempts - 1:
                    time.sleep(0.02)  # `is_locked` of another process may hold it for an instant
                    self.release()
            except OSError as error:
                if error.errno in UNSUPPORTED:  # `reserve.probe` has warned of a mount without locks
                    return
                raise
        known = os.pread(self._descriptor, 300, 0) if self._descriptor >= 0 else b""
        owner = known.decode("utf-8", "replace").split()
        who = f"process {owner[0]} on {owner[1]}" if len(owner) == 2 else "another process"
        raise BusyError(f"{self._folder} is in use by {who}; wait for it to end, or stop it")

    def _is_in_place(self) -> bool:
        """Whether the file that was locked is the folder's: a process that clears a folder may have removed it."""
        held = os.fstat(self._descriptor)
        try:
            there = os.stat(self._folder / ".lock", follow_symlinks=False)
        except FileNotFoundError:
            there = None
        if there is not None and (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino):
            return True
        self.release()
        return False


def hold(path: Path) -> int:
    """A descriptor that locks this file until all processes that inherit it have closed it: `is_held` tells. OSError.

    So it lasts as long as they do, and begins before they are there: in no moment between them nobody has it. It locks
    nothing where another process holds the file already, and on a mount without locks.
    """
    descriptor = descriptor_of(path, os.O_RDONLY | os.O_NOFOLLOW)
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def is_locked(folder: Path) -> bool:
    """Whether a process works in this run folder."""
    return is_held(folder / ".lock")


def is_held(path: Path) -> bool:
    """Whether a process has locked this file."""
    try:
        descriptor = descriptor_of(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
