"""Weights & Biases: rows by the run's own counter, so that no order is asked of them.

W&B's own step must rise from row to row of a process, and rows below it are dropped. So it is left alone, and every
metric is drawn over the counter that stands in its row (`define_metric`). Where WANDB_MODE is offline the rows go to a
folder that `wandb sync` takes.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb

from rltrain.core import Table
from rltrain.track.contract import Scalar, TrackedRun


class Wandb:
    """A run of W&B: see `contract.Tracker`."""

    again = "shows both"
    whole = False

    def __init__(self, run: TrackedRun, known: str | None) -> None:
        self.id = known or secrets.token_hex(4)
        self._counter = run.counter
        self._run: Any = wandb.init(
            project=run.project,
            id=self.id,
            name=run.name,
            resume="allow",
            config=dict(run.params),
            tags=[value[:64] for value in run.tags.values()],
            settings=wandb.Settings(
                silent=True, console="off", x_disable_stats=True, disable_git=True, disable_code=True, save_code=False
            ),
        )
        self._run.define_metric(run.counter)
        self._run.define_metric("*", step_metric=run.counter)
        folder = Path(self._run.dir).parent
        self.where = f"wandb sync {folder}" if self._run.offline else str(self._run.url)

    def last_steps(self) -> Mapping[Table, int]:
        return {}

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        self._run.log({self._counter: step, **metrics})

    def flush(self) -> None:
        """A row goes to the process of `wandb-core` at once, which writes it even if this process is killed."""

    def file(self, path: Path) -> None:
        if path.suffix in (".png", ".gif"):
            self._run.log({path.stem: wandb.Image(str(path))})
        elif path.suffix == ".mp4":
            self._run.log({path.stem: wandb.Video(str(path))})
        else:
            self._run.log({path.stem: wandb.Html(path.read_text(encoding="utf-8"), inject=False)})

    def finish(self, state: str, summary: Mapping[str, Scalar]) -> None:
        self._run.summary.update({"state": state, **summary})
        self._run.finish(exit_code=0 if state in ("finished", "interrupted", "running") else 1)
