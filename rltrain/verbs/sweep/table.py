"""trials.csv: a row for each trial of a sweep, written whole when trials are told.

    trial,state,rung,counter,score,seeds,ci95_low,ci95_high,algorithm.learning_rate,...

`rung` is the last at which a trial was scored and `counter` where that was: both are empty without a halving. `seeds`
are those that were scored, the interval is Student's over them. Settings are written as in YAML.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from rltrain.cells import guarded
from rltrain.experiment.sweep import Sweep
from rltrain.run.across_seeds import across
from rltrain.run.own_files import write_small
from rltrain.verbs.sweep.dimensions import values
from rltrain.verbs.sweep.journal import JournaledTrial
from rltrain.verbs.sweep.study import COLUMNS, TRIALS
from rltrain.yaml_subset import flow

STATES = {"running": "running", "complete": "finished", "pruned": "paused", "fail": "diverged"}


class TrialsTable:
    """The table of a sweep. A row is made once for each state of its trial: of 10,000 trials a batch tells a few."""

    def __init__(self, folder: Path, sweep: Sweep) -> None:
        self._path, self._sweep = folder / TRIALS, sweep
        self._rows: dict[int, tuple[tuple[int, str], str]] = {}  # number -> what its row was made of, and the row

    def write(self, trials: Sequence[JournaledTrial]) -> None:
        """Replace the file. It follows from the journal, so it may be lost with the power. DiskError."""
        for trial in trials:
            state = len(trial.tells), trial.state
            if trial.number not in self._rows or self._rows[trial.number][0] != state:
                row = [*_told(self._sweep, trial), *_tried(self._sweep, trial)]
                self._rows[trial.number] = state, _line(row)
        head = _line([*COLUMNS, *map(guarded, self._sweep.space)])
        write_small(self._path, "".join([head, *(self._rows[trial.number][1] for trial in trials)]), durable=False)


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _told(sweep: Sweep, trial: JournaledTrial) -> list[str]:
    last = trial.tells[-1] if trial.tells else None
    rung = len(trial.tells) - 1 if sweep.rungs and trial.tells else None
    state = "diverged" if last is not None and last.diverged else STATES[trial.state]
    scores = [] if last is None else [score for score in last.seeds if score is not None]
    found = None if last is None or last.diverged else across(scores)
    ends = ("", "") if found is None or found.ci95 is None else (repr(found.ci95[0]), repr(found.ci95[1]))
    score = "" if trial.score is None else repr(trial.score)
    where = ["", ""] if rung is None else [str(rung), str(sweep.rungs[rung])]
    return [str(trial.number), state, *where, score, str(0 if found is None else found.n), *ends]


def _tried(sweep: Sweep, trial: JournaledTrial) -> list[str]:
    return [guarded(flow(value)) for value in values(sweep.space, trial.point).values()]
