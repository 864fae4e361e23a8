"""Whatever stands in the files of a run folder, it is listed, read and drawn, or refused in one sentence."""

from __future__ import annotations

import copy
import csv
import io
import json
import math
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rltrain.cli import compare as compare_verb
from rltrain.cli import diff as diff_verb
from rltrain.cli import listing
from rltrain.cli import plot as verb
from rltrain.cli.output import Output, console, say_json
from rltrain.cli.seeds.display import SeedsDisplay, SeedsFacts
from rltrain.cli.views import LogView
from rltrain.errors import CheckpointError, InputError
from rltrain.run import unverified
from rltrain.verbs import plot as plots
from rltrain.verbs.compare import compare
from rltrain.verbs.diff import diff
from rltrain.verbs.history import recall
from rltrain.verbs.saved_policy import locate
from rltrain.verbs.seeds.measure import measure_of
from rltrain.verbs.seeds.progress import SeedRow, progress
from rltrain.verbs.seeds.train import SeedsMoment

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**4000), 2**63, 2**64, -1, 0])
    | st.floats()
    | st.sampled_from([1e308, -1e308, 1e99, 5e-324, math.nan, math.inf])
    | st.text(max_size=8)
    | st.sampled_from(["nan", "[red]x[/red]", "\x1b[2J", "$\\frac{$", "\ud800", "eval", "1e5"])
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)

ROWS = {  # of each kind of run, by the picture that it has
    "returns": {"return/mean": 5.0, "return/last": 4.0, "return/batch": 4.5, "loss/td": 0.1},
    "tables": {"q/true": 3.0, "q/0.1/0": 1.0, "q/0.1/1": 2.0, "error/max": 0.5, "error/max/0.1": 0.5, "error/low": 0.1},
    "sweeps": {"bound": 0.5, "value/start": 1.0, "error/max": 0.1},
    "generations": {"population/best": 9.0, "population/median": 5.0, "population/sd": 1.0, "return/mean": 8.0},
    "histogram": {"return/last": 9.0, "return/mean": 8.0},
}


