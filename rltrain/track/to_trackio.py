"""Trackio: a database of SQLite on this machine, in TRACKIO_DIR; elsewhere only by trackio's own settings."""

from __future__ import annotations

import io
import secrets
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import trackio
from trackio.sqlite_storage import SQLiteStorage

from rltrain.core import Table
from rltrain.track.contract import Scalar, TrackedRun


class Trackio:
    """A run of trackio: see `contract.Tracker`. It is found again by its name, which is therefore made unique."""

    again = "keeps both"
    whole = True

    def __init__(self, run: TrackedRun, known: str | None) -> None:
        self.id = known or f"{run.name.replace('/', '-')}-{secrets.token_hex(3)}"
        self.where = f'trackio show --project "{run.project}"'
        self._about = run
        self._step = 0
        self._run: Any = None  # open while rows wait: to close it is trackio's way to write them

    def last_steps(self) -> Mapping[Table, int]:
        steps: dict[Table, int] = {}
        for row in SQLiteStorage.get_logs(self._about.project, self.id):
            step = int(row.pop("step"))
            for key, value in row.items():
                if isinstance(value, int | float) and not key.startswith("summary/"):
                    table: Table = "eval" if key.startswith("eval/") else "train"
                    steps[table] = max(steps.get(table, -1), step)
        self._step = max(0, *steps.values()) if steps else 0
        return steps

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        self._opened().log(dict(metrics), step=step)
        self._step = max(self._step, step)

    def flush(self) -> None:
        if self._run is not None:
            with redirect_stdout(io.StringIO()):  # it says at each turn that it begins and ends
                trackio.finish()  # of the run, which is then no longer the one that is closed when the process ends
            self._run = None

    def file(self, path: Path) -> None:
        run = self._opened()
        if path.suffix == ".png":
            run.log({path.stem: trackio.Image(str(path))}, step=self._step)
        elif path.suffix in (".mp4", ".gif"):
            run.log({path.stem: trackio.Video(str(path), format=path.suffix[1:])}, step=self._step)
        else:
            run.log_artifact(str(path), type=path.suffix[1:])

    def finish(self, state: str, summary: Mapping[str, Scalar]) -> None:
        told = {f"summary/{key}": value for key, value in {"state": state, **summary}.items()}
        self._opened().log(told, step=self._step)
        self.flush()

    def _opened(self) -> Any:
        if self._run is None:
            with redirect_stdout(io.StringIO()):
                self._run = trackio.init(
                    self._about.project,
                    name=self.id,
                    config={**self._about.params, **self._about.tags},
                    resume="allow",
                    embed=False,
                    auto_log_gpu=False,
                    auto_log_cpu=False,
                )
        return self._run
