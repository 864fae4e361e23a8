"""What trial k of a sweep tries: a pure function of space, search, seed, k and the scores that are known.

    grid     every combination once, the last key fastest
    random   uniform; where `log` is set, of the logarithm
    sobol    point k of a Sobol' sequence, scrambled (Owen 1998)
    tpe      tree-structured Parzen estimators, all keys together (Bergstra et al. 2011; Falkner et al. 2018), of Optuna
    gp       a Gaussian process and the expected improvement of its logarithm (Ament et al. 2023), of Optuna
    cmaes    CMA-ES (Hansen 2016), of ranges alone: `algos.cmaes`

Known are the scores of the trials below (k // at_once) * at_once, in their order. Every trial has a sampler of its own,
seeded by the sweep's seed and k, so who finished first, how many run at once and every resume leave no trace. A
generation of CMA-ES is a whole number of batches, so all of it is known when the next begins.

Optuna's studies in parallel cannot be repeated (optuna#3056): its samplers live on from trial to trial.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from rltrain.errors import MissingError
from rltrain.experiment.space import OneOf, Range, Varied
from rltrain.experiment.sweep import Sweep
from rltrain.rng import derive
from rltrain.verbs.sweep.dimensions import Point, at, count, inside, nth, place

INSTALL = 'pip install "rltrain[sweep]"'
SIGMA = 0.5  # of CMA-ES at its start, in halves of the ranges: as `algos.cmaes` has it


class KnownTrial(NamedTuple):
    """A trial that was tried, and its score, more being better; None if it diverged before any other had one."""

    point: Point
    score: float | None


def asks(
    sweep: Sweep, numbers: Sequence[int], known: Sequence[KnownTrial], at_work: Sequence[Point] = ()
) -> list[Point]:
    """What the trials of these numbers try, which are asked together.

    known     the trials whose scores are known, in their order
    at_work   the points of others that are tried now
    MissingError where the search is Optuna's and that is not installed.
    """
    if sweep.settings.search in ("tpe", "gp"):
        return _by_optuna(sweep, numbers, known, at_work)
    if sweep.settings.search == "cmaes":
        return _by_cmaes(sweep, numbers, known)
    by_number = {"grid": _in_grid, "random": _at_random, "sobol": _in_sobol}[sweep.settings.search]
    return [by_number(sweep, number) for number in numbers]


def _in_grid(sweep: Sweep, number: int) -> Point:
    point: Point = {}
    for key, dimension in reversed(list(sweep.space.items())):
        number, index = divmod(number, count(dimension) or 1)
        point[key] = nth(dimension, index)
    return {key: point[key] for key in sweep.space}


def _at_random(sweep: Sweep, number: int) -> Point:
    stream = np.random.default_rng(derive(sweep.settings.seed, number))
    drawn = stream.random(len(sweep.space)).tolist()
    return {key: at(dimension, u) for (key, dimension), u in zip(sweep.space.items(), drawn, strict=True)}


def _in_sobol(sweep: Sweep, number: int) -> Point:
    from scipy.stats import qmc

    engine = qmc.Sobol(
        len(sweep.space), scramble=True, seed=np.random.default_rng(derive(sweep.settings.seed, "sobol"))
    )
    if number:
        engine.fast_forward(number)
    drawn = engine.random(1)[0].tolist()
    return {key: at(dimension, u) for (key, dimension), u in zip(sweep.space.items(), drawn, strict=True)}


# CMA-ES


def generation_size(ranges: int, at_once: int) -> int:
    """Samples in a generation: whole batches, and no fewer than Hansen's default for so many ranges."""
    from rltrain.algos.cmaes import default_population

    return math.ceil(default_population(ranges) / at_once) * at_once


