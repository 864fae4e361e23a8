"""Where a run's rows go: to every sink, and their times to timings.jsonl, on which nothing depends."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rltrain.core import Metrics, Sink, State, Table
from rltrain.errors import DiskError
from rltrain.run import log_repair, sinks
from rltrain.run.disk import Disk
from rltrain.run.own_files import append
from rltrain.saved import Saved


class Recorder:
    """The sinks of a run: ours, and those of other packages that its config asks for."""

    def __init__(self, folder: Path, asked: Sequence[str], disk: Disk) -> None:
        self._folder, self._disk = folder, disk
        self.sinks: dict[str, Sink] = sinks.make(folder, asked, disk)
        self._waiting = False  # the sinks hold rows that the disk refused

    def write(
        self, table: Table, counters: Mapping[str, int], metrics: Metrics, timing: Mapping[str, float]
    ) -> str | None:
        """Write a row everywhere. Of a disk that is full one warning is returned, until the sinks have written all."""
        faults = []
        for sink in self.sinks.values():
            try:
                sink.write(table, counters, metrics)
            except DiskError as error:
                faults.append(error)
        is_news = bool(faults) and not self._waiting
        self._waiting = bool(faults)
        finite = {name: value if math.isfinite(value) else None for name, value in timing.items()}
        with contextlib.suppress(OSError):
            line = json.dumps({**counters, **finite, "table": table}) + "\n"
            append(self._folder / "timings.jsonl", line, self._disk)
        return f"{faults[0]}; training goes on, the numbers are kept in memory and written later" if is_news else None

    def flush(self) -> None:
        """Before a checkpoint that holds `save()`. DiskError."""
        for sink in self.sinks.values():
            sink.flush()

    def save(self) -> State:
        """The state of each sink by its name."""
        return {name: sink.save() for name, sink in self.sinks.items()}

    def load(self, state: State) -> list[str]:
        """Go back to a state. A warning for each file that was changed since, and is mended.

        A sink that the state lacks was added since, and begins with the next row.
        """
        saved = Saved.of(state)
        logs, warnings = log_repair.mend(self._folder, sinks.logs_of(saved), self._disk)
        for name, sink in self.sinks.items():
            if name in logs or name in saved:
                sink.load(logs[name] if name in logs else saved.part(name))
        return warnings

    def close(self) -> None:
        for sink in self.sinks.values():
            sink.close()
