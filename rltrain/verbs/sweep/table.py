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


def write(folder: Path, sweep: Sweep, trials: Sequence[JournaledTrial]) -> None:
    """Replace the table. It follows from the journal, so it may be lost with the power. DiskError."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([*COLUMNS, *map(guarded, sweep.space)])
    for trial in trials:
        rows.writerow([*_told(sweep, trial), *_tried(sweep, trial)])
    write_small(folder / TRIALS, text.getvalue(), durable=False)


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
