"""A cache of numbers between commands: small JSON files in the user's cache folder, each named by its question.

`$XDG_CACHE_HOME/rltrain`, else `~/.cache/rltrain` (XDG Base Directory Specification). A cache is only a shortcut: what
cannot be read, or is not the answer to exactly this question, is not there; what cannot be written is not kept.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rltrain.errors import DiskError
from rltrain.plain_files import read_object
from rltrain.whole_files import replacing

MOST_BYTES = 1 << 16  # of a file: far more than one holds


def folder() -> Path | None:
    """The cache folder; None where the user has no home. It need not exist."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):  # the specification: relative ones are to be ignored
        return Path(base) / "rltrain"
    try:
        return Path.home() / ".cache" / "rltrain"
    except RuntimeError:
        return None


def recall(kind: str, question: Mapping[str, Any]) -> Any:
    """The JSON value that `keep` was given for this kind and question; None if there is none."""
    path = _path(kind, question)
    if path is None:
        return None
    try:
        found = read_object(path, MOST_BYTES)
    except (OSError, ValueError):
        return None
    # As JSON has it: a tuple was written as a list.
    asked = json.loads(json.dumps(question))
    return found.get("answer") if found.get("question") == asked else None


def keep(kind: str, question: Mapping[str, Any], answer: Any) -> None:
    """Remember a JSON value as the answer to a question, if the disk allows."""
    path = _path(kind, question)
    if path is None:
        return
    text = json.dumps({"question": question, "answer": answer}, allow_nan=False) + "\n"
    with suppress(OSError, DiskError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(text.encode())


def _path(kind: str, question: Mapping[str, Any]) -> Path | None:
    place = folder()
    name = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
    return None if place is None else place / kind / f"{name}.json"
