"""The door to functions that other packages bring by entry point: what goes wrong in one is an error that names it.

An exception, a `sys.exit`, an answer of the wrong form: each becomes one error with the entry point, the member and the
line of its code. Errors of rltrain, which a person can act on, pass through. (For Gymnasium's: `envs.gym.foreign`.)
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rltrain.errors import RltrainError, out_of_memory
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
