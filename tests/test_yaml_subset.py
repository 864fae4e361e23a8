"""The YAML that configs are written in: YAML 1.2 scalars, line numbers, refusals, and writing it back."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltrain.yaml_subset import MAX_BYTES, MAX_FAULTS, Fault, read, write


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E-3", 1e-3),
        ("3.", 3.0),
        (".5", 0.5),
        ("1.5e3", 1500.0),
        ("-2e-1", -0.2),
        ("1_000_000", 1_000_000),
        ("1_000.5", 1000.5),
        ("1e6", 1_000_000),
        ("1e30", 1e30),
        ("012", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("+7", 7),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("1:30", "1:30"),
        ("1__0", "1__0"),
        ("_1", "_1"),
        ("1e", "1e"),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("2024-01-01", "2024-01-01"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("'1e-3'", "1e-3"),
        ('"true"', "true"),
        ("=", "="),
    ],
)
def test_scalars_are_read_as_yaml_1_2_has_them(text: str, value: Any) -> None:
    document = read(f"key: {text}")
    assert document.faults == []
    assert document.value == {"key": value}
    assert type(document.value["key"]) is type(value)


def test_nan_is_a_number() -> None:
    assert math.isnan(read("key: .nan").value["key"])


def test_a_whole_number_of_a_million_digits_costs_no_time() -> None:
    assert read("key: " + "9" * 900_000).value == {"key": math.inf}


def test_every_path_knows_its_line() -> None:
    document = read("# a comment\nalgorithm:\n  name:\n    dqn\n\nrun: {seed: 3,\n  keep: [1,\n  2]}\n")
    assert document.value == {"algorithm": {"name": "dqn"}, "run": {"seed": 3, "keep": [1, 2]}}
    assert document.lines == {
        (): 2,
        ("algorithm",): 2,
        ("algorithm", "name"): 3,
        ("run",): 6,
        ("run", "seed"): 6,
        ("run", "keep"): 7,
        ("run", "keep", 0): 7,
        ("run", "keep", 1): 8,
    }


@pytest.mark.parametrize(
    ("text", "path", "line", "part"),
    [
        ("a: 1\nb: 2\na: 3", ("a",), 3, "duplicate key; first given in line 1"),
        ("a: {b: 1, 'b': 2}", ("a", "b"), 1, "duplicate key"),
        ("a: &x 1", ("a",), 1, "the anchor '&x' is refused"),
        ("a:\n  - *x", ("a", 0), 2, "the alias '*x' is refused"),
        ("a: !!python/object:os.system x", ("a",), 1, "is refused; write the plain value"),
        ("a: !!float 1e7", ("a",), 1, "the tag"),
        ("? [1, 2]\n: 3", (), 1, "a key must be plain text"),
        ("!!str a: 3", (), 1, "a key must be plain text"),
        ('a: "\\ud800"', ("a",), 1, "lone surrogate"),
        ('"\\ud800": 1', ("\ud800",), 1, "lone surrogate"),
        ("a: 1\n\tb: 2", (), 2, "a tab; indent with spaces"),
        ("a: 1\n--- \nb: 2", (), 2, "a second document"),
        ("a: [1, 2", (), 1, "not YAML"),
        ("a: b: c", (), 1, "not YAML"),
        ("a: 1\nb: \x00", (), 2, "U+0000"),
        ("\n\ud800", (), 2, "U+D800"),
        ('a: "\\UFFFFFFFF"', (), 1, "not YAML"),
        ("%YAML " + "9" * 5000 + ".1\n---\n1", (), 1, "not YAML"),
        ("[" * 2000, (), 1, "nested more than 50 deep"),
        ("a: " + "x" * MAX_BYTES, (), 1, "larger than 1,000,000 bytes"),
    ],
)
def test_faults_say_where_and_what(text: str, path: tuple[str | int, ...], line: int, part: str) -> None:
    fault = read(text).faults[0]
    assert (fault.path, fault.line) == (path, line)
    assert part in fault.rule


def test_all_faults_are_found_and_the_first_of_two_values_stays() -> None:
    document = read("a: 1\na: 2\nb: !x 3\nc: *d\n")
    assert [fault.line for fault in document.faults] == [2, 3, 4]
    assert document.value == {"a": 1, "b": 3, "c": None}


def test_an_alias_bomb_is_refused_without_being_built() -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10))]
    assert len(read("\n".join(lines)).faults) == MAX_FAULTS + 1


@pytest.mark.parametrize("text", ["", "\n# only a comment\n", "---\n", "\ufeff"])
def test_an_empty_text_has_no_value_and_no_fault(text: str) -> None:
    document = read(text)
    assert (document.value, document.faults) == (None, [])


def test_a_byte_order_mark_is_skipped() -> None:
    assert read("\ufeffa: 1").value == {"a": 1}


leaves = st.none() | st.booleans() | st.integers(-(10**60), 10**60) | st.floats(allow_nan=False)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
look_alikes = st.sampled_from(
    ["1e-3", "1e6", "012", "no", "true", "~", "null", "1:30", ".inf", "-", "=", "a: b", "#", "<<"]
)
texts = words | look_alikes
trees = st.recursive(
    leaves | texts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)


@given(st.dictionaries(texts, trees, max_size=4))
def test_what_is_written_reads_back(value: dict[str, Any]) -> None:
    document = read(write(value) or "{}")
    assert document.faults == []
    assert repr(document.value) == repr(value)  # repr tells 1 from 1.0 and from True


def test_written_text_is_what_a_person_would_write() -> None:
    value = {
        "name": "dqn",
        "rate": 1e-05,
        "hidden": (64, 64),
        "every": {"env_steps": 5},
        "kwargs": {},
        "v": "1e-3",
        "n": None,
    }
    assert write(value) == (
        'name: dqn\nrate: 1.0e-05\nhidden: [64, 64]\nevery:\n  env_steps: 5\nkwargs: {}\nv: "1e-3"\nn: null\n'
    )


@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"%@`#?,\n\t \\U0~\ud800\x00é\u2028"), max_size=60))
def test_no_text_makes_it_fail(text: str) -> None:
    assert all(isinstance(fault, Fault) and fault.line >= 1 for fault in read(text).faults)
