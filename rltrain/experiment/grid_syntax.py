"""A grid without a file: `algorithm.gamma=.9,.99` on the command line tries both values.

A comma outside brackets and quotes parts two values, so that of `algorithm.hidden=[64],[128,128]` there are two, and of
`algorithm.hidden=[64,64]` one.
"""

from __future__ import annotations

from collections.abc import Sequence

from rltrain.errors import InputError
from rltrain.spelling import shown

OPENING, CLOSING, QUOTES = "[{", "]}", "\"'"


def grid_of(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """The overrides that set one value, and those that list several, for `sweep.grid`. InputError: an empty value.

    Of several for one setting the last counts.

    >>> grid_of(["run.seed=3", "algorithm.gamma=.9,.99", "algorithm.hidden=[64,64]"])
    (['run.seed=3', 'algorithm.hidden=[64,64]'], ['algorithm.gamma=.9,.99'])
    """
    plain: list[str] = []
    varied: list[str] = []
    last = {override.partition("=")[0]: index for index, override in enumerate(overrides)}
    for index, override in enumerate(overrides):
        key, _, value = override.partition("=")
        values = values_in(value)
        if len(values) == 1 or last[key] == index:
            (plain if len(values) == 1 else varied).append(override)
        if len(values) > 1 and not all(map(str.strip, values)):
            rule = "an empty value beside a comma; write VALUE,VALUE, and a text with a comma in quotes"
            raise InputError(f"command line: {shown(override)}: {rule}")
    return plain, varied


def values_in(text: str) -> list[str]:
    """The parts between the commas that are outside of brackets and quotes.

    >>> values_in("[64],[128,128]"), values_in("'a,b'"), values_in(".9")
    (['[64]', '[128,128]'], ["'a,b'"], ['.9'])
    """
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in QUOTES and not parts[-1].strip(" ,:[{"):
            quote = character  # only where a value begins: an apostrophe within a word is no quote
        elif character in OPENING:
            depth += 1
        elif character in CLOSING:
            depth -= 1
        if character == "," and depth <= 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return parts
