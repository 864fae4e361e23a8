"""The run folder: its name, how it is made and found, and what belongs into it.

A run is a folder `runs/NAME`, or `runs/NAME/s3` where runs of several seeds lie together (see `group`). Of a sweep each
trial is such a group: `runs/NAME/t0007/s3`.
"""

from __future__ import annotations

import difflib
import os
import re
from contextlib import suppress
from pathlib import Path

from rltrain.errors import CheckpointError, InputError, RltrainError
from rltrain.run.disk import REAL, Disk, disk_errors, remove_tree
from rltrain.run.lock import Lock
from rltrain.run.own_files import own_file, own_folder
from rltrain.spelling import last_of, shown

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
TRIAL = re.compile(NAME.pattern + r"/t[0-9]{4,6}")  # a group among the trials of a sweep
MEMBER = re.compile(rf"{NAME.pattern}(/t[0-9]{{4,6}})?/s[0-9]{{1,19}}")  # a run among those of several seeds
NAME_RULE = "letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 100 characters"
MARKER = "config.yaml"  # what makes a folder a run
PUT_BACK = f"its checkpoints are there: put {MARKER} back, or move the folder away and begin anew"
GROUP_MARKER = "seeds.json"  # what makes a folder the home of runs of several seeds
SWEEP_MARKER = "sweep.json"  # what makes a folder the home of a sweep's trials
BEFORE = re.compile(  # what lies in a folder before MARKER or GROUP_MARKER does, whenever its process is killed
    r"\.lock|\.ballast|\.probe-.*|\..*\.part|tmp-.*|run\.json|experiment\.yaml|model|checkpoints|chunks"
    r"|base\.yaml|sweep\.yaml"
)
EMPTY_BEFORE = ("checkpoints", "chunks")
FORKING = ".forking"  # lies in a folder that is filled with what BEFORE does not tell, until MARKER makes it a run
FOLDERS = ("checkpoints", "chunks", "events", "model")  # of a run
GROWING = ("metrics.jsonl", "metrics.csv", "eval.jsonl", "eval.csv", "timings.jsonl")  # of a run


def create(runs_dir: Path, name: str | None, default_stem: str, disk: Disk = REAL) -> Path:
    """Makes a new run folder and returns it. Without a name it is the stem and the next free number: dqn-1, dqn-2, …

    A folder of this name in which no run ever began, since its process was stopped before, is taken over, emptied.
    """
    if name is not None and not NAME.fullmatch(name):
        raise InputError(f"--name {name[:100]!r}: a run's name is {NAME_RULE}")
    with disk_errors(f"cannot make a run folder in {runs_dir}"):
        runs_dir.mkdir(parents=True, exist_ok=True)
        if name is not None:
            folder = runs_dir / name
            try:
                disk.make_folder(folder)
                disk.sync_folder(runs_dir)
            except FileExistsError:
                if not is_unbegun(folder):
                    raise InputError(_taken(folder)) from None
                clear_unbegun(folder)
            return folder
        stem = _as_stem(default_stem)
        while True:  # another process may take the number first
            folder = runs_dir / f"{stem}-{_last_number(runs_dir, stem) + 1}"
            with suppress(FileExistsError):
                disk.make_folder(folder)
                disk.sync_folder(runs_dir)
                return folder


def lock_new(folder: Path) -> Lock:
    """The lock of a folder that `create` returned. InputError if another process has begun a run there since."""
    lock = Lock(folder)
    if not is_unbegun(folder):
        lock.release()
        raise InputError(_taken(folder))
    return lock


def _taken(folder: Path) -> str:
    holds = (folder / MARKER).is_file() or (folder / GROUP_MARKER).is_file()
    go_on = f", or go on with it: rltrain resume {folder}" if holds else ""
    if (folder / SWEEP_MARKER).is_file():
        go_on = f", or go on with it: rltrain sweep resume {folder}"
    return f"--name {folder.name}: {folder} exists; choose another --name{go_on}"


def _as_stem(text: str) -> str:
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:80]
    return stem or "run"


def _last_number(runs_dir: Path, stem: str) -> int:
    numbered = re.compile(re.escape(stem) + r"-([0-9]{1,15})")
    found = (numbered.fullmatch(name) for name in os.listdir(runs_dir))
    return max((int(match[1]) for match in found if match), default=0)


def is_unbegun(folder: Path) -> bool:
    """Whether nobody's work is lost with this folder: it is empty, or holds what comes before a run or a group begins.

    config.yaml makes a run and seeds.json a group; both are written last. A process may be about to do so: see `Lock`.
    """
    if folder.is_symlink() or not folder.is_dir():
        return False
    if (folder / FORKING).is_file() and not any(os.path.lexists(folder / name) for name in (MARKER, GROUP_MARKER)):
        return True
    full = [name for name in EMPTY_BEFORE if (folder / name).is_dir() and os.listdir(folder / name)]
    found = os.listdir(folder)
    ours = set(found) - {"model", *EMPTY_BEFORE}  # a person may have called a folder so
    return not found or bool(ours and not full and all(map(BEFORE.fullmatch, found)))


def clear_unbegun(folder: Path, *, remove: bool = False) -> None:
    """Empties a folder in which no run began, or removes it. BusyError while a process is at its beginning."""
    if not is_unbegun(folder):
        return
    with Lock(folder), disk_errors(f"cannot clear {folder}, in which no run began"):
        if not is_unbegun(folder):  # a process that held the lock has begun one
            return
        for entry in sorted(folder.iterdir(), key=lambda path: path.name == FORKING):  # what says so goes last
            if entry.name != ".lock" or remove:
                remove_tree(REAL, entry)
        if remove:
            folder.rmdir()


