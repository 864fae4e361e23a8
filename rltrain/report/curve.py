"""The picture of one run: each kind of run has the one that suits it.

A kind is known by what the folder holds, so that an algorithm from elsewhere that reports the same numbers is drawn
as ours are:

    points.csv                     trials: the score over the parameters             (search)
    the metric population/best     generations: best, median and spread              (genetic and its relatives)
    the metric bound               sweeps: error and proven bound                    (viter, qiter)
    a known error/max              tables of values against the truth                (qlearn, td)
    a known error/root             search for each move against the truth            (uct)
    nothing is learned             the histogram of the returns                      (basic)
    all else                       returns of training games, and evaluations        (dqn, reinforce, ...)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rltrain.report import canvas, generations, histogram, reading, returns, searches, tables, trials
from rltrain.report.reading import Record, finite

NAME = "curve.png"


def draw(folder: Path, target: Path | None = None) -> Path:
    """Draw a run's picture to curve.png in its folder, or to `target`, and return its path.

    MissingError without matplotlib, InputError for a run without numbers or a bad `target`, DiskError.
    """
    if target is not None:
        canvas.check(target)
    return canvas.write(figure(reading.load(folder)), target or folder / NAME)


def figure(run: Record) -> Any:
    """The matplotlib figure of a run, chosen by what the run holds; see the module."""
    if (run.folder / trials.POINTS).is_file():
        return trials.draw(run)
    if "population/best" in run.training:
        return generations.draw(run)
    if "bound" in run.training or finite(run.training.get("error/max", [])):
        return tables.draw(run)
    if finite(run.training.get("error/root", [])):
        return searches.draw(run)
    if run.algorithm == "basic":
        return histogram.draw(run)
    return returns.draw(run)
