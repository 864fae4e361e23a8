"""Sweeps that several processes share: each backs up the states of a block, all have all values.

    V' = max_a (r + gamma P V)   on the own rows       Allgatherv of V', 8 bytes a state       Allreduce of min and max

The sum of a state is made in one place and in one order, and the least and the greatest of numbers depend on no order.
So the bits are those of one process, on any number of them. Krylov's methods, of PETSc for one, add up over processes.
Blocks have about as many pairs each. A process keeps its own rows alone: those of a mapped model are never looked
at, and in place of others' stand pages that nobody touches.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rltrain.core import Array
from rltrain.mdp.model import Model
from rltrain.mdp.pairs import absorbing
from rltrain.mdp.solvers.bellman import Rounding, rounding_of
from rltrain.mdp.solvers.compiled import Compiled, Rows
from rltrain.ranks import Ranks


def blocks(model: Model, size: int) -> list[int]:
    """[size + 1] where the states of each process begin, and the end: with as many pairs each, as far as can be."""
    wanted = [model.num_pairs * rank // size for rank in range(1, size)]
    return [0, *np.searchsorted(model.first_pair[:-1], wanted).tolist(), model.num_states]


def own_rows(model: Model, begin: int, end: int) -> Model:
    """The model, of whose arrays only what belongs to the states begin .. end takes memory; the rest is zeros.

    `first_pair` stays whole, 8 bytes a state. Of a mapped model nothing takes memory but what is looked at.
    """
    if model.mapped is not None:
        return model
    first, last = int(model.first_pair[begin]), int(model.first_pair[end])
    start, stop = int(model.first_next[first]), int(model.first_next[last])
    return replace(
        model,
        action=_part(model.action, first, last),
        first_next=_part(model.first_next, first, last + 1),
        next=_part(model.next, start, stop),
        prob=_part(model.prob, start, stop),
        reward=_part(model.reward, first, last),
        next_reward=None if model.next_reward is None else _part(model.next_reward, start, stop),
        exact=None,
    )


def _part(array: Array, first: int, last: int) -> Array:
    part = np.zeros(len(array), array.dtype)  # the system gives memory to what is written
    part[first:last] = array[first:last]
    return part


class RankSweeps:
    """The sweeps of `Compiled` on one process's rows; what all need of them is exchanged."""

    def __init__(self, model: Model, discount: float, ranks: Ranks, threads: int | None) -> None:
        self.model, self.discount, self.ranks = model, discount, ranks
        self.edges = blocks(model, ranks.size)
        self._begin, self._end = self.edges[ranks.rank : ranks.rank + 2]
        self._on = Compiled(model, discount, threads or ranks.all_cores(), (self._begin, self._end))
        self.ranges = self._on.ranges
        self.backup = self._on.backup  # Q [P] of the own pairs
        self.near_best = self._on.near_best

    def close(self) -> None:
        """Let the threads go."""
        self._on.close()

    def facts(self) -> tuple[Rounding, bool]:
        """What rounding does to a backup of the whole model, and whether any state of it is absorbing."""
        own = self._begin, self._end
        mine = rounding_of(self.model, own)
        pinned = bool(absorbing(self.model, own).any())
        widest, reward, all_pinned = zip(*self.ranks.world.allgather((mine.widest, mine.reward, pinned)), strict=True)
        return Rounding(max(widest), max(reward)), any(all_pinned)

    def agreed(self, flag: bool) -> bool:
        """What rank 0 says, whose clock counts."""
        return self.ranks.all_agree_on(flag)

    def sweep(self, value: Array, backed_up: Array, choice: Array, rows: Rows | None = None) -> tuple[float, float]:
        """One Bellman backup into `backed_up` [S], all of it; the least and the greatest change."""
        from mpi4py import MPI

        low, high = self._on.sweep(value, backed_up, choice, rows)
        ends = np.array([low, -high])
        self.ranks.world.Allreduce(MPI.IN_PLACE, ends, MPI.MIN)
        self._exchange(backed_up)
        return float(ends[0]), -float(ends[1])

    def greedy(self, q: Array) -> tuple[Array, Array]:
        """V [S], all of it, and the first best pair [S] of the own states."""
        value, choice = self._on.greedy(q)
        self._exchange(value)
        return value, choice

    def gathered(self, q: Array, choice: Array) -> tuple[Array, Array]:
        """Q [P] and the pairs [S] of the policy: of all on rank 0, elsewhere of the own states."""
        from mpi4py import MPI

        pairs = [int(self.model.first_pair[edge]) for edge in self.edges]
        own = slice(pairs[self.ranks.rank], pairs[self.ranks.rank + 1]), slice(self._begin, self._end)
        for array, edges, part in ((q, pairs, own[0]), (choice, self.edges, own[1])):
            mine = MPI.IN_PLACE if self.ranks.rank == 0 else array[part]
            self.ranks.world.Gatherv(mine, [array, (np.diff(edges), edges[:-1])] if self.ranks.rank == 0 else None)
        self.ranks.working = False  # nobody waits for anybody any more
        return (q, choice) if self.ranks.rank == 0 else (q[own[0]], choice[own[1]])

    def _exchange(self, value: Array) -> None:
        """Of V [S] everybody has one block; now all have all."""
        from mpi4py import MPI

        self.ranks.world.Allgatherv(MPI.IN_PLACE, [value, (np.diff(self.edges), self.edges[:-1])])
