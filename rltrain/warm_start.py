"""Starting a new run from what another has learned: which layers of its network fit, in numbers and in words.

What was learned is taken over; never what belongs to the other run's course, such as the optimiser's moments, a replay
memory, counters, and schedules. A layer is taken where it has the same name and the same shapes, reads what it read and
gives what it gave: once one of the body is new, those behind it would work on features that they have never seen, so
they are new as well.
Heads stand side by side behind the body, and each is taken or not for itself.

Yosinski et al. 2014, "How transferable are features in deep neural networks?"
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rltrain.errors import InputError
from rltrain.saved import Saved
from rltrain.spelling import brief

Shapes = Mapping[str, tuple[int, ...]]  # of the arrays of a layer, by their names in it: weight, bias
MOST_NAMED = 4  # layers of the other network that are named though there is no place for them


@dataclass(frozen=True)
class WarmSource:
    """A saved run that a new one starts from."""

    algorithm: str  # the name of the algorithm that made it
    config: Any  # with these settings, an instance of its plugin's `config`
    state: Saved  # of the algorithm, as its `save` returned it; nobody vouches for it

    def check_made_by(self, *algorithms: str) -> None:
        """InputError unless one of these made it."""
        if self.algorithm not in algorithms:
            raise InputError(f"it was made by {self.algorithm}; what fits here is of {' or '.join(algorithms)}")


class Taken(NamedTuple):
    """What a run has taken over of another, and what not, in lines for a person."""

    taken: Sequence[str]
    left: Sequence[str] = ()  # with the reason

    def and_also(self, other: Taken) -> Taken:
        """Both, this one first."""
        return Taken([*self.taken, *other.taken], [*self.left, *other.left])


class Fitting(NamedTuple):
    """Which layers of a network a saved one has too."""

    layers: list[str]
    left: list[str]  # why the others have no counterpart, a line each

    def of(self, what: str) -> Taken:
        """In lines, as those of `what`. InputError if there is no layer that fits."""
        if not self.layers:
            raise InputError("; ".join([f"no layer of its {what} fits", *self.left[:1]]))
        return Taken([f"{what}: {', '.join(self.layers)}"], [f"{what}: {line}" for line in self.left])


def fitting(
    here: Mapping[str, Shapes],
    there: Mapping[str, Shapes],
    heads: Collection[str],
    apart: Mapping[str, str] | None = None,
) -> Fitting:
    """The layers `here`, from the input to the output, that fit those `there`; `heads` are the last, side by side.

    `apart`: layers that give something else there, whatever their shapes, and what.
    """
    layers: list[str] = []
    left: list[str] = []
    new: str | None = None  # the first layer of the body that is
    for name, shapes in here.items():
        if new is not None:
            left.append(f"{name}: it reads what {new} gives, which is new")
        elif name not in there:
            left.append(f"{name}: it has none")
        elif there[name] != shapes:
            left.append(f"{name}: {_written(there[name])} there, {_written(shapes)} here")
        elif apart and name in apart:
            left.append(f"{name}: {apart[name]}")
        else:
            layers.append(name)
            continue
        if name not in heads:
            new = new or name
    others = [brief(name, 40) for name in there if name not in here]
    if others:
        more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
        left.append(f"{', '.join(others[:MOST_NAMED])}{more}: there is none here")
    return Fitting(layers, left)


def _written(shapes: Shapes) -> str:
    return " and ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in sorted(shapes.items(), reverse=True))
