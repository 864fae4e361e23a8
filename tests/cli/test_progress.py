"""The live line: what it says, where, when, and that it is never in the way."""

from __future__ import annotations

import io
import json
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from in_process import command

from rltrain.cli import progress
from rltrain.cli.output import Output
from rltrain.cli.progress import FIRST_SECONDS, LINE_SECONDS, Line, Phase, fitted
from rltrain.progress import Progress


class Terminal(io.StringIO):
    """A stream that says that it is a terminal, and what stands on its last line."""

    def isatty(self) -> bool:
        return True

    def last_line(self) -> str:
        text = self.getvalue().rpartition("\n")[2]
        return re.sub(r"\x1b\[K", "", text.rpartition("\r")[2])


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_on_a_terminal_it_says_what_share_speed_and_time_left() -> None:
    stream, clock = Terminal(), Clock()
    line = Line(lambda: stream, clock)
    listener: Progress = line
    with listener.phase("100 games", "dqn on CartPole-v1"):
        line.tick()
        assert stream.getvalue() == "", "short work shows nothing"
        clock.now += 20
        line.at(25, 100, 40_000, "steps")
        line.tick()
        assert stream.last_line() == "100 games  dqn on CartPole-v1  25.0 %  2,000 steps/s  0:20  1:00 left"
        clock.now += 1
        line.at(0, math.nan)
        line.tick()
        assert stream.last_line() == "100 games  dqn on CartPole-v1  0:21"
    assert "\n" not in stream.getvalue()


def test_elsewhere_it_is_a_line_a_minute_the_first_after_one() -> None:
    stream, clock = io.StringIO(), Clock()
    line = Line(lambda: stream, clock)
    said = []
    with line.phase("work"):
        for _ in range(190):
            line.tick()
            said.append(stream.getvalue().count("\n"))
            clock.now += 1.0
    assert [said.index(number) for number in (1, 2, 3)] == [LINE_SECONDS, 2 * LINE_SECONDS, 3 * LINE_SECONDS]
    assert stream.getvalue().splitlines()[0] == "work  1:00"
    assert "\r" not in stream.getvalue() and "\x1b" not in stream.getvalue()


def test_a_terminal_that_cannot_redraw_a_line_gets_whole_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream, clock = Terminal(), Clock()
    line = Line(lambda: stream, clock)
    with line.phase("work"):
        clock.now += LINE_SECONDS
        line.tick()
    assert stream.getvalue() == "work  1:00\n"


@pytest.mark.parametrize("width", [10, 20, 30, 40, 60, 80, 200])
def test_it_fits_any_width_by_leaving_out_whole_parts(width: int) -> None:
    parts = Phase("100 games", "dqn on CartPole-v1", 0.0, 25, 100, 40_000, "steps").parts(20.0)
    text = fitted(parts, width)
    assert len(text) <= width
    assert [part for _, part in parts if part in text] == text.split("  ")
    assert ("dqn" in text) == (width >= 70)
    if width >= 22:
        assert "100 games" in text and "1:00 left" in text


def test_what_is_printed_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    line = progress.line
    monkeypatch.setattr(line, "_clock", Clock())
    with line.phase("work"):
        line._clock.now += FIRST_SECONDS
        line.tick()
        Output(stream).write("warning: one\n")
        line.tick()
        assert stream.getvalue().endswith("\r\x1b[Kwarning: one\n"), "and it does not come back at once"
        line._clock.now += 1.0
        line.tick()
        assert stream.last_line() == "work  0:02"


def test_names_cannot_steer_the_terminal() -> None:
    stream, clock = Terminal(), Clock()
    line = Line(lambda: stream, clock)
    with line.phase("a\x1b]0;title\x07\nb"):
        clock.now += 2
        line.tick()
    assert stream.last_line() == r"a\x1b]0;title\x07\nb  0:02"


def test_outside_of_work_it_does_nothing() -> None:
    stream, clock = Terminal(), Clock()
    line = Line(lambda: stream, clock)
    line.at(1, 2)
    line.rename("x")
    clock.now += 1000
    line.tick()
    with line.hidden():
        pass
    assert stream.getvalue() == ""


