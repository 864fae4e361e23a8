"""Where a command may write the file that it was asked for, as with `-o FILE`: one rule, asked before any work.

A picture, a page and a film are looked at: one that is there is replaced, whole, as plotting tools do. A config, a
model, a policy and a table are worked with, and may have been edited or be the last of their kind: one that is there
stays, unless --overwrite was said. Never replaced is what no command of this kind wrote: a folder, a device, a file of
a run's own, or a file that is called a picture, a page or a film and is none.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from rltrain.errors import InputError
from rltrain.plain_files import kind, open_plain
from rltrain.spelling import shown
from rltrain.whole_files import refused

VIEWED = {  # suffix -> what it is called, and how a file of this kind begins
    ".png": ("picture", (b"\x89PNG\r\n\x1a\n",)),
    ".svg": ("picture", (b"<?xml", b"<svg", b"<!doctype svg")),
    ".pdf": ("picture", (b"%pdf-",)),
    ".html": ("page", (b"<!doctype html", b"<html")),
    ".htm": ("page", (b"<!doctype html", b"<html")),
    ".gif": ("film", (b"gif8",)),
    ".mp4": ("film", (b"ftyp",)),
}
HEAD = 256  # bytes of a file that are looked at
BOX = 4  # bytes before the type of the first box of an MP4: its length
TABLES = ("metrics", "eval", "points", "trials")
OF_A_RUN = ("checkpoints", "seeds.json", "sweep.json")  # beside them lie a run's own files, those of seeds, of a sweep
OWN = ("config.yaml", "experiment.yaml", "base.yaml", "sweep.yaml", *(f"{name}.csv" for name in TABLES))


def check_output(path: Path, what: str, suffixes: Sequence[str], overwrite: bool = False) -> None:
    """InputError or DiskError unless a command may write `what`, such as "a picture", to `path`.

    suffixes   how its name may end, in any case
    overwrite  --overwrite was said: an existing file may be replaced, whatever is in it
    """
    if path.suffix.lower() not in suffixes:
        known = ", ".join(suffixes[:-1]) + (" or " if suffixes[1:] else "") + suffixes[-1]
        raise InputError(f"{shown(str(path))}: the name of {what} ends in {known}")
    check_place(path, overwrite)


def check_place(path: Path, overwrite: bool = False) -> None:
    """`check_output` for a name whose ending is held against another rule."""
    try:
        if path.is_dir():
            raise InputError(f"{shown(str(path))}: is a folder; name a file in it")
        check_home(path)
        if os.path.lexists(path):
            _check_replaced(path, overwrite)
    except OSError as error:
        raise refused(path, error) from error


def check_home(path: Path) -> None:
    """InputError unless the folder around a new file, or folder, is there; DiskError unless it may be written in."""
    home = path.absolute().parent
    try:
        if not home.is_dir():
            raise InputError(
                f"{shown(str(path))}: there is no folder {shown(str(path.parent))}; make it, or write elsewhere"
            )
        if not os.access(home, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise refused(path, error) from error


def _check_replaced(path: Path, overwrite: bool) -> None:
    """InputError unless the file of this name may be replaced. OSError where it cannot be read."""
    text = shown(str(path))
    link = path.is_symlink()  # it is what is replaced; what it leads to is left alone
    found = None if link else kind(path.lstat().st_mode)
    if found is not None:
        raise InputError(f"{text}: is {found}, where a file belongs; write elsewhere")
    if path.name in OWN and any(os.path.lexists(path.parent / name) for name in OF_A_RUN):
        raise InputError(f"{text}: belongs to the run in this folder and is never replaced; write elsewhere")
    if overwrite:
        return
    if path.suffix.lower() not in VIEWED:
        raise InputError(f"{text}: exists; --overwrite replaces it")
    what, heads = VIEWED[path.suffix.lower()]
    if not link and not _begins(path, heads):
        raise InputError(f"{text}: exists and is no {what}, so it is not replaced; move it away, or write elsewhere")


def _begins(path: Path, heads: Sequence[bytes]) -> bool:
    """Whether a file is empty, or begins as its kind does."""
    with open_plain(path) as file:
        head = file.read(HEAD)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return not head or any(text.startswith(own.lower()) for own in heads) or head[BOX:].startswith(tuple(heads))
