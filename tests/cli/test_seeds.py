"""`train --seeds` as a person types it: processes side by side, each equal to the byte to the same run alone."""

import json
import os
import signal
from pathlib import Path

import pytest
from forked import FORKING, Forked
from in_process import command
from started_processes import starting
from waiting import wait_for

from rltrain.launchers import child
from rltrain.run.lock import is_locked

ROOT = Path(__file__).parents[2]
CONFIG = """\
algorithm: {name: basic, policy: angle}
environment: CartPole-v1
run: {budget: {episodes: 20}, evaluate: {every: {episodes: 10}, episodes: 2}, save: {every: {episodes: 10}}}
"""
LONG = """\
algorithm: {name: basic, policy: angle}
environment: CartPole-v1
run: {budget: {episodes: 300}, save: {every: {episodes: 120}}}
"""
EPISODES = 300  # of this one: a second or so
ENDLESS = "run.budget.episodes=1_000_000"
BOOK = f"""\
algorithm: {{name: qlearn, learners: 2}}
environment: {{id: {ROOT / "configs/mdp/book.yaml"}, max_episode_steps: 50}}
run: {{budget: {{env_steps: 20000}}}}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder to work in, with configs."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("c", CONFIG), ("long", LONG), ("book", BOOK)):
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


@pytest.fixture
def rltrain(place, monkeypatch, capsys):
    """Runs a verb, which forks its runs; returns the exit code, stdout and stderr."""
    monkeypatch.setattr(child, "subprocess", FORKING)
    return command(capsys)


@pytest.fixture
def begun(place):
    """Starts a verb as a process, from a fresh interpreter; whoever is left at the end is killed."""
    with starting() as begin:
        yield begin


@pytest.fixture
def forked(place):
    """Starts a verb as a process that is forked, and so are its runs; whoever is left at the end is killed."""
    started = []

    def begin(*words):
        started.append(Forked(*words, cwd=place))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
            process.end()


def outcome(run):
    """Everything that must be equal, by name."""
    last = max((run / "checkpoints").glob("ckpt-*"))
    files = [last / "state.json", last / "arrays.safetensors", *run.glob("*.jsonl"), *run.glob("*.csv")]
    kept = {file.name: file.read_bytes() for file in files if file.name != "timings.jsonl"}
    return kept | {"name": last.name, "chunks": sorted(path.name for path in (run / "chunks").iterdir())}


def results(group):
    return json.loads((group / "seeds.json").read_text())["results"]


@pytest.mark.parametrize(("config", "seeds", "model"), [("c.yaml", (3, 1), False), ("book.yaml", (7,), True)])
def test_each_run_is_to_the_byte_the_one_that_it_is_alone(rltrain, place, config, seeds, model):
    given = ",".join(map(str, seeds)) if len(seeds) > 1 else f"{seeds[0]}-{seeds[0]}"
    code, out, err = rltrain("train", config, "--seeds", given, "--name", "g", "-q")
    assert (code, err) == (0, "") and f"finished: seed{'s 3, 1' if len(seeds) > 1 else ' 7'} in" in out
    for seed in seeds:
        assert rltrain("train", config, "--seed", str(seed), "--name", f"alone{seed}", "-q")[0] == 0
        ours, alone = (outcome(place / "runs" / name) for name in (f"g/s{seed}", f"alone{seed}"))
        assert "metrics.jsonl" in ours and ours == alone
    assert len({outcome(place / "runs/g" / f"s{seed}")["metrics.jsonl"] for seed in seeds}) == len(seeds)
    assert (place / f"runs/g/s{seeds[0]}/model/book.yaml").exists() == model


def test_one_command_says_all_and_leaves_a_group_for_every_verb(rltrain, place):
    code, out, err = rltrain("train", "c.yaml", "--seed", "5", "--seeds", "2", "--name", "g")
    assert (code, err) == (0, "")
    for part in ("runs/g · seeds 5, 6", "last evaluation, 2 seeds", "95 % interval", "Student's t over seeds"):
        assert part in out, part
    assert out.splitlines()[-2:] == ["curve: runs/g/curve.png", "next: rltrain eval --checkpoint runs/g"]
    assert all((place / "runs" / name / "curve.png").exists() for name in ("g", "g/s5", "g/s6"))
    found = results(place / "runs/g")
    scores = [
        json.loads((place / f"runs/g/s{seed}/eval.jsonl").read_text().splitlines()[-1])["mean"] for seed in (5, 6)
    ]
    assert [own["score"] for own in found["seeds"]] == scores and found["of_finished_seeds"]["n"] == 2
    assert found["of_finished_seeds"]["mean"] == sum(scores) / 2

    assert [line.split()[0] for line in rltrain("list", "runs")[1].splitlines()[2:]] == ["g/s5", "g/s6"]
    assert json.loads(rltrain("check", "g", "--json")[1])["ok"]
    code, out, err = rltrain("eval", "--checkpoint", "g", "--episodes", "3")
    assert (code, err) == (0, "") and "mean score of 3 games, 2 seeds" in out and "baseline random" in out
    whole = json.loads(rltrain("eval", "g", "--episodes", "3", "--json")[1])
    alone = json.loads(rltrain("eval", "g/s6", "--episodes", "3", "--json")[1])
    assert whole["seeds"][1] == {"training_seed": 6, **alone} and whole["n"] == 2

    code, out, _ = rltrain("resume", "g")
    assert code == 0 and out.startswith("nothing to do: seeds 5, 6 finished")
    code, out, err = rltrain(*out.splitlines()[-1].split("rltrain ", 1)[1].split(), "-q")
    assert (code, err) == (0, "") and out.startswith("finished: seeds 5, 6 in") and len(out.splitlines()) == 1
    assert [own["counters"]["episodes"] for own in results(place / "runs/g")["seeds"]] == [40, 40]
    (place / "runs/g/s6/checkpoints" / outcome(place / "runs/g/s6")["name"] / "state.json").write_text("{}")
    assert rltrain("check", "g")[0] == 3


def test_one_that_fails_stops_no_other(rltrain, place):
    rltrain("train", "c.yaml", "--seeds", "3", "--name", "g", "-q")
    config = place / "runs/g/s1/config.yaml"
    config.write_text(config.read_text().replace("seed: 1", "sed: 1"))
    code, out, err = rltrain("train", "--resume", "g", "run.budget.episodes=30", "-q")
    assert code == 2 and err.startswith("seed 1 failed (exit code 2): ") and "did you mean 'seed'?" in err
    assert "of 3 seeds 2 finished, 1 failed" in out
    assert [own["counters"]["episodes"] for own in results(place / "runs/g")["seeds"]] == [30, 20, 30]


def test_what_cannot_be_built_is_said_once_and_leaves_nothing_behind(rltrain, place):
    code, _, err = rltrain("train", "c.yaml", "algorithm.policy=energy", "--seeds", "2", "--name", "g")
    assert code == 2 and err.count("'energy' is a rule for") == 1 and err.startswith("seeds 0, 1 failed (exit code 2)")
    assert not (place / "runs/g").exists()


@pytest.mark.slow
def test_a_killed_child_is_told_from_those_that_finish(forked, place):
    process = forked("train", "long.yaml", "--seeds", "2", "--jobs", "2", "--name", "g", "-q")
    wait_for((place / "runs/g/s0/metrics.jsonl").exists, process)
    os.kill(int((place / "runs/g/s0/.lock").read_text().split()[0]), signal.SIGKILL)
    code, out = process.end()
    assert code == 137, out
    assert "seed 0 failed (exit code -9)" in out and "killed by SIGKILL" in out and "1 finished, 1 failed" in out


def test_ctrl_c_saves_all_and_the_resumed_runs_end_the_same(forked, rltrain, place):
    process = forked("train", "long.yaml", "--seeds", "2", "--jobs", "1", "--name", "g", "-q")
    wait_for((place / "runs/g/s0/metrics.jsonl").exists, process)
    process.send_signal(signal.SIGINT)
    code, out = process.end()
    assert code == 130, out
    assert "of 2 seeds 1 stopped and saved, 1 not begun" in out and "go on with: rltrain resume runs/g" in out
    assert not is_locked(place / "runs/g/s0") and not (place / "runs/g/s1").exists()
    assert 0 < len((place / "runs/g/s0/metrics.jsonl").read_text().splitlines()) < EPISODES
    code, out, err = rltrain("resume", "g", "--jobs", "2", "-q")
    assert (code, err) == (0, "") and "finished: seeds 0, 1 in" in out
    assert rltrain("train", "long.yaml", "--name", "alone", "-q")[0] == 0
    assert outcome(place / "runs/g/s0") == outcome(place / "runs/alone")


@pytest.mark.slow
def test_sigterm_stops_all_and_is_told_by_the_exit_code(forked, place):
    process = forked("train", "long.yaml", ENDLESS, "--seeds", "2", "--jobs", "2", "--name", "g", "-q")
    wait_for(lambda: all((place / f"runs/g/s{seed}/metrics.jsonl").exists() for seed in (0, 1)), process)
    process.send_signal(signal.SIGTERM)
    code, out = process.end()
    assert code == 143 and "stopped by SIGTERM after" in out and "2 stopped and saved" in out, out


def test_a_killed_parent_leaves_no_child(begun, place):
    process = begun("train", "long.yaml", ENDLESS, "--seeds", "2", "--jobs", "2", "--name", "g", "-q")
    members = [place / "runs/g" / name for name in ("s0", "s1")]
    wait_for(lambda: all((member / "metrics.jsonl").exists() for member in members), process)
    process.kill()
    wait_for(lambda: not any(map(is_locked, members)))
    for member in members:
        assert json.loads((member / "status.json").read_text())["state"] == "interrupted"
        log = member.with_suffix(".log")
        wait_for(lambda log=log: "and saved" in log.read_text())  # said once the folder is free


@pytest.mark.slow
def test_a_time_limit_is_one_of_the_whole_command(forked, place):
    process = forked("train", "long.yaml", ENDLESS, "--seeds", "3", "-j", "2", "--max-wall", "2s")
    code, out = process.end()
    assert code == 0 and "stopped by --max-wall after" in out and "1 not begun" in out


def test_a_group_has_room_for_one_command(forked, rltrain, place):
    process = forked("train", "long.yaml", ENDLESS, "--seeds", "2", "--name", "g")
    wait_for((place / "runs/g/s0/metrics.jsonl").exists, process)
    code, _, err = rltrain("resume", "g")
    assert code == 5 and "runs/g is in use by process" in err
    code, _, err = rltrain("train", "long.yaml", "--seeds", "2", "--name", "g")
    assert code == 2 and "runs/g exists; choose another --name, or go on with it: rltrain resume runs/g" in err


def test_eval_of_a_group_leaves_out_a_seed_whose_files_are_wrong_and_says_why(rltrain, place):
    assert rltrain("train", "c.yaml", "--seeds", "2", "--name", "begun", "-q")[0] == 0
    members = sorted((place / "runs/begun").glob("s*/config.yaml"))
    members[0].write_text("algorithm: [not, a, config]\n")
    code, out, err = rltrain("eval", "begun", "-n", "2", "--json")  # what its checkpoint was made with is believed
    assert code == 0 and json.loads(out)["left_out"] == 0
    assert "config.yaml was edited since ckpt-" in err and "algorithm" in err
    for manifest in members[0].parent.glob("checkpoints/*/MANIFEST.json"):
        manifest.write_text("{}")
    (members[1].parent / "status.json").write_text('{"best": {"step": "x"}}')
    code, out, err = rltrain("eval", "begun", "-n", "2", "--json")
    assert code == 0 and json.loads(out)["left_out"] == 1
    assert f"warning: seed {members[0].parent.name[1:]} is left out: " in err and "MANIFEST.json" in err
    for member in members[1:]:
        member.write_text("algorithm: [not, a, config]\n")
        for manifest in member.parent.glob("checkpoints/*/MANIFEST.json"):
            manifest.write_text("{}")
    code, _, err = rltrain("eval", "begun", "-n", "2")
    assert code == 3 and "none of its seeds has a checkpoint" in err.splitlines()[-1]


def test_a_dry_run_names_the_seeds_and_is_still_a_config(rltrain, place):
    code, out, _ = rltrain("train", "c.yaml", "--seeds", "3", "--dry-run")
    assert code == 0 and out.startswith("# 3 runs of this, with seeds 0 to 2\n")
    (place / "resolved.yaml").write_text(out)
    assert rltrain("train", "resolved.yaml", "--seeds", "3", "--dry-run") == (0, out, "")
    assert not (place / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "c.yaml", "--seeds", "x"], "--seeds x: 'x' is neither a seed nor a range"),
        (["train", "c.yaml", "--seeds", "1,2", "--seed", "3"], "leave out --seed 3"),
        (["train", "c.yaml", "--seeds", "1,9223372036854775808"], "run.seed"),
        (["train", "c.yaml", "--jobs", "2"], "add --seeds N"),
        (["train", "--resume", "g", "--seeds", "2"], "leave out --seeds"),
        (["train", "c.yaml", "--seeds", "2", "algorithm.policy=angel"], "did you mean 'angle'?"),
        (["train", "c.yaml", "--seeds", "2", "--name", "a/b"], "a run's name is letters"),
        (["resume", "g"], "no run 'g'"),
    ],
)
def test_what_is_refused(rltrain, place, arguments, said):
    code, _, err = rltrain(*arguments)
    assert code == 2 and said in err, err
    assert not (place / "runs").exists()
