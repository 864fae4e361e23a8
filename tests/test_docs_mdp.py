"""docs/mdp.md names every verb, method, file format, array and exit code that there is."""

import re
import zipfile
from pathlib import Path

import pytest
import typer
from pages import page, rows

from rltrain.cli import app
from rltrain.cli.mdp import app as mdp
from rltrain.cli.mdp.solve import Method
from rltrain.mdp import files

PAGE = page("docs/mdp.md")


def test_every_verb_has_a_section_with_an_example() -> None:
    verbs = re.findall(r"^### (\w+)$", PAGE.section("## The verbs"), re.MULTILINE)
    assert set(verbs) == set(typer.main.get_command(mdp).commands)
    for verb in verbs:
        assert re.search(rf"^\$ rltrain mdp {verb}\b", PAGE.section(f"### {verb}"), re.MULTILINE), verb


def test_every_method_is_named() -> None:
    paragraph = PAGE.section("### solve").split("`--method` chooses")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", paragraph)) == {method.value for method in Method}


def test_every_suffix_is_named() -> None:
    for suffix in files.FORMATS:
        assert f"`{suffix}`" in PAGE.text or suffix == ".yml", suffix


def test_the_rows_of_csv_are_a_model(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(PAGE.blocks("csv")[0])
    read = files.read(tmp_path / "rows.csv")
    assert read.warnings == () and read.model.terminal.tolist() == [False, True]


def test_the_arrays_are_those_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app(["mdp", "generate", "garnet", "g.npz", "--states", "5", "--discount", "0.9"], standalone_mode=False)
    named = set(
        re.findall(r"`(\w+)`", " ".join(cells[0] for cells in rows(PAGE.section("### npz: millions of states"))))
    )
    with zipfile.ZipFile("g.npz") as archive:
        assert {name.removesuffix(".npy") for name in archive.namelist()} <= named | {"num_actions"}
