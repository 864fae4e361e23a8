"""Successive halving (Jamieson & Talwalkar 2016): of n trials the best max(1, n // factor) go on, factor times as far.

    from, from * factor, ..., to     the rungs, where trials are scored

Trials that were asked after a halving went on to its second rung compete among themselves: a bracket (Li et al. 2018).
Who diverged does not go on. Of equal scores the lower number goes first.
"""

from __future__ import annotations

from collections.abc import Sequence

from rltrain.verbs.sweep.journal import JournaledTrial


def promoted(trials: Sequence[JournaledTrial], rung: int, factor: int) -> list[JournaledTrial]:
    """Those that go on from this rung, at which all are scored, in the order of their numbers."""
    able = [(trial.tells[rung].score, trial) for trial in trials if not trial.tells[rung].diverged]
    ranked = sorted(((-score, trial.number, trial) for score, trial in able if score is not None), key=lambda r: r[:2])
    return sorted((trial for _, _, trial in ranked[: max(1, len(trials) // factor)]), key=lambda trial: trial.number)


def brackets(begun: Sequence[int], trials: int) -> list[tuple[int, int]]:
    """(first, end) of the trials of each bracket; `begun`: how many trials there were as each went on to rung 1."""
    ends = [*(end for end in begun if end < trials), trials]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def work(rungs: Sequence[int], trials: int, factor: int) -> list[tuple[int, int]]:
    """(trials, counts of the counter) of each rung of a bracket, for who wonders how long it takes."""
    found, before = [], 0
    for rung in rungs:
        found.append((trials, rung - before))
        trials, before = max(1, trials // factor), rung
    return found
