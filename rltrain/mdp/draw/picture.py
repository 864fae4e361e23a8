"""A small model as a picture: states as circles, actions as black points, what may follow as arrows; a grid as a grid.

What a policy takes is blue. Drawn with matplotlib, as SVG or PNG.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from rltrain import lettering
from rltrain.core import Array
from rltrain.errors import InputError, MissingError
from rltrain.mdp.draw import grid, layout
from rltrain.mdp.draw.layout import POINT, STATE
from rltrain.mdp.files import dot
from rltrain.mdp.model import Model
from rltrain.spelling import brief

SUFFIXES = (".svg", ".png")
MOST = 60  # states
MOST_GRID = 2500  # cells
INCHES = 0.62  # a unit of the layout
DPI = 160
NAME = 24  # characters of a name
BEST, BEST_FILL = dot.BEST, dot.BEST_FILL
PLAIN, FILL, TEXT = "#555555", "#f6f6f4", "#1a1a1a"
_CELL = re.compile(r"(\d{1,6}),(\d{1,6})")


def draw(
    model: Model,
    policy: Array | None,
    value: Array | None,
    file: Any,
    suffix: str,
    tied: Array | None = None,
    wrong: Array | None = None,
) -> None:
    """The picture into an open binary file. `policy` [P] probabilities, `value` [S], `tied` [P] bool: as good as it.

    `wrong` [S] bool: in a grid, cells that are red.

    MissingError without matplotlib.
    """
    figure = figure_of(model, policy, value, tied, wrong)
    import matplotlib

    # The same model gives the same bytes: no date, no random ids.
    settings = {"svg.hashsalt": "rltrain", "svg.fonttype": "none"}
    with lettering.as_it_stands(figure), matplotlib.rc_context(settings):  # type: ignore[arg-type]
        meta = {"Date": None} if suffix == ".svg" else {}
        figure.savefig(file, format=suffix[1:], dpi=DPI, metadata=meta, bbox_inches="tight", pad_inches=0.15)


def figure_of(
    model: Model,
    policy: Array | None,
    value: Array | None,
    tied: Array | None = None,
    wrong: Array | None = None,
) -> Any:
    """The matplotlib figure of a model, as `draw` writes it. `wrong` [S] bool: in a grid, cells that are red.

    MissingError without matplotlib.
    """
    figure_module = _matplotlib()
    cells = cells_of(model)
    if cells is not None:
        rows, columns = (cells.max(axis=0) + 1).tolist()
        inches = grid.SMALL if grid.is_small(cells) else grid.CELL
        low, high = np.array([0.0, rows]), np.array([columns, 0.0])
        figure, axes = _paper(
            figure_module, low - [0.03, -0.03], high + [0.03, -0.03], (columns * inches, rows * inches)
        )
        grid.draw(axes, model, cells, policy, value, tied, wrong)
        return figure
    return _figure(figure_module, model, policy, value)


def check_size(model: Model, most: int | None) -> None:
    """InputError, which says what to do, for a model that would be a black sheet of paper."""
    limit = most if most is not None else MOST if cells_of(model) is None else MOST_GRID
    if model.num_states > limit:
        raise InputError(
            f"{model.num_states:,} states are too many for a picture (--max-states {limit}): raise --max-states, or "
            "look at its numbers: rltrain mdp info, rltrain mdp solve --limit"
        )


def cells_of(model: Model) -> Array | None:
    """[S, 2] row and column of each state, where the states' names say that they are the cells of a grid."""
    if not isinstance(model.states, tuple) or model.num_states < 4:
        return None
    found = [_CELL.fullmatch(name) for name in model.states]
    cells = np.array([(int(cell[1]), int(cell[2])) for cell in found if cell is not None])
    if len(cells) < model.num_states or cells.max() >= 1000:
        return None
    return cells if len({*map(tuple, cells.tolist())}) == len(cells) else None


def _matplotlib() -> Any:
    try:
        from matplotlib import figure
    except ImportError as error:
        raise MissingError(f'pictures need matplotlib: pip install "rltrain[plot]" ({error})') from error
    return figure


def _paper(figure_module: Any, low: Array, high: Array, size: tuple[float, float]) -> tuple[Any, Any]:
    """A figure of so many inches and its axes, from `low` [2] left and below to `high` [2] right and above."""
    figure = figure_module.Figure(figsize=size)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_aspect("equal")
    axes.axis("off")
    return figure, axes


def _figure(figure_module: Any, model: Model, policy: Array | None, value: Array | None) -> Any:
    """States, actions and arrows."""
    from matplotlib.patches import Circle

    places = layout.layout(model)
    curves = [*places.arrow, *places.stem]
    points = np.concatenate([places.state - STATE, places.state + STATE, *curves])
    low, high = points.min(axis=0) - 0.5, points.max(axis=0) + 0.5
    figure, axes = _paper(figure_module, low, high, tuple((high - low) * INCHES))
    taken = np.zeros(model.num_pairs) if policy is None else policy
    pair_of = np.repeat(np.arange(model.num_pairs), np.diff(model.first_next))
    for number, curve in enumerate(places.arrow):
        _line(axes, curve, bool(taken[pair_of[number]] > 0), arrow=True)
    for pair, stem in enumerate(places.stem):
        best = bool(taken[pair] > 0)
        _line(axes, stem, best, arrow=False)
        axes.add_patch(
            Circle(places.point[pair], POINT * (1.35 if best else 1), color=BEST if best else TEXT, zorder=5)
        )
    for state, at in enumerate(places.state):
        end = bool(model.terminal[state])
        fill = FILL if policy is None or end else BEST_FILL
        axes.add_patch(Circle(at, STATE, facecolor=fill, edgecolor=TEXT, linewidth=1.4, zorder=4))
        if end:
            axes.add_patch(Circle(at, STATE - 0.09, facecolor="none", edgecolor=TEXT, linewidth=1.0, zorder=4))
        _state_text(axes, at, brief(model.states[state], NAME), None if value is None or end else float(value[state]))
    stems = [stem[0] + np.linspace(0, 1, 20)[:, None] * (stem[1] - stem[0]) for stem in places.stem]
    lines = np.concatenate([*places.arrow, *stems, *_start_arrows(axes, model, places)])
    _labels(axes, model, places, taken, lines)
    return figure


