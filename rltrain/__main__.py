"""`python -m rltrain`, and the command `rltrain`: signals are answered from the first moment on.

Imports take a second. A signal that comes meanwhile ends the process with the code that it has later: 130 for Ctrl-C,
143 for SIGTERM and SIGHUP. A run that is at work has handlers of its own (`cli.signals`).
"""

from __future__ import annotations

import os
import signal
from types import FrameType


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(143)


def main() -> None:
    """Run the command line in this process, and exit with its code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # under nohup SIGHUP is ignored
            signal.signal(number, _end)
    try:
        from rltrain.cli import main as command_line
    except KeyboardInterrupt:
        os._exit(130)  # in the middle of an import there is nothing to put in order
    command_line()


if __name__ == "__main__":
    main()
