"""A page about a run, several runs, or a sweep, in one file of HTML: what came of it, and how to make it again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rltrain.errors import InputError, RltrainError
from rltrain.progress import Progress, Silent
from rltrain.report import html_page
from rltrain.run import folder
from rltrain.spelling import shown
from rltrain.verbs.given import path_of, text_of, yes_or_no
from rltrain.verbs.pages import run_page, sweep_page
from rltrain.verbs.pages.film import EmbeddedFilm, film_of
from rltrain.verbs.pages.parts import PageParts
from rltrain.verbs.sweep import study

NAME = "report.html"
Place = str | os.PathLike[str]


@dataclass(frozen=True)
class ReportPage:
    """A page that was written, and what it says first."""

    page: str  # the file
    title: str
    verdict: str
    diagnosis: list[str]  # what may be wrong, a line each
    notes: list[str]  # what is not on it, and why
    partial: bool = False  # Ctrl-C ended it: there is no film

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return asdict(self)


def write_report(
    runs: Place | Iterable[Place],
    output: Place | None = None,
    *,
    runs_dir: Place = "runs",
    film: bool = True,
    progress: Progress | None = None,
) -> ReportPage:
    """Write a page of HTML about runs, given by names, folders or patterns as `rltrain plot` takes them, or a sweep.

    output    FILE.html; None: report.html in the folder of the run or sweep or, of several runs, in the one around them
    runs_dir  the folder in which names are looked up
    film      a game of the best policy is played, and shown on the page

    InputError for what fits no run, MissingError without matplotlib or Jinja, DiskError.
    """
    progress, runs_dir, film = progress or Silent(), path_of("runs_dir", runs_dir), yes_or_no("film", film)
    several = runs if isinstance(runs, Iterable) and not isinstance(runs, str | os.PathLike) else [runs]
    names = [text_of("runs", run) for run in several]
    if not names:
        raise InputError("a report of what? Runs, patterns, a folder of several seeds, or a sweep")
    output = None if output is None else Path(text_of("output", output))
    if output is not None:
        html_page.check(output)
    sweep = sweep_of(names, runs_dir)
    if sweep is not None:
        parts = sweep_page.parts(names[0], sweep, runs_dir)
    else:
        parts = run_page.parts(names, runs_dir, progress)
    notes, made, partial = list(parts.notes), None, False
    output = output or parts.home / NAME
    html_page.check(output)
    if film and parts.filmed is not None:
        try:
            made = film_of(parts.filmed, progress=progress)
        except KeyboardInterrupt:
            partial = True
        except RltrainError as error:
            notes.append(f"no film: {shown(str(error))}")
    path = html_page.write(output, "report.html", values(parts, made))
    lines = [f"{told.run}: {told.text}".removeprefix(": ") for told in parts.findings]
    return ReportPage(str(path), parts.title, parts.verdict, lines, notes, partial)


def values(parts: PageParts, film: EmbeddedFilm | None) -> dict[str, Any]:
    """What the page's template is given."""
    return {
        "title": parts.title,
        "subtitle": parts.subtitle,
        "verdict": parts.verdict,
        "mood": parts.mood,
        "figure": None if parts.figure is None else html_page.markup(parts.figure),
        "findings": parts.findings,
        "film": film,
        "sections": parts.sections,
    }


def sweep_of(runs: Sequence[str], runs_dir: Path) -> Path | None:
    """The folder of the sweep that is meant; None if it is none."""
    if len(runs) != 1:
        return None
    places = [path for path in (runs_dir / runs[0], Path(runs[0])) if (path / folder.SWEEP_MARKER).is_file()]
    return study.find(runs_dir, runs[0]) if places else None
