"""What a page is made of, before it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rltrain.report.html_page import PageSection
from rltrain.verbs.pages.verdict import Mood


class FaultOfRun(NamedTuple):
    """A finding on a page, and the run that has it; "" where there is one run."""

    run: str
    text: str
    advice: str


@dataclass(frozen=True)
class PageParts:
    """What a page says and shows, from top to bottom."""

    title: str
    subtitle: str
    verdict: str
    mood: Mood
    figure: Any  # matplotlib's; None: there is nothing to draw
    findings: Sequence[FaultOfRun]
    sections: Sequence[PageSection]
    filmed: Path | None  # the run whose policy plays the film
    home: Path  # the folder that a page belongs to which is given no other place
    notes: Sequence[str] = ()  # what is left out, and why
