"""Every verb still prints what it printed: help texts, tables, JSON, errors and exit codes of fixed calls.

See tests/golden/fixed_calls.py for the calls and for what is replaced before they are compared, and
tests/golden/record.py for when the texts in tests/golden/output may be recorded anew.
"""

import json
import warnings
from pathlib import Path

import fixed_calls
import pytest

GROUPS = fixed_calls.groups()
MACHINE = json.loads((fixed_calls.RECORDED / "machine.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_of_calls_prints_what_it_printed_when_it_was_recorded(name: str, tmp_path: Path) -> None:
    here = fixed_calls.machine()
    elsewhere = [fact for fact in here if here[fact] != MACHINE.get(fact)]
    if elsewhere:
        warnings.warn(f"recorded with another {', '.join(elsewhere)}: not every character is compared", stacklevel=1)
    recorded = (fixed_calls.RECORDED / f"{name}.txt").read_text(encoding="utf-8")
    found = fixed_calls.transcript(GROUPS[name], tmp_path / name)
    changed = fixed_calls.difference(name, recorded, found, elsewhere)
    assert not changed, changed


def test_every_verb_has_a_fixed_call() -> None:
    verbs = {" ".join(verb) for verb in fixed_calls.verbs()} - {"enjoy"}  # another word for watch
    called = [f"{line} " for lines in fixed_calls.GROUPS.values() for line in lines]
    assert [verb for verb in verbs if not any(line.startswith(f"{verb} ") for line in called)] == []


def test_every_recorded_text_belongs_to_a_group() -> None:
    assert {path.stem for path in fixed_calls.RECORDED.glob("*.txt")} == set(GROUPS)


def test_the_comparison_sees_a_changed_number_elsewhere_a_changed_word_and_always_an_exit_code() -> None:
    text = "$ rltrain mdp solve\nV 1.5\n--- exit code 0\n"
    everywhere: tuple[list[str], ...] = ([], ["processor"], ["processor", "rich"])
    for elsewhere in everywhere:
        assert fixed_calls.difference("x", text, text, elsewhere) == ""
        assert fixed_calls.difference("x", text, text.replace("code 0", "kode 1"), elsewhere) != ""
    assert [bool(fixed_calls.difference("x", text, text.replace("1.5", "1.6"), each)) for each in everywhere] == [
        True,
        False,
        False,
    ]
    assert [bool(fixed_calls.difference("x", text, text.replace("V", "W"), each)) for each in everywhere] == [
        True,
        True,
        False,
    ]
