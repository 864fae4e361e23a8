"""The door to functions that other packages bring by entry point: what goes wrong in one is an error that names it.

An exception, a `sys.exit`, an answer of the wrong form: each becomes one error with the entry point, the member and the
line of its code. Errors of rltrain, which a person can act on, pass through. (For Gymnasium's: `envs.gym.foreign`.)
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rltrain.errors import EnvironmentFault, MissingError, RltrainError, out_of_memory
from rltrain.spelling import brief, in_one_line

REMEDY = "the package that brings it must be mended, or uninstalled"
Rule = Callable[[Any], bool]  # whether an answer is of the right form


@dataclass(frozen=True)
class Guarded:
    """A function of another package, called with care. Two are equal whose functions are."""

    what: str  # "algorithm 'climb' (package.climb:PLUGIN)"
    member: str
    function: Callable[..., Any]
    fault: type[RltrainError]
    wanted: str = field(default="", compare=False)  # the form of its answer, in words
    fits: Rule = field(default=lambda _: True, compare=False)

    def __call__(self, *args: Any) -> Any:
        try:
            answer = self.function(*args)
        except (RltrainError, MemoryError):
            raise
        except (Exception, SystemExit) as error:
            if out_of_memory(error):
                raise
            raise self.fault(f"{self.what}: {self.member} failed: {said(error)}; {REMEDY}") from error
        if not self.fits(answer):
            gave = brief(repr(answer), 60)
            raise self.fault(f"{self.what}: {self.member} must give {self.wanted}, and gave {gave}; {REMEDY}")
        return answer


@contextlib.contextmanager
def running(what: str, folder: Path | None = None) -> Iterator[None]:
    """Around code of environments that is imported: what it prints goes to standard error, and its faults name `what`.

    `folder` is where that code is, so that the line is one of its own. MissingError for a module that it needs,
    EnvironmentFault for whatever else it raises.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (RltrainError, MemoryError):
        raise
    except ModuleNotFoundError as error:
        raise MissingError(f"{what}: it needs the module '{error.name}', which is not installed") from error
    except (Exception, SystemExit) as error:
        if out_of_memory(error):
            raise
        told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if isinstance(error, SyntaxError):
            told = f"{type(error).__name__}: {error.msg}"  # as a text it has the place too
        if isinstance(error, SystemExit):
            told = f"it wanted to end the process: sys.exit({error.code!r})"
        raise EnvironmentFault(f"{what}: {in_one_line(told, 200)} ({_place(error, folder)})") from error


def _place(error: BaseException, folder: Path | None) -> str:
    """`my_env.py, line 12`: the innermost line of the files in this folder, or else of all."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{Path(error.filename).name}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if folder is not None and Path(frame.filename).is_relative_to(folder)]
    innermost = (own or list(frames))[-1]
    return f"{Path(innermost.filename).name}, line {innermost.lineno}"


def said(error: BaseException) -> str:
    """What was raised, and the line of code that raised it: "KeyError: 'x' (climb.py, line 12)"."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if len(frames) > 1 else ""
    return in_one_line(f"{type(error).__name__}: {error}", 200) + place


def has(*members: str) -> Rule:
    """Whether an object has these members."""
    return lambda answer: set(members) <= set(dir(answer))


def lines(answer: Any) -> bool:
    """Whether this is a sequence of texts, and not one text."""
    return isinstance(answer, Sequence) and not isinstance(answer, str) and all(isinstance(one, str) for one in answer)


def entries(of: type) -> Rule:
    """Whether this is a mapping from texts to values of a type."""
    return lambda answer: (
        isinstance(answer, Mapping) and all(type(key) is str and isinstance(answer[key], of) for key in answer)
    )
