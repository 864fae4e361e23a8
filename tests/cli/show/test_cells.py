"""A picture as coloured characters, checked by a small terminal that understands the escape codes."""

import numpy as np
import pytest

from rltrain.cli.show import cells

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def test_two_pixels_a_cell_in_their_exact_colours(run):
    pixels = np.array([[RED, WHITE], [GREEN, BLUE], [BLUE, BLUE], [RED, (1, 2, 3)]], np.uint8)  # [4, 2, 3]
    shown = run(cells.painted(cells.cells(pixels, "true"), None, 3, 5, "true"), 10, 10)
    assert shown == {
        (3, 5): ("▀", RED, GREEN),
        (3, 6): ("▀", WHITE, BLUE),
        (4, 5): ("▀", BLUE, RED),
        (4, 6): ("▀", BLUE, (1, 2, 3)),
    }


def test_only_what_changed_is_painted_and_the_screen_ends_the_same(run):
    rng = np.random.default_rng(0)
    before = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    after = before.copy()
    after[3, 4] = RED
    after[10:14, 20:22] = BLUE
    old, new = cells.cells(before, "true"), cells.cells(after, "true")
    whole, change = cells.painted(new, None, 1, 1, "true"), cells.painted(new, old, 1, 1, "true")
    assert len(change) < len(whole) / 20
    screen = run(cells.painted(old, None, 1, 1, "true"), 10, 30)
    assert run(change, 10, 30, screen) == run(whole, 10, 30)
    assert cells.painted(new, new, 1, 1, "true") == ""


@pytest.mark.parametrize(
    ("colour", "number"),
    [((0, 0, 0), 16), (RED, 196), (WHITE, 231), ((95, 135, 175), 67), ((128, 128, 128), 244), ((8, 8, 8), 232)],
)
def test_256_colours_are_the_nearest(run, colour, number):
    pixels = np.full((2, 1, 3), colour, np.uint8)
    assert cells.cells(pixels, "256").tolist() == [[[number, number]]]
    assert run(cells.painted(cells.cells(pixels, "256"), None, 1, 1, "256"), 1, 1) == {(1, 1): ("▀", number, number)}


def test_no_colour_of_256_is_nearer():
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (2, 200, 3)).astype(np.uint8)
    cube = [(r, g, b) for r in cells.CUBE for g in cells.CUBE for b in cells.CUBE]
    table = np.array(cube + [(g, g, g) for g in cells.GREYS])
    found = table[cells.cells(pixels, "256")[0, :, 0] - 16]
    far = ((table[None] - pixels[0][:, None].astype(int)) ** 2).sum(axis=-1).min(axis=1)
    assert (((found - pixels[0]) ** 2).sum(axis=-1) == far).all()


def test_without_colours_shades_of_letters_and_no_codes_but_places():
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[:, 1], pixels[:, 2] = 140, 255
    text = cells.painted(cells.cells(pixels, "grey"), None, 1, 1, "grey")
    assert text == "\x1b[1;1H" + cells.SHADES[0] + cells.SHADES[5] + cells.SHADES[-1]
    assert text.isascii()


def test_a_smaller_picture_is_the_mean_of_its_area():
    frame = np.zeros((4, 6, 3), np.uint8)
    frame[:2, :3] = 200
    frame[0, 0] = 100
    small = cells.resized(frame, 2, 2)
    assert small[0, 0].tolist() == [round((5 * 200 + 100) / 6)] * 3
    assert small[1].max() == 0 and small[0, 1].max() == 0
    third = cells.resized(np.full((5, 7, 3), 90, np.uint8), 3, 2)  # uneven shares still sum to one
    assert (third == 90).all()


def test_a_larger_picture_keeps_its_pixels():
    frame = np.array([[RED, GREEN], [BLUE, WHITE]], np.uint8)
    assert (cells.resized(frame, 6, 4) == frame.repeat(3, axis=0).repeat(2, axis=1)).all()


@pytest.mark.parametrize("rows, columns", [(40, 80), (10, 200), (1, 1), (24, 3)])
def test_it_fits_and_keeps_its_shape(rows, columns):
    height, width = cells.fit(210, 160, rows, columns)
    assert height % 2 == 0 and 2 <= height <= max(2, 2 * rows) and 1 <= width <= columns
    if min(rows, columns) >= 10:
        assert height / width == pytest.approx(210 / 160, rel=0.15)
        assert height >= 2 * rows - 2 or width >= columns - 1  # as large as goes
