"""DQN on Ms. Pac-Man, agent steps per second while learning: the peers and rltrain in turn, at equal settings.

Every round runs each side once, in a fresh process, one after the other (A B A B ...), so that a machine that slows
down slows both. A ratio is taken within a round; the figure is the median of the rounds' ratios, with its range. Peers
live in .venv-peers (`make bench-peers`), rltrain in the interpreter that runs this file. The settings are in the two
sides' scripts.

    python bench/dqn_throughput.py --save    # about 10 minutes; leave the machine alone meanwhile
    python bench/dqn_throughput.py --busy    # the same while another process wants a core
    python bench/dqn_throughput.py --device cuda --envs 128 --peer sb3-8 --cleanrl DIR --alone
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from measuring import LOADED, machine, widest_instructions

ROOT = Path(__file__).resolve().parent.parent
PEER_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
RESULT = ROOT / "bench" / "results" / "dqn_throughput.json"
PEERS: dict[str, list[str]] = {
    "sb3-1": ["--envs", "1"],
    "sb3-8": ["--envs", "8"],
    "sb3-subproc-8": ["--envs", "8", "--subproc"],
}
PRECISIONS = ("float32", "bfloat16")
STEPS_PER_UPDATE = 4
ALONE = "environments"  # a side that only plays


class Spread(NamedTuple):
    """A median, and the range it comes from."""

    median: float
    low: float
    high: float
    count: int


def spread(values: Sequence[float]) -> Spread:
    """Median and range; at least one value."""
    return Spread(median(values), min(values), max(values), len(values))


def paired_ratio(ours: Sequence[float], peer: Sequence[float]) -> Spread:
    """Of the ratios ours / peer, each within one round. Not the ratio of the medians, which would mix rounds."""
    if len(ours) != len(peer):
        raise ValueError(f"unpaired: {len(ours)} runs of ours, {len(peer)} of the peer")
    return spread([a / b for a, b in zip(ours, peer, strict=True)])


def fastest(peers: Mapping[str, Sequence[float]]) -> str:
    """The peer with the highest median."""
    return max(peers, key=lambda name: median(peers[name]))


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="DQN steps per second: Stable-Baselines3 and rltrain in turn, at equal settings"
    )
    parser.add_argument("--peer", action="append", choices=list(PEERS), help="may be given again [sb3-8 sb3-subproc-8]")
    parser.add_argument(
        "--precision",
        action="append",
        choices=PRECISIONS,
        help="of ours; may be given again [both, without bfloat16 where the processor has none]",
    )
    parser.add_argument("--busy", action="store_true", help="another process counts on one core all the while")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side; below 5 is only a trial [5]")
    parser.add_argument("--steps", type=int, default=1600, help="agent steps in the measured window [1600]")
    parser.add_argument("--warm", type=int, default=400, help="agent steps before it [400]")
    parser.add_argument(
        "--envs", type=int, default=8, help="environments of ours [8]; --steps and --warm of ours grow with every 8"
    )
    parser.add_argument("--cleanrl", type=Path, metavar="DIR", help="a checkout of CleanRL, to be a peer as well")
    parser.add_argument("--alone", action="store_true", help="also our environments without a learner, as their limit")
    parser.add_argument(
        "--threads", type=int, default=0, help="threads of every side; 0 leaves each its own choice [0]"
    )
    parser.add_argument("--device", default="cpu", help="of every side: cpu or cuda [cpu]")
    parser.add_argument("--save", nargs="?", const=Path(), type=Path, help=f"write JSON [{RESULT.relative_to(ROOT)}]")
    given = parser.parse_args(argv)
    if given.save == Path():
        given.save = RESULT.with_stem("dqn_throughput_busy") if given.busy else RESULT
    if given.rounds < 1:
        parser.error(f"--rounds {given.rounds}: must be at least 1")
    if given.save and given.rounds < 5:
        parser.error(f"--save with --rounds {given.rounds}: a result is kept only of 5 rounds or more")
    return given


def commands(given: argparse.Namespace) -> dict[str, list[str]]:
    """Side -> command, in the order of running: ours and peers by turns."""
    at = ["--threads", given.threads, "--device", given.device]
    same = ["--steps", given.steps, "--warm", given.warm, *at]
    # A round of many games would fill a window that is meant for eight.
    more = max(1, given.envs // 8)
    own = ["--steps", more * given.steps, "--warm", more * given.warm, *at]
    peers = {
        name: [PEER_PYTHON, ROOT / "bench/peers/sb3_dqn.py", *PEERS[name], *same]
        for name in given.peer or ["sb3-8", "sb3-subproc-8"]
    }
    if given.cleanrl:
        peers["cleanrl"] = [PEER_PYTHON, ROOT / "bench/peers/cleanrl_dqn.py", "--checkout", given.cleanrl, *same]
    ours = {
        f"ours-{precision}": [
            sys.executable, ROOT / "bench/ours_dqn.py", "--envs", given.envs, "--precision", precision, *own
        ]
        for precision in given.precision or possible(given.device)
    }  # fmt: skip
    if given.alone:
        ours[ALONE] = [sys.executable, ROOT / "bench/ours_dqn.py", "--envs", given.envs, "--alone", *own]
    order: list[tuple[str, list[Any]]] = []
    left, right = list(peers.items()), list(ours.items())
    while left or right:
        order += left[:1] + right[:1]
        left, right = left[1:], right[1:]
    return {name: [str(word) for word in command] for name, command in order}


def possible(device: str) -> Sequence[str]:
    return PRECISIONS if device != "cpu" or "bf16" in widest_instructions() else PRECISIONS[:1]


@contextlib.contextmanager
def company(wanted: bool) -> Iterator[None]:
    """Another process that never rests, on a core that the operating system picks. It ends with this script."""
    endless = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: sum(range(100_000))"
    other = subprocess.Popen([sys.executable, "-c", endless]) if wanted else None
    try:
        yield
    finally:
        if other is not None:
            other.kill()
            other.wait()


def run_side(command: Sequence[str]) -> dict[str, Any]:
    """One run in a fresh process. Adds the cores that other processes (`other_cpu`) or machines (`stolen`) used."""
    start, (busy, stolen), own = time.perf_counter(), _machine_seconds(), _own_seconds()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"failed with {done.returncode}: {shlex.join(command)}\n{done.stderr[-2000:]}")
    wall, (busy_now, stolen_now) = time.perf_counter() - start, _machine_seconds()
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    figures["other_cpu"] = round(max(0.0, (busy_now - busy) - (_own_seconds() - own)) / wall, 2)
    figures["stolen"] = round((stolen_now - stolen) / wall, 2)
    if figures.get("side") != ALONE and abs(figures["updates"] * STEPS_PER_UPDATE / figures["steps"] - 1) > 0.02:
        raise SystemExit(
            f"unequal work, nothing to compare: {figures['updates']} updates in {figures['steps']} agent steps,"
            f" expected one in {STEPS_PER_UPDATE}: {shlex.join(command)}"
        )
    return figures


def _machine_seconds() -> tuple[float, float]:
    """Processor seconds since boot, all cores together: busy, and stolen by other machines. Source: man 5 proc."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(word) for word in words[:8])
    tick = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / tick, steal / tick