def _state_text(axes: Any, at: Array, name: str, value: float | None) -> None:
    size = 13 if len(name) <= 4 else 10 if len(name) <= 7 else 7
    lift = 0.0 if value is None else 0.13
    axes.text(at[0], at[1] + lift, name, ha="center", va="center", size=size, weight="bold", color=TEXT, zorder=6)
    if value is not None:
        axes.text(at[0], at[1] - 0.21, dot.number(value), ha="center", va="center", size=8.5, color=PLAIN, zorder=6)


def _line(axes: Any, curve: Array, best: bool, arrow: bool) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    axes.add_patch(
        FancyArrowPatch(
            path=Curve(curve),
            arrowstyle="-|>,head_length=5,head_width=2.4" if arrow else "-",
            color=BEST if best else PLAIN,
            linewidth=2.0 if best else 1.0,
            shrinkA=0,
            shrinkB=0,
            zorder=3 if best else 2,
            joinstyle="round",
            capstyle="round",
        )
    )


def _start_arrows(axes: Any, model: Model, places: layout.Layout) -> list[Array]:
    """A short arrow from nowhere into each state in which the model may start, where it is empty around it."""
    found: list[Array] = []
    if model.start is None:
        return found
    around = np.concatenate([*places.arrow, *places.stem, places.state])
    turns = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    ways = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    for state in np.flatnonzero(model.start).tolist():
        at = places.state[state]
        off = around - at
        off = off[np.hypot(*off.T) > 1e-9]
        ahead, aside = ways @ off.T, np.abs(np.stack([-ways[:, 1], ways[:, 0]], axis=1) @ off.T)  # [ways, points]
        free = np.where((ahead > 0) & (ahead < STATE + 1.0), aside, np.inf).min(axis=1)
        open_ = np.where(ahead > 0, aside, np.inf).min(axis=1) > 0.2  # nothing farther out: no loop lies around it
        way = ways[int(np.argmax(np.minimum(free, 0.6) + 0.5 * open_ - 0.1 * ways[:, 0]))]
        found.append(at + way * np.linspace(STATE + 0.75, STATE, 8)[:, None])
        _line(axes, found[-1], best=False, arrow=True)
    return found


def _labels(axes: Any, model: Model, places: layout.Layout, taken: Array, lines: Array) -> None:
    """Names at the actions, probabilities and rewards at the arrows; each where least of `lines` lies under it."""
    boxes = [_box(at, 2 * STATE, 2 * STATE) for at in places.state]
    jobs: list[tuple[str, Array, bool, float]] = []
    for pair in range(model.num_pairs):
        name, said = dot.labels(model, pair)
        name = brief(name, NAME + 10)
        share = float(taken[pair])
        if 0 < share < 1:
            name += f" ({dot.number(share)})"
        jobs.append((name, _beside(places.point[pair], name), share > 0, 9.5))
        span = model.successors(pair)
        for number, text in zip(range(span.start, span.stop), said, strict=True):
            if text:
                curve = places.arrow[number]
                on = curve[(np.array([0.5, 0.44, 0.56, 0.38, 0.62, 0.32, 0.7]) * (len(curve) - 1)).astype(int)]
                jobs.append((text, on, share > 0, 8.5))
    for text, candidates, best, size in sorted(jobs, key=lambda job: -job[3]):
        wide, high = 0.0125 * size * len(text) + 0.06, 0.026 * size
        at, box = min(
            ((at, _box(at, wide, high)) for at in candidates),
            key=lambda pick: _cover(pick[1], boxes, lines, on_line=size < 9),
        )
        boxes.append(box)
        axes.text(
            *at,
            text,
            ha="center",
            va="center",
            size=size,
            color=BEST if best else TEXT,
            style="italic" if size > 9 else "normal",
            zorder=7,
            bbox={"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.88},
        )


def _beside(point: Array, text: str) -> Array:
    """[16, 2] places around an action's point for its name."""
    turns = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    wide = 0.0125 * 9.5 * len(text) / 2 + 0.12
    return np.asarray(point + np.stack([(wide + 0.06) * np.cos(turns), 0.27 * np.sin(turns)], axis=1))


Box = tuple[float, float, float, float]  # left, below, right, above


def _box(at: Array, wide: float, high: float) -> Box:
    return (float(at[0]) - wide / 2, float(at[1]) - high / 2, float(at[0]) + wide / 2, float(at[1]) + high / 2)


def _cover(box: Box, boxes: list[Box], lines: Array, on_line: bool) -> float:
    """How much lies under a label: other labels and states weigh most, lines less."""
    cost = 0.0
    for other in boxes:
        wide = min(box[2], other[2]) - max(box[0], other[0])
        high = min(box[3], other[3]) - max(box[1], other[1])
        if wide > 0 and high > 0:
            cost += 20 + 100 * wide * high
    inside = (lines[:, 0] > box[0]) & (lines[:, 0] < box[2]) & (lines[:, 1] > box[1]) & (lines[:, 1] < box[3])
    return cost + float(inside.sum()) * (0.5 if on_line else 1.5)
