"""MLflow: an experiment is the project, and rows go in batches of at most 1,000 numbers, as its server wants them.

Where to is MLflow's own setting, MLFLOW_TRACKING_URI; without it that is a file in the working directory.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path

import mlflow
from mlflow.entities import Metric, Param, RunTag

from rltrain.core import Table
from rltrain.track.contract import Scalar, TrackedRun

MOST_METRICS, MOST_PARAMS = 1_000, 100  # in a request
LONGEST = 500  # characters of a parameter, which older servers take
STATES = {"finished": "FINISHED", "interrupted": "KILLED", "running": "RUNNING"}  # all others are FAILED


class Mlflow:
    """A run of MLflow: see `contract.Tracker`."""

    again = "keeps both"
    whole = False

    def __init__(self, run: TrackedRun, known: str | None) -> None:
        self._client = mlflow.MlflowClient()
        self._rows: list[Metric] = []
        if known is None:
            found = self._client.get_experiment_by_name(run.project)
            home = found.experiment_id if found is not None else self._client.create_experiment(run.project)
            made = self._client.create_run(home, run_name=run.name, tags=dict(run.tags))
            self.id = str(made.info.run_id)
            params = [Param(_name(key), str(value)[:LONGEST]) for key, value in run.params.items()]
            for first in range(0, len(params), MOST_PARAMS):
                self._client.log_batch(self.id, params=params[first : first + MOST_PARAMS])
        else:
            self.id = known
            self._client.update_run(known, status="RUNNING")
        place = mlflow.get_tracking_uri()
        self.where = place if place.startswith("http") else f"mlflow ui --backend-store-uri {place}"

    def last_steps(self) -> Mapping[Table, int]:
        steps: dict[Table, int] = {}
        for key in self._client.get_run(self.id).data.metrics:
            table: Table = "eval" if key.startswith("eval/") else "train"
            rows = self._client.get_metric_history(self.id, key)
            steps[table] = max(steps.get(table, -1), *(row.step for row in rows))
        return steps

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        now = int(time.time() * 1_000)
        self._rows += [Metric(_name(key), value, now, step) for key, value in metrics.items()]

    def flush(self) -> None:
        for first in range(0, len(self._rows), MOST_METRICS):
            self._client.log_batch(self.id, metrics=self._rows[first : first + MOST_METRICS])
        self._rows.clear()

    def file(self, path: Path) -> None:
        self._client.log_artifact(self.id, str(path))

    def finish(self, state: str, summary: Mapping[str, Scalar]) -> None:
        self.flush()
        said = [RunTag(f"summary.{key}", str(value)) for key, value in {"state": state, **summary}.items()]
        self._client.log_batch(self.id, tags=said)
        if state == "running":
            self._client.update_run(self.id, status="RUNNING")
        else:
            self._client.set_terminated(self.id, status=STATES.get(state, "FAILED"))


def _name(key: str) -> str:
    """A name as MLflow takes it: letters, digits, and _ - . space : /"""
    return re.sub(r"[^\w\-. :/]", "_", key)[:250]
