"""`rltrain mdp graph` as a person types it."""

from pathlib import Path

import pytest
from built import app

from rltrain.cli.errors import exit_code_of

SMALL = Path(__file__).parents[2] / "configs/mdp/robot.yaml"  # to lay out the book's takes a second


@pytest.fixture
def graph(tmp_path, monkeypatch, capsys):
    """Runs the verb; returns the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments):
        code = exit_code_of(lambda: app(["mdp", "graph", *map(str, arguments)]))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_dot_of_the_book_with_its_best_policy(graph):
    code, out, err = graph()
    assert (code, err) == (0, "")
    assert out.startswith('digraph "book" {\n') and out.endswith("}\n")
    assert 's1 -> a4 [label="a2 −50", arrowhead=none, color="#1f5fbf"' in out  # through the fire at 0.95
    assert 's1 -> a3 [label="a0", arrowhead=none, color="#1f5fbf"' in graph("--discount", "0.9")[1]
    assert "#1f5fbf" not in graph("--policy", "none")[1]


def test_a_given_policy_and_its_values(graph, tmp_path):
    (tmp_path / "stay.yaml").write_text("s0: a1\ns1: a0\ns2: a1\n")
    out = graph("--policy", "stay.yaml")[1]
    assert 's0 -> a1 [label="a1", arrowhead=none, color="#1f5fbf"' in out and '[label="s0\\n0"' in out
    assert "a0 (0.333)" in graph("--policy", "random")[1]


@pytest.mark.parametrize("suffix", ["svg", "png", "dot"])
def test_files(graph, tmp_path, suffix):
    if suffix != "dot":
        pytest.importorskip("matplotlib")
    code, out, err = graph(SMALL, "-o", f"book.{suffix}")
    assert (code, err) == (0, "") and out.startswith(f"book.{suffix}: ")
    data = (tmp_path / f"book.{suffix}").read_bytes()
    assert {"svg": b"<svg", "png": b"\x89PNG", "dot": b"digraph"}[suffix] in data
    (tmp_path / f"book.{suffix}").write_text("mine")
    code, _, err = graph(SMALL, "-o", f"book.{suffix}")
    assert code == 2 and f"book.{suffix}: exists" in err
    assert graph(SMALL, "-o", f"book.{suffix}", "--overwrite")[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == [f"book.{suffix}"]


def test_frozen_lake_is_a_grid(graph, tmp_path):
    pytest.importorskip("matplotlib")
    assert graph("FrozenLake-v1", "map_name=8x8", "--discount", "0.99", "-o", "lake.svg")[0] == 0
    assert ">goal<" in (tmp_path / "lake.svg").read_text()
    code, _, err = graph("FrozenLake-v1", "-o", "plain.svg")
    assert code == 0 and "no discount is known" in err


def test_what_is_refused(graph):
    for arguments, code, said in (
        (("Taxi-v4", "-o", "taxi.svg"), 2, "501 states are too many for a picture (--max-states 60)"),
        (("Taxi-v4",), 2, "--max-states 200"),
        (("--max-states", "2"), 2, "3 states are too many"),
        (("-o", "book.svh"), 2, "ends in .svg, .png, .dot or .gv"),
        (("FrozenLake-v1", "--policy", "optimal"), 2, "--discount"),
        (("--policy", "none", "--discount", "0.5"), 2, "--policy none"),
        (("--policy", "stay.yml"), 2, "no such file"),
        (("--overwrite",), 2, "--output"),
        (("-o", "nowhere/book.dot"), 2, "there is no folder nowhere"),
    ):
        found, out, err = graph(*arguments)
        assert (found, out) == (code, "") and said in err.replace("\n", " "), (arguments, err)


ODD = ("$\\frac{$", "$x$", "a\\$b", "漢字😀", "_", "=1", "<b>&", "n" * 200)


@pytest.mark.parametrize(
    "verb",
    [
        ("graph", "o.svg"),
        pytest.param(("graph", "o.png"), marks=pytest.mark.slow),  # the fonts of ("discounts", "o.png")
        ("discounts", "o.svg"),
        ("discounts", "o.png"),
    ],
)
def test_names_stand_in_pictures_as_they_were_written(tmp_path, monkeypatch, capsys, recwarn, verb):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    rows = [f'"{name}","{name}","{after}",1,1' for name, after in zip(ODD, ODD[1:] + ODD[:1], strict=True)]
    (tmp_path / "odd.csv").write_text("state,action,next,probability,reward\n" + "\n".join(rows) + "\n")
    assert exit_code_of(lambda: app(["mdp", verb[0], "odd.csv", "-o", verb[1]])) == 0, capsys.readouterr().err
    data = (tmp_path / verb[1]).read_bytes()
    assert len(data) < 1_000_000  # a name of 200 letters does not make the paper wide
    assert not recwarn.list  # of glyphs that no font has
    if verb == ("graph", "o.svg"):
        assert all(
            text in data.decode() for text in ("$\\frac{$", "$x$", "a\\$b", "漢字😀", "&lt;b&gt;&amp;", "n" * 23 + "…")
        )


def test_a_link_in_place_of_a_picture_is_replaced_and_not_followed(graph, tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "book.svg").symlink_to("mine.txt")
    assert graph(SMALL, "-o", "book.svg", "--overwrite")[0] == 0
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert not (tmp_path / "book.svg").is_symlink()
    assert exit_code_of(lambda: app(["mdp", "discounts", "-o", "nowhere/book.svg"])) == 2
