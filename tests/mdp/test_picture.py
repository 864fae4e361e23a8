"""Pictures: what lies on what is measured, not looked at."""

import io
import re
import sys

import numpy as np
import pytest

from rltrain.errors import InputError, MissingError
from rltrain.mdp import build, files
from rltrain.mdp.draw import grid as picture_grid
from rltrain.mdp.draw import layout, picture
from rltrain.mdp.model import Numbered
from rltrain.mdp.pairs import of_choice, uniform
from rltrain.mdp.solvers.solve import solve

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def book():
    return files.read(files.BOOK).model


@pytest.fixture(scope="module")
def places(book):
    """Where everything of the book lies: a second's work."""
    return layout.layout(book)


def grid(rows, columns):
    """Left or right in each row; the last column ends, the first row's end pays most."""
    cells = [(r, c) for r in range(rows) for c in range(columns)]
    s, a, to, reward = [], [], [], []
    for number, (row, column) in enumerate(cells):
        if column == columns - 1:
            continue
        for action, step in enumerate((-1, 1)):
            s.append(number)
            a.append(action)
            to.append(row * columns + max(column + step, 0))
            reward.append(float(column + step == columns - 1) / (row + 1))
    names = [f"{r},{c}" for r, c in cells]
    start = np.eye(len(cells))[0]
    return build.from_transitions(names, ("left", "right"), s, a, to, [1.0] * len(s), reward, start=start)


def drawn(model, policy=None, value=None, tied=None, suffix=".svg"):
    file = io.BytesIO()
    picture.draw(model, policy, value, file, suffix, tied)
    return file.getvalue()


def test_nothing_of_the_book_lies_on_anything(places):
    lines = np.stack(
        [line[np.linspace(0, len(line) - 1, 33).astype(int)] for line in places.arrow]
        + [np.linspace(stem[0], stem[1], 33) for stem in places.stem]
    )
    assert layout.crossings(lines, lines) == 0
    far = np.hypot(*(places.state[:, None] - places.state[None]).T) + 9 * np.eye(3)
    assert far.min() > 4 * layout.STATE
    points = np.hypot(*(places.point[:, None] - places.point[None]).T) + 9 * np.eye(6)
    assert points.min() > 8 * layout.POINT
    for line in places.arrow:  # no arrow runs through a state
        assert np.hypot(*(line[:, None] - places.state[None]).T).min() > layout.STATE - 1e-6


def test_no_name_of_an_action_of_the_book_lies_on_an_arrow(book, places, monkeypatch):
    from matplotlib import figure

    monkeypatch.setattr(layout, "layout", lambda model: places)  # of this model
    lines = np.concatenate([*places.arrow, *(np.linspace(stem[0], stem[1], 33) for stem in places.stem)])
    axes = picture._figure(figure, book, None, None).axes[0]
    names = [text for text in axes.texts if text.get_style() == "italic"]
    assert len(names) == book.num_pairs
    for text in names:
        half = np.array([0.0125 * 9.5 * len(text.get_text()), 0.2]) / 2
        assert not (np.abs(lines - text.get_position()) < half).all(axis=1).any(), text.get_text()


def test_an_arrow_ends_at_the_edge_of_its_state(book, places):
    for state, line in zip(book.next, places.arrow, strict=True):
        assert np.hypot(*(line[-1] - places.state[state])) == pytest.approx(layout.STATE, abs=1e-6)


def test_a_line_that_crosses_another_is_counted_and_one_that_touches_none_is_not():
    cross = np.array([[[0.0, 0.0], [1.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]], [[0.0, 2.0], [1.0, 2.0]]])
    assert layout.crossings(cross[:1], cross) == 1
    assert layout.crossings(cross[2:], cross) == 0


@pytest.mark.slow
def test_the_book_as_svg_says_all_and_is_the_same_each_time(book):
    solution = solve(book, 0.95)
    policy = of_choice(book, solution.choice)
    data = drawn(book, policy, solution.value)
    text = data.decode()
    for label in ("s0", "s1", "s2", "a2 −50", "0.7 +10", "0.8 +40", "21.9", "1.18", "53.9"):
        assert f">{label}<" in text, label
    assert picture.BEST in text and picture.BEST not in drawn(book).decode()
    assert data == drawn(book, policy, solution.value)
    assert drawn(book, policy, suffix=".png").startswith(b"\x89PNG")


def test_a_grid_is_drawn_as_one():
    model = grid(2, 4)
    assert picture.cells_of(model).tolist() == [[r, c] for r in range(2) for c in range(4)]
    solution = solve(model, 0.5)
    text = drawn(model, of_choice(model, solution.choice), solution.value, solution.tied).decode()
    assert len(re.findall(">goal<", text)) == 1  # the second row's end pays less, and is not reached
    assert ">0.250<" in text and ">0.500<" in text and ">1.000<" in text and ">start<" in text
    assert text.count(">0.125<") == 0


def test_what_is_no_grid():
    def cells(names):
        count = len(names)
        rows = range(count)
        return picture.cells_of(
            build.from_transitions(names, ("go",), rows, [0] * count, rows, [1] * count, [0] * count)
        )

    assert cells(("0,0", "0,1", "1,0", "1,1")) is not None
    assert cells(("0,0", "0,1", "1,0", "end")) is None
    assert cells(("0,0", "0,1", "1,0", "00,0")) is None  # one cell twice
    assert cells(Numbered(4)) is None


def test_values_on_a_grid_have_the_same_decimals_and_zero_no_sign():
    assert [picture_grid.written(value, 2) for value in (-0.001, -1.5, 2)] == ["0.00", "−1.50", "2.00"]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 30])
def test_models_of_any_size_and_shape_can_be_drawn(count):
    rng = np.random.default_rng(count)
    rows = [(s, a, int(rng.integers(count)), 1.0, float(rng.normal())) for s in range(count) for a in range(s % 4)]
    rows = rows or [(0, 0, 0, 1.0, 0.0)]
    start = np.full(count, 1 / count)
    model = build.from_transitions(
        [f"s{i}" for i in range(count)], [f"a{i}" for i in range(4)], *zip(*rows, strict=True), start=start
    )
    assert b"</svg>" in drawn(model, uniform(model))


def test_a_large_grid_too():
    assert b"</svg>" in drawn(grid(3, 30), uniform(grid(3, 30)))


def test_too_many_states():
    model = grid(3, 30)
    picture.check_size(model, None)  # a grid may be large
    with pytest.raises(
        InputError, match=r"90 states are too many for a picture \(--max-states 60\): raise --max-states"
    ):
        picture.check_size(model, 60)


def test_without_matplotlib(book, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingError, match=r'pip install "rltrain\[plot\]"'):
        drawn(book)
