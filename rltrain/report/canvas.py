"""What all pictures of runs share: size, fonts and colours, legends, and how a figure reaches the disk.

A panel is a matplotlib Axes; a figure is one column of panels over a common x axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rltrain import lettering
from rltrain.errors import MissingError
from rltrain.outputs import check_output
from rltrain.report.reading import COUNTERS
from rltrain.whole_files import replacing

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito 2008: for all eyes
DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)))  # where there are more lines than colours
LEGEND_ROW = 0.19  # inches of a row of the legend below a picture
GREY = "#555555"
FORMATS = (".png", ".svg", ".pdf")
WIDTH = 8.0  # inches
LEGEND_WIDTH = 110  # characters of a row of the legend below a picture
SETTINGS = {
    "font.size": 10.0,
    "svg.hashsalt": "rltrain",  # the same picture is the same file
    "pdf.fonttype": 42,  # fonts that printers and journals take
    "axes.axisbelow": True,
}


def panels(count: int = 1, height: float = 4.2) -> tuple[Any, list[Any]]:
    """A figure, `height` inches high, and its `count` panels from top to bottom. MissingError without matplotlib."""
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingError('pictures need matplotlib: pip install "rltrain[plot]"') from error
    with matplotlib.rc_context(SETTINGS):  # type: ignore[arg-type]  # of other settings than these they are the types
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        FigureCanvasAgg(figure)
        return figure, list(figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0])


def small_panels(count: int, across: int = 3) -> tuple[Any, list[Any], Any]:
    """A figure, `count` small panels in rows of at most `across`, and one below over the whole width. MissingError."""
    columns = min(across, count)
    rows = -(-count // columns)
    figure, (below,) = panels(height=2.4 * rows + 2.4)
    import matplotlib

    figure.delaxes(below)
    layout = figure.add_gridspec(rows + 1, columns)
    with matplotlib.rc_context(SETTINGS):  # type: ignore[arg-type]
        small = [figure.add_subplot(layout[place // columns, place % columns]) for place in range(count)]
        return figure, small, figure.add_subplot(layout[rows, :])


def colour(number: int) -> tuple[str, Any]:
    """The colour and the dash pattern of line `number`, from 0: no two of the first 24 are alike."""
    return COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]


def finish(figure: Any, drawn: Sequence[Any], title: str, below: bool = False) -> None:
    """Add the title, the grid, and the legends: in each panel or, for legends that would hide lines, one `below`."""
    for panel in drawn:
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(alpha=0.25)
        if not below and panel.get_legend_handles_labels()[1]:
            panel.legend(loc="best", fontsize=9, edgecolor="none", framealpha=0.8)
    entries: dict[str, Any] = {}
    for panel in drawn if below else []:
        handles, labels = panel.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    if entries:
        columns = max(1, min(3, len(entries), LEGEND_WIDTH // max(map(len, entries))))
        figure.legend(
            entries.values(), entries.keys(), loc="outside lower left", ncols=columns, frameon=False, fontsize=9
        )
        width, height = figure.get_size_inches()
        figure.set_size_inches(width, height + LEGEND_ROW * -(-len(entries) // columns))
    drawn[0].set_title(title, loc="left", fontweight="bold", wrap=True)


def label_counter(panel: Any, counter: str) -> None:
    """Label the x axis of a panel with a counter's name, and write its numbers as 1,000,000."""
    panel.set_xlabel(COUNTERS.get(counter, counter))
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")


def line(panel: Any, x: Sequence[float], y: Sequence[float], colour: str, label: str, dashes: Any = "-") -> None:
    """Draw a line through the points (x, y) of which both are numbers. A single one would be invisible: it is a dot."""
    points = [(a, b) for a, b in zip(x, y, strict=True) if a == a and b == b]
    marker = {"marker": "o", "markersize": 5} if len(points) == 1 else {}
    if points:
        panel.plot(*zip(*points, strict=True), color=colour, linestyle=dashes, linewidth=1.8, label=label, **marker)


def logarithmic(panel: Any, values: Sequence[float]) -> None:
    """Make the y axis logarithmic, if any of the values to be drawn is positive."""
    if any(value > 0 for value in values):
        panel.set_yscale("log")


def placeholder(panel: Any, text: str) -> None:
    """Write `text` in the middle of a panel that has nothing to draw yet, without ticks."""
    panel.set_xticks([])
    panel.set_yticks([])
    panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center", va="center", color=GREY)


def check(path: Path) -> None:
    """Raise before anything is drawn, see `outputs`: InputError or DiskError for a file that no picture can become."""
    check_output(path, "a picture", FORMATS)


def write(figure: Any, path: Path) -> Path:
    """Write a figure to `path`, which `check` let pass, in the format of its suffix; whole or not at all. DiskError."""
    import matplotlib

    suffix = path.suffix.lower().removeprefix(".")
    undated: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with replacing(path) as file, lettering.as_it_stands(figure), matplotlib.rc_context(SETTINGS):  # type: ignore[arg-type]
        figure.savefig(file, dpi=150, format=suffix, metadata=undated.get(suffix))
    return path
