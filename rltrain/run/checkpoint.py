"""Checkpoints that survive a kill, a full disk, a power loss and a copy of the run folder.

    runs/X/checkpoints/ckpt-000000012345/   state.json, arrays.safetensors, MANIFEST.json (written last)
    runs/X/checkpoints/bad-…                found damaged and set aside; tmp-… was being written or removed
    runs/X/chunks/<blob>-<hash>.bin         large pieces of state that never change, shared by checkpoints

A save writes new files only, syncs each, reads them back, and gives them their name by one rename; nothing is ever
written over. Only then are older checkpoints, and chunks that none of them needs, removed. So at every moment what was
the newest checkpoint is whole, or the next one is.

Who calls `Checkpoints` holds the run's `lock.Lock`; `reading.load_path` only reads and needs none.

Source: Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014, for what must be synced before what.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import Any

from rltrain import side_by_side
from rltrain.core import Blob, State
from rltrain.errors import CheckpointError, DiskError
from rltrain.run import machine, state_codec
from rltrain.run.disk import REAL, Damaged, Disk, disk_errors, entry, remove_tree, replace_file, write_file
from rltrain.run.manifest import FILES, MAX_STEP, BlobEntry, Manifest, versions
from rltrain.run.own_files import make_own_folder, own_folder
from rltrain.run.reading import (
    NAME,
    Loaded,
    as_loaded,
    checked,
    checkpoint_names,
    file_size,
    first_whole,
    name_of,
    order,
    read,
    read_manifest,
)


class Checkpoints:
    """The checkpoints of one run: the newest `keep`, and those protected. The first save makes their folders."""

    def __init__(self, folder: Path, keep: int = 2, disk: Disk = REAL) -> None:
        if keep < 1:
            raise ValueError(f"keep={keep}, must be at least 1")
        self.keep = keep
        self._disk = disk
        self._home = folder / "checkpoints"
        self._chunks = folder / "chunks"
        self._known: dict[str, BlobEntry] = {}  # blobs that are durable on the disk
        for path in (self._home, self._chunks):
            own_folder(path)

    def save(self, step: int, state: State, meta: Mapping[str, Any], protect: Sequence[str] = ()) -> str:
        """Saves durably, then removes what is too old; `protect` names checkpoints to keep. Returns the new one's name.

        A step saved before gets a second checkpoint, "-2"; if that would be the same to the bit, the one there is
        returned. Raises DiskError; all older checkpoints are then as they were.
        """
        if not 0 <= step <= MAX_STEP:
            raise ValueError(f"step={step}, must be 0 to {MAX_STEP}")
        text, arrays, blobs = state_codec.split(state)
        contents = dict(zip(FILES, (text, arrays), strict=True))
        with disk_errors(f"cannot save a checkpoint in {self._home}"):
            for path in (self._home, self._chunks):
                make_own_folder(self._disk, path)
            self._remove_leftovers()
            written = self._write_blobs(blobs)
            manifest = Manifest(
                step=step,
                meta=meta,
                versions=versions(),
                files={name: entry(data) for name, data in contents.items()},
                blobs={name: self._known[name] for name in blobs},
            )
            name = self._twin(manifest) or self._write(manifest, contents, written)
            self._disk.sync_folder(self._home)
        with disk_errors(f"{name} is saved, but cannot remove older checkpoints in {self._home}"):
            self._rotate({name, *protect})
        return name

    def load(self) -> Loaded:
        """The newest whole checkpoint. A damaged newer one is renamed bad-… and named in `warnings`.

        CheckpointError if none is whole; then none is renamed: perhaps a copy only lacks its chunks/.
        """
        folders = [self._home / name for name in reversed(self.names())]
        with disk_errors(f"cannot read the checkpoints in {self._home}"):
            name, manifest, state, bad = first_whole(self._disk, self._home, folders)
        self._known = dict(manifest.blobs)
        warnings = tuple(self._set_aside(worse, fault, name) for worse, fault in bad.items())
        return as_loaded(name, manifest, state, warnings)

    def names(self) -> list[str]:
        """The checkpoints there are, oldest first. They may be damaged."""
        return checkpoint_names(self._home)

    def verify(self, name: str) -> list[str]:
        """Every fault of a checkpoint, one text each; none if it is whole. Reads all of it, changes nothing."""
        with disk_errors(f"cannot read {self._home / name}"):
            try:
                read(self._disk, self._home / checked(name), self._chunks)
            except Damaged as fault:
                return list(fault.faults)
        return []

    def size(self, name: str) -> int:
        """Bytes of a checkpoint with all its blobs, shared ones too. Raises CheckpointError."""
        with disk_errors(f"cannot read {self._home / name}"):
            try:
                manifest, data = read_manifest(self._disk, self._home / checked(name))
            except Damaged as fault:
                raise CheckpointError(f"{self._home / name}: {fault}") from fault
        files, blobs = manifest.files.values(), manifest.blobs.values()
        return len(data) + sum(file.size for file in files) + sum(blob.size for blob in blobs)

    def _remove_leftovers(self) -> None:
        """Removes what an earlier process was writing or removing when it was killed."""
        for path in (*self._home.glob("tmp-*"), *self._chunks.glob("tmp-*")):
            with suppress(OSError):  # it is in nobody's way
                remove_tree(self._disk, path)

    def _write_blobs(self, blobs: Mapping[str, Blob]) -> set[str]:
        """Writes the blobs that no checkpoint has and returns their names. Afterwards `_known` has all of `blobs`."""
        fresh: dict[str, BlobEntry] = {}
        missing = [blob for name, blob in blobs.items() if not self._has(name)]
        cores = machine.cores()
        for i in range(0, len(missing), cores):  # few at a time: what cannot be shrunk must not pile up
            some = missing[i : i + cores]
            packed = side_by_side.each(state_codec.pack_blob, some, cores)  # compression frees Python's lock
            for blob, (data, raw_size) in zip(some, packed, strict=True):
                fresh[blob.name] = BlobEntry.of(blob.name, entry(data), raw_size)
                replace_file(self._disk, self._chunks / fresh[blob.name].file, data)
        if fresh:
            self._disk.sync_folder(self._chunks)
            self._known |= fresh
        return set(fresh)

    def _has(self, name: str) -> bool:
        """Whether this blob is in the folder, whole as far as its size tells."""
        return name in self._known and file_size(self._chunks / self._known[name].file) == self._known[name].size

    def _write(self, manifest: Manifest, contents: Mapping[str, bytes], written: Collection[str]) -> str:
        """Writes a checkpoint under a temporary name, reads it back, renames it. Returns its name."""
        name = self._free_name(manifest.step)
        folder = _unused(self._home / f"tmp-{name}")
        try:
            self._disk.make_folder(folder)
            for file, data in contents.items():
                write_file(self._disk, folder / file, data)
            write_file(self._disk, folder / "MANIFEST.json", manifest.to_bytes())
            self._disk.sync_folder(folder)
            read(self._disk, folder, self._chunks, prove=written)
            self._disk.rename(folder, self._home / name)
        except (OSError, Damaged) as error:
            with suppress(OSError):
                remove_tree(self._disk, folder)
            if isinstance(error, Damaged):
                self._known.clear()  # one of the chunks may be the culprit: the next save writes them again
                raise DiskError(f"cannot save a checkpoint in {self._home}: read back, {error}") from error
            raise
        return name

    def _twin(self, manifest: Manifest) -> str | None:
        """The newest checkpoint, if it is this one to the bit and whole."""
        newest = next(reversed(self.names()), None)
        if newest is None or order(newest)[0] != manifest.step:
            return None
        try:
            _, data = read_manifest(self._disk, self._home / newest)
            if data != manifest.to_bytes():
                return None
            read(self._disk, self._home / newest, self._chunks)
        except (Damaged, CheckpointError):
            return None
        return newest

    def _free_name(self, step: int) -> str:
        copies = [order(name)[1] for name in self.names() if order(name)[0] == step]
        return name_of(step) + (f"-{max(copies) + 1}" if copies else "")

    def _rotate(self, protect: set[str]) -> None:
        """Removes checkpoints beyond `keep`, then the chunks that no remaining one names."""
        names = self.names()
        doomed = [name for name in names[: -self.keep] if name not in protect]
        # First out of sight by a rename: a kill leaves no half of a checkpoint. Durably so, before their chunks go.
        aside = []
        for name in doomed:
            aside.append(_unused(self._home / f"tmp-{name}"))
            self._disk.rename(self._home / name, aside[-1])
        if doomed:
            self._disk.sync_folder(self._home)
        for folder in aside:
            remove_tree(self._disk, folder)
        self._remove_chunks()

    def _remove_chunks(self) -> None:
        used = set()
        for folder in self._home.iterdir():
            try:
                manifest, _ = read_manifest(self._disk, folder)
            except (Damaged, CheckpointError):
                if NAME.fullmatch(folder.name):
                    return  # it may need any of them
                continue  # bad-…
            used |= {blob.file for blob in manifest.blobs.values()}
        for path in sorted(self._chunks.glob("*.bin")):
            if path.name not in used:
                self._disk.remove(path)
        self._known = {name: blob for name, blob in self._known.items() if blob.file in used}

    def _set_aside(self, name: str, fault: Damaged, used: str) -> str:
        """Renames a damaged checkpoint. Returns what a person should know."""
        new = _unused(self._home / f"bad-{name}")
        try:
            self._disk.rename(self._home / name, new)
            self._disk.sync_folder(self._home)
        except OSError as error:
            return f"{name} is damaged and could not be renamed ({error.strerror}): {fault}; went on with {used}"
        return f"{name} is damaged, now {new.name}: {fault}; went on with {used}"


def _unused(path: Path) -> Path:
    """This path, or the first of path-2, path-3, … that does not exist."""
    others = (path.with_name(f"{path.name}-{number}") for number in count(2))
    return next(free for free in chain([path], others) if not os.path.lexists(free))
