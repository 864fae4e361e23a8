"""The errors that a person can act on. Each is shown in one message, without a traceback, and sets the exit code.

Anything that is not one of these is a bug of rltrain: its traceback is kept and the process exits with 1.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence


class RltrainError(Exception):
    """Root of the family. The message says what, where (file:line, key) and what to do."""

    exit_code = 2


class InputError(RltrainError):
    """Unusable input: arguments, YAML, names, values."""

    exit_code = 2


class CheckpointError(RltrainError):
    """A checkpoint that is damaged, missing or of another experiment."""

    exit_code = 3


class NotReplayedError(CheckpointError):
    """An episode that was under way at a save took another course when its actions were played again."""


class MissingError(RltrainError):
    """An environment, ROM or optional package that is not installed."""

    exit_code = 4


class NotBroughtError(MissingError):
    """Code that only a person may import, and nobody has: `--import` brings these modules and files."""

    def __init__(self, message: str, names: Sequence[str]) -> None:
        super().__init__(message)
        self.names = tuple(names)


class BusyError(RltrainError):
    """Another process works in this run folder."""

    exit_code = 5


class DivergedError(RltrainError):
    """A loss, reward or observation stopped being a finite number."""

    exit_code = 6


class DiskError(RltrainError):
    """No space, no permission, or a folder that cannot be written."""

    exit_code = 7


class OutOfMemoryError(RltrainError):
    """What was asked for does not fit in memory."""

    exit_code = 8


class UncertifiedError(RltrainError):
    """An answer that could not be proven within its bound."""

    exit_code = 9


class EnvironmentFault(RltrainError):
    """An environment that somebody else wrote did what an environment must not do: its own fault, not rltrain's."""

    exit_code = 10


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out. torch has an error of its own on a GPU and only a sentence on a CPU.

    A library that finds no room is an ImportError or an OSError, and no room for a thread's stack a RuntimeError.
    """
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    if not isinstance(error, RuntimeError | ImportError | OSError):
        return False
    said = ("out of memory", "allocate memory", "failed to map segment", "start new thread", "load shared object")
    return any(words in str(error) for words in said)
