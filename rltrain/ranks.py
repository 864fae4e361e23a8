"""The processes of one `mpirun`, which work on one thing: who is here, what all must agree on, what each may use.

Whether there are several is told by the launcher in the environment, before anything is imported: a process that was
started alone pays nothing. mpi4py speaks to the MPI library that the launcher belongs to.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeVar

from rltrain.errors import InputError, MissingError, OutOfMemoryError, RltrainError, out_of_memory

LAUNCHERS = (  # the variables that hold a process's rank, and how many there are
    ("PMI_RANK", "PMI_SIZE"),  # MPICH, Intel MPI, Slurm's --mpi=pmi2
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # Open MPI
    ("PMIX_RANK", "SLURM_STEP_NUM_TASKS"),  # Slurm's --mpi=pmix
)
T = TypeVar("T")


class RankPlace(NamedTuple):
    """Which of how many processes this is."""

    rank: int
    size: int


def launched() -> RankPlace | None:
    """What the launcher says; None for a process that was started alone."""
    for rank, size in LAUNCHERS:
        here, many = os.environ.get(rank, ""), os.environ.get(size, "")
        if here.isdecimal() and many.isdecimal() and int(many) > 1:
            return RankPlace(int(here), int(many))
    return None


class Ranks:
    """All processes, seen from one of them. What has `all` in its name is called by all, in the same order."""

    def __init__(self, world: Any) -> None:
        self.world = world  # mpi4py's communicator
        self.rank: int = world.Get_rank()
        self.size: int = world.Get_size()
        self.working = False  # whether others wait for this one, so that it must not leave without a word

    def all_agree(self, prepare: Callable[[], T], what: Callable[[T], str]) -> T:
        """What `prepare` returns here. Its error on any of them is one everywhere, and so is another `what` of it."""
        found, told, code = None, "", 0
        try:
            found = prepare()
            told = what(found)
        except RltrainError as error:
            told, code = str(error), error.exit_code
        except Exception as error:
            if not out_of_memory(error):
                raise
            told, code = f"memory ran out: {error}", OutOfMemoryError.exit_code
        all_told = self.world.allgather((code, told))
        for rank, (its_code, its_told) in enumerate(all_told):
            if its_code:
                place = "" if len(set(all_told)) == 1 else f"rank {rank} of {self.size}: "
                raise _error(its_code, place + its_told)
        for rank, (_, its_told) in enumerate(all_told):
            if its_told != all_told[0][1]:
                raise InputError(f"rank {rank} of {self.size} has another model than rank 0; give all the same file")
        self.working = True
        assert found is not None
        return found

    def all_agree_on(self, flag: bool) -> bool:
        """What rank 0 says: of clocks, each has its own."""
        return bool(self.world.bcast(flag))

    def all_cores(self) -> int:
        """How many cores this one may use, where others of its machine share them: at least 1."""
        from mpi4py import MPI

        mine = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else list(range(os.cpu_count() or 1))
        machine = self.world.Split_type(MPI.COMM_TYPE_SHARED)
        try:
            alike: int = machine.allgather(mine).count(mine)
            return max(1, len(mine) // alike)
        finally:
            machine.Free()

    def end_all(self, code: int) -> None:
        """End every process at once, with this exit code. MPI's own words about it are dropped."""
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        self.world.Abort(code)


@cache
def here() -> Ranks | None:
    """The processes of this launch; None where this one was started alone. MissingError without mpi4py."""
    if launched() is None:
        return None
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # no package; no MPI library
        why = "is not installed" if isinstance(error, ModuleNotFoundError) else f"cannot be loaded: {error}"
        raise MissingError(
            f'several ranks need mpi4py, which {why}; install it: pip install "rltrain[mpi]", or leave mpirun out'
        ) from error
    return Ranks(MPI.COMM_WORLD)


def _error(code: int, told: str) -> RltrainError:
    """The error of another process, with its exit code."""
    error = RltrainError(told)
    error.exit_code = code
    return error
