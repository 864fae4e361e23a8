"""`rltrain mdp info, convert, generate`, and how the MODEL argument is understood."""

import json

import pytest

from rltrain.cli import app
from rltrain.cli.errors import exit_code_of
from rltrain.cli.mdp import models
from rltrain.errors import InputError
from rltrain.mdp import files


@pytest.fixture
def mdp(tmp_path, monkeypatch, capsys):
    """Runs a verb of `rltrain mdp` in an empty folder; returns the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = exit_code_of(lambda: app(["mdp", *arguments]))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_info_of_the_book(mdp):
    code, out, err = mdp("info")
    assert (code, err) == (0, "") and max(map(len, out.splitlines())) <= 80
    assert "3 states: s0, s1, s2" in out and "-50 to 40" in out and "never end" in out
    code, out, _ = mdp("info", "--json")
    found = json.loads(out)
    assert (found["states"], found["pairs"], found["transitions"], found["discount"]) == (3, 6, 10, 0.95)
    assert (found["classes"], found["unreachable"], found["deterministic"]) == (1, 0, False)


def test_generate_convert_info(mdp, tmp_path):
    assert mdp("generate", "grid", "g.npz", "--side", "4", "--discount", "0.9")[0] == 0
    assert mdp("convert", "g.npz", "g.yaml")[0] == 0
    assert mdp("convert", "g.yaml", "g.csv")[0] == 0
    first, last = files.read(tmp_path / "g.npz").model, files.read(tmp_path / "g.csv").model
    assert (first.prob == last.prob).all() and (first.next == last.next).all() and last.discount == 0.9
    code, _, err = mdp("convert", "g.npz", "g.csv")
    assert code == 2 and "--overwrite" in err
    assert mdp("convert", "g.npz", "g.csv", "--overwrite")[0] == 0
    found = json.loads(mdp("info", "g.csv", "--json")[1])
    assert (found["states"], found["terminal_names"], found["cannot_end"]) == (16, ["15"], 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("generate", "garnett", "x.npz"), "unknown family 'garnett'; did you mean 'garnet'?"),
        (("generate", "grid", "x.npz"), "grid needs --side"),
        (("generate", "grid", "x.npz", "--side", "3", "--states", "9"), "--states is not for grid"),
        (("generate", "garnet", "x.txt", "--states", "9"), "cannot write '.txt'"),
        (("info", "missing.yaml"), "missing.yaml: no such file"),
        (("info", "a=b"), "expected a model before its arguments"),
        (("convert", "missing.npz", "x.yaml"), "no such file"),
    ],
)
def test_mistakes(mdp, tmp_path, arguments, said):
    code, out, err = mdp(*arguments)
    assert code == 2 and out == "" and said in err and list(tmp_path.iterdir()) == []


def test_arguments_are_for_environments():
    with pytest.raises(InputError, match="the model is a file"):
        models.load(str(files.BOOK), ["slippery=false"])
    assert models.keywords(["a=false", "b=8x8", "c=1e3"]) == {"a": False, "b": "8x8", "c": 1000}
    for wrong in ("a", "=1", "a b=1", "a=[1"):
        with pytest.raises(InputError):
            models.keywords([wrong])


def test_a_discount_is_the_options_or_the_models():
    book = models.load(None).model
    assert models.discount_of(book) == 0.95 and models.discount_of(book, "9/10") == 0.9
    for wrong in ("2", "-1", "x", "nan"):
        with pytest.raises(InputError, match="expected a number from 0 to 1"):
            models.discount_of(book, wrong)
    from dataclasses import replace

    with pytest.raises(InputError, match=r"add, for example: --discount 0\.95"):
        models.discount_of(replace(book, discount=None))
