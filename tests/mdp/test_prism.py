"""Models in PRISM's language, read back by a few regular expressions."""

import re

import numpy as np
import pytest

from rltrain.errors import InputError
from rltrain.mdp import build, files
from rltrain.mdp.files import prism


def value_of(number):
    over, _, under = number.partition("/")
    return float(over) / float(under or 1)


def commands(text):
    """(action, state) -> {next: probability}"""
    found = {}
    for action, state, update in re.findall(r"^  \[(\w*)\] s=(\d+) -> (.*);$", text, re.M):
        found[action, int(state)] = {int(to): value_of(p) for p, to in re.findall(r"([^ +]+):\(s'=(\d+)\)", update)}
    return found


def test_the_book_is_exact(tmp_path):
    book = files.read(files.BOOK).model
    files.write(book, tmp_path / "book.prism")
    text = (tmp_path / "book.prism").read_text()
    assert re.search(r"^mdp$", text, re.M) and "s : [0..2] init 0;" in text and "discount is 0.95" in text
    assert "[a0] s=0 -> 7/10:(s'=0) + 3/10:(s'=1);" in text
    found = commands(text)
    assert len(found) == book.num_pairs
    assert found["a1", 2] == {0: 0.8, 1: 0.1, 2: 0.1}
    assert re.findall(r"^  \[(\w+)\] s=(\d) : (.*);$", text, re.M) == [
        ("a0", "0", "7"),
        ("a2", "1", "-50"),
        ("a1", "2", "32"),
    ]
    assert 'label "s1" = s=1;' in text and 'label "terminal" = false;' in text


def test_floats_are_written_with_every_digit():
    prob = np.array([0.1, 0.2, 0.7]) / np.array([0.1, 0.2, 0.7]).sum()
    model = build.from_transitions(("x", "y", "z"), ("go",), [0, 0, 0], [0] * 3, [0, 1, 2], prob, [0.1, 0.2, 1 / 3])
    text = "\n".join(prism.lines(model))
    assert [commands(text)["go", 0][state] for state in range(3)] == prob.tolist()
    assert float(re.search(r"\[go\] s=0 : (.*);", text)[1]) == model.reward[0]
    assert commands(text)["", 1] == {1: 1.0}  # an end leads to itself
    assert 'label "terminal" = s=1 | s=2;' in text


def test_a_distribution_of_starts_is_a_state_of_its_own():
    model = build.from_transitions(("x", "y"), ("go",), [0, 1], [0, 0], [1, 0], [1, 1], [0, 1], start=[0.25, 0.75])
    text = "\n".join(prism.lines(model))
    assert "s : [0..2] init 2;" in text
    assert commands(text)["", 2] == {0: 0.25, 1: 0.75}


def test_names_become_identifiers_that_differ():
    assert prism.identifiers(("left", "max", "go on", "go_on", "0", "s"), "a") == [
        "left",
        "amax",
        "go_on",
        "go_on_3",
        "a0",
        "as",
    ]
    many = prism.identifiers(("a b", "a_b_2", "a_b"), "x")
    assert len(set(many)) == 3


def test_it_is_not_read(tmp_path):
    with pytest.raises(InputError, match=r"cannot read '\.prism'; its name must end in \.yaml"):
        files.read(tmp_path / "x.prism")
