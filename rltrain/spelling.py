"""How error messages spell: the nearest right name to a wrong one, and values and text that any terminal prints."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any


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


def shown(text: str) -> str:
    """Text that any UTF-8 terminal prints: control characters and lone surrogates become backslash escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


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
    return repr(value)
