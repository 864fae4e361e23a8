"""Completion in a shell: verbs, configs, runs and algorithms, quickly, and nothing that is no name."""

import subprocess
import sys
from pathlib import Path

import pytest
from built import app

from rltrain import cli, registry
from rltrain.cli.errors import exit_code_of

HEAVY = {"torch", "gymnasium", "ale_py", "numba", "scipy", "matplotlib"}
OF_DQN = ["dqn_mine.yaml", "dqn_atari", "dqn_cartpole", "dqn_nature", "dqn_pacman", "dqn_pacman_100k", "dqn_pacman_gpu"]


@pytest.fixture
def offered(tmp_path, monkeypatch, capsys):
    """What bash is offered after the words of a line, the last of which is not finished."""
    monkeypatch.chdir(tmp_path)
    for run in ("deep-1", "deep-2", "cart"):
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "config.yaml").write_text("algorithm: dqn\n")
    (tmp_path / "dqn_mine.yaml").write_text("")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.yaml").write_text("")
    (tmp_path / "notes.txt").write_text("")

    (tmp_path / "runs/lr").mkdir()
    (tmp_path / "runs/lr/sweep.json").write_text("{}")

    def offer(line):
        words = line.split(" ")
        monkeypatch.setenv("_RLTRAIN_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        assert exit_code_of(lambda: app([], prog_name="rltrain")) == 0
        said = capsys.readouterr()
        assert said.err == ""
        return said.out.split()

    return offer


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("rltrain re", ["resume", "rerun", "report"]),
        ("rltrain train dqn_", OF_DQN),
        ("rltrain train book/v", ["book/viter"]),
        ("rltrain train mine/", ["mine/a.yaml"]),
        ("rltrain train no", []),
        ("rltrain train --algo ", registry.names()),
        ("rltrain init td", ["td_book"]),
        ("rltrain init --algo q", ["qiter", "qlearn"]),
        ("rltrain resume de", ["deep-1", "deep-2"]),
        ("rltrain eval ", ["cart", "deep-1", "deep-2"]),
        ("rltrain eval --checkpoint c", ["cart"]),
        ("rltrain watch c", ["cart"]),
        ("rltrain plot deep-1 d", ["deep-1", "deep-2"]),
        ("rltrain compare deep-1 d", ["deep-1", "deep-2"]),
        ("rltrain diff deep-1 c", ["cart"]),
        ("rltrain rerun c", ["cart"]),
        ("rltrain train --resume c", ["cart"]),
        ("rltrain resume -f elsewhere ", []),
        ("rltrain check cmaes_c", ["cmaes_cartpole"]),
        ("rltrain check car", ["cart"]),
        ("rltrain list c", ["configs"]),
        ("rltrain sweep s", ["show"]),
        ("rltrain sweep run sweeps/c", ["sweeps/cartpole"]),
        ("rltrain sweep show l", ["lr"]),
    ],
)
def test_what_is_offered(line, names, offered):
    assert offered(line) == names


@pytest.mark.parametrize("line", ["rltrain tr", "rltrain train dqn_", "rltrain train --algo d", "rltrain resume c"])
def test_a_completion_loads_nothing_heavy(line):
    lines = "import sys, rltrain.cli as cli\ntry: cli.app([], prog_name='rltrain')\n"
    lines += "finally: print(*sys.modules, file=sys.stderr)"
    words = {"_RLTRAIN_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    here = {"PYTHONPATH": str(Path(__file__).parents[2]), **words}
    done = subprocess.run([sys.executable, "-c", lines], env=here, capture_output=True, text=True)
    assert done.returncode == 0 and not HEAVY & set(done.stderr.split())


def test_the_script_for_a_shell_is_shown(capsys, monkeypatch):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    assert exit_code_of(lambda: cli.app(["--show-completion", "bash"], prog_name="rltrain")) == 0  # built anew
    assert "_RLTRAIN_COMPLETE=complete_bash" in capsys.readouterr().out
