"""What an algorithm has to list and to tell besides its curves, such as the points of a search: a CSV file a table.

An algorithm's module may offer `tables(config, spec, state) -> {"points": {"p": [n], "score": [n]}}`. A table is a
function of the state that is saved, and is written whole at each save; so a resumed run's equals that of one that was
never stopped.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from rltrain import registry
from rltrain.cells import guarded
from rltrain.core import Algorithm, Array, EnvSpec, State
from rltrain.experiment.config import Experiment
from rltrain.run.own_files import write_small
from rltrain.run.sinks import csv_head


def write_tables(experiment: Experiment, spec: EnvSpec, state: State, folder: Path, durable: bool = True) -> None:
    """folder/NAME.csv for each table of the algorithm's saved state; not `durable`: the next save is. DiskError."""
    tables = vars(registry.load(experiment.algorithm_name)).get("tables")
    if tables is None:
        return
    for name, columns in tables(experiment.algorithm, spec, state).items():
        write_small(folder / f"{name}.csv", as_csv(columns), durable=durable)


def findings(experiment: Experiment, spec: EnvSpec, algorithm: Algorithm) -> list[str]:
    """What an algorithm has to tell at the end of a run, in lines: its module's `findings(config, spec, state)`."""
    told = vars(registry.load(experiment.algorithm_name)).get("findings")
    lines: list[str] = [] if told is None else told(experiment.algorithm, spec, algorithm.save())
    return lines


def as_csv(columns: Mapping[str, Array]) -> str:
    """Columns of one length as text: their names, then a line a row, each number so that it reads back the same."""
    text = io.StringIO()
    text.write(csv_head(list(columns)).decode())
    writer = csv.writer(text, lineterminator="\n")
    for row in zip(*(np.asarray(column).tolist() for column in columns.values()), strict=True):
        writer.writerow(guarded(cell) if isinstance(cell, str) else cell for cell in row)
    return text.getvalue()