def files_of(kind: str) -> dict[str, Any]:
    """A run's files as values; those that end in .jsonl are lists of rows."""
    numbers = range(1, 5)
    row = ROWS[kind]
    return {
        "config.yaml": {
            "algorithm": {"name": "basic" if kind == "histogram" else "dqn", "gamma": 0.9, "policy": "angle"},
            "environment": {"id": "CartPole-v1", "kwargs": {}},
            "run": {"seed": 1, "budget": {"env_steps": 400}},
        },
        "status.json": {
            "state": "finished", "counters": {"env_steps": 400, "episodes": 4}, "score": 3.5, "scored": "evaluation",
            "best": {"score": 4.5, "step": 200}, "updated": 1.7e9, "pid": 1,
        },
        "metrics.jsonl": [{"env_steps": 100 * n, "episodes": n} | {k: v * n for k, v in row.items()} for n in numbers],
        "eval.jsonl": [{"env_steps": 100 * n, "mean": 2.0 * n, "ci95/low": 1.0, "ci95/high": 9.0} for n in numbers],
        "timings.jsonl": [{"table": "train", "env_steps": 100 * n, "elapsed_seconds": 1.5 * n} for n in numbers],
        "baselines.json": {"baselines": {"random": 22.0, "rule": 200.0}, "reward_threshold": 475.0},
    }  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value in a tree."""
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*path, key))


@st.composite
def edited(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """The files of a run in which a stranger has put anything at a few places."""
    files = copy.deepcopy(files_of(kind))
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from([path for path in places(files) if path]))
        holder: Any = files
        for key in path[:-1]:
            holder = holder[key]
        if draw(st.booleans()) and isinstance(holder, dict) and len(path) > 1:
            holder[draw(st.text(max_size=6))] = draw(JSON)
        else:
            holder[path[-1]] = draw(JSON)
    return files


def write(folder: Path, files: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        rows = value if name.endswith(".jsonl") and isinstance(value, list) else [value]
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def controls(text: str) -> set[str]:
    return {c for c in text if not c.isprintable() and c not in "\n\t"}


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.too_slow])
@given(edited("returns"))
def test_whatever_a_folder_holds_all_of_them_are_listed(files: dict[str, Any]) -> None:
    with TemporaryDirectory() as home:
        runs = Path(home)
        write(runs / "odd", files)
        write(runs / "good", files_of("returns"))
        report = listing.listing([listing.Section.runs], runs)["runs"]
        assert [run["name"] for run in report] == ["good", "odd"]
        assert report[0]["faults"] == [] and report[0]["score"] == 3.5
        json.dumps(report, allow_nan=False)
        stream = io.StringIO()
        listing._show_runs(console(Output(stream), width=200), report)
        assert controls(stream.getvalue() + "".join(listing.fault_lines(report))) == set()
        assert " good " in stream.getvalue() and " odd " in stream.getvalue()


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow])
@given(edited("returns"))
def test_whatever_a_folder_holds_the_table_of_seeds_and_the_past_are_shown(files: dict[str, Any]) -> None:
    with TemporaryDirectory() as home:
        run = write(Path(home) / "s1", files)
        rows = [SeedRow(1, "finished", progress(run)), SeedRow(2, "waiting", progress(Path(home) / "s2"))]
        moment = SeedsMoment(rows, 1.0, measure_of(rows))
        facts = SeedsFacts("dqn", home, "seeds", {"env_steps": 400}, True, 1)
        stream = io.StringIO()
        lines = LogView(SeedsDisplay(facts), Output(stream), clock=lambda: time.monotonic() + 100)
        lines.show(moment)
        lines.close()
        assert controls(stream.getvalue()) == set()
        for row in recall(run, ("env_steps", "episodes"), "env_steps"):
            assert row.score is None or math.isfinite(row.score)
        path, _ = locate(str(run), Path(home), last=False)
        assert path == run


@pytest.mark.slow
@pytest.mark.parametrize("kind", ROWS)
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_a_folder_holds_it_is_drawn_or_refused_in_a_sentence(kind: str, data: st.DataObject) -> None:
    drawn(kind, data.draw(edited(kind)), data.draw(st.sampled_from(["auto", "none", "gamma"])))


def drawn(kind: str, files: dict[str, Any], by: str) -> None:
    """One picture of the odd run, and one of it beside a good one."""
    with TemporaryDirectory() as home:
        runs = Path(home)
        write(runs / "odd", files)
        write(runs / "good", files_of(kind))
        for given_runs, options in ((["odd"], {}), (["*"], {"by": by}), (["*"], {"x": "seconds", "y": "eval"})):
            try:
                report = plots.plot(given_runs, runs / "out.png", runs_dir=runs, **options)  # type: ignore[arg-type]
            except (InputError, CheckpointError) as error:
                assert str(error) and controls(str(error)) == set()
                continue
            verb.show(report)
            assert (runs / "out.png").stat().st_size > 1000


@settings(max_examples=examples(120), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(edited("returns"), st.sampled_from(["final", "best", "auc"]))
def test_whatever_a_folder_holds_it_is_compared_or_refused_in_a_sentence(files: dict[str, Any], on: str) -> None:
    with TemporaryDirectory() as home:
        runs = Path(home)
        write(runs / "odd", files)
        for seed in range(3):
            good = files_of("returns")
            good["config.yaml"]["run"]["seed"] = seed
            good["config.yaml"]["algorithm"]["gamma"] = 0.5
            write(runs / f"good-{seed}", good)
        for show, call in (
            (compare_verb.show, lambda: compare(["odd", "good-*"], on=on, runs_dir=runs)),
            (diff_verb.show, lambda: diff("odd", "good-1", runs)),
        ):
            said = io.StringIO()
            try:
                with redirect_stdout(said), redirect_stderr(said):
                    report: Any = call()
                    show(report)
                    say_json(report.json())
            except (InputError, CheckpointError) as error:
                said.write(str(error))
            assert said.getvalue() and controls(said.getvalue()) == set()


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("status.json", '{"score": "high"}', "status.json: score: expected a number, found 'high'"),
        ("status.json", '{"score": [1]}', "status.json: score: expected a number, found a list"),
        ("status.json", '{"counters": {"a": 1e999}}', "status.json: counters.a: expected a whole number, found inf"),
        ("status.json", '{"best": {"step": -1}}', "status.json: best.step: expected a whole number, found -1"),
        ("status.json", "[]", "status.json: expected an object, found a list"),
        ("status.json", "{", "status.json: cannot be read: Expecting property name enclosed in double quotes"),
        ("config.yaml", "a: [", "config.yaml:1: not YAML"),
        ("config.yaml", "3", "config.yaml: expected settings, found 3"),
        ("config.yaml", "run: [1]", "config.yaml: run: expected a block of settings, found a list"),
        (
            "config.yaml",
            "run: {budget: {env_steps: 0}}",
            "config.yaml: run.budget.env_steps: expected a whole number from 1",
        ),
        ("config.yaml", "algorithm: {name: [dqn]}", "config.yaml: algorithm.name: expected a name, found a list"),
    ],
)
def test_each_fault_names_the_file_the_key_the_value_and_the_rule(
    tmp_path: Path, file: str, text: str, said: str
) -> None:
    (tmp_path / "config.yaml").write_text(json.dumps(files_of("returns")["config.yaml"]))
    (tmp_path / file).write_text(text)
    faults = [*unverified.config(tmp_path).faults, *unverified.status(tmp_path).faults]
    assert any(fault.startswith(said) for fault in faults), faults


def test_a_run_as_rltrain_writes_it_has_no_faults_and_one_without_a_status_neither(tmp_path: Path) -> None:
    write(tmp_path, files_of("returns"))
    assert unverified.status(tmp_path).faults == unverified.config(tmp_path).faults == ()
    (tmp_path / "status.json").unlink()
    assert unverified.status(tmp_path) == unverified.UnverifiedStatus()


def test_points_of_a_search_that_are_no_numbers_are_left_out(tmp_path: Path) -> None:
    run = write(tmp_path / "odd", files_of("returns"))
    with (run / "points.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["p", "q", "score"], [1, 2, 3], ["x", 1, 2], [1], [2, 3, "nan"], [2, 1, 4]])
    assert plots.plot(["odd"], runs_dir=tmp_path).picture == str(run / "curve.png")
