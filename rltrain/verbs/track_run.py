"""Send a run to an experiment tracker, for a program: `rltrain.track_run`. `rltrain.track` is the room behind it."""

from __future__ import annotations

import os
from typing import Literal

from rltrain.track import targets
from rltrain.verbs.given import one_of, path_of, text_or_none, yes_or_no
from rltrain.verbs.meant import alone
from rltrain.verbs.track import TrackReport, track


def track_run(
    run: str | os.PathLike[str],
    to: Literal["trackio", "wandb", "mlflow", "tensorboard"],
    *,
    project: str | None = None,
    follow: bool = False,
    runs_dir: str | os.PathLike[str] = "runs",
) -> TrackReport:
    """Send what a run has, and was not sent before, to an experiment tracker: rows, evaluations, config, pictures.

    run       a result of `rltrain.train`, a run's folder, or its name in runs_dir
    project   where runs lie together at the tracker; None: where this run lies already, else `rltrain`
    follow    go on until the run, which another process trains, is over

    `.rows` says how many went, `.where` how to look at them. It goes on in the same run of the tracker each time, and
    sends nothing twice. After Ctrl-C `partial` is true. InputError, also for what the tracker's package raises;
    MissingError without that package, BusyError while another process sends this run there, CheckpointError, DiskError.
    """
    one_of("to", to, (*targets.NAMES, targets.EVENTS))
    text_or_none("project", project)
    follow, folder = yes_or_no("follow", follow), path_of("runs_dir", runs_dir)
    return track(alone(run, folder), to, project=project, follow=follow, runs_dir=folder)
