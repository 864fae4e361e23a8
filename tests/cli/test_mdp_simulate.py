"""`rltrain mdp simulate` as a person types it."""

import csv
import itertools
import json
import re

import pytest
from built import app

from rltrain.cli.errors import exit_code_of

WEATHER = """state,action,next,probability,reward
sunny,wait,sunny,0.9,0
sunny,wait,rainy,0.1,0
rainy,wait,sunny,0.5,0
rainy,wait,rainy,0.5,0
"""
RING = "state,action,next,probability,reward\na,on,b,1,1\nb,on,c,1,0\nc,on,a,1,0\n"


@pytest.fixture
def simulate(tmp_path, monkeypatch, capsys):
    """Runs the verb; returns the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "weather.csv").write_text(WEATHER)
    (tmp_path / "ring.csv").write_text(RING)

    def run(*arguments):
        code = exit_code_of(lambda: app(["mdp", "simulate", *map(str, arguments)]))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_the_books_model(simulate):
    code, out, err = simulate()
    assert (code, err) == (0, "")
    assert out.count("episode ") == 3 and "s0 -a0(+10)-> s0" in out
    assert max(map(len, out.splitlines())) <= 80
    assert re.search(r"^return +119\.6 +134\.2 +111\.3 to 127\.9 +120\.9 +-0\.3$", out, re.MULTILINE)
    assert re.search(r"^s2 +21,553 +0\.2155 +0\.2155 +0\.2190$", out, re.MULTILINE)  # 30 / 137 in the long run
    assert "1 recurrent class (s0, s1, s2) of period 1" in out


@pytest.mark.parametrize(
    ("arguments", "mean", "sd"),
    [((), 121.1, 129), (("--discount", "0.9"), 22.3, 26), (("--policy", "random"), -22.1, 88)],
    ids=["fire", "safe", "random"],
)
def test_the_books_returns(simulate, arguments, mean, sd):
    """science.md 4.2: 1,000 games of 100 steps, not discounted."""
    found = json.loads(simulate(*arguments, "--json")[1])["return"]
    assert abs(found["mean"] - mean) < 3 * 2**0.5 * sd / 1000**0.5
    assert abs(found["standard_errors_apart"]) < 3.5
    assert found["ci95"][0] < found["mean"] < found["ci95"][1]


def test_json_has_everything(simulate):
    found = json.loads(simulate("--episodes", 20, "--steps", 9, "--show", 2, "--json")[1])
    assert found["states"] == ["s0", "s1", "s2"] and found["policy"] == "optimal" and found["discount"] == 0.95
    assert sum(found["visits"]) == 180 and sum(found["visit_shares"]) == pytest.approx(1)
    assert [sum(filter(None, row)) for row in found["pair_visits"]] == found["visits"]
    assert found["pair_visits"][1][1] is None  # s1 has no a1
    assert sum(found["expected_visits"]) == pytest.approx(9)
    assert found["long_run"] == pytest.approx([80 / 137, 27 / 137, 30 / 137])
    assert found["recurrent_classes"] == [{"states": ["s0", "s1", "s2"], "period": 1, "terminal": False}]
    assert len(found["returns"]) == len(found["lengths"]) == 20 and len(found["trajectories"]) == 2
    one = found["trajectories"][0]
    assert len(one["states"]) == 10 and len(one["actions"]) == 9 and sum(one["rewards"]) == found["returns"][0]
    assert found["value"]["start"] == pytest.approx(21.89925005) and found["notes"] == []


def test_the_same_seed_the_same_output(simulate):
    first = simulate("--seed", 7, "--json")[1]
    assert simulate("--seed", 7, "--json")[1] == first != simulate("--seed", 8, "--json")[1]


def test_a_markov_chain_needs_no_policy_and_no_discount(simulate):
    code, out, _ = simulate("weather.csv")
    assert code == 0 and "a Markov chain" in out and "discounted" not in out
    assert re.search(r"sunny -> (sunny|rainy)", out)
    assert re.search(r"^sunny +[\d,]+ +0\.8\d+ +0\.83\d\d +0\.8333$", out, re.MULTILINE)


def test_the_period_of_a_ring(simulate):
    _, out, _ = simulate("ring.csv", "-n", 5, "--steps", 31)
    assert "of period 3" in out and "a -(+1)-> b -> c -> a" in out
    found = json.loads(simulate("ring.csv", "--json")[1])
    assert found["recurrent_classes"][0]["period"] == 3 and found["long_run"] == pytest.approx([1 / 3] * 3)


def test_frozen_lake_ends(simulate):
    code, out, err = simulate("FrozenLake-v1", "--discount", "0.99")
    assert (code, err) == (0, "")
    assert "long run" not in out and "2 terminal states" in out
    found = json.loads(simulate("FrozenLake-v1", "--discount", "0.99", "--json")[1])
    assert found["return"]["exact"] == pytest.approx(0.7402, abs=5e-5)  # science.md 4.1, greedy within 100 steps
    assert found["value"]["start"] == pytest.approx(0.542026, abs=1e-6)
    assert found["ended"]["exact"] == pytest.approx(0.9, abs=0.01) and found["long_run"] is None
    random = json.loads(simulate("FrozenLake-v1", "--policy", "random", "--json")[1])
    assert random["return"]["exact"] == pytest.approx(0.0139, abs=5e-5) and random["discount"] is None
    assert random["discounted_return"] is None and random["value"] is None


def test_steps_as_a_table(simulate, tmp_path):
    code, out, _ = simulate("--episodes", 3, "--steps", 4, "-o", "steps.csv")
    assert code == 0 and "saved       steps.csv" in out
    rows = list(csv.DictReader((tmp_path / "steps.csv").open()))
    assert [(row["episode"], row["step"]) for row in rows] == [(str(e), str(t)) for e in (1, 2, 3) for t in range(4)]
    for row, after in itertools.pairwise(rows[:4]):
        assert row["next"] == after["state"]
    assert simulate("-o", "steps.csv")[0] == 2
    assert simulate("--episodes", 1, "-o", "steps.csv", "--overwrite")[0] == 0
    assert len((tmp_path / "steps.csv").read_text().splitlines()) == 101


def test_no_cell_of_the_table_is_run_by_a_spreadsheet(simulate, tmp_path):
    (tmp_path / "names.yaml").write_text('discount: 0.5\nchain:\n  "=1+1": "@x"\n  "@x": "=1+1"\n')
    assert simulate("names.yaml", "--episodes", 1, "--steps", 2, "-o", "steps.csv")[0] == 0
    lines = (tmp_path / "steps.csv").read_text().splitlines()
    assert lines[1:] == ["1,0,'=1+1,step,0,'@x", "1,1,'@x,step,0,'=1+1"]


def test_a_start_and_an_action(simulate):
    _, out, _ = simulate("--start", "s2", "--policy", "a0", "--show", 1, "--episodes", 1)
    assert re.search(r"^  s2 -a1", out, re.MULTILINE)
    assert re.search(r"^return +\S+ +- +- ", out, re.MULTILINE)  # one episode has no spread


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--start", "s9"), "'s9': no state is called so"),
        (("--policy", "optimall"), "did you mean 'optimal'"),
        (("--discount", "2"), "from 0 to 1"),
        (("-o", "x.txt"), ".csv"),
        (("--overwrite",), "-o FILE.csv"),
        (("--json", "--limit", "3"), "--json goes without --limit"),
        (("--episodes", "1000000", "--steps", "1000", "-o", "x.csv"), "ask for fewer"),
        (("FrozenLake-v1",), "states no discount"),
    ],
)
def test_slips(simulate, arguments, said):
    code, out, err = simulate(*arguments)
    assert (code, out) == (2, "") and said in err
