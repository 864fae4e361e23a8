"""Numbers in a model's text, exactly as they are written: `0.7`, `-3`, `1e-3`, `1/3`."""

from __future__ import annotations

import re
from fractions import Fraction

from rltrain.spelling import shown

_DECIMAL = re.compile(r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_QUOTIENT = re.compile(r"([-+]?\d{1,100})\s*/\s*(\d{1,100})")
LONGEST = 250  # characters of a number


def fraction(text: str) -> Fraction | None:
    """The exact value of `0.7`, `-3`, `1e-3` or `1/3`; None for anything else, `nan` and `1/0` included."""
    text = text.strip()
    if len(text) > LONGEST:
        return None
    if over := _QUOTIENT.fullmatch(text):
        return Fraction(int(over[1]), int(over[2])) if int(over[2]) else None
    return Fraction(text.replace("_", "")) if _DECIMAL.fullmatch(text) else None


def probability(text: str) -> Fraction | None:
    """The exact value of a number from 0 to 1, such as a probability or a discount; None for anything else."""
    value = fraction(text)
    return value if value is not None and 0 <= value <= 1 else None


def got(text: str) -> str:
    """A text in quotes for a message, cut to 60 characters; `nothing` where it is empty."""
    return f"'{shown(text if len(text) <= 60 else text[:57] + '...')}'" if text else "nothing"
