"""A file of a run that grows at its end and can be cut back: what sinks write their rows through.

Its state is how many bytes belong to it and their hash. So whatever a killed process left beyond them is cut away, and
what somebody edited is not taken for ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rltrain.core import State
from rltrain.errors import CheckpointError
from rltrain.plain_files import open_plain
from rltrain.run.disk import PIECE, REAL, Disk, disk_errors
from rltrain.run.own_files import open_tail
from rltrain.saved import Saved

if TYPE_CHECKING:
    from hashlib import _Hash as Digest

MAX_FILE = 2**62  # bytes


class Tail:
    """A file that grows at its end and can be cut back. What the disk refused is queued and goes out first next time.

    Nothing is touched before the first byte; then whatever an earlier, killed process left beyond `size` is cut away.
    """

    def __init__(self, path: Path, disk: Disk = REAL) -> None:
        self.path = path
        self.size = 0  # bytes that belong to the log
        self._digest = hashlib.sha256()  # of them
        self._disk = disk
        self._queue = bytearray()
        self._file: int | None = None
        self._new = self._unsynced = False

    def append(self, data: bytes) -> None:
        """Write to the end, at once. DiskError if that fails; the data is kept for the next call."""
        self._queue += data
        self.drain()

    def drain(self) -> None:
        """Bring everything queued to the file."""
        if not self._queue:
            return
        with writing(self.path):
            file = self._open()
            while self._queue:
                with memoryview(self._queue) as queue:
                    written = self._disk.write(file, queue)
                    self._digest.update(queue[:written])
                self.size += written
                del self._queue[:written]

    def sync(self) -> None:
        """Bring everything queued to the disk itself."""
        self.drain()
        if self._file is not None and self._unsynced:
            with writing(self.path):
                self._disk.sync(self._file)
                if self._new:
                    self._disk.sync_folder(self.path.parent)
            self._unsynced = self._new = False

    def state(self) -> State:
        """What to come back to; nothing may be waiting, or a resumed run would miss it."""
        self.drain()
        return {"size": self.size, "sha256": self._digest.hexdigest()}

    def cut(self, state: State | int) -> None:
        """Go back to what the file was; of old checkpoints the size alone. CheckpointError if it is not that."""
        self.close()
        kept = prefix(self.path, state)
        if kept is None:
            raise CheckpointError(f"{self.path}: not the numbers that the checkpoint was made with")
        self.size, self._digest = size_of(state), kept
        self._queue.clear()
        if self.path.exists() and self.path.stat().st_size > self.size:
            with writing(self.path):
                self._open()

    def close(self) -> None:
        if self._file is not None:
            self._disk.close(self._file)
            self._file = None

    def _open(self) -> int:
        if self._file is None:
            self._new = not self.path.exists()
            self._file = open_tail(self._disk, self.path)
            self._disk.truncate(self._file, self.size)
        self._unsynced = True
        return self._file


def size_of(state: State | int) -> int:
    """The bytes that a log had. Checkpoints of before 2026-12 hold nothing else."""
    return int(state["size"]) if isinstance(state, Mapping) else state


def prefix(path: Path, state: State | int) -> Digest | None:
    """The hash of what a log held when this was its state; None if the file does not begin with that any more."""
    digest, left = hashlib.sha256(), size_of(state)
    try:
        with open_plain(path) as file:
            while left and (piece := file.read(min(PIECE, left))):
                digest.update(piece)
                left -= len(piece)
    except FileNotFoundError:
        pass
    known = state.get("sha256") if isinstance(state, Mapping) else None
    return None if left or known not in (None, digest.hexdigest()) else digest


def log_of(saved: Saved, key: str) -> State | int:
    """What a checkpoint says that a log was; of those of before 2026-12 the size alone."""
    if not isinstance(saved[key], Mapping):
        return saved.integer(key, high=MAX_FILE)
    return known_of(saved.part(key))


def known_of(log: Saved) -> dict[str, Any]:
    """The size and the hash of a log, checked."""
    hashed = {"sha256": log.text("sha256")} if "sha256" in log else {}
    return {"size": log.integer("size", high=MAX_FILE), **hashed}


def writing(path: Path) -> AbstractContextManager[None]:
    """Around the writing of a log: what the system refuses is a DiskError."""
    return disk_errors(f"{path}: cannot be written")
