"""Text in pictures stands as it was written: names of states, metrics and runs are text of strangers, not formulas.

matplotlib takes what lies between two dollar signs for mathematics, and fails where it is none; with `text.usetex` in
a matplotlibrc it would hand names to TeX. A character that no font has is drawn as a box, without a warning for each.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rltrain.spelling import brief

MOST_OF_A_LINE = 200  # characters
MOST_LINES = 30


@contextmanager
def as_it_stands(figure: Any) -> Iterator[None]:
    """Around the saving of a matplotlib figure: its texts are drawn letter by letter, long ones cut.

    The numbers at the axes, which matplotlib itself writes, stay formulas: 10³.
    """
    for text in _texts(figure):
        text.set_parse_math(False)
        text.set_usetex(False)
        lines = text.get_text().split("\n")[:MOST_LINES]
        text.set_text("\n".join(brief(line, MOST_OF_A_LINE) for line in lines))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ ", UserWarning)
        yield


def _texts(artist: Any) -> Iterator[Any]:
    """All texts of a figure but the numbers at its axes."""
    from matplotlib.axis import Axis
    from matplotlib.text import Text

    if isinstance(artist, Text):
        yield artist
    for child in [artist.label] if isinstance(artist, Axis) else artist.get_children():
        yield from _texts(child)
