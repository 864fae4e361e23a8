"""The first signal asks, the second leaves."""

import os
import signal
import subprocess
import sys

import pytest

from rltrain.cli.signals import stopping

TWICE = """
import os, signal, time
from rltrain.cli import signals
with signals.stopping(lambda reason: print(reason, flush=True)):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(signals.ONE_WISH_SECONDS + 0.1)
    os.kill(os.getpid(), signal.{second})
    time.sleep(5)
    print("still here")
"""


@pytest.mark.parametrize(
    ("sent", "reason", "code"), [("SIGINT", "SIGINT", 130), ("SIGTERM", "SIGTERM", 143), ("SIGHUP", "SIGTERM", 143)]
)
def test_the_first_signal_asks_once(sent, reason, code):
    before = signal.getsignal(signal.SIGTERM)
    asked_for = []
    with stopping(asked_for.append) as asked:
        os.kill(os.getpid(), getattr(signal, sent))
        os.kill(os.getpid(), signal.SIGTERM)  # at once after it, as `timeout` and service managers send
    assert asked_for == [reason]
    assert asked.exit_code == code
    assert signal.getsignal(signal.SIGTERM) == before


def test_without_a_signal_the_code_is_zero():
    with stopping(lambda reason: None) as asked:
        pass
    assert asked.exit_code == 0


@pytest.mark.parametrize(("second", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_the_second_signal_leaves_at_once(second, code):
    done = subprocess.run(
        [sys.executable, "-c", TWICE.format(second=second)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (code, "SIGINT\n")


def test_nohup_is_respected():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping(lambda reason: None) as asked:
            os.kill(os.getpid(), signal.SIGHUP)
        assert asked.reason is None
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("sent", "code"), [("SIGTERM", 143), ("SIGHUP", 143), ("SIGINT", 130)])
def test_a_signal_before_a_run_is_at_work_gives_the_code_that_it_gives_later(sent, code):
    """The signal comes while the command line is imported: at the first file that it opens after its handlers stand."""
    code_text = f"""
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
def hook(event, arguments):
    if event == "import" and arguments[0] == "rltrain.cli":
        os.kill(os.getpid(), signal.{sent})
sys.addaudithook(hook)
from rltrain.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code_text, "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (code, "")
