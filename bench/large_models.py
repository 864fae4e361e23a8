"""What a model on the disk costs beside the same one in memory: time, memory, and the disk's own speed.

    python bench/large_models.py FOLDER.mdpd [--npz MODEL.npz] [--repeat 3]

Each solve is a process of its own, `rltrain mdp solve`, whose /proc/PID/status is read twenty times a second: VmHWM is
the most that was resident at any time, RssAnon + RssFile at the end apart. Of them RssFile is pages of mapped files,
libraries among them, which the system may take back at any time. The disk's own speed is a plain sequential read of the
folder's files after their pages were dropped from the system's cache (posix_fadvise), and again from the cache.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

PIECE = 1 << 22  # bytes


def read_files(folder: Path, drop: bool) -> float:
    """Bytes a second of reading all files of a folder in turn, after their pages were dropped from the cache or not."""
    begun, size = time.perf_counter(), 0
    for path in sorted(folder.glob("*.npy")):
        with path.open("rb", buffering=0) as file:
            if drop:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while piece := file.read(PIECE):
                size += len(piece)
    return size / (time.perf_counter() - begun)


def solve(model: Path, *options: str) -> tuple[float, dict[str, int], str]:
    """Seconds, the greatest VmHWM, RssAnon and RssFile in bytes, and the last lines, of one solve to 1e-6."""
    command = [sys.executable, "-m", "rltrain", "mdp", "solve", str(model), "--limit", "1", *options]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        most = dict.fromkeys(("VmHWM", "RssAnon", "RssFile"), 0)
        while process.poll() is None:
            try:
                lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            except OSError:
                break
            found = {
                key: int(rest.split()[0]) * 1024 for key, rest in (line.split(":", 1) for line in lines if "kB" in line)
            }
            most = {key: max(value, found.get(key, 0)) for key, value in most.items()}
            time.sleep(0.05)
        said = process.communicate()[0]
    return time.perf_counter() - begun, most, said.strip().splitlines()[-1]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--npz", type=Path, help="the same model, to be solved in memory")
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    size = sum(path.stat().st_size for path in asked.folder.iterdir())
    print(f"{asked.folder.name}: {size / 1e9:.2f} GB; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for drop in (True, False):
        speed = statistics.median(read_files(asked.folder, drop) for _ in range(asked.repeat))
        print(f"plain read, {'dropped from the cache' if drop else 'as it is cached'}: {speed / 1e9:.2f} GB/s")
    ways = [("folder", asked.folder, ())]
    if asked.npz is not None:
        ways += [("in memory, auto", asked.npz, ()), ("in memory, vi", asked.npz, ("--method", "vi"))]
    for name, model, options in ways:
        runs = [solve(model, *options) for _ in range(asked.repeat)]
        seconds = statistics.median(run[0] for run in runs)
        memory = ", ".join(f"{key} {max(run[1][key] for run in runs) / 1e9:.2f} GB" for key in runs[0][1])
        print(f"{name}: {seconds:.1f} s in all ({', '.join(f'{run[0]:.1f}' for run in runs)}); {memory}; {runs[-1][2]}")


if __name__ == "__main__":
    main()
