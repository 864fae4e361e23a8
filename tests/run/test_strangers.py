"""A run folder that somebody sent: whatever lies in it, nothing outside is created, changed or deleted."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from built import app

from rltrain.cli.errors import exit_code_of
from rltrain.errors import CheckpointError, DiskError, InputError
from rltrain.experiment import config
from rltrain.run import begin
from rltrain.run import group as groups

TABLE = """
algorithm: {name: qlearn}
environment: chain.yaml
run: {budget: {env_steps: 3000}, evaluate: {every: {env_steps: 1500}, episodes: 2}, save: {every: {env_steps: 1000}}}
"""
CHAIN = """
discount: 0.9
states:
  s0: {go: s1, stay: s0}
  s1: {go: {s0: 0.5 reward 1, end: 0.5}, stay: s1}
  end: terminal
"""
TARGETS = {  # what lies outside, and what points there
    "a link to a file": lambda path, outside: path.symlink_to(outside / "file"),
    "a link to a folder": lambda path, outside: path.symlink_to(outside),
    "a link to nothing": lambda path, outside: path.symlink_to(outside / "new"),
    "a FIFO": lambda path, outside: os.mkfifo(path),
    "a folder": lambda path, outside: path.mkdir(),
    "a second name of a file": lambda path, outside: path.hardlink_to(outside / "file"),
}


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped half way, with a picture, and the files that a kill leaves."""
    home = tmp_path_factory.mktemp("sent")
    (home / "chain.yaml").write_text(CHAIN)
    run = begin.create(config.loads(TABLE, str(home / "test.yaml")), home, "x", "a test")
    for event in run.advance():
        if event.kind == "step" and run.counters["env_steps"] > 1_600:
            run.request_stop("SIGTERM")
    run.close()
    return home / "x"


def names(folder: Path) -> list[str]:
    """Every file and folder of a run, and those that it makes for a moment or at its end."""
    there = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*"))]
    moments = ["tmp-status.json", "tmp-config.yaml", "tmp-run.json", "crash.txt", ".ballast", "curve.png", "chunks"]
    later = ["baselines.json", "tmp-baselines.json", "tmp-curve.png", ".curve.png.part", ".status.json.part"]
    return [*there, *moments, *later, "checkpoints/tmp-ckpt-000000002000", "checkpoints/ckpt-000000009999"]


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A folder full of what a run would delete, write over or add to. It must be the same afterwards."""
    folder = tmp_path / "outside"
    for name in ("file", "tmp-x", "x.bin", "ckpt-000000000001/state.json", "tmp-y/z", "ckpt-000000009999/a"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("precious")
    yield folder
    found = {
        str(path.relative_to(folder)): path.is_file() and path.read_text(errors="replace") for path in folder.rglob("*")
    }
    assert all(text in (False, "precious") for text in found.values())
    assert sorted(found) == sorted(
        ["file", "tmp-x", "x.bin", "ckpt-000000000001", "ckpt-000000000001/state.json", "tmp-y", "tmp-y/z"]
        + ["ckpt-000000009999", "ckpt-000000009999/a"]
    )


def rltrain(*words: str) -> int:
    """The exit code of a command in this process. None may wait."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail(f"{words} waits"))
    signal.alarm(60)
    try:
        return exit_code_of(lambda: app(words))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def put(run: Path, name: str, kind: str, outside: Path) -> None:
    path = run / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    TARGETS[kind](path, outside)


def resume_with(sent: Path, run: Path, name: str, kind: str, outside: Path) -> None:
    """Resume a copy of the run in which one name is something else; an error names the folder."""
    shutil.copytree(sent, run)
    put(run, name, kind, outside)
    try:
        resumed = begin.resume(run)
    except (CheckpointError, DiskError, InputError) as error:
        assert str(run) in str(error)
        return
    try:
        assert [event.kind for event in resumed.advance()][-1] == "end"
    except DiskError as error:
        assert str(run) in str(error)
    finally:
        resumed.close()


