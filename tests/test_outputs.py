"""Where a command may write: what is replaced, what is not, and one message for each, whichever verb is asked."""

import os
from pathlib import Path

import pytest
from in_process import Command, command

from rltrain.errors import DiskError, InputError
from rltrain.outputs import check_output

HEADS = {
    "picture.png": b"\x89PNG\r\n\x1a\n",
    "picture.svg": b'<?xml version="1.0"?>',
    "picture.pdf": b"%PDF-1.4",
    "page.html": b"\n<!DOCTYPE html>",
    "film.gif": b"GIF89a",
    "film.mp4": b"\0\0\0\x20ftypisom",
}
VERBS = {  # a call of every verb that writes where it is told to, but for the name itself
    "a.png": ("plot", "r", "-o"),
    "b.svg": ("compare", "r", "r2", "-o"),
    "c.html": ("report", "r", "--no-film", "-o"),
    "d.html": ("explain", "r", "-o"),
    "e.gif": ("explain", "r", "-o"),
    "f.gif": ("watch", "r", "-o"),
    "g.py": ("export", "r", "-o"),
    "h.png": ("mdp", "graph", "mdp/book.yaml", "-o"),
    "i.dot": ("mdp", "graph", "mdp/book.yaml", "-o"),
    "j.png": ("mdp", "discounts", "mdp/book.yaml", "-o"),
    "k.csv": ("mdp", "simulate", "mdp/book.yaml", "-o"),
    "l.npz": ("mdp", "solve", "mdp/book.yaml", "--save"),
    "m.csv": ("mdp", "convert", "mdp/book.yaml"),
    "n.mdpd": ("mdp", "generate", "garnet", "--states", "5"),
    "o.yaml": ("init", "--env", "CartPole-v1", "-o"),
}


def check(path: Path, overwrite: bool = False) -> None:
    check_output(path, "a picture", (path.suffix,), overwrite)


@pytest.mark.parametrize("name", HEADS)
def test_what_is_looked_at_is_replaced_if_it_is_that(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    check(file)
    file.write_bytes(HEADS[name] + b"...")
    check(file)
    file.write_bytes(b"")  # as mktemp makes it
    check(file)
    file.write_bytes(b"my notes on ftyp and gif")
    with pytest.raises(InputError, match="exists and is no "):
        check(file)
    check(file, overwrite=True)


def test_what_is_worked_with_stays(tmp_path: Path) -> None:
    for name in ("policy.py", "model.yaml", "steps.csv", "policy.onnx", "graph.dot"):
        check(tmp_path / name)
        (tmp_path / name).write_text("")
        with pytest.raises(InputError, match="exists; --overwrite replaces it"):
            check(tmp_path / name)
        check(tmp_path / name, overwrite=True)


def test_a_runs_own_files_and_what_is_no_file_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("")
    check(tmp_path / "metrics.csv", overwrite=True)
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(InputError, match="belongs to the run"):
        check(tmp_path / "metrics.csv", overwrite=True)
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").mkdir()
    for name, said in (("a.png", "is a FIFO"), ("b.png", "is a folder; name a file in it")):
        with pytest.raises(InputError, match=said):
            check(tmp_path / name, overwrite=True)


def test_a_link_counts_as_what_its_own_name_says(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for name in ("a.png", "b.py"):
        (tmp_path / name).symlink_to("mine.txt")
    check(tmp_path / "a.png")
    with pytest.raises(InputError, match="exists; --overwrite"):
        check(tmp_path / "b.py")


def test_the_folder_around_it_is_there_and_may_be_written_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"a/b\.png: there is no folder .*a; make it, or write elsewhere"):
        check(tmp_path / "a" / "b.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="there is no folder"):
        check(tmp_path / "file" / "b.png")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(DiskError, match="Permission denied"):
        check(tmp_path / "b.png")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs that have no numbers, so that a verb that worked before it looked at the name would say that."""
    home = tmp_path_factory.mktemp("outputs")
    for name in ("r", "r2"):
        (home / "runs" / name / "checkpoints").mkdir(parents=True)
        (home / "runs" / name / "config.yaml").write_text("")
    for name in VERBS:
        (home / f"folder-{name}").mkdir()
    (home / "folder-n.mdpd" / "mine.txt").write_text("")
    return home


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_refuses_a_bad_place_alike_and_before_any_work(
    runs: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(runs)
    rltrain: Command = command(capsys)
    code, _, err = rltrain(*VERBS[name], f"absent/{name}")
    assert (code, err) == (2, f"absent/{name}: there is no folder absent; make it, or write elsewhere\n")
    code, _, err = rltrain(*VERBS[name], f"folder-{name}")
    said = "exists; --overwrite replaces it" if name == "n.mdpd" else "is a folder; name a file in it"
    assert (code, err) == (2, f"folder-{name}: {said}\n")
