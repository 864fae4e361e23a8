"""`rltrain mdp info, convert, generate`, and how the MODEL argument is understood."""

import json

import pytest
from built import app

from rltrain.cli.errors import exit_code_of
from rltrain.errors import InputError
from rltrain.mdp import files
from rltrain.verbs.mdp import models


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


def test_a_target_that_needs_a_discount_can_be_given_one(mdp, tmp_path):
    (tmp_path / "m.yaml").write_text("states:\n  a: {go: b reward 1/3}\n  b: terminal\n")
    code, _, err = mdp("convert", "m.yaml", "m.pomdp")
    assert code == 2 and "m.pomdp: this format has to say a discount" in err and "--discount 0.95" in err
    assert mdp("convert", "m.yaml", "m.pomdp", "--discount", "19/20")[0] == 0
    assert "\ndiscount: 0.95\nvalues: reward\n" in (tmp_path / "m.pomdp").read_text()
    assert mdp("convert", "m.yaml", "n.yaml", "--discount", "1/3")[0] == 0
    assert "discount: 1/3" in (tmp_path / "n.yaml").read_text()
    assert mdp("convert", "m.yaml", "o.yaml", "--discount", "2")[0] == 2


VERBS = ("solve", "evaluate", "verify", "discounts", "simulate", "info", "graph", "convert")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_on_a_model_minimises_when_asked_and_is_strict_when_asked(mdp, tmp_path, verb):
    (tmp_path / "m.csv").write_text("# discount: 0.5\nstate,action,next,probability,reward\n0,0,0,1.000001,3\n")
    before, after = (["optimal"] if verb == "verify" else []), (["x.yaml"] if verb == "convert" else [])
    code, _, err = mdp(verb, *before, "m.csv", *after, "--minimize")
    assert code == 0 and "divided by the sum" in err and "--minimize: each reward is read as a cost" in err
    code, _, err = mdp(verb, *before, "m.csv", *(["y.yaml"] if after else []), "--strict")
    assert code == 2 and "must sum to 1 within 1e-09" in err
    if verb == "convert":
        assert "reward -3" in (tmp_path / "x.yaml").read_text()


def test_what_a_table_leaves_out_is_said():
    with pytest.raises(InputError, match=r"Taxi-v4: fickle_passenger=true: its table .* leaves out that the passenger"):
        models.load("Taxi-v4", ["fickle_passenger=true"])
    with pytest.raises(InputError, match="--strict: for files"):
        models.load("FrozenLake-v1", strict=True)
    cost = models.load("FrozenLake-v1", minimize=True)
    assert cost.model.reward.min() < 0 == cost.model.reward.max()
