"""What an algorithm has to list and to tell besides its curves, such as the points of a search: a CSV file a table.

A table, such as {"points": {"p": [n], "score": [n]}} of `AlgorithmPlugin.tables`, is a function of the state that is
saved, and is written whole at each save; so a resumed run's equals that of one that was never stopped.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rltrain import registry
from rltrain.cells import guarded
from rltrain.core import Algorithm, Array, EnvSpec, State
from rltrain.experiment.config import Experiment
from rltrain.run.build import seen_by
from rltrain.run.own_files import write_small
from rltrain.run.sinks import csv_head


def write_tables(experiment: Experiment, spec: EnvSpec, state: State, folder: Path, durable: bool = True) -> None:
    """folder/NAME.csv for each table of the algorithm's saved state; not `durable`: the next save is. DiskError."""
    name = experiment.algorithm_name
    tables = registry.plugin(name).tables(experiment.algorithm, seen_by(name, spec), state)
    for name, columns in tables.items():
        write_small(folder / f"{name}.csv", as_csv(columns), durable=durable)


def summary_lines(experiment: Experiment, spec: EnvSpec, algorithm: Algorithm) -> Sequence[str]:
    """What an algorithm has to tell a person at the end of a run, a line each."""
    name = experiment.algorithm_name
    return registry.plugin(name).summary_lines(experiment.algorithm, seen_by(name, spec), algorithm.save())


def as_csv(columns: Mapping[str, Array]) -> str:
    """Columns of one length as text: their names, then a line a row, each number so that it reads back the same."""
    text = io.StringIO()
    text.write(csv_head(list(columns)).decode())
    writer = csv.writer(text, lineterminator="\n")
    for row in zip(*(np.asarray(column).tolist() for column in columns.values()), strict=True):
        writer.writerow(guarded(cell) if isinstance(cell, str) else cell for cell in row)
    return text.getvalue()
