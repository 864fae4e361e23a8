"""Logs that were damaged: what can be read of them, where from, and what is said."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rltrain.errors import InputError
from rltrain.report import reading, row_files
from rltrain.report.rows import apart
from rltrain.run.sinks import Csv, JsonLines

ROWS = [{"env_steps": 10 * n, "mean": n / 3, "=odd": float("nan")} for n in range(1, 5)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """eval.jsonl of four rows, and eval.csv beside it, as a run writes them."""
    for sink in (JsonLines(tmp_path), Csv(tmp_path)):
        for row in ROWS:
            counters, metrics = {"env_steps": int(row["env_steps"])}, {k: v for k, v in row.items() if k != "env_steps"}
            sink.write("eval", counters, metrics)
        sink.close()
    return tmp_path / "eval.jsonl"


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True)


def test_a_whole_log_is_read_as_it_is_and_nothing_is_said(log: Path) -> None:
    found = list(row_files.rows(log))
    assert [row["mean"] for row in found] == [1 / 3, 2 / 3, 1.0, 4 / 3] and row_files.damage(log) == []
    log.with_suffix(".csv").write_text("")
    assert list(row_files.rows(log)) == found and row_files.damage(log) == []


def test_the_csv_file_tells_the_same_rows(log: Path) -> None:
    whole = list(row_files.rows(log))
    log.unlink()
    assert list(row_files.rows(log)) == whole and all(type(row["env_steps"]) is int for row in whole)
    assert row_files.damage(log) == ["eval.jsonl: is missing; the 4 rows of eval.csv were read instead"]
    assert reading.counters_of(log) == ["env_steps"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: "", "is empty; the 4 rows of eval.csv were read instead"),
        (lambda text: "".join(text[:2]), "ends after 2 rows; the 4 rows of eval.csv were read instead"),
        (lambda text: "".join(text)[:-9], "ends after 3 rows; the 4 rows of eval.csv were read instead"),
        (
            lambda text: "x\n" + "".join(text[1:]),
            "line 1 is no row of numbers; the 4 rows of eval.csv were read instead",
        ),
        (
            lambda text: text[0] + "x\n[1]\n" + text[3],
            "2 lines are no rows of numbers, the first is line 2; the 4 rows of eval.csv were read instead",
        ),
        (lambda text: "".join(text) + "\0\0\n", "line 5 is no row of numbers, left out"),
    ],
)
def test_what_was_damaged_is_said_and_what_was_read_instead(log: Path, change, said: str) -> None:  # type: ignore[no-untyped-def]
    whole = list(row_files.rows(log))
    log.write_text(change(lines(log)))
    assert list(row_files.rows(log)) == whole
    assert row_files.damage(log) == [f"eval.jsonl: {said}"]
    assert apart(log, log).equal


def test_where_both_are_damaged_the_one_with_more_rows_is_read(log: Path) -> None:
    table, rows = log.with_suffix(".csv"), lines(log)
    log.write_text(rows[0] + "x\n" + rows[2])
    table.write_text("".join(lines(table)[:2]) + "no,number,row\n")
    assert [row["env_steps"] for row in row_files.rows(log)] == [10, 30]
    assert row_files.damage(log) == ["eval.jsonl: line 2 is no row of numbers, left out"]
    log.write_text("")
    table.unlink()
    assert list(row_files.rows(log)) == [] and row_files.damage(log) == ["eval.jsonl: is empty"]


def test_a_row_that_is_still_being_written_is_no_damage(log: Path) -> None:
    with open(log, "a") as file:
        file.write('{"env_steps":50,"me')
    assert len(list(row_files.rows(log))) == 4 and row_files.damage(log) == []
    with open(log, "a") as file:  # its end has come, and the file is looked through anew
        file.write('an":2.0}\n')
    assert len(list(row_files.rows(log))) == 5


def test_what_is_no_regular_file_is_an_error_unless_the_other_is_one(log: Path) -> None:
    log.unlink()
    os.mkfifo(log)
    assert len(list(row_files.rows(log))) == 4
    assert row_files.damage(log)[0].startswith("eval.jsonl: cannot be read (a FIFO")
    log.with_suffix(".csv").unlink()
    with pytest.raises(InputError, match="a FIFO"):
        list(row_files.rows(log))


def test_a_log_without_a_csv_file_has_no_other(tmp_path: Path) -> None:
    (tmp_path / "timings.jsonl").write_text(json.dumps(ROWS[0]) + "\nx\n")
    (tmp_path / "timings.csv").write_text("a\n1\n2\n3\n")
    assert len(list(row_files.rows(tmp_path / "timings.jsonl"))) == 1
