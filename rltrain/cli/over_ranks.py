"""A command that `mpirun` started several times: rank 0 speaks for all, and no rank is left waiting for another.

Before the work and after it all ranks do the same, so rank 0's message and exit code are everybody's. While they work
on a model, whoever fails says so and ends all of them; MPI's launcher ends those whose process is gone.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence

from rltrain import ranks
from rltrain.cli.errors import exit_code_of
from rltrain.errors import InputError
from rltrain.ranks import RankPlace

SHARED = ("mdp", "solve")  # the command that ranks share
ASKED = ("--help", "-h", "--version")  # answered by any


def exit_code(work: Callable[[], object], arguments: Sequence[str], place: RankPlace) -> int:
    """Run a verb on this rank; its exit code."""
    said = sys.stderr
    if place.rank > 0:
        sys.stdout, sys.stderr = io.StringIO(), io.StringIO()

    def shared() -> None:
        if tuple(arguments[:2]) != SHARED and not set(ASKED) & set(arguments):
            raise InputError(
                f"started {place.size} times by mpirun, which is for `rltrain mdp solve`: leave mpirun out here"
            )
        ranks.here()
        work()

    code = exit_code_of(shared)
    if code == 0 or (together := _joined()) is None or not together.working:
        return code
    if place.rank > 0 and isinstance(sys.stderr, io.StringIO):
        lines = sys.stderr.getvalue().rstrip()
        sys.stderr = said
        if lines:
            print(f"rank {place.rank} of {place.size}: {lines}", file=said)
    together.end_all(code)
    return code


def _joined() -> ranks.Ranks | None:
    """The ranks that this one works with, where it got so far."""
    return ranks.here() if ranks.here.cache_info().currsize else None
