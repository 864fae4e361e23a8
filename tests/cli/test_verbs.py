"""The verbs as a person types them: exit codes, what is on stdout, what is left in the run folder."""

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from forked import Forked
from in_process import command
from waiting import wait_for

from rltrain import registry
from rltrain.cli import environments
from rltrain.verbs import doctor, extras

CONFIG = """\
algorithm: {name: basic, policy: angle}
environment: CartPole-v1
run: {budget: {episodes: 20}, evaluate: {every: {episodes: 10}, episodes: 2}, save: {every: {episodes: 10}}}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder to work in, with a config."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def rltrain(place, capsys):
    """Runs a verb; returns the exit code, stdout and stderr."""
    return command(capsys)


def test_train_leaves_a_run_and_says_what_to_do_next(rltrain, place):
    code, out, err = rltrain("train", "c.yaml", "--name", "first")
    assert (code, err) == (0, "")
    assert "evaluation  mean" in out and "next: rltrain eval --checkpoint runs/first" in out
    files = {path.name for path in (place / "runs" / "first").iterdir()}
    assert {"config.yaml", "run.json", "metrics.jsonl", "metrics.csv", "eval.jsonl", "events", "checkpoints"} <= files
    assert len((place / "runs/first/metrics.jsonl").read_text().splitlines()) == 20


def test_the_verdict_comes_before_the_picture_and_what_there_is_to_beat_is_on_it(rltrain, place):
    _, out, _ = rltrain("train", "c.yaml", "--name", "first")
    assert [line.split(":")[0] for line in out.splitlines()[-3:]] == ["finished", "curve", "next"]
    run = place / "runs" / "first"
    assert (run / "curve.png").stat().st_size > 1000
    assert set(json.loads((run / "baselines.json").read_text())["baselines"]) == {"random", "angle"}


def test_plot_draws_runs_and_says_what_they_scored(rltrain, place):
    for seed in ("1", "2"):
        rltrain("train", "c.yaml", "--seed", seed, "--name", f"s{seed}", "--quiet")
    assert not list((place / "runs").glob("*/*.png"))
    code, out, err = rltrain("plot", "s*", "-o", "both.pdf", "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert (report["picture"], report["y"]) == ("both.pdf", "eval")
    assert [group["seeds"] for group in report["groups"]] == [[1, 2]]
    assert (place / "both.pdf").read_bytes().startswith(b"%PDF")
    code, out, err = rltrain("plot", "s3")
    assert (code, out) == (2, "")
    assert "did you mean s" in err


def test_quiet_is_one_line(rltrain):
    code, out, err = rltrain("train", "c.yaml", "--quiet")
    assert (code, err, len(out.splitlines())) == (0, "", 1)
    assert out.startswith("finished: 20 episodes")


@pytest.mark.parametrize("how", [["resume"], pytest.param(["train", "--resume"], marks=pytest.mark.slow)])
def test_resume_goes_on_in_the_same_folder_to_the_same_curve(rltrain, place, how):
    rltrain("train", "c.yaml", "--name", "whole", "run.budget.episodes=30")
    rltrain("train", "c.yaml", "--name", "parts")
    code, out, _ = rltrain(*how, "parts", "run.budget.episodes=30", "--quiet")
    assert code == 0 and "finished: 30 episodes" in out
    for file in ("metrics.jsonl", "metrics.csv", "eval.jsonl", "eval.csv"):
        assert (place / "runs/parts" / file).read_bytes() == (place / "runs/whole" / file).read_bytes()


def test_options_are_settings(rltrain):
    options = ["-n", "1e4", "--env", "Acrobot-v1", "--seed", "7", "--device", "cpu", "--max-wall", "50m"]
    code, out, _ = rltrain("train", "c.yaml", "algorithm.policy=random", *options, "--dry-run")
    assert code == 0
    for line in ("id: Acrobot-v1", "env_steps: 10000", "seed: 7", "device: cpu", "max_wall: 50m", "policy: random"):
        assert line in out
    assert rltrain("train", "c.yaml", "--total-timesteps", "9", "--dry-run")[1].count("env_steps: 9") == 1


def test_steps_on_the_command_line_replace_the_budget(rltrain):
    assert "episodes: 20" not in rltrain("train", "c.yaml", "-n", "9", "--dry-run")[1]
    _, out, _ = rltrain("train", "c.yaml", "run.budget.episodes=3", "-n", "9", "--dry-run")
    assert "episodes: 3" in out and "env_steps: 9" in out


def test_the_habits_of_the_zoo(rltrain, place):
    options = ["-P", "-n", "60", "-f", "logs", "-params", "policy:constant", "action:1"]
    for words in (["c.yaml", *options], [*options, "c.yaml"]):
        code, out, _ = rltrain("train", *words, "run.seed=3", "--dry-run")
        assert code == 0
        for line in ("policy: constant", "action: 1", "env_steps: 60", "seed: 3"):
            assert line in out
    assert rltrain("train", "c.yaml", *options, "--name", "z")[0] == 0
    assert (place / "logs/z/metrics.jsonl").exists() and not (place / "runs").exists()
    code, out, _ = rltrain("train", "-f", "logs", "-i", "z", "-n", "90", "-q")
    assert code == 0 and out.startswith("finished: ")
    assert rltrain("resume", "z", "-P", "-f", "logs", "-q")[1].startswith("nothing to do: ")


def test_a_finished_run_says_how_to_train_on(rltrain):
    rltrain("train", "c.yaml", "--name", "r", "--quiet")
    out = rltrain("resume", "r")[1]
    command = out.splitlines()[-1].split("rltrain ", 1)[1].split()
    code, out, _ = rltrain(*command)
    assert code == 0 and "finished: 40 episodes" in out


def test_a_resumed_run_keeps_its_first_counter_since_it_names_the_checkpoints(rltrain):
    rltrain("train", "c.yaml", "--name", "r", "--quiet")
    code, _, err = rltrain("resume", "r", "run.budget={env_steps: 9000}")
    assert code == 2 and "run.budget" in err and "episodes" in err
    assert rltrain("resume", "r", "run.budget={episodes: 22, env_steps: 9000}", "-q")[0] == 0


def test_a_dry_run_prints_a_config_that_prints_itself(rltrain, place):
    _, first, _ = rltrain("train", "c.yaml", "--dry-run")
    (place / "resolved.yaml").write_text(first)
    assert rltrain("train", "resolved.yaml", "--dry-run") == (0, first, "")
    assert not (place / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["train"], 2, "which config"),
        (["train", "cc.yaml"], 2, "did you mean 'c.yaml'"),
        (["train", "c.yaml", "--nonsense"], 2, "--nonsense"),
        (["train", "c.yaml", "algorithm.polcy=random"], 2, "did you mean 'policy'"),
        (["train", "c.yaml", "-n", "many"], 2, "run.budget.env_steps"),
        (["train", "c.yaml", "--env", "CartPole-v7"], 4, "CartPole-v1"),
        (["train", "c.yaml", "--env", "os:CartPole-v1"], 2, "colon"),
        (["train", "c.yaml", "--name", "../x"], 2, "--name"),
        (["train", "--resume", "x", "c.yaml"], 2, "its own configuration"),
        (["train", "c.yaml", "-params", "policy"], 2, "KEY:VALUE"),
        (["train", "c.yaml", "-params", "plicy:random"], 2, "did you mean 'policy'"),
        (["train", "c.yaml", "-params", "action:__import__('os')"], 2, "algorithm.action"),
        (["train", "c.yaml", "-params", "n_envs:3"], 2, "environment.num_envs"),
        (["train", "c.yaml", "d.yaml"], 2, "d.yaml: expected key.sub=value"),
        (["eval"], 2, "rltrain eval --checkpoint"),
        (["resume", "nothing"], 2, "nothing"),
        (["eval", "--checkpoint", "nothing"], 2, "nothing"),
        (["check", "nothing"], 2, "nothing"),
        (["check", "c.yaml", "run.seed=abc"], 2, "run.seed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_errors_are_short_on_stderr_and_have_their_code(rltrain, arguments, code, said):
    done, out, err = rltrain(*arguments)
    assert (done, out) == (code, "")
    assert said in err and "Traceback" not in err


def test_a_setting_that_was_learned_with_cannot_change_on_resume(rltrain):
    rltrain("train", "c.yaml", "--name", "r", "--quiet")
    code, _, err = rltrain("resume", "r", "algorithm.policy=random")
    assert code == 2 and "algorithm.policy" in err


def test_eval_json_is_one_object_with_all_its_fields(rltrain):
    rltrain("train", "c.yaml", "--name", "r", "--quiet")
    code, out, err = rltrain("eval", "--checkpoint", "r", "--episodes", "3", "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert {
        *("algorithm", "environment", "checkpoint", "protocol", "episodes", "returns", "lengths", "mean", "sd"),
        *("median", "min", "max", "ci95", "truncated_share", "baselines"),
    } <= set(result)
    assert len(result["returns"]) == result["episodes"] == 3
    again = json.loads(rltrain("eval", "--checkpoint", result["checkpoint"], "--episodes", "3", "--json")[1])
    assert again | {"chosen": result["chosen"]} == result


def test_eval_plays_the_best_checkpoint_of_a_run_unless_told_otherwise(rltrain, place):
    rltrain("train", "c.yaml", "--name", "r", "--quiet")
    best = json.loads((place / "runs/r/status.json").read_text())["best"]["step"]
    best_name = json.loads(rltrain("eval", "-c", "r", "-n", "1", "--json")[1])["checkpoint"]
    last_name = json.loads(rltrain("eval", "-c", "r", "-n", "1", "--last", "--json")[1])["checkpoint"]
    assert best_name.endswith(f"ckpt-{best:012d}") and "ckpt-000000000020" in last_name
    for words, why in (
        (["r"], "the best of the run"),
        (["r", "--last"], "the newest, as asked"),
        ([best_name], "as asked"),
    ):
        code, out, _ = rltrain("eval", *words, "-n", "1")
        assert code == 0 and f"({why}" in out
        assert json.loads(rltrain("eval", *words, "-n", "1", "--json")[1])["chosen"].startswith(why)
    (place / best_name / "MANIFEST.json").write_text("{")
    (other,) = {path.name for path in (place / "runs/r/checkpoints").iterdir()} - {best_name.split("/")[-1]}
    code, out, err = rltrain("eval", "r", "-n", "1")
    assert code == 0 and other in out and "damaged" in out and "warning" in err


def test_eval_shows_the_interval_the_baselines_and_the_protocol(rltrain):
    rltrain("train", "c.yaml", "--name", "r", "--quiet")
    code, out, _ = rltrain("eval", "-c", "r", "-n", "3")
    assert code == 0
    for part in ("95 % interval", "median", "cut off", "baseline: random", "baseline: angle", "475", "protocol"):
        assert part in out


def test_check_says_the_cost_and_json_alone_on_stdout(rltrain, place):
    code, out, _ = rltrain("check", "c.yaml", "--probe", "0.1")
    assert code == 0 and "c.yaml: correct" in out and "for the budget" in out and "1 game at a time" in out
    code, out, err = rltrain("check", "c.yaml", "--probe", "0.1", "--json")
    report = json.loads(out)
    assert (code, err, report["ok"], report["budget"]) == (0, "", True, {"episodes": 20})
    assert report["probe"]["expected_seconds"] > 0
    assert not (place / "runs").exists()


def test_check_refuses_a_replay_that_does_not_fit(rltrain):
    arguments = ["check", "c.yaml", "algorithm={name: dqn, buffer_size: 900000000000}", "--json"]
    code, out, err = rltrain(*arguments)
    assert (code, out) == (8, "") and "algorithm.buffer_size" in err


def test_check_of_a_run_finds_a_flipped_bit(rltrain, place):
    rltrain("train", "c.yaml", "--name", "r", "--quiet")
    assert rltrain("check", "r")[0] == 0
    newest = sorted((place / "runs/r/checkpoints").iterdir())[-1] / "arrays.safetensors"
    data = bytearray(newest.read_bytes())
    data[-1] ^= 1
    newest.write_bytes(data)
    code, out, _ = rltrain("check", "r", "--json")
    report = json.loads(out)
    assert code == 3 and not report["ok"]
    assert [bool(checkpoint["faults"]) for checkpoint in report["checkpoints"]][-1]
    assert "sha256" in rltrain("check", "runs/r")[1]


def test_list_shows_runs_with_their_state(rltrain, place):
    rltrain("train", "c.yaml", "--name", "done", "--quiet")
    rltrain("train", "c.yaml", "--name", "dead", "--quiet")
    status = place / "runs/dead/status.json"
    status.write_text(json.dumps(json.loads(status.read_text()) | {"state": "running"}))
    (place / "runs/odd").mkdir()
    (place / "runs/odd/config.yaml").write_text("[\xff")
    code, out, _ = rltrain("list", "--json")
    report = json.loads(out)
    assert code == 0
    assert {"basic", "dqn"} <= {algorithm["name"] for algorithm in report["algorithms"]}
    assert {"CartPole-v1", "ALE/MsPacman-v5"} <= {environment["id"] for environment in report["environments"]}
    states = {run["name"]: run["state"] for run in report["runs"]}
    assert states == {"done": "finished", "dead": "killed", "odd": "killed"}
    assert report["runs"][-1]["algorithm"] is None
    _, out, _ = rltrain("list", "runs")
    assert "finished" in out and "100 %" in out and "environments" not in out and "~" not in out


def test_list_shows_the_training_score_of_a_run_that_is_never_evaluated(rltrain):
    rltrain("train", "c.yaml", "--name", "r", "run.evaluate.every=null", "--quiet")
    run = json.loads(rltrain("list", "runs", "--json")[1])["runs"][0]
    assert run["scored"] == "training" and run["score"] > 20
    assert "~" in rltrain("list", "runs")[1]
    assert rltrain("resume", "r", "--quiet")[0] == 0  # nothing is left to do, and nothing is forgotten
    again = json.loads(rltrain("list", "runs", "--json")[1])["runs"][0]
    assert (again["scored"], again["score"]) == ("training", run["score"])


def test_list_gives_each_algorithm_one_line_and_each_environment_its_newest_version(rltrain):
    ids = [{"id": name} for name in ("Ant-v4", "Ant-v5", "CartPole-v1", "odd", "x-very")]
    assert environments.newest(ids) == ids[1:]
    _, out, _ = rltrain("list", "algorithms")
    assert [line.split()[0] for line in out.splitlines()] == ["algorithms", *registry.names()]
    _, out, _ = rltrain("list", "environments")
    assert "MsPacman" in out and "CartPole-v1" in out and "CartPole-v0 " not in out


def test_schema_is_json_that_knows_the_algorithms(rltrain):
    code, out, _ = rltrain("schema")
    assert code == 0 and '"dqn"' in out
    assert json.loads(out)["type"] == "object"


def test_doctor_finds_this_machine_healthy(rltrain):
    code, out, _ = rltrain("doctor", "--json")
    report = json.loads(out)
    assert code == 0 and report["ok"]
    assert {"python", "torch", "Atari ROMs", "threads", "device", "runs folder"} <= {
        f["name"] for f in report["findings"]
    }


def test_doctor_knows_every_package_that_pyproject_names():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[\[><=!]", line)[0] for line in project["dependencies"]}
    assert set(doctor.NEEDED) == needed
    optional = project["optional-dependencies"]
    del optional["dev"]
    for name, lines in optional.items():
        named = re.findall(r"gymnasium\[(.*?)\]", " ".join(lines))
        packages = {re.split(r"[><=!]", line)[0] for line in lines if not line.startswith("gymnasium[")}
        packages |= {part for parts in named for part in parts.split(",")}
        assert set(extras.EXTRAS[name].packages) == packages, name
    assert extras.EXTRAS.keys() == optional.keys()


def test_doctor_says_what_is_not_installed_and_how_to_install_it(rltrain, monkeypatch):
    monkeypatch.setitem(extras.EXTRAS, "onnx", extras.Extra("export", ("numpy", "no-such-package")))
    _, out, _ = rltrain("doctor", "--json")
    (found,) = [each for each in json.loads(out)["findings"] if each["name"] == "onnx"]
    assert (found["state"], found["value"]) == ("optional", "export: without no-such-package")
    assert found["mend"] == 'pip install "rltrain[onnx]"'
    code, out, _ = rltrain("doctor")
    assert code == 0
    assert re.search(r"^-        onnx +export: without no-such-package$", out, re.MULTILINE)
    assert re.search(r"-> what of these you need: pip install \"rltrain\[[a-z0-9,]*onnx[a-z0-9,]*\]\"", out)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_stops_and_says_how_to_go_on(place, sent, code):
    process = Forked("train", "c.yaml", "run.budget.episodes=1000000000", "--name", "r", cwd=place)
    metrics = place / "runs/r/metrics.jsonl"
    wait_for(lambda: metrics.exists() and metrics.stat().st_size, process)
    process.send_signal(sent)
    ended, out = process.end()
    assert ended == code
    assert "stopped by" in out and "go on with: rltrain resume runs/r" in out.splitlines()[-1]
    assert json.loads((place / "runs/r/status.json").read_text())["state"] == "interrupted"
    assert any((place / "runs/r/checkpoints").iterdir())


def test_a_closed_pipe_ends_the_printing_not_the_training(place):
    command = f"{sys.executable} -m rltrain train c.yaml --name r | head -n 1"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment)
    assert (done.stdout, done.stderr) == ("basic on CartPole-v1 · runs/r\n", "")
    assert len((place / "runs/r/metrics.jsonl").read_text().splitlines()) == 20


@pytest.mark.parametrize(
    "closed", ["<&- >&- 2>&-", *(pytest.param(one, marks=pytest.mark.slow) for one in (">&-", "2>&-"))]
)
def test_closed_streams_end_the_printing_not_the_training(place, closed):
    command = f"{sys.executable} -m rltrain train c.yaml --name r {closed}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    assert subprocess.run(command, shell=True, env=environment).returncode == 0
    assert len((place / "runs/r/metrics.jsonl").read_text().splitlines()) == 20


def test_ctrl_c_during_an_evaluation_stops_it_and_the_resumed_run_plays_it(rltrain, place):
    process = Forked("train", "c.yaml", "run.evaluate.episodes=90000", "--name", "r", cwd=place)
    metrics = place / "runs/r/metrics.jsonl"
    wait_for(lambda: metrics.exists() and metrics.read_text().count("\n") == 10, process)
    process.send_signal(signal.SIGINT)
    code, out = process.end()
    assert code == 130 and "stopped by Ctrl-C after 10 episodes" in out
    assert not (place / "runs/r/eval.jsonl").exists()
    assert out.count("saved  ") == 1  # at the end, though a save was due, and it was stopped
    code, out, _ = rltrain("resume", "r", "run.evaluate.episodes=2")
    assert code == 0 and out.count("evaluation  mean") == 2


@pytest.mark.parametrize(("given", "used"), [(None, "1"), ("3", "3")])
def test_every_verb_leaves_small_matrices_to_one_thread_unless_told_otherwise(given, used, rltrain, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", given or "")
    if given is None:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    assert rltrain("list", "algorithms")[0] == 0
    assert os.environ["OPENBLAS_NUM_THREADS"] == used


HALF = "discount: 0.5\nstates:\n  s: {stay: s reward 1, leave: t reward 3}\n  t: {back: s}\n"
LEARNED = """\
algorithm: {name: qlearn}
environment: {id: half.yaml, max_episode_steps: 50}
run: {budget: {env_steps: 2000}}
"""


def test_another_discount_than_the_models_is_told_wherever_a_run_is_shown(rltrain, place):
    (place / "half.yaml").write_text(HALF)
    (place / "l.yaml").write_text(LEARNED)
    note = "the model's own discount is 0.5, the config learns for 0.9"
    _, own, _ = rltrain("train", "l.yaml", "--name", "own")
    assert "discount" not in own
    _, out, _ = rltrain("train", "l.yaml", "algorithm.gamma=0.9", "--name", "other")
    assert out.splitlines()[1].split(maxsplit=1) == ["note", note]
    assert note in " ".join(rltrain("check", "l.yaml", "algorithm.gamma=0.9", "--probe", "0")[1].split())
    _, out, _ = rltrain("eval", "other", "-n", "1")
    assert note in " ".join(out.split()) and "at discount 0.9:" in " ".join(out.split())
    _, out, _ = rltrain("eval", "own", "-n", "1")
    assert "4.000 of 4.000 at discount 0.5:" in out and "own discount" not in out
    found = json.loads(rltrain("eval", "other", "-n", "1", "--json")[1])
    assert (found["model_discount"], found["exact"]["discount"]) == (0.5, 0.9)


def test_a_run_keeps_the_discount_that_its_config_says_whatever_the_models_file_says_later(rltrain, place):
    (place / "half.yaml").write_text(HALF)
    (place / "l.yaml").write_text(LEARNED)
    rltrain("train", "l.yaml", "--name", "own")
    assert "gamma: 0.5" in (place / "runs/own/config.yaml").read_text()
    (place / "half.yaml").write_text(HALF.replace("0.5", "0.7"))
    code, _, _ = rltrain("resume", "own", "run.budget.env_steps=3000")
    assert code == 0 and "gamma: 0.5" in (place / "runs/own/config.yaml").read_text()
