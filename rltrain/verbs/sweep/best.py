"""`rltrain sweep best`: the config of a trial, complete, with the seed and the budget of the config that was varied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rltrain import words
from rltrain.errors import InputError
from rltrain.experiment import config
from rltrain.outputs import check_place
from rltrain.spelling import shown
from rltrain.verbs.sweep import ranking, study
from rltrain.whole_files import replacing
from rltrain.yaml_subset import flow


@dataclass(frozen=True)
class BestConfig:
    """The config of a trial as text, and which trial it is."""

    text: str
    trial: str  # its name
    rank: int
    score: float | None


def best(name: str, runs_dir: Path, rank: int = 1) -> BestConfig:
    """The config of the trial of this rank. InputError where no trial has it, CheckpointError for damaged files."""
    found = study.read(study.find(runs_dir, name))
    ranked = [row for row in ranking.in_order(found.rows) if ranking.is_ranked(row)]
    if not ranked:
        diverged = sum(row.state == "diverged" for row in found.rows)
        why = f", {words.many(diverged, 'trial')} diverged" if diverged else ""
        rule = f"no trial has a score yet{why}; rltrain sweep show says how far it is"
        raise InputError(f"{shown(str(found.folder))}: {rule}")
    if rank > len(ranked):
        raise InputError(f"--rank {rank}: only {words.many(len(ranked), 'trial')} of {shown(name)} have a score")
    row = ranked[rank - 1]
    overrides = [f"{key}={flow(value)}" for key, value in found.values(row).items()]
    experiment = config.load(found.folder / study.BASE, overrides)
    head = [
        f"# Trial {row.name} of the sweep {shown(found.folder.name)}: rank {rank} of {len(ranked):,}, {_scored(row)}.",
        *(f"#   {shown(override)}" for override in overrides),
    ]
    return BestConfig("\n".join(head) + f"\n\n{experiment.to_yaml()}", row.name, rank, row.score)


def _scored(row: study.TrialRow) -> str:
    low_high = "" if row.ci95 is None else f" ({words.score(row.ci95[0])} to {words.score(row.ci95[1])})"
    return f"score {words.score(row.score)}{low_high} over {words.many(row.seeds, 'seed')}"


def write(path: Path, text: str, overwrite: bool) -> None:
    """The config into a new file. InputError where there is one already, DiskError."""
    check_place(path, overwrite)
    with replacing(path) as file:
        file.write(text.encode())
