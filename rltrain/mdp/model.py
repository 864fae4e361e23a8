"""A finite Markov decision process as data: sparse, and only what can happen is stored.

State-action pairs are numbered state by state, the successors of the pairs pair by pair, as in compressed sparse rows:

    the pairs of state s       first_pair[s] .. first_pair[s + 1]        none: s is terminal, its value is 0
    the successors of pair i   first_next[i] .. first_next[i + 1]

so an impossible action takes no room and can never be chosen. `reward` is the expected reward of a pair; where the
reward depends on the successor, `next_reward` has it for each, for sampling.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import overload

import numpy as np

from rltrain.core import Array
from rltrain.mdp.mapped import Mapped


class Numbered(Sequence[str]):
    """The names "0", "1", … of things that have none, without storing them."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        found = range(self._count)[index]
        return str(found) if isinstance(found, int) else tuple(str(number) for number in found)

    def index(self, value: str, start: int = 0, stop: int | None = None) -> int:
        if not (isinstance(value, str) and value.isascii() and value.isdecimal() and value == str(int(value))):
            raise ValueError(f"{value!r} is not a number from 0 to {self._count - 1}")
        number = int(value)
        if number not in range(*slice(start, stop).indices(self._count)):
            raise ValueError(f"{value!r} is not among the names asked for; there are {self._count}")
        return number

    def __contains__(self, value: object) -> bool:
        try:
            self.index(value)  # type: ignore[arg-type]  # anything may be asked for
        except ValueError:
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Numbered) and other._count == self._count

    def __hash__(self) -> int:
        return hash((Numbered, self._count))


Names = tuple[str, ...] | Numbered


@dataclass(frozen=True)
class Exact:
    """The numbers as they were written, for rational arithmetic: 0.7 is 7/10, not the nearest binary fraction."""

    prob: tuple[Fraction, ...]  # [N]
    reward: tuple[Fraction, ...]  # [P] expected
    discount: Fraction | None


@dataclass(frozen=True, eq=False)
class Objects:
    """The states and actions of a model that a program made, as the program has them: values that can be keys."""

    states: tuple[Hashable, ...]  # [S]
    actions: tuple[Hashable, ...]  # [A]


@dataclass(frozen=True, eq=False)
class Model:
    """S states, P state-action pairs, N successors. Made and checked by `mdp.build`; never changed afterwards."""

    states: Names  # [S]
    actions: Names  # [A]
    first_pair: Array  # [S + 1] int64
    action: Array  # [P] int32, ascending within a state
    first_next: Array  # [P + 1] int64
    next: Array  # [N] int32, ascending within a pair
    prob: Array  # [N] float64, > 0; those of a pair sum to 1
    reward: Array  # [P] float64, expected
    next_reward: Array | None = None  # [N] float64, where the reward depends on the successor
    start: Array | None = None  # [S] float64, probabilities of the first state; None: not said
    discount: float | None = None  # 0 <= discount <= 1; None: not said
    name: str = ""  # what people call it: "book", "FrozenLake-v1"
    exact: Exact | None = None  # where the model was written as text
    objects: Objects | None = None  # what the names of states and actions stand for, where a program made the model
    mapped: Mapped | None = None  # where its rows lie in files, and only what is looked at in memory

    def __post_init__(self) -> None:
        """A model that is made of another's rows has its own in memory: nobody lets go of what is not in the files."""
        if self.mapped is not None and any(
            self.mapped.files[name].array is not rows
            for name, rows in (("first_pair", self.first_pair), ("first_next", self.first_next), ("next", self.next))
        ):
            object.__setattr__(self, "mapped", None)

    @property
    def num_states(self) -> int:
        return len(self.first_pair) - 1

    @property
    def num_actions(self) -> int:
        return len(self.actions)

    @property
    def num_pairs(self) -> int:
        return len(self.action)

    @property
    def num_next(self) -> int:
        return len(self.next)

    @cached_property
    def terminal(self) -> Array:
        """[S] bool: no action is possible."""
        return np.asarray(self.first_pair[1:] == self.first_pair[:-1])

    @cached_property
    def pair_state(self) -> Array:
        """[P] int32: the state of each pair."""
        return np.repeat(np.arange(self.num_states, dtype=np.int32), np.diff(self.first_pair))

    def action_names(self, choice: Array) -> list[str | None]:
        """The action of each pair in a choice [n] by name, None where it is -1: of a terminal state."""
        return [None if pair < 0 else self.actions[int(self.action[pair])] for pair in choice.tolist()]

    def pairs(self, state: int) -> range:
        """The numbers of a state's pairs."""
        return range(int(self.first_pair[state]), int(self.first_pair[state + 1]))

    def successors(self, pair: int) -> slice:
        """Where a pair's successors stand in `next`, `prob` and `next_reward`."""
        return slice(int(self.first_next[pair]), int(self.first_next[pair + 1]))

    def pair_of(self, state: int, action: int) -> int | None:
        """The number of a state-action pair; None where the action is impossible."""
        first, last = int(self.first_pair[state]), int(self.first_pair[state + 1])
        place = first + int(np.searchsorted(self.action[first:last], action))
        return place if place < last and self.action[place] == action else None

    def start_distribution(self) -> Array:
        """[S] float64: as said, else the first state."""
        if self.start is not None:
            return self.start
        distribution = np.zeros(self.num_states)
        distribution[0] = 1.0
        return distribution
