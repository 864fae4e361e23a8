"""`rltrain mdp discounts`, as typed."""

import json
import sys

import pytest
from typer.testing import CliRunner

from rltrain.cli.mdp import app
from rltrain.errors import InputError, MissingError


def run(*arguments):
    return CliRunner().invoke(app, ["discounts", *arguments], catch_exceptions=False)


def test_the_book_turns_once():
    text = run().stdout
    assert "0.947632778  s1     a0    a2" in text and "found exactly" in text
    answer = json.loads(run("--json", "--from", "1/2", "--to", "0.999").stdout)
    assert answer["breakpoints"] == [{"discount": 0.947632777623635, "state": "s1", "from": "a0", "to": "a2"}]
    assert [(piece["from"], piece["policy"][1]) for piece in answer["intervals"]] == [
        (0.5, "a0"),
        (0.947632777623635, "a2"),
    ]


def test_one_policy_for_all():
    assert "one policy is optimal for all" in run("--to", "0.9").stdout


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_picture(tmp_path, suffix):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"book.{suffix}"
    run("-o", str(path))
    head = path.read_bytes()
    assert head.startswith(b"\x89PNG") if suffix == "png" else b"<svg" in head
    if suffix == "svg":
        again = tmp_path / "again.svg"
        run("-o", str(again))
        assert again.read_bytes() == head


def test_what_is_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"ends in \.png or \.svg"):
        run("-o", str(tmp_path / "book.jpg"))
    with pytest.raises(InputError, match="--to 1: expected a discount from 0 to below 1"):
        run("--to", "1")
    with pytest.raises(InputError, match="must ascend"):
        run("--from", "0.9", "--to", "0.8")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingError, match=r"rltrain\[plot\]"):
        run("-o", str(tmp_path / "book.png"))
