"""Models as DOT."""

import re

import numpy as np
import pytest

from rltrain.errors import InputError
from rltrain.mdp import build, files
from rltrain.mdp.files import dot


@pytest.fixture
def book():
    return files.read(files.BOOK).model


def test_the_book(book, tmp_path):
    files.write(book, tmp_path / "book.dot")
    text = (tmp_path / "book.dot").read_text()
    assert text.startswith('digraph "book" {\n') and text.endswith("}\n")
    assert len(re.findall(r"^  a\d+ \[shape=point", text, re.M)) == book.num_pairs
    assert len(re.findall(r"^  a\d+ -> s\d+ ", text, re.M)) == book.num_next
    assert '  s0 -> a0 [label="a0", arrowhead=none];' in text
    assert '  a0 -> s0 [label="0.7 +10"];' in text
    assert '  s1 -> a4 [label="a2 −50", arrowhead=none];' in text  # all its successors pay it
    assert '  a4 -> s2 [label=""];' in text  # for certain
    assert "doublecircle" not in text and "  start -> s0" in text


def test_a_policy_is_coloured_and_values_are_written(book):
    policy = np.array([0.75, 0.25, 0, 0, 1, 1])
    text = "\n".join(dot.lines(book, policy, np.array([21.899, -1.0, 0.0])))
    assert '[label="s0\\n21.9"' in text and '[label="s1\\n−1"' in text and '[label="s2\\n0"' in text
    coloured = re.findall(r"s\d -> a(\d) .*penwidth=2", text)
    assert coloured == ["0", "1", "4", "5"]
    assert 'label="a0 (0.75)"' in text


def test_terminal_states_and_hostile_names():
    model = build.from_transitions(('he"llo\\', "end"), ("go",), [0], [0], [1], [1], [1.5], name='x"]; y')
    text = "\n".join(dot.lines(model))
    assert 'digraph "x\\"]; y" {' in text
    assert 's0 [label="he\\"llo\\\\", shape=circle]' in text
    assert 's1 [label="end", shape=doublecircle]' in text


def test_numbers_have_true_minus_signs_and_zero_has_none():
    assert [dot.number(x) for x in (0.7, 1 / 3, -50, 1234.5, -0.0, 1e9)] == [
        "0.7",
        "0.333",
        "−50",
        "1234",
        "0",
        "1e+09",
    ]
    assert dot.signed(10) == "+10"


def test_it_is_not_read(tmp_path):
    with pytest.raises(InputError, match=r"cannot read '\.dot'; its name must end in \.yaml"):
        files.read(tmp_path / "x.dot")
