"""The one door for warnings of libraries: each is a line like ours, without colours, source lines or escape sequences.

Gymnasium colours its warnings whatever NO_COLOR says and whether or not a terminal reads them; Python adds a line of
source that tells a user nothing; what libraries log comes without a word that it is a warning.
"""

from __future__ import annotations

import logging
import sys
import warnings
from typing import TextIO

from rltrain.cli.output import complain
from rltrain.spelling import in_one_line


def say_warnings_in_lines() -> None:
    """From now on, in this process. What a filter silences stays silent, what it makes an error stays an error."""
    warnings.showwarning = _say
    door = logging.Handler(logging.WARNING)
    door.emit = _say_logged  # type: ignore[method-assign]  # a function in place of a class that inherits
    logging.lastResort = door  # for loggers that nobody has given a handler


def _say(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    text = in_one_line(str(message))
    for prefix in ("WARN: ", "WARNING: "):
        text = text.removeprefix(prefix)
    if sys.stderr is not None:
        complain(f"warning: {text}")


def _say_logged(record: logging.LogRecord) -> None:
    complain(f"{record.levelname.lower()}: {in_one_line(record.getMessage())}")
