"""Pages of HTML that open anywhere: one file each, without scripts, without a request to any network.

Templates lie in `pages/` and are Jinja's, a library of that one purpose which torch brings anyway: whatever a run says
of itself is escaped by it, wherever it stands. A figure is drawn by matplotlib as SVG, and takes the page's colours,
so that it can be read in the dark.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rltrain import lettering
from rltrain.errors import MissingError
from rltrain.outputs import check_output
from rltrain.report.canvas import GREY, SETTINGS
from rltrain.version import __version__
from rltrain.whole_files import replacing

SUFFIXES = (".html", ".htm")
TEMPLATES = Path(__file__).parent / "pages"
FIGURE_WIDTH = 6.6  # inches: letters keep a readable size where a phone shows the figure smaller
TICKS = 5  # steps between the numbers on the x axis
COLOURS = {"#000000": "var(--text)", "#ffffff": "var(--page)", "white": "var(--page)", GREY: "var(--muted)"}


@dataclass(frozen=True)
class HtmlTable:
    """Cells as text, row by row."""

    head: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    numbers: tuple[bool, ...]  # which columns stand at the right

    @property
    def best(self) -> int | None:
        """The column that is printed in bold: none."""
        return None


@dataclass(frozen=True)
class PageSection:
    """A part of a page: a heading, and below it what there is of text, a table, code, and what is folded away."""

    title: str
    text: Sequence[str] = ()
    table: HtmlTable | None = None
    code: Sequence[str] = ()
    folded: Sequence[tuple[str, str]] = field(default=())


def check(path: Path) -> None:
    """Raise before there is anything to write, see `outputs`: InputError or DiskError where no page can stand."""
    check_output(path, "a page", SUFFIXES)


def write(path: Path, template: str, values: Mapping[str, Any]) -> Path:
    """Fill a template of `pages/` and write the page, whole or not at all. MissingError without Jinja, DiskError."""
    text = filled(template, values)
    with replacing(path) as file:
        file.write(text.encode())
    return path


def filled(template: str, values: Mapping[str, Any]) -> str:
    """A page as text. Every value is escaped but those that `markup` made."""
    try:
        import jinja2
    except ImportError as error:
        raise MissingError("pages need Jinja: pip install jinja2") from error
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template(template).render(version=__version__, **values)


def markup(figure: Any, colours: Mapping[str, str] = COLOURS, resized: bool = True) -> Any:
    """A matplotlib figure as SVG for a page, in the page's own colours. It is markup, and is not escaped again.

    colours   of the figure -> the page's
    resized   to the usual width; else it keeps its shape
    """
    import matplotlib
    from markupsafe import Markup
    from matplotlib.ticker import AutoLocator, MaxNLocator

    for panel in figure.axes:
        if isinstance(panel.xaxis.get_major_locator(), AutoLocator):  # long counts would touch
            panel.xaxis.set_major_locator(MaxNLocator(TICKS))
    width, height = figure.get_size_inches()
    if resized:
        figure.set_size_inches(FIGURE_WIDTH, height * max(1.0, (FIGURE_WIDTH / width) ** 0.5))
    stream = io.BytesIO()
    settings = {**SETTINGS, "svg.fonttype": "none"}  # letters, not their outlines: they can be searched and read aloud
    with lettering.as_it_stands(figure), matplotlib.rc_context(settings):  # type: ignore[arg-type]
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue().decode()
    text = text[text.index("<svg") :]  # without the head of a file of its own
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    for colour, name in {**COLOURS, **colours}.items():
        text = text.replace(f"fill: {colour}", f"fill: {name}").replace(f"stroke: {colour}", f"stroke: {name}")
    text = text.replace("<svg ", '<svg fill="currentColor" ', 1)  # of letters, whose colour is taken for granted
    return Markup(text)  # matplotlib escapes what is written in it
