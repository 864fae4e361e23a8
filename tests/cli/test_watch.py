"""`rltrain watch` as a person types it: what is said, the exit codes, the files, and the terminal after Ctrl-C."""

import os
import pty
import re
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import av
import pytest
from built import app

from rltrain.cli.errors import exit_code_of

ROOT = Path(__file__).parents[2]
CONFIGS = {
    "cart": "algorithm: {name: basic, policy: angle}\nenvironment: CartPole-v1\nrun: {budget: {episodes: 5}}\n",
    "lake": "algorithm: qlearn\nenvironment: {id: FrozenLake-v1, kwargs: {is_slippery: false}}\n"
    "run: {budget: {env_steps: 20000}}\n",
    "book": f"algorithm: viter\nenvironment: {ROOT}/configs/mdp/book.yaml\n",
    "pacman": "algorithm: {name: basic, policy: random}\n"
    "environment: {id: ALE/MsPacman-v5, max_episode_steps: 30}\nrun: {budget: {episodes: 1}}\n",
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with one finished run of each config."""
    place = tmp_path_factory.mktemp("watched")
    before = Path.cwd()
    os.chdir(place)
    try:
        for name, text in CONFIGS.items():
            (place / f"{name}.yaml").write_text(text)
            assert exit_code_of(lambda name=name: app(["train", f"{name}.yaml", "--name", name, "-q"])) == 0
    finally:
        os.chdir(before)
    return place


@pytest.fixture
def rltrain(runs, tmp_path, monkeypatch, capsys):
    """Runs a verb beside the runs, without a screen; returns the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)

    def run(*arguments):
        code = exit_code_of(lambda: app([*arguments, "--runs-dir", str(runs / "runs")]))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def frames(path):
    with av.open(str(path)) as file:
        return [(frame.width, frame.height) for frame in file.decode(video=0)]


def test_a_recording_has_every_moment_and_every_game_is_said(rltrain):
    code, out, err = rltrain("watch", "cart", "--record", "x.mp4", "-n", "2", "--no-bars")
    assert (code, err) == (0, "")
    lengths = [int(found) for found in re.findall(r"game \d: return \d+ in (\d+) steps", out)]
    assert len(lengths) == 2 and f"mean of 2 games: {sum(lengths) / 2:g}" in out
    assert "basic on CartPole-v1" in out and "protocol training, epsilon 0, seed 0" in out
    assert frames("x.mp4") == [(600, 400)] * (sum(lengths) + 2 * round(0.75 * 50))


def test_the_same_game_again_and_another_seed(rltrain):
    said = [rltrain("watch", "cart", "-o", "x.gif", "--seed", seed)[1].splitlines()[3] for seed in ("1", "1", "2")]
    assert said[0] == said[1] != said[2]


def test_enjoy_is_another_name_and_a_checkpoint_will_do(rltrain, runs):
    newest = max((runs / "runs" / "cart" / "checkpoints").iterdir())
    code, out, _ = rltrain("enjoy", str(newest), "-o", "x.gif", "--steps", "3")
    assert code == 0 and "(as asked for)" in out and "in 3 steps, left before its end" in out
    assert "4 pictures" in out and 1 <= len(frames("x.gif")) <= 4  # of two that are alike the first stays longer


def test_bars_beside_the_picture_of_a_table(rltrain):
    code, out, err = rltrain("watch", "lake", "--record", "x.mp4", "--bars", "--last")
    assert code == 0, err
    assert "game 1: return 1 in 6 steps" in out
    assert set(frames("x.mp4")) == {(512 + 260, 512)}


def test_pacman_in_colour_under_the_rules_of_eval(rltrain):
    code, out, _ = rltrain("watch", "pacman", "--record", "x.mp4", "--protocol", "sticky", "--steps", "20")
    assert code == 0 and "protocol sticky, epsilon 0.001, seed 0" in out
    assert frames("x.mp4") == [(320, 420)] * 21