@pytest.mark.parametrize("first", range(2))
def test_a_resume_touches_nothing_outside(sent: Path, tmp_path: Path, outside: Path, first: int) -> None:
    """Each name as one kind of thing; all pairs of them are in the slow tests."""
    kinds = list(TARGETS)
    for number, name in enumerate(names(sent)[first::2]):
        resume_with(sent, tmp_path / f"r{number}" / "x", name, kinds[(number + first) % len(kinds)], outside)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TARGETS)
def test_no_verb_touches_anything_outside(sent: Path, tmp_path: Path, outside: Path, kind: str, capsys) -> None:
    for number, name in enumerate(names(sent)):
        resume_with(sent, tmp_path / f"r{number}" / "y", name, kind, outside)
        run = tmp_path / f"r{number}" / "x"
        shutil.copytree(sent, run)
        put(run, name, kind, outside)
        for verb in (("check", str(run)), ("resume", str(run), "--quiet"), ("plot", str(run))):
            code = rltrain(*verb)
            assert code in (0, 2, 3, 7), f"{verb[0]} with {name} as {kind}: {code}\n{capsys.readouterr()}"
        assert rltrain("list", "runs", "--runs-dir", str(run.parent)) == 0
        shutil.rmtree(run.parent)


@pytest.mark.parametrize("name", ["checkpoints", "chunks", "events", "model"])
def test_a_link_in_place_of_a_folder_is_refused_by_name(
    sent: Path, tmp_path: Path, outside: Path, name: str, capsys
) -> None:
    shutil.copytree(sent, tmp_path / "x")
    put(tmp_path / "x", name, "a link to a folder", outside)
    assert rltrain("resume", str(tmp_path / "x")) == 3
    assert f"{tmp_path / 'x' / name} is a symbolic link" in capsys.readouterr().err


def test_a_log_with_a_second_name_is_parted_from_it(sent: Path, tmp_path: Path) -> None:
    """As `cp -al` makes them: the run goes on, the copy stays as it was."""
    shutil.copytree(sent, tmp_path / "x")
    shutil.copytree(tmp_path / "x", tmp_path / "copy", copy_function=os.link)
    (tmp_path / "x" / ".lock").unlink()
    before = {path: path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert rltrain("resume", str(tmp_path / "x"), "--quiet") == 0
    assert {path: path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file()} == before


def test_a_seed_that_is_a_link_to_another_run_is_refused(sent: Path, tmp_path: Path, capsys) -> None:
    shutil.copytree(sent, tmp_path / "mine")
    experiment = config.load(sent / "config.yaml")
    group = groups.create(experiment, [0, 1], tmp_path, "g", "a test")
    group.member(1).symlink_to(tmp_path / "mine")
    before = (tmp_path / "mine" / "metrics.jsonl").read_bytes()
    for run in (tmp_path / "g", tmp_path / "g" / "s1"):
        assert rltrain("resume", str(run)) == 3
        assert "symbolic link, where the run of a seed belongs" in capsys.readouterr().err
    assert (tmp_path / "mine" / "metrics.jsonl").read_bytes() == before


RUN_JSON = [None, "", "{", "[]", "[" * 100_000, '{"machine": 3}', '{"machine": {"torch": 1}}']


@pytest.mark.parametrize("content", RUN_JSON)
def test_a_run_goes_on_without_its_run_json_and_says_so(sent, tmp_path, content, capsys):
    shutil.copytree(sent, tmp_path / "x")
    (tmp_path / "x" / "run.json").unlink()
    if content is not None:
        (tmp_path / "x" / "run.json").write_text(content)
    assert rltrain("resume", str(tmp_path / "x"), "--quiet") == 0
    assert "marked as not exact" in capsys.readouterr().out
    facts = json.loads((tmp_path / "x" / "run.json").read_text())
    assert facts["exact"] is False and facts["exact_until"]["env_steps"] > 1_600
