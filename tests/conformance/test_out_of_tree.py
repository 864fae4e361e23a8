"""A package that is not ours brings an algorithm and a sink by entry points, and both do all that ours do.

That its algorithm is killed, resumed and evaluated as ours are is tested with them, by discovery.
"""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from built import app

from rltrain import registry
from rltrain.cli.errors import exit_code_of
from rltrain.core import Sink
from rltrain.errors import InputError, MissingError

CONFIG = """
algorithm: {name: annealing, noise: 1.0}
environment: {id: CartPole-v1, max_episode_steps: 100}
run: {budget: {trials: 12}, save: {every: {trials: 4}}, sinks: [tally]}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a config that names what the package brings."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


def rltrain(*words: str) -> int:
    return exit_code_of(lambda: app(words))


def lines(run: Path) -> list[str]:
    return (run / "tally.txt").read_text().splitlines()


def test_nothing_of_the_package_is_imported_before_it_is_asked_for() -> None:
    program = (
        "import sys; from rltrain import registry; from rltrain.experiment import config;"
        "config.loads('algorithm: basic\\nenvironment: CartPole-v1', 'c.yaml');"
        "print([registry.summary(name) for name in registry.names() if name == 'annealing']);"
        "print([name for name in sys.modules if name.startswith('neighbour')]);"
        "config.loads('algorithm: annealing\\nenvironment: CartPole-v1', 'c.yaml');"
        "print([name for name in sys.modules if name.startswith('neighbour')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    summary, before, after = done.stdout.splitlines()
    assert summary == "['Simulated annealing of a linear policy (Kirkpatrick et al. 1983).']"
    assert (before, after) == ("[]", "['neighbour', 'neighbour.annealing']")


def test_what_the_package_brings_is_checked_trained_recorded_told_and_evaluated(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rltrain("check", "c.yaml", "run.budget.trials=1", "--probe", "0") == 0
    said = capsys.readouterr().out
    assert "10 parameters" not in said and "8 parameters" in said and "raise run.budget.trials" in said
    assert rltrain("train", "c.yaml", "--name", "x") == 0
    assert "the weights that were kept scored" in capsys.readouterr().out
    run = place / "runs" / "x"
    assert lines(run)[-1].startswith("12 train 3 of 3")
    with (run / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    kept = [json.loads(line)["return/last"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [float(row["score"]) for row in rows] == kept
    assert json.loads((run / "run.json").read_text())["chosen"] == {"arithmetic": "float64: numpy's own"}
    assert rltrain("eval", "--checkpoint", "x", "--episodes", "3", "--json") == 0
    assert 1 <= json.loads(capsys.readouterr().out)["mean"] <= 100
    assert isinstance(registry.sink("tally")(run), Sink)


def test_a_sink_that_was_asked_for_later_begins_there_and_one_that_is_not_any_more_is_named(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rltrain("train", "c.yaml", "run.sinks=[]", "--name", "x") == 0
    assert "sinks" not in (place / "runs/x/config.yaml").read_text()
    capsys.readouterr()
    assert rltrain("resume", "x", "run.budget.trials=14", "run.sinks=[tally]") == 0
    assert "was saved without sinks/tally: what was added since starts fresh" in capsys.readouterr().out
    assert len(lines(place / "runs" / "x")) == 2
    assert rltrain("resume", "x", "run.budget.trials=15") == 0
    assert "starts fresh" not in capsys.readouterr().out
    assert len(lines(place / "runs" / "x")) == 3
    assert rltrain("resume", "x", "run.budget.trials=16", "run.sinks=[]") == 0
    assert "holds sinks/tally, which nothing reads any more: left out" in capsys.readouterr().out
    assert len(lines(place / "runs" / "x")) == 3  # it is left as it was
    rows = (place / "runs/x/metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["trials"] for row in rows] == list(range(1, 17))


def test_a_fork_begins_the_logs_of_other_packages_anew(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rltrain("train", "c.yaml", "--name", "x", "--quiet") == 0
    assert rltrain("resume", "x", "--fork", "y", "run.budget.trials=13") == 0
    assert "was saved without sinks/tally" in capsys.readouterr().out
    assert lines(place / "runs" / "y") == ["1 train 3 of 3"]


@pytest.mark.parametrize(
    ("verb", "sinks", "message"),
    [
        (verb, *rest)
        for verb in ("train", "check")
        for rest in [
            ("[taly]", "run.sinks: unknown sink 'taly'; did you mean 'tally'?"),
            ("[csv]", "run.sinks: 'csv' is there in every run; leave it out"),
        ]
    ],
)
def test_a_sink_that_is_none_is_said_before_there_is_a_folder(
    verb: str, sinks: str, message: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rltrain(verb, "c.yaml", f"run.sinks={sinks}") == 2
    said = capsys.readouterr().err
    assert message in said and "Traceback" not in said
    assert not (place / "runs").exists()


def test_a_sink_that_breaks_the_contract_leaves_no_folder(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.sink("tally")
    monkeypatch.delattr(sys.modules["neighbour.tally"].Tally, "flush")
    assert rltrain("train", "c.yaml", "--name", "x") == 2
    assert "sink 'tally' (neighbour.tally:Tally): what it makes lacks flush of core.Sink" in capsys.readouterr().err
    assert list((place / "runs").iterdir()) == []


def test_a_run_whose_sink_is_not_installed_any_more_can_be_evaluated_and_go_on_without_it(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = CONFIG.replace("{name: annealing, noise: 1.0}", "basic").replace("trials", "episodes")
    (place / "c.yaml").write_text(text)
    assert rltrain("train", "c.yaml", "--name", "x", "--quiet") == 0
    monkeypatch.setattr(sys, "path", [path for path in sys.path if "out-of-tree" not in path])
    assert rltrain("eval", "--checkpoint", "x", "--episodes", "2", "--json") == 0
    assert rltrain("resume", "x", "run.budget.episodes=14") == 2
    assert "mend or install the package that brings it, or leave it out of run.sinks" in capsys.readouterr().err
    assert rltrain("resume", "x", "run.budget.episodes=14", "run.sinks=[]") == 0


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("neighbour.tally:NAME", InputError, "cannot be loaded: AttributeError"),
        ("neighbour.annealing:PLUGIN", InputError, "must name a function from a run's folder to a sink"),
        ("pathlib:PurePath", InputError, "what it makes lacks write, flush, save, load, close of core.Sink"),
        ("no_such_package:Sink", MissingError, "needs the module 'no_such_package', which is not installed"),
    ],
)
def test_what_is_no_sink_is_refused(
    value: str, error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    information = tmp_path / "odd-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[{registry.SINKS}]\nodd = {value}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(error, match="sink 'odd'") as caught:
        registry.sink("odd")(tmp_path)
    assert message in str(caught.value)
