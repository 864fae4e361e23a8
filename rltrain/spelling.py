"""How error messages spell: the nearest right name to a wrong one, and values and text that any terminal prints."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # of a terminal


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name most like `word`, whatever its case, or the one that has it as a part; None when none is like it."""
    folded = {name.casefold(): name for name in names}
    word = word.casefold()[:200]
    found = [name for name in folded if word in re.split(r"[_./-]", name)]
    if len(found) != 1:
        found = difflib.get_close_matches(word, folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """`; did you mean 'dqn'?`, or else `; one of basic, dqn`: the end of a sentence about an unknown name."""
    names = sorted(names)
    found = nearest(word, names)
    if found is not None:
        return f"; did you mean '{found}'?"
    return f"; one of {', '.join(names)}" if 0 < len(names) <= 40 else ""


def last_of(names: Sequence[str]) -> str:
    """The last three names of some, and how many more there are: `b, g, h and 7 more`."""
    return ", ".join(names[-3:]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def shown(text: str) -> str:
    """Text in one line that any UTF-8 terminal prints as it stands, whoever wrote it.

    What has no picture of its own becomes a backslash escape: control characters, those that turn the direction of
    writing or have no width, line separators and lone surrogates.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown_lines(text: str) -> str:
    """Text of several lines that any UTF-8 terminal prints as it stands, whoever wrote it; line ends and tabs stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else shown(c) for c in text)


def brief(text: str, most: int) -> str:
    """Text in one printable line, as `shown` makes it, cut to at most `most` characters."""
    text = shown(text[: most + 1])
    return text if len(text) <= most else text[: most - 1] + "…"


def in_one_line(text: str, most: int = 500) -> str:
    """The message of a library or a process as one printable line, without colours, of at most `most` characters."""
    line = shown(" ".join(_COLOURS.sub("", text[: 20 * most]).split()))
    return line if len(line) <= most else line[: most - 3] + "..."


def described(value: Any) -> str:
    """A value as its author knows it: `true`, `'abc'`, `nothing`; long text is cut."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{shown(value if len(value) <= 60 else value[:57] + '...')}'"
        case Mapping():
            return "a block of settings"
        case list() | tuple():
            return "a list"
        case float() if value.is_integer() and abs(value) < 2**53:
            return str(int(value))
    return brief(repr(value), 60)
