"""One command of rltrain, watched: its exit code, seconds, memory, what it ran and what it wrote where.

Start-up takes a second or more and 300 MB (torch, numba), and says nothing about the file at hand. So one process
imports everything and runs each verb once; a command is then run in a fork of it, which has all of that already: what
is measured is what the input costs. Peak memory is the kernel's (man 2 getrusage, ru_maxrss) above what the fork has
when the command begins.

In the fork an audit hook (PEP 578) writes down what runs code or reaches outside: classes that a pickle names,
processes, sockets, libraries, imports of modules that lie with the input, and every file that is opened for writing,
made, renamed or removed elsewhere than in the home of the case.
"""

from __future__ import annotations

import os
import pkgutil
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

PAGE = os.sysconf("SC_PAGE_SIZE")
LOOK_SECONDS = 0.002
HANGS_SECONDS = 30.0
MOST_BYTES = 4 << 30  # a fork that takes more is killed: the machine is needed
RUNS_CODE = {
    "pickle.find_class",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
    "socket.connect",
    "socket.bind",
    "socket.getaddrinfo",
    "ctypes.dlopen",
}
CHANGES = {  # event -> how many of its arguments are paths
    "os.remove": 1,
    "os.rename": 2,
    "os.mkdir": 1,
    "os.rmdir": 1,
    "os.link": 2,
    "os.symlink": 2,
    "os.truncate": 1,
    "os.chmod": 1,
    "os.chown": 1,
    "os.utime": 1,
    "os.mkfifo": 1,
    "shutil.rmtree": 1,
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True)
class Outcome:
    """code: None if it had to be killed, negative for a signal. extra_bytes: above what every command has."""

    code: int | None
    seconds: float
    extra_bytes: int
    said: str
    events: frozenset[str]


def warm(words: Sequence[Sequence[str]]) -> None:
    """Import everything and run these commands here, so that no fork has to."""
    import rltrain

    for module in pkgutil.walk_packages(rltrain.__path__, "rltrain."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    import torch

    torch.set_num_threads(1)
    with open(os.devnull, "w") as nothing:
        before = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = nothing
        try:
            for one in words:
                _rltrain(one)
        finally:
            sys.stdout, sys.stderr = before


def watched(words: Sequence[str], home: Path) -> Outcome:
    """Run a command in `home`, which it may change; all else it may not."""
    said, seen, size = home / "said", home / "seen", home / "size"
    sys.stdout.flush()
    sys.stderr.flush()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_child(words, home, said, seen, size)  # does not come back
    while True:
        found, status, usage = os.wait4(child, os.WNOHANG)
        if found:
            break
        if time.monotonic() - began > HANGS_SECONDS or _resident(child) > MOST_BYTES:
            os.kill(child, signal.SIGKILL)
            _, status, usage = os.wait4(child, 0)
            status = None
            break
        time.sleep(LOOK_SECONDS)
    seconds = time.monotonic() - began
    text = said.read_text("utf-8", "replace") if said.exists() else ""
    events = frozenset(seen.read_text("utf-8", "replace").splitlines()) if seen.exists() else frozenset()
    before = int(size.read_text() or 0)
    for path in (said, seen, size):
        path.unlink(missing_ok=True)
    code = None if status is None else os.waitstatus_to_exitcode(status)
    return Outcome(code, seconds, max(0, (usage.ru_maxrss << 10) - before), text, events)


def _be_child(words: Sequence[str], home: Path, said: Path, seen: Path, size: Path) -> None:
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.chdir(home)
        os.environ["TMPDIR"] = tempfile.tempdir = str(home)
        sys.path.insert(0, str(home))  # as `python -m rltrain` has it
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        log = os.open(seen, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.stdout, sys.stderr = (os.fdopen(own, "w", encoding="utf-8", errors="backslashreplace") for own in (1, 2))
        Path("/proc/self/clear_refs").write_text("5")  # the peak is that from here on, see man 5 proc_pid_clear_refs
        size.write_text(str(_resident(os.getpid())))
        sys.addaudithook(_hook(home, log))
        code = _rltrain(words)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _rltrain(words: Sequence[str]) -> int:
    from rltrain.cli import app
    from rltrain.cli.errors import exit_code_of

    return exit_code_of(lambda: app(list(words)))


def _hook(home: Path, log: int) -> Callable[[str, tuple[Any, ...]], None]:
    inside = os.path.realpath(home)
    busy = False

    def write(text: str) -> None:
        os.write(log, (text.replace("\n", " ")[:300] + "\n").encode("utf-8", "replace"))

    def is_inside(path: Any, follow: bool) -> bool:
        text = os.fsdecode(path)
        real = os.path.realpath(text if follow else os.path.dirname(text) or ".")
        return real == os.devnull or os.path.commonpath([real, inside]) == inside

    def hook(event: str, values: tuple[Any, ...]) -> None:
        nonlocal busy
        if busy:  # what looking into a path does itself
            return
        busy = True
        try:
            if event in RUNS_CODE:
                write(f"{event} {values[:2]}")
            elif event == "import" and is_there(values[0]):
                write(f"import {values[0]}")
            elif event == "open" and not isinstance(values[0], int) and values[2] & WRITING:
                # O_TMPFILE, a file without a name, is given the folder itself.
                followed = not values[2] & os.O_NOFOLLOW or values[2] & os.O_TMPFILE == os.O_TMPFILE
                if not is_inside(values[0], followed):
                    write(f"open for writing {values[0]!r}")
            elif event in CHANGES:
                paths = [path for path in values[: CHANGES[event]] if isinstance(path, str | bytes | os.PathLike)]
                if not all(is_inside(path, follow=False) for path in paths):
                    write(f"{event} {paths}")
        except (OSError, ValueError, TypeError) as error:
            write(f"{event} {values!r}: {error}")
        finally:
            busy = False

    def is_there(module: str) -> bool:
        return (home / f"{module.split('.')[0]}.py").exists()

    return hook


def _resident(process: int) -> int:
    """Bytes of memory that a process has now; 0 once it has ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def single_threaded() -> None:
    """Before numpy, numba or torch is imported: a fork has only the thread that made it."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
