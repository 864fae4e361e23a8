"""Write a model's folder in a stream: rows of some states after the others, never the whole model in memory.

All is written into a folder of another name beside it, synced, model.json last, and renamed. So the folder stands
whole under its name or not at all, whenever the process ends; what it leaves is `.NAME.mdpd.*.tmp`, which no reader
takes. One that is replaced is first renamed itself: for that moment neither stands, and both are whole beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import build, checks
from rltrain.mdp.checks import Faults
from rltrain.mdp.dense_rows import Block
from rltrain.mdp.files.folder import DTYPES, FACTS, FORMAT, HEADER, MAX_FACTS, OPTIONAL, header, lengths, part_of
from rltrain.mdp.files.folder_rows import examine
from rltrain.mdp.mapped import PIECE
from rltrain.mdp.model import Model, Names, Numbered
from rltrain.outputs import check_home
from rltrain.spelling import shown
from rltrain.whole_files import refused

_READ = 1 << 20  # bytes


class FolderWriter:
    """The folder of a model whose rows are added, states in their order."""

    def __init__(self, path: Path, states: Names, actions: Names, depends_on_next: bool) -> None:
        checks.check_names(states, "state")
        checks.check_names(actions, "action")
        self.path, self.states, self.actions = path, states, actions
        self._files: dict[str, IO[bytes]] = {}
        self._added = self._pairs = self._successors = 0
        for name in (name for name in DTYPES if name not in OPTIONAL):
            self._begin(name)
        if depends_on_next:
            self._begin("next_reward")
        self._write("first_pair", np.zeros(1))
        self._write("first_next", np.zeros(1))

    def _begin(self, name: str) -> None:
        self._files[name] = (self.path / f"{name}.npy").open("xb", buffering=_READ)
        self._files[name].write(bytes(HEADER))

    @property
    def sizes(self) -> tuple[int, int, int]:
        """States, pairs and transitions so far."""
        return self._added, self._pairs, self._successors

    def close(self) -> None:
        """Close the files, whatever is still to be written."""
        for file in self._files.values():
            with suppress(OSError):
                file.close()

    def add(self, rows: Block) -> None:
        """The next states. InputError, with state and action, for what no model can have."""
        count = len(rows.pairs)
        if self._added + count > len(self.states):
            raise InputError(f"rows of more than {len(self.states):,} states")
        first_pair = np.concatenate(([0], np.cumsum(rows.pairs)))
        first_next = np.concatenate(([0], np.cumsum(rows.successors)))
        if (rows.next_reward is None) == ("next_reward" in self._files):
            raise InputError("the rewards of all rows depend on the successor, or those of none")
        piece = Model(
            self.states, self.actions, first_pair, np.asarray(rows.action, np.int32), first_next,
            np.asarray(rows.next, np.int32), np.asarray(rows.prob, np.float64), np.asarray(rows.reward, np.float64),
            None if rows.next_reward is None else np.asarray(rows.next_reward, np.float64),
        )  # fmt: skip
        faults = Faults()
        examine(piece, self._added, faults)
        faults.stop_if_any()
        self._write("first_pair", first_pair[1:] + self._pairs)
        self._write("first_next", first_next[1:] + self._successors)
        self._write("action", piece.action)
        self._write("next", piece.next)
        self._write("prob", piece.prob)
        self._write("reward", piece.reward)
        if piece.next_reward is not None:
            self._write("next_reward", piece.next_reward)
        self._added += count
        self._pairs += piece.num_pairs
        self._successors += piece.num_next

    def _write(self, name: str, numbers: Array) -> None:
        self._files[name].write(np.ascontiguousarray(numbers, DTYPES[name]).data)

    def finish(self, start: Array | None, discount: float | None, name: str) -> None:
        """Write what is known at the end, and wait until all is on the disk; model.json last. InputError, OSError."""
        if self._added < len(self.states):
            raise InputError(f"rows of {self._added:,} states; {len(self.states):,} are wanted")
        if start is not None:
            checks.check_starts(start, self.states)
            self._begin("start")
            self._write("start", build.whole(start))
        counts = lengths(self._added, self._pairs, self._successors)
        for key, file in self._files.items():
            file.seek(0)
            file.write(header(DTYPES[key], counts[key]))
            file.flush()
            os.fsync(file.fileno())
            file.close()
        with ThreadPoolExecutor(2) as pool:
            files = dict(zip((f"{key}.npy" for key in self._files), pool.map(self._facts, self._files), strict=True))
        facts = {
            "format": FORMAT,
            "name": name,
            "states": _names_or_count(self.states),
            "actions": _names_or_count(self.actions),
            "pairs": self._pairs,
            "transitions": self._successors,
            "discount": discount,
            "files": files,
        }
        text = (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode()
        if len(text) > MAX_FACTS:
            raise InputError(f"the names take more than {MAX_FACTS:,} bytes; number the states")
        with open(self.path / FACTS, "xb") as last:
            last.write(text)
            last.flush()
            os.fsync(last.fileno())
        _sync_folder(self.path)

    def _facts(self, name: str) -> dict[str, Any]:
        """Size and hash of a file as it stands."""
        digest = hashlib.sha256()
        with open(self.path / f"{name}.npy", "rb", buffering=0) as file:
            while piece := file.read(_READ):
                digest.update(piece)
            return {"bytes": file.tell(), "sha256": digest.hexdigest()}


@contextmanager
def writing(path: Path, states: Names, actions: Names, depends_on_next: bool) -> Iterator[FolderWriter]:
    """A writer, whose folder becomes `path` if the block ends well, and leaves no trace if not. DiskError.

    `depends_on_next`: each block has the reward of each successor. The block calls `finish` at its end.
    """
    aside, old = (path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.tmp") for _ in range(2))
    try:
        aside.mkdir()
        writer = FolderWriter(aside, states, actions, depends_on_next)
        try:
            yield writer
        finally:
            writer.close()
        _replace(aside, path, old)
    except OSError as error:
        raise refused(path, error) from error
    finally:
        _remove(aside)


def _replace(aside: Path, path: Path, old: Path) -> None:
    """Give the folder `aside` its name. What had it is called `old` meanwhile, and as before again if this fails."""
    replaced = os.path.lexists(path)
    if replaced:
        os.rename(path, old)
    try:
        os.rename(aside, path)
    except OSError:
        if replaced:
            os.rename(old, path)
        raise
    _sync_folder(path.parent)
    _remove(old)


def write(model: Model, path: Path) -> None:
    """A model in memory, or mapped, as a folder; see `writing`."""
    step = max(1, model.num_states * PIECE // max(model.num_next, 1))
    with writing(path, model.states, model.actions, model.next_reward is not None) as writer:
        for begin in range(0, model.num_states, step):
            end = min(model.num_states, begin + step)
            part = part_of(model, begin, end)
            pairs, successors = np.diff(part.first_pair), np.diff(part.first_next)
            writer.add(Block(pairs, part.action, successors, part.next, part.prob, part.reward, part.next_reward))
            if model.mapped is not None:
                model.mapped.let_go(begin, end)
        writer.finish(model.start, model.discount, model.name)


def check_target(path: Path, overwrite: bool) -> None:
    """InputError, DiskError unless a model's folder may be written here: what is replaced is one, and nothing else."""
    text = shown(str(path))
    check_home(path)
    if not path.exists() and not path.is_symlink():
        return
    if not overwrite:
        raise InputError(f"{text}: exists; --overwrite replaces it")
    if path.is_symlink() or not path.is_dir():
        raise InputError(f"{text}: is no folder; remove it, or choose another name")
    known = {FACTS, *(f"{name}.npy" for name in DTYPES)}
    for name in sorted(os.listdir(path)):
        if name not in known:
            raise InputError(f"{text}: '{shown(name)}' in it is no part of a model; choose another name")


def _names_or_count(names: Names) -> int | list[str]:
    return len(names) if isinstance(names, Numbered) else list(names)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    """A folder of this module's files, as far as it is there; a link in place of one is removed, never followed."""
    with suppress(OSError):
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            return
        for name in os.listdir(folder):
            with suppress(OSError):
                os.unlink(folder / name)
        os.rmdir(folder)