def remove(folder: Path) -> None:
    """Removes a run folder that this process made and could not finish, as far as that can be done."""
    with suppress(OSError):
        remove_tree(REAL, folder)


def forget_unbegun(folder: Path) -> None:
    """Removes what is left of a run that never began, if that can be done; else it is in nobody's way."""
    with suppress(OSError, RltrainError):
        clear_unbegun(folder, remove=True)


def find(runs_dir: Path, run: str | Path) -> Path:
    """The folder of a run that is given by its name or its path. Raises InputError with the nearest names."""
    given = str(run)
    candidates = [runs_dir / given] if any(form.fullmatch(given) for form in (NAME, TRIAL, MEMBER)) else []
    candidates.append(Path(given))
    folders = [path for path in candidates if os.path.isdir(path)]
    for folder in folders:
        if os.path.isfile(folder / MARKER):
            if folder.is_symlink() and os.path.isfile(folder.parent / GROUP_MARKER):
                raise CheckpointError(link_for_member(folder))
            return folder
    if folders and os.path.isfile(folders[0] / GROUP_MARKER):
        one = next((name for name in names(folders[0].parent) if name.startswith(f"{folders[0].name}/")), None)
        hint = f"name one of them, such as {folders[0].parent / one}" if one else "none has begun yet"
        raise InputError(f"{folders[0]} is the home of runs of several seeds; {hint}")
    if folders and os.path.isfile(folders[0] / SWEEP_MARKER):
        one = next(iter(_members(folders[0], f"t*/s*/{MARKER}")), None)
        hint = f"name a run of it, such as {runs_dir / one}" if one else "none of its runs has begun yet"
        verbs = f"`rltrain sweep show {shown(given)}` ranks its trials, `rltrain sweep resume {shown(given)}` goes on"
        raise InputError(f"{folders[0]} is a sweep; {hint}; {verbs}")
    if folders and given:
        hint = ""
        if is_unbegun(folders[0]):
            hint = f"; none ever began: begin it with rltrain train CONFIG --name {folders[0].name}"
        elif lost_marker(folders[0]):
            hint = f"; {PUT_BACK}"
        elif seeds := _seeds_in(folders[0]):
            hint = f'; runs of seeds are there: put {GROUP_MARKER} back, or write it anew: {{"seeds": {seeds}}}'
        raise InputError(f"{folders[0]} is not a run: it holds no {MARKER}{hint}")
    known = names(runs_dir, trials="/t" in given)
    wanted = given if MEMBER.fullmatch(given) else Path(given).name
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif known:
        hint = f"it has {last_of(known)}"
    else:
        hint = "there are none yet"
    raise InputError(f"no run {given[:200]!r} in {runs_dir}; {shown(hint)}")


def _seeds_in(folder: Path) -> list[int]:
    """The seeds whose runs lie in a folder."""
    found = (path.parent.name for path in folder.glob(f"s*/{MARKER}"))
    return sorted(int(name[1:]) for name in found if MEMBER.fullmatch(f"x/{name}"))


def lost_marker(folder: Path) -> bool:
    """Whether a folder holds checkpoints of a run, and the config.yaml that makes it one is gone."""
    return not os.path.lexists(folder / MARKER) and any((folder / "checkpoints").glob("ckpt-*"))


def link_for_member(folder: Path) -> str:
    """What is wrong with a run among those of several seeds that lies elsewhere."""
    return f"{folder} is a symbolic link, where the run of a seed belongs; put a copy of the run in its place"


def names(runs_dir: Path, trials: bool = False) -> list[str]:
    """The names of all runs, in the order in which a person counts: dqn-2 before dqn-10. Of several seeds: dqn/s0.

    `trials`: those of sweeps too, of which there may be thousands: lr/t0007/s0.
    """
    if not runs_dir.is_dir():
        return []
    with disk_errors(f"cannot read {runs_dir}"):
        found = [path.parent.name for path in runs_dir.glob(f"*/{MARKER}")]
        for group in runs_dir.glob(f"*/{GROUP_MARKER}"):
            found += _members(group.parent, f"s*/{MARKER}")
        for sweep in sweeps(runs_dir) if trials else []:
            found += _members(runs_dir / sweep, f"t*/s*/{MARKER}")
    return sorted(found, key=as_counted)


def _members(home: Path, pattern: str) -> list[str]:
    """The names of the runs in a group or a sweep, beginning with its own."""
    found = (path.parent.relative_to(home.parent).as_posix() for path in sorted(home.glob(pattern)))
    return [name for name in found if MEMBER.fullmatch(name)]


def sweeps(runs_dir: Path) -> list[str]:
    """The names of all sweeps, in the order in which a person counts."""
    if not runs_dir.is_dir():
        return []
    with disk_errors(f"cannot read {runs_dir}"):
        return sorted((path.parent.name for path in runs_dir.glob(f"*/{SWEEP_MARKER}")), key=as_counted)


def as_counted(name: str) -> list[tuple[bool, int, str]]:
    """The key by which names are sorted as a person counts: dqn-2 before dqn-10."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(False, int(part), "") if part[0] in "0123456789" else (True, 0, part) for part in parts]


def check_own(folder: Path) -> None:
    """CheckpointError if something in a run folder is no plain part of it: a link that leads elsewhere, a FIFO."""
    with disk_errors(f"cannot read {folder}"):
        for name in FOLDERS:
            own_folder(folder / name)
        for name in (MARKER, *GROWING):
            own_file(folder / name)
