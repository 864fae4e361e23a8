"""A small terminal that understands the escape codes."""

import re

import pytest


@pytest.fixture
def run():
    return run_codes


def run_codes(text: str, rows: int, columns: int, screen=None):  # type: ignore[no-untyped-def]
    """What a terminal shows: {(row, column): (letter, foreground, background)}, from 1."""
    screen = {} if screen is None else screen
    row = column = 1
    front = back = None
    for code, letter in re.findall(r"\x1b\[([0-9;?]*[A-Za-z])|(.)", text, re.DOTALL):
        if letter:
            assert row <= rows and column <= columns, "painted outside of the screen"
            screen[row, column] = (letter, front, back)
            column += 1
        elif code.endswith("H"):
            row, column = map(int, code[:-1].split(";"))
        elif code == "0m":
            front = back = None
        elif code.startswith("38;2;"):
            front = tuple(map(int, code[5:-1].split(";")))
        elif code.startswith("48;2;"):
            back = tuple(map(int, code[5:-1].split(";")))
        elif code.startswith("38;5;"):
            front = int(code[5:-1])
        elif code.startswith("48;5;"):
            back = int(code[5:-1])
        else:
            raise AssertionError(f"an unknown code: {code}")
    return screen
