"""R18: too little memory is an error of its own, at the start, and never a crash or a hang.

`rltrain train` under 20 limits of its address space (RLIMIT_AS, as `ulimit -v` sets it), from what Python alone needs
to more than enough, for an algorithm of numpy and for one of torch. Right is 8, memory, or 0, done.
"""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from reliability_common import BASIC, Figure, command, environment

MEGABYTES = [round(100 * 40 ** (number / 19)) for number in range(20)]  # 100 MB to 4 GB, evenly by ratio
TIMEOUT_SECONDS = 60.0
CONFIGS = {
    "basic": BASIC.replace("episodes: 60", "episodes: 6").replace("20}, episodes: 2", "6}, episodes: 1"),
    "dqn": """\
algorithm: {name: dqn, hidden: [16], learning_starts: 100, buffer_size: 1000, batch_size: 16}
environment: {id: CartPole-v1, num_envs: 2}
run: {budget: {env_steps: 300}, threads: 1}
""",
}


def limited(megabytes: int) -> Callable[[], None]:
    """What a child does before it becomes rltrain."""
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


def limits(place: Path, share: float = 1.0) -> Figure:
    """The sweep; a share of the limits, spread over all."""
    chosen = MEGABYTES[:: max(1, round(1 / share))]
    codes: dict[str, dict[int, int | str]] = {}
    faults, slowest = [], 0.0
    for name, text in CONFIGS.items():
        (place / f"{name}.yaml").write_text(text)
        codes[name] = {}
        for megabytes in chosen:
            words = command("train", f"{name}.yaml", "--name", f"{name}-{megabytes}", "--quiet")
            began = time.monotonic()
            try:
                done = subprocess.run(
                    words,
                    cwd=place,
                    env=environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=TIMEOUT_SECONDS,
                    preexec_fn=limited(megabytes),
                )
                code, said = done.returncode, done.stdout.decode("utf-8", "replace")
            except subprocess.TimeoutExpired:
                code, said = "hangs", ""
            slowest = max(slowest, time.monotonic() - began)
            codes[name][megabytes] = code
            if code not in (0, 8):
                faults.append(f"{name} in {megabytes} MB: {code}: {' '.join(said.split())[-200:]}")
    count = len(chosen) * len(CONFIGS)
    return Figure(
        "R18",
        f"limits of memory, {len(chosen)} for each of {' and '.join(CONFIGS)}",
        "exit 8 (or 0), never a crash or a hang",
        f"{count - len(faults)} of {count} (the slowest {slowest:.1f} s)",
        not faults,
        {"exit_codes_by_megabytes": codes, "slowest_seconds": round(slowest, 1)},
        faults,
    )
