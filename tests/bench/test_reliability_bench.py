"""The figures of reliability: the corpus is what it says, what is typed follows from what is said, the page is true.

The figures themselves are measured by hand; the slowest take minutes.
"""

from __future__ import annotations

import json
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))  # where scripts of bench/ find each other, as when one is run

reliability, folders, hostile, models, moments, common = (
    import_module(f"reliability{name}") for name in ("", "_folders", "_hostile", "_models", "_moments", "_common")
)
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


def look(folder: Path) -> list[tuple[object, ...]]:
    """Everything in a folder, unread."""
    states = [(path, path.lstat()) for path in sorted(folder.rglob("*"))]
    return [
        (str(path.relative_to(folder)), own.st_mode, own.st_size, own.st_nlink, own.st_mtime_ns) for path, own in states
    ]


def test_there_are_over_200_cases_of_all_algorithms() -> None:
    found = [case.name for kind in (folders, models) for case in kind.cases()]
    assert len(found) > 200 and len(set(found)) == len(found)
    assert {case.algorithm for case in folders.cases()} == set(folders.NAMES)


@pytest.mark.parametrize("kind", [folders.things, folders.contents, folders.configs, folders.bombs, folders.groups])
def test_every_case_spoils_the_run(kind, tmp_path: Path) -> None:
    for number, case in enumerate(list(kind())[::3]):
        run, outside = tmp_path / str(number) / "runs" / "x", tmp_path / str(number) / "outside"
        folders.put(case.algorithm, run)
        folders.put_outside(outside)
        before = look(run)
        case.spoil(run, outside)
        assert look(run) != before, case.name


def test_a_forged_state_has_right_hashes_and_another_value(tmp_path: Path) -> None:
    from rltrain.run.checkpoint import Checkpoints

    (case,) = [case for case in folders.forgeries() if case.name == "state 1000 of a model of three"]
    folders.put(case.algorithm, tmp_path / "x")
    case.spoil(tmp_path / "x", tmp_path)
    store = Checkpoints(tmp_path / "x")
    assert store.verify(store.names()[-1]) == []
    assert 1000 in store.load().state["algorithm"]["world"]["state"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("stopped by Ctrl-C\ngo on with: rltrain resume runs/g\n", ["resume", "runs/g"]),
        (
            "--name g: runs/g exists; choose another --name, or go on with it: rltrain resume runs/g",
            ["resume", "runs/g"],
        ),
        (
            "runs/g is not a run: it holds no config.yaml; none ever began: begin it with rltrain ...",
            ["train", "c", "--name"],
        ),
        ("no run has begun, so runs/g was removed", ["train", "c", "--name"]),
        ("no run 'g' in runs; there are none yet", ["train", "c", "--name"]),
        ("", ["resume", "g"]),
    ],
)
def test_what_is_typed_next_is_what_was_said(said: str, words: list[str]) -> None:
    assert moments.next_words("g", ["train", "c", "--name"], said) == words


def test_a_share_of_the_cases_is_spread_over_all_and_not_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert hostile.spread(list(range(100)), 0.05) == [0, 20, 40, 60, 80]
    assert hostile.spread([1, 2], 0.01) == [1]
    with pytest.raises(SystemExit):
        reliability.arguments(["--share", "0.5", "--save"])
    assert "only of all cases" in capsys.readouterr().err


def test_what_is_measured_later_leaves_the_other_figures(tmp_path: Path) -> None:
    path = tmp_path / "reliability.json"
    for number, result in (("R7", "1 of 2"), ("R4", "3 states"), ("R7", "2 of 2")):
        row = common.Figure(number, "what", "all", result, result != "1 of 2")
        reliability.keep(path, {number: {"rows": [row], "seconds": 1.0, "cores_kept_busy_by_others": 0.0}}, result)
    found = json.loads(path.read_text())["figures"]
    assert list(found) == ["R4", "R7"] and found["R7"]["command"] == "2 of 2"
    assert "| R7 what | all | 2 of 2 | 1 |" in reliability.table(path)


# The page


def test_the_page_shows_what_the_result_says() -> None:
    assert reliability.table() in PAGE


def test_every_command_of_the_page_is_one_of_the_script() -> None:
    commands = re.findall(r"^python bench/reliability\.py([^#\n]*)", PAGE, re.MULTILINE)
    assert len(commands) == 3
    for words in commands:
        reliability.arguments(words.split())


def test_every_figure_is_explained_and_every_path_exists() -> None:
    assert re.findall(r"^\*\*(R\d+),", PAGE, re.MULTILINE) == list(reliability.FIGURES)
    for path in re.findall(r"`((?:configs|docs|tests|bench|rltrain)/[\w./-]+)`", PAGE):
        assert (ROOT / path).exists(), path
