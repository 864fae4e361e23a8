"""A side of a comparison: a command in a fresh process, timed to what it says; the peers' Python and versions."""

from __future__ import annotations

import importlib.metadata
import json
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring import machine_seconds, own_seconds

ROOT = Path(__file__).resolve().parent.parent
PEER_PYTHON = ROOT / ".venv-peers" / "bin" / "python"


def run_side(words: Sequence[str], timeout: float, folder: Path) -> dict[str, Any]:
    """One run in a fresh process, ended after `timeout` seconds.

    Seconds to the line that says "solved", None if it never came, and that line; what it said last, None if it was
    ended; and how many cores other processes kept busy meanwhile. SystemExit if it fails.
    """
    solved, said, last = None, "", ""
    with tempfile.TemporaryFile("w+") as errors:
        busy, own, start = machine_seconds(), own_seconds(), time.perf_counter()
        process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert process.stdout is not None
        alarm = threading.Timer(timeout, process.kill)
        alarm.start()
        try:
            for line in process.stdout:
                last = line.strip() or last
                if line.startswith("solved"):
                    solved, said = time.perf_counter() - start, line.split(", in /")[0].strip()
                    alarm.cancel()
            code = process.wait()
        finally:
            alarm.cancel()
            process.kill()
        ended = code == -9 and solved is None
        if code and not ended:
            errors.seek(0)
            raise SystemExit(f"failed with {code}: {shlex.join(words)}\n{errors.read()[-2000:]}")
    wall = time.perf_counter() - start
    other = max(0.0, (machine_seconds() - busy) - (own_seconds() - own)) / wall
    return {
        "seconds": solved and round(solved, 3),
        "said": said,
        "last": None if ended else last,
        "wall": round(wall, 3),
        "other_cpu": round(other, 2),
    }


def versions(own: Sequence[str], theirs: Sequence[str], cleanrl: Path | None) -> dict[str, str]:
    """Versions of packages here and, of those that only peers have, there; of a checkout of CleanRL, the commit."""
    found = {name: importlib.metadata.version(name) for name in own}
    if theirs:
        found |= peer_versions(theirs)
    if cleanrl is not None:
        head = ["git", "-C", str(cleanrl), "rev-parse", "--short", "HEAD"]
        found["cleanrl"] = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
    return found


def peer_versions(names: Sequence[str]) -> dict[str, str]:
    """Versions of packages in the peers' environment."""
    text = f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {tuple(names)}}}))"
    done = subprocess.run([PEER_PYTHON, "-c", text], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))
