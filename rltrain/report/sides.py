"""Which runs a comparison holds against which: a side is one config in one or more environments, over several seeds.

Of several patterns or folders each is a side, called as it was typed. Runs that are named one by one, or that a single
pattern fits, are sorted by their configs, as for a picture (`groups`). In several environments a side is what has the
same name in each: settings may be others there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rltrain import words
from rltrain.errors import InputError
from rltrain.report import groups
from rltrain.report.groups import PlotGroup
from rltrain.report.reading import Record
from rltrain.spelling import shown


@dataclass(frozen=True)
class Side:
    """Runs that are compared with others."""

    label: str
    runs: Mapping[str, tuple[Record, ...]]  # by environment, the seeds in order

    def seeds(self, environment: str) -> list[int]:
        """The seeds of its runs in an environment."""
        return [run.seed for run in self.runs[environment]]


def sides(
    given: Mapping[str, Sequence[Record]], alone: Sequence[Record], several: bool
) -> tuple[list[Side], list[str], list[str]]:
    """The sides, the environments in which all of them play, and a line on each run that is left out.

    given     the runs of each pattern or folder, by what was typed
    alone     runs to be sorted by their configs
    several   whether runs of more than one environment may be compared
    InputError for fewer than two sides, for a side of more than one config, and for one that lacks an environment.
    """
    every = [run for runs in given.values() for run in runs] + list(alone)
    names = list(dict.fromkeys(run.environment for run in every))
    if len(names) > 1 and not several:
        raise InputError(
            f"the runs play {_listed(names)}, whose scores are of different sizes: add --by environment, which sets"
            " random play to 0 and what counts as solved to 1, or compare those of one environment"
        )
    found: dict[str, dict[str, tuple[Record, ...]]] = {}
    left_out: list[str] = []
    for label, runs in given.items():
        for name, own in _by_environment(runs).items():
            group = _only(label, name, own, left_out)
            found.setdefault(label, {})[name] = group.runs
    for name, own in _by_environment(alone).items():
        members, repeated = groups.group(own)
        left_out += repeated
        for group in members:
            label = group.label if len(members) > 1 else own[0].algorithm
            while label in given:
                label += " (by name)"
            found.setdefault(label, {})[name] = group.runs
    if len(found) < 2:
        (label,) = found
        raise InputError(
            f"{words.many(len(every), 'different run')} of one side, {shown(label)}: at most the seed differs; name a"
            " second side to compare with: rltrain compare 'dqn-*' 'ppo-*'"
        )
    for label, runs_of in found.items():
        for name in names:
            if name not in runs_of:
                raise InputError(
                    f"{shown(label)} has no run on {shown(name)}, and others have: each side needs runs in every"
                    " environment"
                )
    ordered = [
        Side(label, {name: tuple(sorted(runs_of[name], key=lambda run: run.seed)) for name in names})
        for label, runs_of in found.items()
    ]
    return ordered, names, left_out


def paired(one: Side, other: Side) -> bool:
    """Whether both have runs of the same seeds in every environment."""
    return all(one.seeds(name) == other.seeds(name) for name in one.runs)


def _only(label: str, environment: str, runs: Sequence[Record], left_out: list[str]) -> PlotGroup:
    """The one group that runs of a side form in an environment. InputError if they are of several configs."""
    found, repeated = groups.group(runs)
    left_out += repeated
    if len(found) > 1:
        of = "; ".join(f"{group.label} ({group.runs[0].folder.name}, ...)" for group in found[:3])
        raise InputError(
            f"{shown(label)} fits runs of {len(found)} configs on {shown(environment)}: {shown(of)}; a side is one"
            " config over several seeds: name fewer runs, or give all by one pattern, to be sorted by their configs"
        )
    return found[0]


def _by_environment(runs: Sequence[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for run in runs:
        found.setdefault(run.environment, []).append(run)
    return found


def _listed(names: Sequence[str]) -> str:
    return " and ".join(shown(name) for name in names) if len(names) < 4 else f"{len(names)} environments"
