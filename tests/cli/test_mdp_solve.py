"""`rltrain mdp solve` as a person types it."""

import json
import re
import subprocess
import sys
from fractions import Fraction

import pytest
from built import app

from rltrain.cli.errors import exit_code_of
from rltrain.cli.mdp import text as written

FIXED = {  # the book's model: science.md 4.2
    "0.95": ([21.89925005, 20.80428755, 16.86759588], [1.12082922, None, 1.17982024], [None, 53.87349498, None]),
    "0.90": ([18.91891892, 17.02702703, 13.62162162], [0.0, None, -4.87971488], [None, 50.13365013, None]),
    "0.99": (
        [120.91597862, 119.70681884, 115.84625869],
        [100.40401812, None, 101.41820013],
        [None, 152.94767689, None],
    ),
}
LIGHT = """
import sys
from rltrain.cli import app
from rltrain.cli.errors import exit_code_of
assert "numpy" not in sys.modules  # `rltrain --help` waits for none of it, and the verbs set its threads first
assert exit_code_of(lambda: app(["mdp", "solve", *sys.argv[1:]])) == 0
heavy = {"torch", "numba", "scipy", "gymnasium", "matplotlib", "numpy.ma"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""


@pytest.fixture
def solve(tmp_path, monkeypatch, capsys):
    """Runs `rltrain mdp solve`; returns the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments, verb="solve"):
        code = exit_code_of(lambda: app(["mdp", verb, *map(str, arguments)]))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.parametrize("method", ["auto", "vi", "pi"])