def _own_seconds() -> float:
    """Processor seconds of this process and of the children that it has waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def speeds(runs: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [run["steps_per_second"] for run in runs if run["name"] == name]


def summary(runs: Sequence[Mapping[str, Any]], peers: Sequence[str], ours: Sequence[str]) -> dict[str, Any]:
    """Medians of every side and paired ratios of every pair, ready for JSON."""
    return {
        "sides": {name: spread(speeds(runs, name))._asdict() for name in (*peers, *ours)},
        "fastest_peer": fastest({name: speeds(runs, name) for name in peers}),
        "ratios": {
            mine: {peer: paired_ratio(speeds(runs, mine), speeds(runs, peer))._asdict() for peer in peers}
            for mine in ours
        },
    }


def show(runs: Sequence[Mapping[str, Any]], figures: Mapping[str, Any], busy: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title="DQN on Ms. Pac-Man, agent steps/s while learning")
    for column in ("side", "median", "range", "runs", "updates/s", "peak memory", "other load"):
        table.add_column(column, justify="left" if column == "side" else "right", no_wrap=column == "side")
    for name, side in figures["sides"].items():
        own = [run for run in runs if run["name"] == name]
        table.add_row(
            name,
            f"{side['median']:.0f}",
            f"{side['low']:.0f}-{side['high']:.0f}",
            str(side["count"]),
            f"{median(run['updates'] / run['seconds'] for run in own):.1f}",
            f"{max(run['peak_rss_mb'] for run in own) / 1024:.1f} GB",
            f"{max(run['other_cpu'] for run in own):.2f} cores",
        )
    console.print(table)

    table = Table(title="Ours / peer, within each round")
    for column in ("ours", "peer", "median ratio", "range", "pairs"):
        table.add_column(column, justify="left" if column in ("ours", "peer") else "right")
    for mine, ratios in figures["ratios"].items():
        for peer, ratio in ratios.items():
            label = f"{peer} (fastest)" if peer == figures["fastest_peer"] else peer
            table.add_row(
                mine, label, f"{ratio['median']:.2f}", f"{ratio['low']:.2f}-{ratio['high']:.2f}", str(ratio["count"])
            )
    console.print(table)
    for name, share in figures.get("share_of_limit", {}).items():
        console.print(f"{name} plays at {100 * share['median']:.0f} % of the speed of the environments alone")
    loaded = sum(run["other_cpu"] > LOADED + busy for run in runs)  # the company that was asked for takes one
    if loaded:
        console.print(
            f"warning: other processes kept more than {LOADED} cores busy during {loaded} of {len(runs)} runs"
        )


def main(argv: Sequence[str] | None = None) -> None:
    given = arguments(argv)
    if not PEER_PYTHON.exists():
        print("error: no .venv-peers here: the peers are installed by `make bench-peers`", file=sys.stderr)
        raise SystemExit(4)
    sides = commands(given)
    runs: list[dict[str, Any]] = []
    versions: dict[str, Any] = {}
    for number in range(1, given.rounds + 1):
        for name, command in sides.items():
            with company(given.busy):
                runs.append({"round": number, "name": name, **run_side(command)})
            last = runs[-1]
            versions[name] = last.pop("versions")
            print(
                f"round {number} {name}: {last['steps_per_second']} steps/s, other load {last['other_cpu']}", flush=True
            )
    ours = [name for name in sides if name.startswith("ours-")]
    figures = summary(runs, [name for name in sides if name not in (*ours, ALONE)], ours)
    if given.alone:
        figures["sides"][ALONE] = spread(speeds(runs, ALONE))._asdict()
        figures["share_of_limit"] = {
            name: paired_ratio(speeds(runs, name), speeds(runs, ALONE))._asdict() for name in ours
        }
    show(runs, figures, given.busy)
    if given.save:
        report = {
            "command": shlex.join(["python", "bench/dqn_throughput.py", *(sys.argv[1:] if argv is None else argv)]),
            "date": time.strftime("%Y-%m-%d"),
            "machine": machine(),
            "another_process_on_a_core": given.busy,
            "versions": versions,
            **figures,
            "runs": runs,
        }
        given.save.parent.mkdir(parents=True, exist_ok=True)
        given.save.write_text(json.dumps(report, indent=1) + "\n")
        print(f"wrote {given.save}")


if __name__ == "__main__":
    main()