def test_it_lives_while_the_work_says_nothing_and_is_gone_when_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0.0)
    stream = Terminal()
    line = Line(lambda: stream)
    handler = signal.getsignal(signal.SIGINT)
    with line.over("long work"):
        while "long work" not in stream.getvalue():
            pass
    assert stream.getvalue().endswith(progress.ERASE)
    assert signal.getsignal(signal.SIGINT) is handler
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.parametrize("call", ["time.sleep(60)", "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"])
def test_ctrl_c_ends_at_once_even_a_call_that_never_hears_of_it(call: str) -> None:
    code = (
        "import hashlib, sys, time\n"
        "from rltrain.cli.progress import line\n"
        "try:\n"
        "    with line.over('work'):\n"
        "        print('begun', flush=True)\n"
        f"        {call}\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(130)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (130, "", "stopped by Ctrl-C\n")


def test_work_that_heard_ctrl_c_has_the_time_to_say_what_it_measured() -> None:
    code = (
        "import time\n"
        "from rltrain.cli import progress\n"
        "from rltrain.cli.progress import line\n"
        "progress.GRACE_SECONDS = 0.01\n"
        "with line.over('work'):\n"
        "    try:\n"
        "        print('begun', flush=True)\n"
        "        while True:\n"
        "            sum(range(1000))\n"
        "    except KeyboardInterrupt:\n"
        "        time.sleep(0.3)\n"
        "        print('measured')\n"
        "        line.said()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "measured\n", "")


class Interrupting(gymnasium.Env):
    """Games of 2, 4, 6 ... steps, one after the other. At a certain step of them all somebody presses Ctrl-C."""

    observation_space = spaces.Box(0, 1, (1,), np.float32)
    action_space = spaces.Discrete(2)
    steps, when = 0, 10**9
    lengths = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = 0  # not yet said: an environment that is only described plays no game
        return np.zeros(1, np.float32), {}

    def step(self, action):
        Interrupting.steps += 1
        if Interrupting.steps == Interrupting.when:
            os.kill(os.getpid(), signal.SIGINT)
        if self.left == 0:
            Interrupting.lengths += 2
            self.left = Interrupting.lengths
        self.left -= 1
        return np.zeros(1, np.float32), 1.0, self.left == 0, False, {}


@pytest.fixture
def run(tmp_path: Path, capsys, monkeypatch):
    """A finished run of the interrupting environment, and its group of two; `run` is a verb on them."""
    gymnasium.register("Interrupting-v0", entry_point=Interrupting, max_episode_steps=500)
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text("algorithm: basic\nenvironment: Interrupting-v0\nrun: {budget: {episodes: 2}}\n")

    def call(*arguments: str, when: int = 10**9) -> tuple[int, str, str]:
        Interrupting.steps = Interrupting.lengths = 0
        Interrupting.when = when
        return command(capsys)(*arguments)

    assert call("train", "c.yaml", "--name", "r")[0] == 0
    yield call
    del gymnasium.registry["Interrupting-v0"]


def test_ctrl_c_ends_an_evaluation_with_what_was_measured(run) -> None:
    code, out, err = run("eval", "r", "-n", "4", "--json", when=15)  # games of 2 and 4 steps are over after 4 rounds
    found = json.loads(out)
    assert (code, err) == (130, "stopped by Ctrl-C: what was measured is partial\n")
    assert found["partial"] is True
    assert (found["returns"], found["episodes"], found["mean"], found["baselines"]) == ([2.0, 4.0], 2, 3.0, {})
    assert found["protocol"]["episodes"] == 4
    code, out, _ = run("eval", "r", "-n", "4", when=15)
    assert code == 130
    assert re.search(r"^partial +2 of 4 games. Short ones end first", out, re.M)


def test_ctrl_c_before_the_first_game_is_over_says_so_in_one_line(run) -> None:
    assert run("eval", "r", "-n", "4", "--json", when=3) == (130, "", "stopped by Ctrl-C\n")


def test_ctrl_c_while_the_baselines_play_keeps_the_whole_evaluation(run) -> None:
    code, out, _ = run("eval", "r", "-n", "4", "--json", when=22)  # 20 steps are the policy's
    found = json.loads(out)
    assert (code, found["partial"], found["episodes"], found["baselines"]) == (130, True, 4, {})


def test_an_evaluation_that_is_left_alone_is_whole(run) -> None:
    code, out, err = run("eval", "r", "-n", "4", "--json")
    assert (code, err, json.loads(out)["partial"]) == (0, "", False)
    assert list(json.loads(out)["baselines"]) == ["random"]