@pytest.mark.parametrize("discount", FIXED)
def test_json_has_the_known_numbers_within_the_bound_it_states(solve, discount, method):
    code, out, err = solve("--discount", discount, "--method", method, "--epsilon", "1e-9", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["converged"] and found["bound"] <= 1e-9 and found["discount"] == float(discount)
    for row, truth in zip(found["Q"], FIXED[discount], strict=True):
        for q, known in zip(row, truth, strict=True):
            assert q is None if known is None else abs(q - known) <= found["bound"] + 5.1e-9
    assert found["V"] == pytest.approx([max(q for q in row if q is not None) for row in FIXED[discount]], abs=1e-8)
    assert found["policy"] == ["a0", "a0" if discount == "0.90" else "a2", "a1"]
    assert found["gaps"][2] is None and found["gaps"][0] == pytest.approx(found["Q"][0][0] - found["Q"][0][1])
    assert set(found) >= {"states", "actions", "sweeps", "seconds", "method"}


def test_the_table_prints_the_books_numbers_and_what_they_are_worth(solve):
    code, out, err = solve()
    assert (code, err) == (0, "")
    assert re.search(r"s0 +21\.89925005 +a0 +1\.09496250 +21\.89925005 +20\.80428755 +16\.86759588", out)
    assert re.search(r"s1 +1\.17982024 +a2 +0\.05899101 +1\.12082922 +- +1\.17982024", out)
    assert "every number above is within 5.1e-09 of the truth" in out
    assert all(len(line.rstrip()) <= 80 for line in out.splitlines())


def test_what_has_not_converged_says_so_prints_what_there_is_and_exits_9(solve):
    code, out, err = solve("--method", "vi", "--max-sweeps", 2)
    assert code == 9 and "not converged after" in err and "raise --max-sweeps" in err and "s0" in out
    code, out, err = solve("--epsilon", "1e-14")
    assert code == 9 and "floating point can prove no more" in err and "s0" in out
    code, out, err = solve("--method", "vi", "--max-sweeps", 2, "--json")
    found = json.loads(out)
    assert code == 9 and not found["converged"]
    for row, truth in zip(found["Q"], FIXED["0.95"], strict=True):
        for q, known in zip(row, truth, strict=True):
            assert known is None or abs(q - known) <= found["bound"]


@pytest.mark.parametrize("written", ["0.95", "19/20"])
def test_exact_takes_the_discount_as_it_is_written(solve, written):
    code, out, err = solve("--exact", "--discount", written, "--json")
    found = json.loads(out)
    assert (code, err, found["discount"]) == (0, "", "19/20")
    assert found["V"] == ["1176800/53737", "63400/53737", "2895000/53737"]
    assert found["Q"][1] == ["60230/53737", None, "63400/53737"]
    assert found["optimal"] == [["a0"], ["a2"], ["a1"]]
    assert Fraction(found["gaps"][1]) == Fraction(3170, 53737)
    code, out, _ = solve("--exact", "--discount", written)
    assert code == 0 and re.search(r"s1 .*60230/53737 +1\.120829223812", out)


def test_ties_are_marked_and_explained(solve, tmp_path):
    rows = "state,action,next,probability,reward\na,x,b,1,0\na,y,b,1,0\nb,x,c,1,2\nc,,,,\n"
    (tmp_path / "tied.csv").write_text(rows)
    code, out, _ = solve("tied.csv", "--discount", "0.5")
    assert code == 0 and re.search(r"a +1\.00000000 +x +tie", out)
    assert "in 1 of 3 states (a) the best actions are nearer than the bound" in out
    assert re.search(r"c +0\.00000000 +\(terminal\)", out)
    found = json.loads(solve("tied.csv", "--discount", "0.5", "--json")[1])
    assert found["ties"] == ["a"] and found["policy"] == ["x", "x", None]
    found = json.loads(solve("tied.csv", "--discount", "0.5", "--json", "--exact")[1])
    assert found["optimal"] == [["x", "y"], ["x"], []]


def test_a_long_model_is_cut_and_summed_up(solve, tmp_path):
    assert solve("chain", "c.npz", "--states", 60, verb="generate")[0] == 0
    code, out, _ = solve("c.npz", "--discount", "0.9")
    assert code == 0 and "… 20 of 60 states" in out and re.search(r"values +\S+ \(\d+\) to \S+ \(\d+\)", out)
    assert "… 2 of 60 states" in solve("c.npz", "--discount", "0.9", "--limit", 2)[1]
    assert len(json.loads(solve("c.npz", "--discount", "0.9", "--json")[1])["V"]) == 60


def test_a_finite_horizon_shows_where_the_policy_changes(solve):
    code, out, _ = solve("--horizon", 10, "--discount", 1)
    assert code == 0 and "1-5 to go" in out and "6-10" in out and "25.48809098" in out
    found = json.loads(solve("--horizon", 50, "--json")[1])
    assert found["Q"][50][1] == pytest.approx([0.95462106, None, 1.01361207], abs=5e-9)
    assert found["policy"][0] == [None] * 3 and len(found["V"]) == 51


def test_the_average_reward(solve):
    code, out, _ = solve("--average")
    assert code == 0 and "1.24087591 a step in the long run" in out
    found = json.loads(solve("--average", "--json")[1])
    assert found["gain"] == pytest.approx([170 / 137] * 3, abs=found["bound"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--horizon", "3", "--average"], "--horizon goes without --average"),
        (["--exact", "--method", "pi", "--epsilon", "1"], "--exact goes without --method, --epsilon"),
        (["--average", "--discount", "0.9"], "--average goes without --discount"),
        (["--json", "--limit", "3"], "--json goes without --limit"),
        (["--overwrite"], "--overwrite is for --save"),
        (["--epsilon", "0"], "--epsilon 0: a number above 0"),
        (["--epsilon", "nan"], "--epsilon nan: a number above 0"),
        (["--max-seconds", "-1"], "--max-seconds -1: a number above 0"),
        (["--discount", "1.5"], "from 0 to 1"),
        (["--discount", "1/0"], "from 0 to 1"),
        (["--save", "x.txt"], "x.txt: the name of a policy ends in .json"),
        (["--save", "no/x.json"], "there is no folder no;"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(solve, arguments, says):
    code, out, err = solve(*arguments)
    assert (code, out) == (2, "") and says in err


def test_save_writes_once_and_json_is_what_json_prints(solve, tmp_path):
    assert solve("--save", "best.json")[0] == 0
    saved = json.loads((tmp_path / "best.json").read_text())
    assert saved["policy"] == ["a0", "a2", "a1"] and saved["model"] == "book" and saved["bound"] < 1e-9
    code, _, err = solve("--save", "best.json")
    assert code == 2 and "best.json: exists; --overwrite replaces it" in err
    assert solve("--save", "best.json", "--overwrite")[0] == 0
    assert solve("--save", "best.yaml")[0] == 0
    assert (tmp_path / "best.yaml").read_text().splitlines()[1:] == ["s0: a0", "s1: a2", "s2: a1"]


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--discount", "0.9", "--save", "p.npz"]])
def test_the_books_model_needs_nothing_heavy(tmp_path, arguments):
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("bound", "size", "value", "text"),
    [
        (1e-13, 20.0, 21.899250051175, "21.89925005"),  # never more than eight decimals
        (9e-7, 20.0, 21.899250051175, "21.899250"),  # the last digit is worth at least the bound
        (83.0, 80.0, 55.6, "56"),
        (1e-13, 1.0, -1e-16, "0.00000000"),  # no minus before nothing
        (1e-20, 1e-9, 1.23456789012e-9, "1.23456789e-09"),
        (1e-12, 1e-9, 1.23456789012e-9, "1.235e-09"),
        (0.0, 0.0, 0.0, "0.00000000"),
        (float("inf"), 1.0, float("nan"), "-"),
    ],
)
def test_no_digit_that_the_bound_does_not_support(bound, size, value, text):
    form = written.form(bound, size)
    assert form(value) == text
    assert text == "-" or abs(float(text) - value) <= form.rounding * (1 + 1e-9)


@pytest.mark.parametrize(
    ("bound", "text"),
    [(5.00001e-9, "5.1e-09"), (0.0994, "0.10"), (99.1, "100"), (83.2, "84"), (0, "0"), (1.4e-6, "1.4e-06")],
)
def test_bounds_are_rounded_upwards(bound, text):
    assert written.upwards(bound) == text
    assert float(text) >= bound * (1 - 1e-9)


def test_a_bound_that_is_lost_again_between_two_sweeps_does_not_end_the_solve(solve):
    """At discount 1 a bound may be infinite after it was finite: the live line then has no share to show."""
    solve("gambler", "gambler.yaml", "--states", 15, "--discount", 1, verb="generate")
    code, out, err = solve("gambler.yaml", "--method", "vi")
    assert (code, err) == (0, "") and "by value iteration" in out
