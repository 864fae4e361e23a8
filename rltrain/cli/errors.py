"""From an exception to what a person reads and the exit code. Codes 2 to 10 are in `rltrain.errors`; the others here.

0 done · 1 our bug: the traceback is kept, two lines are shown · 8 also for a MemoryError · 130 Ctrl-C · 143 SIGTERM.
"""

from __future__ import annotations

import os
import platform
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rltrain.cli.output import complain, output_fault
from rltrain.errors import DiskError, EnvironmentFault, NotBroughtError, OutOfMemoryError, RltrainError, out_of_memory
from rltrain.spelling import shown
from rltrain.version import __version__
from rltrain.whole_files import refused


class Crash(Exception):
    """A bug of rltrain whose traceback is already on the disk."""


@contextmanager
def keeping_crashes(folder: Path, resume: str = "rltrain resume") -> Iterator[None]:
    """Around the work in a run folder: what nobody foresaw is written to crash.txt there, and becomes a Crash.

    So is the traceback of an environment's own fault, which stays one.
    """
    try:
        yield
    except EnvironmentFault as error:
        place = folder / "crash.txt"
        if _kept(place, error):
            raise EnvironmentFault(f"{error}\nthe traceback is in {place}") from error
        raise
    except (RltrainError, Crash):
        raise
    except Exception as error:
        if out_of_memory(error):
            raise OutOfMemoryError(_memory_text(error)) from error
        place = folder / "crash.txt"
        if not _kept(place, error):
            raise error from None  # the folder is what failed; the traceback goes to the screen
        raise Crash(
            f"rltrain crashed: {_one_line(error)}\n"
            f"The traceback is in {place}; please report it. To go on from the last checkpoint: {resume} {folder}"
        ) from error


def exit_code_of(work: Callable[[], object]) -> int:
    """Run a verb. Whatever it raises is shown, and gives the exit code; so does output that could not be written."""
    code = _code_of(work)
    fault = output_fault()
    if fault is None:
        return code
    complain(str(refused(Path("standard output"), fault)))
    return code or DiskError.exit_code


def _code_of(work: Callable[[], object]) -> int:
    try:
        work()
    except SystemExit as error:  # Typer's own: usage errors, --help, a verb's chosen code
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in `rltrain list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except RltrainError as error:
        complain(str(error))
        if isinstance(error, NotBroughtError):
            brought = [word for name in error.names for word in ("--import", name)]
            complain(shown(f"then type: {shlex.join(['rltrain', *sys.argv[1:], *brought])}"))
        return error.exit_code
    except Crash as error:
        complain(str(error))
        return 1
    except Exception as error:
        if out_of_memory(error):
            complain(_memory_text(error))
            return OutOfMemoryError.exit_code
        if isinstance(error, OSError) and (fault := output_fault(tried=True)) is not None:  # --help is others' print
            complain(str(refused(Path("standard output"), fault)))
            return DiskError.exit_code
        complain("".join(traceback.format_exception(error)).rstrip())
        complain(f"rltrain crashed: {_one_line(error)}. This is a bug of rltrain; please report the lines above.")
        return 1
    return 0


def _kept(place: Path, error: BaseException) -> bool:
    """Whether the report could be written."""
    from rltrain.run.own_files import write_small

    try:
        write_small(place, _report(error))
    except DiskError:
        return False
    return True


def _memory_text(error: BaseException) -> str:
    return (
        f"memory ran out: {_one_line(error)}\n`rltrain check CONFIG` says what an experiment needs and what to lower."
    )


def _report(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + (
        f"\nrltrain {__version__}, Python {platform.python_version()}, {platform.platform()}\ncommand: {sys.argv}\n"
    )


def _one_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
