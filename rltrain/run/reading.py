"""Reading checkpoints: nothing is believed that its hash does not prove, nothing is run, nothing is changed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rltrain.core import Array, Blob, State
from rltrain.errors import CheckpointError, RltrainError
from rltrain.run import state_codec
from rltrain.run.disk import REAL, Damaged, Disk, FileEntry, check_file, disk_errors, read_file
from rltrain.run.manifest import FILES, MAX_MANIFEST, BlobEntry, Manifest
from rltrain.run.own_files import own_folder
from rltrain.saved import Saved

NAME = re.compile(r"ckpt-([0-9]{12})(?:-([0-9]{1,6}))?")  # of a step; -2, -3 when it was saved again


def name_of(step: int) -> str:
    """The name of the first checkpoint of a step, as NAME reads it."""
    return f"ckpt-{step:012d}"


@dataclass(frozen=True)
class Loaded:
    """A checkpoint that proved whole. Its blobs are read, and proven again, when the algorithm asks for them."""

    name: str
    step: int
    state: Saved  # its hashes prove that it is what was written, not that it may be believed
    meta: Saved
    versions: Mapping[str, str]  # of what wrote it, as `manifest.versions()`
    warnings: tuple[str, ...]  # newer checkpoints that were damaged

    @property
    def counters(self) -> dict[str, int]:
        """How far the run was. CheckpointError if the manifest does not say it."""
        counters = self.meta.part("counters")
        return {name: counters.integer(name) for name in counters}


def load_path(path: Path) -> Loaded:
    """A checkpoint folder anywhere, or the newest whole checkpoint of a run folder. Changes nothing, needs no lock.

    Its blobs lie in ../../chunks. CheckpointError if nothing is whole, DiskError if it cannot be read.
    """
    folder = path.resolve()
    home = folder / "checkpoints"
    candidates = [home / name for name in reversed(checkpoint_names(home))] if own_folder(home) else [folder]
    with disk_errors(f"cannot read {path}"):
        name, manifest, state, bad = first_whole(REAL, path, candidates)
    warnings = (f"{worse} is damaged: {fault}; went on with {name}" for worse, fault in bad.items())
    return as_loaded(name, manifest, state, tuple(warnings))


def first_whole(
    disk: Disk, where: Path, folders: Iterable[Path]
) -> tuple[str, Manifest, dict[str, Any], dict[str, Damaged]]:
    """The first of these checkpoint folders that is whole: its name, manifest, state, and what is wrong with others.

    OSError, or CheckpointError, which names `where` and every fault, if none is whole.
    """
    bad: dict[str, Damaged] = {}
    for folder in folders:
        try:
            manifest, state = read(disk, folder, folder.parent.parent / "chunks")
        except Damaged as fault:
            bad[folder.name] = fault
            continue
        return folder.name, manifest, state, bad
    if not bad:
        raise CheckpointError(f"no checkpoint in {where}: the run was stopped before its first save")
    lines = [f"no usable checkpoint in {where}", *(f"  {name}: {fault}" for name, fault in bad.items())]
    raise CheckpointError("\n".join(lines))


def read(
    disk: Disk, folder: Path, chunks: Path, prove: Collection[str] | None = None
) -> tuple[Manifest, dict[str, Any]]:
    """Manifest and state of a checkpoint folder, all hashes proven; with `prove`, those of no other blobs.

    Damaged, with every fault found, or OSError. Blobs are read from `chunks` when the state's owner asks for them.
    """
    manifest, _ = read_manifest(disk, folder)
    faults: list[str] = []
    tree, packed = FILES
    text = b""
    try:
        text = read_file(disk, folder / tree, state_codec.MAX_JSON, manifest.files[tree])
    except Damaged as fault:
        faults += fault.faults
    try:
        check_file(disk, folder / packed, state_codec.MAX_ARRAYS, manifest.files[packed])
    except Damaged as fault:
        faults += fault.faults
    for name, blob in manifest.blobs.items():
        try:
            if prove is None or name in prove:
                most = state_codec.most_packed(blob.raw_size)
                check_file(disk, chunks / blob.file, most, FileEntry(blob.size, blob.sha256))
            elif file_size(chunks / blob.file) != blob.size:
                raise Damaged(f"{blob.file} is damaged or missing")
        except Damaged as fault:
            faults += [f"chunks/{text}" for text in fault.faults]
    if faults:
        raise Damaged(*faults)

    def find_blob(name: str) -> Blob:
        if name not in manifest.blobs:
            raise Damaged(f"state.json: blob {name[:100]!r} is not in the manifest")
        blob = manifest.blobs[name]
        return Blob(name, partial(_read_blob, disk, chunks, blob), blob.raw_size)

    return manifest, state_codec.join(text, state_codec.map_arrays(folder / packed), find_blob)


def read_manifest(disk: Disk, folder: Path) -> tuple[Manifest, bytes]:
    """The manifest of a checkpoint folder, proven by its own hash, and its bytes. Raises Damaged, OSError."""
    if folder.is_symlink() or not folder.is_dir():
        raise Damaged(f"{folder} is not a folder")
    data = read_file(disk, folder / "MANIFEST.json", MAX_MANIFEST)
    return Manifest.from_bytes(data), data


def newest_meta(folder: Path) -> tuple[str, Saved] | None:
    """The newest checkpoint of a run folder whose manifest is whole, by name, and what that says; None: there is none.

    Its other files are not looked at. Nothing is raised.
    """
    home = folder / "checkpoints"
    with suppress(OSError, RltrainError):
        for name in reversed(checkpoint_names(home)):
            with suppress(Damaged, RltrainError):
                manifest, _ = read_manifest(REAL, home / name)
                return name, Saved(manifest.meta, path="meta/", folder=f"{name}/", tree="MANIFEST.json")
    return None


def _read_blob(disk: Disk, chunks: Path, blob: BlobEntry) -> dict[str, Array]:
    path = chunks / blob.file
    with disk_errors(f"cannot read {path}"):
        try:
            data = read_file(disk, path, state_codec.most_packed(blob.raw_size), FileEntry(blob.size, blob.sha256))
        except Damaged as fault:
            raise CheckpointError(f"{chunks}/{fault}") from fault
        try:
            return state_codec.unpack_blob(data, blob.raw_size)
        except Damaged as fault:
            raise CheckpointError(f"{path}: {fault}") from fault


def as_loaded(name: str, manifest: Manifest, state: State, warnings: tuple[str, ...]) -> Loaded:
    """A checkpoint that `read` found whole, for those who load it."""
    untrusted = Saved(state, folder=f"{name}/")
    meta = Saved(manifest.meta, path="meta/", folder=f"{name}/", tree="MANIFEST.json")
    return Loaded(name, manifest.step, untrusted, meta, manifest.versions, warnings)


def checkpoint_names(home: Path) -> list[str]:
    """The names of the checkpoints in a folder, oldest first. They may be damaged. DiskError."""
    if not own_folder(home):
        return []
    with disk_errors(f"cannot read {home}"):
        return sorted((path.name for path in home.iterdir() if NAME.fullmatch(path.name)), key=order)


def name_of_best(home: Path, step: int, score: float | None) -> str:
    """The checkpoint of the best evaluation, which was made at this step and came to this mean.

    A step has several where the counter that names them stood still: the first that knows of the evaluation is meant.
    Where none says that it does, the first of the step.
    """
    for name in checkpoint_names(home):
        if order(name)[0] == step:
            with suppress(Damaged, CheckpointError, OSError):
                if read_manifest(REAL, home / name)[0].meta.get("best") == {"score": score, "step": step}:
                    return name
    return name_of(step)


def order(name: str) -> tuple[int, int]:
    """(step, copy) of a checkpoint's name: names sort by it from old to new. CheckpointError for any other name."""
    return int(checked(name)[5:17]), int(name[18:] or 1)


def checked(name: str) -> str:
    """This name. CheckpointError unless it is one that a checkpoint may have."""
    if not NAME.fullmatch(name):
        raise CheckpointError(f"{name[:100]!r} is not a checkpoint's name, such as ckpt-000000012345")
    return name


def file_size(path: Path) -> int:
    """Bytes of a regular file; -1 if there is none."""
    return path.stat().st_size if path.is_file() and not path.is_symlink() else -1
