"""What a person sees in the terminal: the picture, the words beside it, and everything back in order at the end."""

import io
import os

import numpy as np
import pytest

from rltrain.cli.output import Output
from rltrain.cli.show import terminal
from rltrain.film.caption import Subject, caption, shares, written
from rltrain.run.play import Moment

SUBJECT = Subject("dqn on CartPole-v1", ("left", "right"), "Q", 3)


def moment(**changes):  # type: ignore[no-untyped-def]
    frame = np.zeros((40, 60, 3), np.uint8)
    frame[:20] = (255, 0, 0)
    first = Moment(frame, "", 1, 4, 1.0, 4.0, np.array([1.5, -0.25]), None, 0, False, False, False)
    return first._replace(**changes)


class Screen(io.StringIO):
    encoding = "utf-8"


@pytest.fixture
def shown(monkeypatch, run):  # type: ignore[no-untyped-def]
    """The raw text, and the screen that it leaves."""
    return lambda size, *moments, depth="true": show(monkeypatch, run, size, *moments, depth=depth)


def show(monkeypatch, run, size, *moments, depth):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(terminal.shutil, "get_terminal_size", lambda _: os.terminal_size(size))
    stream = Screen()
    view = terminal.Terminal(SUBJECT, Output(stream), depth)
    for one in moments:
        view.show(one)
    text = stream.getvalue()
    view.close()
    plain = text
    for code in (terminal.OPEN, terminal.BEGIN, terminal.END, terminal.CLEAR, "\x1b[K", terminal.BOLD, terminal.DIM):
        plain = plain.replace(code, "")
    return stream.getvalue(), run(plain, size[1], size[0])


def words(screen, columns):  # type: ignore[no-untyped-def]
    rows = max(row for row, _ in screen)
    return [
        "".join(screen.get((row, column), " ")[0] for column in range(1, columns + 1)).rstrip()
        for row in range(1, rows + 1)
    ]


@pytest.mark.parametrize("scores", [np.array([1.5, -0.25]), np.array([1.5, np.nan]), None], ids=str)
def test_what_cannot_be_done_is_said_whatever_the_policy_thinks_of_it(shown, scores):
    now = moment(scores=scores, possible=np.array([True, False]))
    left, right = caption(SUBJECT, now).bars
    assert (right.name, right.value, right.share, right.chosen) == ("right", "impossible", 0, False)
    assert left.chosen and left.value == ("" if scores is None else "1.500")
    text = "\n".join(words(shown((100, 30), now)[1], 100))
    assert "  right" in text and text.count("impossible") == 1


def test_the_picture_on_the_left_and_the_words_on_the_right(shown):
    _, screen = shown((100, 30), moment())
    assert screen[1, 1] == ("▀", (255, 0, 0), (255, 0, 0))
    height, width = 2 * 30, 62  # 62 columns are left of the panel: 60 wide would need 40 pixels of height
    bottom = max(row for row, column in screen if column == 1)
    assert screen[bottom, 1] == ("▀", (0, 0, 0), (0, 0, 0))
    assert bottom <= height / 2 and max(c for (r, c), cell in screen.items() if cell[0] == "▀") <= width
    page = "\n".join(line[62:].strip() for line in words(screen, 100))
    assert "dqn on CartPole-v1" in page and "1 of 3" in page
    assert next(line for line in page.splitlines() if line.startswith("> left")).endswith("1.500")
    assert next(line for line in page.splitlines() if line.startswith("right")).endswith("-0.250")


def test_the_terminal_is_as_it_was_before(shown):
    text, _ = shown((100, 30), moment())
    assert text.startswith("\x1b[?1049h\x1b[?25l") and text.endswith("\x1b[?25h\x1b[?1049l")


def test_a_second_moment_sends_what_changed(shown):
    one, _ = shown((100, 30), moment())
    two, screen = shown((100, 30), moment(), moment(step=5, total=5.0))
    assert len(two) - len(one) < 120
    assert any("return  5" in line for line in words(screen, 100))


def test_words_below_where_it_is_narrow(shown):
    _, screen = shown((50, 20), moment())
    page = words(screen, 50)
    assert page[-2] == "dqn on CartPole-v1"
    assert page[-1] == "game 1 of 3  step 4  return 4  left 1.500"


@pytest.mark.parametrize("size", [(1, 1), (5, 2), (20, 3), (80, 1), (300, 90)])
def test_no_size_is_too_small_or_too_large(shown, size):
    shown(size, moment())  # `run` asserts that nothing lands outside


def test_letters_alone_where_there_are_no_colours(shown):
    text, _ = shown((100, 30), moment(), depth="grey")
    assert text.isascii()


def test_names_cannot_send_codes(shown):
    text, screen = shown((100, 30), moment(state="a\x1b[31mb\nc"))
    assert "\x1b[31m" not in text
    assert any("a?[31mb?c" in line for line in words(screen, 100))


def test_how_a_game_ended_is_said():
    over = moment(last=True, action=None, scores=None)
    assert caption(SUBJECT, over).note == "game over"
    assert caption(SUBJECT, over._replace(cut=True)).note == "cut off by the time limit"
    assert caption(SUBJECT, moment(explored=True)).note == "random action"
    assert not any(bar.chosen or bar.value for bar in caption(SUBJECT, over).bars)


def test_lengths_of_bars():
    assert shares(np.array([0.25, 0.75]), True).tolist() == [0.25, 0.75]
    stretched = shares(np.array([10.0, np.nan, 30.0, 20.0]), False)
    assert stretched[1] == 0 and stretched[2] == 1 and 0 < stretched[0] < stretched[3] < 1
    assert shares(np.array([5.0, 5.0]), False).tolist() == [1, 1]
    assert shares(np.full(2, np.nan), False).tolist() == [0, 0]


def test_values_are_written_so_that_actions_can_be_told_apart():
    texts = {44.44: "44.44", 250.34: "250.3", 1234.5: "1,234", 0.5571: "0.557", -3.25: "-3.250", 0.0123: "0.0123"}
    assert {value: written(value) for value in texts} == texts


def test_a_terminal_without_unicode_gets_letters(monkeypatch):
    class Old(Screen):
        encoding = "latin-1"

        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert terminal.depth_of(Output(Old())) == "grey"
    monkeypatch.setattr(Old, "encoding", "utf-8")
    assert terminal.depth_of(Output(Old())) == "true"
    monkeypatch.delenv("COLORTERM")
    assert terminal.depth_of(Output(Old())) == "256"
    monkeypatch.setenv("TERM", "dumb")
    assert terminal.depth_of(Output(Old())) == "grey"