def test_a_known_model_is_told_in_words(rltrain):
    code, out, _ = rltrain("watch", "book", "--steps", "40")
    assert code == 0
    steps = re.findall(r"^ +(\d+)  (s\d) -(a\d) \(([+-]\d+)\)-> (s\d)$", out, re.MULTILINE)
    assert [int(step[0]) for step in steps] == list(range(1, 41))
    assert all(one[4] == two[1] for one, two in pairwise(steps))
    total = sum(int(step[3]) for step in steps)
    assert f"game 1: return {total:,} in 40 steps, left before its end" in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["watch"], 2, "which run or checkpoint?"),
        (["watch", "nowhere"], 2, "nowhere"),
        (["watch", "cart"], 2, "neither a screen nor a terminal"),
        (["watch", "cart", "--terminal"], 2, "standard output is none"),
        (["watch", "cart", "--record", "x.avi"], 2, r".mp4 or .gif"),
        (["watch", "cart", "--record", "no/x.mp4"], 2, "no folder"),
        (["watch", "cart", "--record", "x.gif", "--protocol", "nature"], 2, "is for Atari"),
        (["watch", "cart", "--record", "x.gif", "--episodes", "0"], 2, "episodes"),
        (["watch", "book", "--record", "x.gif"], 2, "has no picture"),
    ],
)
def test_what_is_refused(rltrain, arguments, code, words):
    got, _, err = rltrain(*arguments)
    assert got == code and words in err and "Traceback" not in err
    assert not list(Path().iterdir())


@pytest.mark.parametrize("module", ["av", "pygame"])
def test_without_an_optional_package_the_command_is_named(rltrain, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    code, _, err = rltrain("watch", "cart", "--record", "x.mp4")
    assert code == 4 and 'pip install "rltrain[watch]"' in err
    assert not list(Path().iterdir())


class Session:
    """The command in a terminal of its own."""

    def __init__(self, runs, *arguments):
        master, slave = pty.openpty()
        environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
        environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "100", "LINES": "30"}
        environment |= {"PYTHONPATH": str(ROOT)}
        environment.pop("NO_COLOR", None)
        command = [sys.executable, "-m", "rltrain", "watch", *arguments]
        self.process = subprocess.Popen(
            command,
            cwd=runs,
            stdin=slave,
            stdout=slave,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        self.master, self.text = master, ""

    def until(self, words):
        """Read until these words have come, or the command has ended without them."""
        while words not in self.text:
            try:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            except OSError:  # the other side has gone
                break
        assert words in self.text, self.text[-2000:]

    def end(self):
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            if not data:
                break
            self.text += data.decode(errors="replace")
        _, err = self.process.communicate()
        os.close(self.master)
        return self.process.returncode, err.decode()


def test_ctrl_c_ends_it_with_the_terminal_as_it_was(runs):
    session = Session(runs, "cart", "-n", "100")
    session.until("▀")
    session.process.send_signal(signal.SIGINT)
    code, err = session.end()
    assert (code, err) == (130, "")
    opened, _, rest = session.text.partition("\x1b[?1049h")
    picture, _, after = rest.partition("\x1b[?1049l")
    assert "basic on CartPole-v1" in opened and "38;2;" in picture and "\x1b[?25l" in picture
    assert picture.endswith("\x1b[?25h") and "left before its end" in after and "\x1b" not in after


@pytest.mark.slow
def test_a_game_to_its_end_at_speed_and_q_leaves(runs):
    session = Session(runs, "cart", "-n", "2", "--speed", "100", "--terminal")
    session.until("mean of 2 games")
    assert session.end() == (0, "")
    session = Session(runs, "cart", "-n", "100")
    session.until("▀")
    os.write(session.master, b"q")
    assert session.end() == (0, "") and "left before its end" in session.text


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_recorded(runs):
    file = runs / "kept.mp4"
    session = Session(runs, "cart", "-n", "100000", "--record", str(file))
    session.until("game 3:")
    session.process.send_signal(signal.SIGINT)
    code, err = session.end()
    assert (code, err) == (130, "") and "recorded" in session.text
    count = int(re.search(r"kept.mp4: ([\d,]+) pictures", session.text)[1].replace(",", ""))
    assert len(frames(file)) == count > 100
    assert not list(runs.glob(".*.part"))
