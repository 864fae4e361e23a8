"""`rltrain sweep show` and `best` as a person types them."""

import json
from pathlib import Path

import pytest
from in_process import command
from swept import ROWS, swept

from rltrain.experiment import config
from rltrain.yaml_subset import flow


@pytest.fixture
def rltrain(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    return command(capsys)


def test_the_table_has_rank_score_interval_state_and_settings(rltrain, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    swept(Path("runs"))
    code, out, err = rltrain("sweep", "show", "lr")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == "lr: reinforce on CartPole-v1, tpe; interrupted, 4 of 5 trials scored"
    assert lines[1].split() == ["rank", "trial", "score", "95", "%", "interval", "state", "learning_rate", "hidden"]
    assert lines[2].split(maxsplit=8) == ["1", "t0001", "120.5", "100", "to", "141", "finished", "0.0100", "[128, 128]"]
    assert lines[-7:] == [
        "score: the last evaluation, mean of 3 seeds",
        "diverged: 1, each counted as the worst",
        "no importances: they need 10 trials with a score",
        "the best of 3 is optimistic: of as many equal trials luck alone makes the best seem 2.9 better than it is"
        " (seeds differ by 5.8, sd; 3 a trial)",
        "go on with: rltrain sweep resume runs/lr",
        "the best: rltrain sweep best runs/lr -o best.yaml",
        "new seeds tell what it is worth: rltrain train best.yaml --seeds 10 --seed 1000",
    ]


@pytest.mark.parametrize(
    ("seeds", "said"), [(1, "and one seed a trial cannot tell by how much"), (2, "at the rungs before its last")]
)
def test_where_luck_has_no_number_it_is_said_why(rltrain, seeds, said):
    halving = ", halving: {counter: env_steps, from: 1000, to: 3000}"
    ends = (80.0, 120.0) if seeds > 1 else ("", "")
    rows = [(n, ("paused", "finished")[n], n, 1000, 100.0, seeds, *ends, 0.001, "[64]") for n in (0, 1)]
    swept(Path("runs"), rows=rows, settings=halving)
    out = rltrain("sweep", "show", "lr")[1]
    assert f"the best of 2 is optimistic: luck chose it too, {said}\n" in out


def test_a_trial_that_diverged_shows_no_score_though_it_was_told_the_worst(rltrain):
    rows = [(n, ("finished", "diverged")[n], "", "", 1.5, 1 - n, "", "", 0.001, "[64]") for n in (0, 1)]
    swept(Path("runs"), rows=rows)
    lines = rltrain("sweep", "show", "lr")[1].splitlines()
    assert [line.split()[:3] for line in lines[2:4]] == [["1", "t0000", "1.5"], ["-", "t0001", "-"]]


def test_where_all_diverged_it_is_said_and_there_is_no_best(rltrain):
    swept(Path("runs"), rows=[(n, "diverged", "", "", "", 0, "", "", 0.001, "[64]") for n in range(5)])
    code, _, err = rltrain("sweep", "best", "lr")
    assert (code, err.partition("; ")[0]) == (2, "runs/lr: no trial has a score yet, 5 trials diverged")
    assert "finished, 5 of 5 trials scored" in rltrain("sweep", "show", "lr")[1]


def test_few_rows_are_shown_unless_all_are_asked_for(rltrain):
    swept(Path("runs"))
    _, out, _ = rltrain("sweep", "show", "lr", "-n", "2")
    assert "t0003" in out and "t0000" not in out and "  and 3 more; --all shows them" in out
    assert "more; --all" not in rltrain("sweep", "show", "lr", "--all")[1]


def test_json_has_all_trials_with_their_settings_as_values(rltrain):
    swept(Path("runs"))
    code, out, _ = rltrain("sweep", "show", "lr", "--json")
    report = json.loads(out)
    assert report["ranking"][0]["settings"] == {"algorithm.learning_rate": 0.01, "algorithm.hidden": [128, 128]}
    assert (code, len(report["ranking"]), report["ranking"][0]["ci95"]) == (0, 5, [100.0, 141.0])
    assert report["luck"]["candidates"] == 3


@pytest.mark.parametrize("width", [30, 40, 60, 80, 200])
def test_the_table_fits_the_window_and_cuts_no_number(rltrain, monkeypatch, width):
    rows = [(i, "finished", "", 9000, -12_345.678 - i, 3, -13_000.5, -11_000.25, 0.00012345, "[64]") for i in range(30)]
    swept(Path("runs"), rows=rows)
    monkeypatch.setenv("COLUMNS", str(width))
    _, out, _ = rltrain("sweep", "show", "lr")
    table = out.splitlines()[1:22]
    assert all(len(line) <= width for line in table) and "-12,346" in table[1] and "rank" in table[0]


def test_texts_of_strangers_send_no_escapes(rltrain):
    home = swept(Path("runs"), rows=None)
    (home / "sweep.yaml").write_text(
        'sweep: {config: base.yaml, trials: 1}\nspace: {"algorithm.\\e[2J": ["\\e]0;x"]}\n'
    )
    head = "trial,state,rung,counter,score,seeds,ci95_low,ci95_high,algorithm.\x1b[2J\n0,finished,,1,2.0,1,,,"
    for cell, code in [("\x1b]0;x", 3), (flow("\x1b]0;x").replace('"', '""').join('""'), 0)]:
        (home / "trials.csv").write_text(f"{head}{cell}\n")
        found, out, err = rltrain("sweep", "show", "lr")
        assert (found, "\x1b" in out + err, "]0;x" in out + err) == (code, False, True)


def test_best_writes_a_config_that_loads_and_replaces_no_file_unasked(rltrain):
    swept(Path("runs"))
    code, out, _ = rltrain("sweep", "best", "lr", "-o", "best.yaml")
    assert (code, out.splitlines()[0]) == (0, "best.yaml: t0001, rank 1, score 120.5")
    assert config.load("best.yaml").algorithm.hidden == (128, 128)
    assert (
        Path("best.yaml").read_text().startswith("# Trial t0001 of the sweep lr: rank 1 of 3, score 120.5 (100 to 141)")
    )
    code, _, err = rltrain("sweep", "best", "lr", "-o", "best.yaml", "--rank", "2")
    assert (code, err) == (2, "best.yaml: exists; --overwrite replaces it\n")
    assert rltrain("sweep", "best", "lr", "-o", "best.yaml", "--rank", "2", "--overwrite")[0] == 0
    assert config.load("best.yaml").algorithm.hidden == (64,)
    assert rltrain("sweep", "best", "lr")[1].startswith("# Trial t0001")


def test_list_shows_a_sweep_in_one_row_and_none_of_its_runs(rltrain):
    home = swept(Path("runs"))
    (home / "t0000/s7").mkdir(parents=True)
    (home / "t0000/s7/config.yaml").write_text("")
    swept(Path("runs"), "new", rows=None)
    swept(Path("runs"), "bad", rows=[(*ROWS[0][:4], "x", *ROWS[0][5:])])
    code, out, _ = rltrain("list", "runs", "--json")
    bad, lr, new = json.loads(out)["runs"]
    assert (code, lr["name"], lr["algorithm"], lr["score"], lr["state"]) == (
        0,
        "lr",
        "sweep of reinforce",
        120.5,
        "interrupted",
    )
    assert (lr["counters"], lr["budget"], new["score"]) == ({"trials": 4}, {"trials": 5}, None)
    assert bad["faults"] == ["runs/bad/trials.csv:2: score: expected a number, found 'x'"]
    code, out, _ = rltrain("list", "runs")
    assert code == 0 and "80 %" in next(line for line in out.splitlines() if line.startswith(" lr"))
