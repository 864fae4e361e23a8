"""Training: how a run is begun or gone on with, how it is said to have ended, and the picture that it leaves.

`run.loop.Run` does the work: whoever holds one advances it and closes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rltrain.errors import DiskError, DivergedError, EnvironmentFault, RltrainError
from rltrain.experiment.config import Experiment, load
from rltrain.progress import Progress
from rltrain.run import begin as beginnings
from rltrain.run import folder, needs
from rltrain.run.lock import Lock
from rltrain.run.loop import Run
from rltrain.run.starting_point import StartingPoint
from rltrain.verbs.cost import refuse_what_does_not_fit
from rltrain.verbs.saved_policy import SavedRun

STATES: dict[type[BaseException], str] = {
    DivergedError: "diverged",
    DiskError: "disk",
    EnvironmentFault: "environment failed",
}  # of status.json


def begin(experiment: Experiment, runs_dir: Path, name: str | None, command: str, start: SavedRun | None = None) -> Run:
    """A new run in a new folder. OutOfMemoryError for what will not fit, InputError for a name that is taken.

    With a `start` it takes over what was learned there; its warnings say what not. InputError if nothing fits.
    """
    refuse_what_does_not_fit(experiment)
    point = None if start is None else StartingPoint(start.path, start.loaded, start.experiment)
    run = beginnings.create(experiment, runs_dir, name, command, start=point)
    if start is not None and run.started_from is not None:
        left = run.started_from["not_taken"]
        run.warnings += [*start.warnings, *([f"not taken over: {'; '.join(left)}"] if left else [])]
    return _tracked(run)


def resume(place: Path, overrides: Sequence[str] = (), new_episodes: bool = False) -> Run:
    """Go on with the run in this folder, with settings that may change. BusyError while another process does.

    new_episodes   leave the running episodes behind rather than play them again
    """
    needs.require(place)
    with Lock(place):  # a run that is in use is busy, however little memory it leaves
        refuse_what_does_not_fit(load(place / folder.MARKER), resumed=True)
    run = beginnings.resume(place, overrides, new_episodes=new_episodes)
    return _tracked(run)


def _tracked(run: Run) -> Run:
    """Start what sends the run to a tracker, where its config asks for it."""
    if run.experiment.run.track is not None:
        from rltrain.verbs.track import start_beside

        start_beside(run)
    return run


def state_after(error: BaseException) -> str:
    """What status.json says of a run that an error ended."""
    return STATES.get(type(error), "crashed")


def draw(run: Run, progress: Progress | None = None) -> Path:
    """Play the baselines of a finished run, and draw its curve. MissingError, InputError without numbers, DiskError."""
    from rltrain.report import curve  # neither is for a run that leaves no picture
    from rltrain.run import baselines

    if run.finished:
        with suppress(RltrainError):  # they are an ornament of the curve
            baselines.write(run.experiment, run.folder, run.threads, progress)
    return curve.draw(run.folder)
