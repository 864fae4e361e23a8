"""status.json: what a run says of its own state, for `rltrain list`. `unverified` reads it."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rltrain.errors import DiskError
from rltrain.run.disk import Disk
from rltrain.run.own_files import write_small

EVERY_SECONDS = 2.0


class StatusFile:
    """Written at most every two seconds, and never worth stopping for."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._path, self._disk = folder / "status.json", disk
        self._written = -1e9  # time.monotonic()

    def write(
        self, state: str, counters: Mapping[str, int], scores: Mapping[str, Any], *, at_once: bool = False
    ) -> None:
        """`state`: running, finished, interrupted, diverged, crashed …; `at_once`: it is the last, and stays."""
        if not at_once and time.monotonic() - self._written < EVERY_SECONDS:
            return
        self._written = time.monotonic()
        status = {"state": state, "counters": dict(counters), **scores, "updated": time.time(), "pid": os.getpid()}
        with contextlib.suppress(DiskError):
            write_small(self._path, json.dumps(status) + "\n", self._disk, durable=at_once)