def _by_cmaes(sweep: Sweep, numbers: Sequence[int], known: Sequence[KnownTrial]) -> list[Point]:
    """Replay the generations that are known, then sample. [n, P] in halves of the ranges: -1 and 1 are their ends."""
    from rltrain.algos import cmaes

    ranges = {key: varied for key, varied in sweep.space.items() if isinstance(varied, Range)}  # all of them
    size, per_generation = len(ranges), generation_size(len(ranges), sweep.settings.at_once)
    rates = cmaes.rates(size, per_generation)
    search = cmaes.Search(np.zeros(size), SIGMA, np.eye(size), np.zeros(size), np.zeros(size))
    for generation in range(len(known) // per_generation):
        members = known[generation * per_generation :][:per_generation]
        samples = np.array([[2 * place(r, m.point[key]) - 1 for key, r in ranges.items()] for m in members])
        scores = np.array([-np.inf if m.score is None else m.score for m in members])
        search = cmaes.update(search, rates, samples, scores, generation + 1)
    found = []
    for number in numbers:
        stream = np.random.default_rng(derive(sweep.settings.seed, number))
        halves = np.clip(cmaes.sample(search, stream.standard_normal((1, size)))[0], -1, 1).tolist()
        found.append({key: at(r, (half + 1) / 2) for (key, r), half in zip(ranges.items(), halves, strict=True)})
    return found


# Optuna


def _by_optuna(
    sweep: Sweep, numbers: Sequence[int], known: Sequence[KnownTrial], at_work: Sequence[Point]
) -> list[Point]:
    """A study in memory of the trials that are known; for each number a fresh sampler is asked.

    A Gaussian process is told which points are tried already: all of a batch would be at its one maximum else.
    """
    optuna = _optuna()
    with _quiet(optuna), _one_thread(sweep.settings.search):
        kinds = {key: _distribution(optuna, dimension) for key, dimension in sweep.space.items()}
        study = optuna.create_study(direction="maximize")
        study.add_trials(
            [
                optuna.trial.create_trial(params=dict(each.point), distributions=kinds, value=each.score)
                for each in known
                if each.score is not None
            ]
        )
        states = optuna.trial.TrialState
        found: list[Point] = []
        for point in at_work:
            study.add_trial(optuna.trial.create_trial(state=states.RUNNING, params=dict(point), distributions=kinds))
        for number in numbers:
            study.sampler = _sampler(optuna, sweep.settings.search, derive(sweep.settings.seed, number))
            asked = study.ask(kinds)
            study.tell(asked, state=states.FAIL)  # in its place stands, as of others at work, what is tried
            found.append({key: _as_written(varied, asked.params[key]) for key, varied in sweep.space.items()})
            study.add_trial(optuna.trial.create_trial(state=states.RUNNING, params=found[-1], distributions=kinds))
        return found


def _distribution(optuna: Any, varied: Varied) -> Any:
    """Of the numbers of a point: a choice is one of its indices."""
    kinds = optuna.distributions
    if isinstance(varied, OneOf):
        return kinds.CategoricalDistribution(range(len(varied.values)))
    if varied.whole:
        return kinds.IntDistribution(varied.low, varied.high, varied.log, 1 if varied.step is None else varied.step)
    return kinds.FloatDistribution(varied.low, varied.high, varied.log, varied.step)


def _as_written(varied: Varied, number: Any) -> int | float:
    """Optuna adds steps up in floats: 0.30000000000000004."""
    return int(number) if isinstance(varied, OneOf) else inside(varied, number)


def _sampler(optuna: Any, search: str, seed: int) -> Any:
    if search == "gp":
        return optuna.samplers.GPSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=False)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingError(f"sweep.search: tpe and gp are Optuna's, which is not installed: {INSTALL}") from error
    return optuna


@contextmanager
def _one_thread(search: str) -> Iterator[None]:
    """A Gaussian process is fitted by torch, whose sums would depend on how many cores add them up."""
    if search != "gp":
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Without what Optuna tells of itself on standard error: that something is experimental, that a study was made."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)
