"""Exact solving of MDPs: QuantEcon, MDPSolver, pymdptoolbox and rltrain in turn, on the same files.

Models: garnet-S has S states, 4 actions and 8 random successors a pair; grid-N is N x N cells with slip 0.2. The solve
alone is timed: the model is already in the solver's own form, and what is compiled is warm; solves below half a second
are repeated within it, and the median counts. `whole` adds building and compiling. Every run is a process of its own. A
round runs each side once, one after the other; a ratio is taken within a
round, and the figure is the median of the rounds' ratios, with its range.

An answer counts if max |V - V*| <= epsilon. V* is ours at 1e-9, proven anew without our kernels (bench/ours_mdp.py) to
be within 1e-7. Peers are given their own epsilon such that they are right.

A peer that fails in the first round (too slow, wrong, out of memory), or takes more than twice as long as the fastest
right one, is not run again; one too slow or out of memory at a discount is not tried at the higher ones of that model.

Peers live in .venv-peers (`make bench-peers`), rltrain in the interpreter that runs this file.

    python bench/mdp.py --save     # about an hour, most of it peers' time limits; leave the machine alone meanwhile
    python bench/mdp.py --quick
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from measuring import LOADED, machine, machine_seconds, own_seconds

ROOT = Path(__file__).resolve().parent.parent
PEER_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
RESULT = ROOT / "bench" / "results" / "mdp.json"
MODELS = ("garnet-10000", "garnet-100000", "garnet-1000000", "grid-100", "grid-300", "grid-1000")
DISCOUNTS = (0.95, 0.99, 0.999, 0.9999)
PEERS = {  # name -> script and method: the best ones of each
    "quantecon-mpi": ("quantecon_mdp.py", "mpi"),
    "quantecon-pi": ("quantecon_mdp.py", "pi"),
    "mdpsolver-vi": ("mdpsolver_mdp.py", "vi"),
    "mdpsolver-mpi": ("mdpsolver_mdp.py", "mpi"),
    "pymdptoolbox-mpi": ("pymdptoolbox_mdp.py", "mpi"),
}
OURS = {"ours-1": 1, "ours-all": 0}  # name -> threads
BUILD_LIMIT = 300  # seconds for reading, building and compiling
YARDSTICK_LIMIT = 600
YARDSTICK_BOUND = 1e-7
MEMORY = 16 * 2**30  # of address space for a peer: a peer that wants more ends in a MemoryError, and spares the rest
TOO_SLOW = "over {:g} s"
WIDTH = 165  # characters of the table
COLUMNS = (
    "model", "discount", "fastest right peer", "ours", "sweeps", "error", "bound", "peer / ours",
    "ours on 1 thread", "whole, s", "peak, MB",
)  # fmt: skip


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Exact solving of MDPs: peers and rltrain in turn, on the same models")
    parser.add_argument("--models", type=_models, help=f"by commas [{','.join(MODELS)}]")
    parser.add_argument("--discounts", type=_discounts, help="by commas [.95,.99,.999,.9999]")
    parser.add_argument("--peers", type=_peers, default=list(PEERS), help=f"by commas, or none [{','.join(PEERS)}]")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side [3]")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for a solve [60]")
    parser.add_argument("--epsilon", type=float, default=1e-6, help="greatest error of a right answer [1e-6]")
    parser.add_argument("--quick", action="store_true", help="two small models, one discount, one round")
    parser.add_argument("--save", nargs="?", const=RESULT, type=Path, help=f"write JSON [{RESULT.relative_to(ROOT)}]")
    given = parser.parse_args(argv)
    if given.rounds < 1:
        parser.error(f"--rounds {given.rounds}: must be at least 1")
    if given.save and (given.rounds < 3 or given.quick):
        parser.error("--save: a result is kept only of 3 rounds or more, and not of --quick")
    if given.quick:
        given.rounds = 1
    given.models = given.models or (["garnet-10000", "grid-100"] if given.quick else list(MODELS))
    given.discounts = given.discounts or ([0.99] if given.quick else list(DISCOUNTS))
    return given


def _models(text: str) -> list[str]:
    for name in text.split(","):
        family, _, size = name.partition("-")
        if family not in ("garnet", "grid") or not size.isdecimal():
            raise argparse.ArgumentTypeError(f"'{name}' is neither garnet-STATES nor grid-SIDE")
    return text.split(",")


def _discounts(text: str) -> list[float]:
    """Ascending, so that a peer that fails is spared the harder ones."""
    try:
        found = sorted(float(word) for word in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is no list of numbers") from error
    if not all(0 < discount < 1 for discount in found):
        raise argparse.ArgumentTypeError(f"'{text}': discounts lie between 0 and 1")
    return found


def _peers(text: str) -> list[str]:
    names = [] if text == "none" else text.split(",")
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"unknown '{name}'; there are {', '.join(PEERS)}")
    return names


def command(name: str, model: Path, discount: float, given: argparse.Namespace, out: Path) -> list[str]:
    """How a side is run on a model."""
    same = ["--model", model, "--discount", discount, "--timeout", given.timeout, "--out", out]
    words: list[Any]
    if name in OURS:
        threads = ["--threads", OURS[name], "--epsilon", given.epsilon]
        words = [sys.executable, ROOT / "bench/ours_mdp.py", "solve", *threads, *same]
    else:
        script, method = PEERS[name]
        words = [PEER_PYTHON, ROOT / "bench/peers" / script, "--method", method, *same]
    return [str(word) for word in words]


def run_side(words: Sequence[str], timeout: float, memory: int | None = None) -> dict[str, Any]:
    """One run in a fresh process: its last line of JSON, or `failed`; peak memory, and the load of others."""
    limit = None if memory is None else (lambda: resource.setrlimit(resource.RLIMIT_AS, (memory, memory)))
    start, busy, own = time.perf_counter(), machine_seconds(), own_seconds()
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as complained:
        process = subprocess.Popen(words, cwd=ROOT, stdout=said, stderr=complained, preexec_fn=limit)
        code, usage, late = _waited(process, BUILD_LIMIT + timeout)
        for file in (said, complained):
            file.seek(0)
        lines, complaints = said.read().splitlines(), complained.read().strip()
    wall = time.perf_counter() - start
    figures: dict[str, Any] = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    figures["peak_rss_mb"] = usage.ru_maxrss // 1024
    figures["other_cpu"] = round(max(0.0, (machine_seconds() - busy) - (own_seconds() - own)) / wall, 2)
    if code == -14:  # SIGALRM, which it had set itself
        figures["failed"] = TOO_SLOW.format(timeout)
    elif late:
        figures["failed"] = f"not ready after {BUILD_LIMIT + timeout:g} s"
    elif code:
        last = complaints.splitlines()[-1] if complaints else f"ended with {code}"
        figures["failed"] = "MemoryError" if "MemoryError" in complaints or "bad_alloc" in complaints else last[:200]
    return figures


def _waited(process: subprocess.Popen[str], limit: float) -> tuple[int, Any, bool]:
    """Exit code, resources, and whether it had to be killed. wait4 tells of this child alone."""
    end, late = time.monotonic() + limit, False
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)  # for Popen, which did not see it
            return process.returncode, usage, late
        if time.monotonic() > end and not late:
            process.kill()
            late = True
        time.sleep(0.01)


def judged(figures: dict[str, Any], truth: Any, values: Path, epsilon: float) -> dict[str, Any]:
    """Adds `error`, and `failed` where it is too great."""
    if "failed" in figures:
        return figures
    value = np.load(values, allow_pickle=False)
    figures["error"] = float(np.abs(value - truth).max()) if value.shape == truth.shape else float("inf")
    if not figures["error"] <= epsilon:  # NaN is wrong too
        figures["failed"] = f"wrong by {figures['error']:.1e}"
    return figures


def prepared(name: str, folder: Path) -> Path:
    """The model's file; made in another process, so that this one stays small."""
    path = folder / f"{name}.npz"
    done = run_side(_ours("make", "--name", name, "--model", path), BUILD_LIMIT)
    if "failed" in done:
        raise SystemExit(f"{name}: not made: {done['failed']}")
    return path


def yardstick(model: Path, discount: float, folder: Path) -> tuple[Any, dict[str, Any]]:
    """V* [S], and what is known of it."""
    out = folder / "truth.npy"
    limit = ["--timeout", YARDSTICK_LIMIT]
    done = run_side(_ours("yardstick", "--model", model, "--discount", discount, "--out", out, *limit), YARDSTICK_LIMIT)
    if "failed" in done or not done["bound"] <= YARDSTICK_BOUND:
        why = done.get("failed") or f"proven only to {done['bound']:.1e}, not to {YARDSTICK_BOUND:g}"
        raise SystemExit(f"{model.stem} at {discount}: no yardstick: {why}")
    return np.load(out, allow_pickle=False), done


def _ours(*words: Any) -> list[str]:
    return [sys.executable, str(ROOT / "bench/ours_mdp.py"), *map(str, words)]


def case(
    name: str, model: Path, discount: float, given: argparse.Namespace, folder: Path, spared: dict[str, str]
) -> dict[str, Any]:
    """All rounds on one model and one discount. `spared`: peers that failed before, and how; it is added to."""
    truth, known = yardstick(model, discount, folder)
    runs: list[dict[str, Any]] = []
    values = folder / "value.npy"
    out = {peer: f"{why} at a lower discount" for peer, why in spared.items()}
    for number in range(1, given.rounds + 1):
        for side in [*(peer for peer in given.peers if peer not in out), *OURS]:
            values.unlink(missing_ok=True)
            words = command(side, model, discount, given, values)
            figures = run_side(words, given.timeout, None if side in OURS else MEMORY)
            runs.append({"round": number, "name": side, **judged(figures, truth, values, given.epsilon)})
            print(f"{name} {discount:g} round {number} {side}: {_said(runs[-1])}", flush=True)
        if number == 1:
            for run in runs:
                if run["name"] in given.peers and (why := run.get("failed")):
                    out[run["name"]] = why
                    if not why.startswith("wrong"):
                        spared[run["name"]] = why
            right = {run["name"]: run["seconds"] for run in runs if run["name"] in given.peers and "failed" not in run}
            slow = [peer for peer, seconds in right.items() if seconds > 2 * min(right.values())]
            out |= dict.fromkeys(slow, "slower")
    failures = {peer: why for peer, why in out.items() if why != "slower"}
    return {
        "model": name,
        "discount": discount,
        "yardstick_bound": known["bound"],
        **summary(runs, given.peers, given.timeout),
        "failed": failures,
        "runs": runs,
    }


def _said(run: Mapping[str, Any]) -> str:
    load = f", other load {run['other_cpu']}" if run["other_cpu"] > LOADED else ""
    if "failed" in run:
        return f"{run['failed']}{load}"
    return f"{run['seconds']:.4g} s, error {run['error']:.1e}, {run['peak_rss_mb']} MB{load}"


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and range; at least one value."""
    return {"median": median(values), "low": min(values), "high": max(values), "count": len(values)}


def fastest(runs: Sequence[Mapping[str, Any]], peers: Sequence[str]) -> str | None:
    """The peer with the least median of those that were right in every round; None if there is none."""
    rounds = max(run["round"] for run in runs)
    seconds = {peer: [run["seconds"] for run in runs if run["name"] == peer and "failed" not in run] for peer in peers}
    right = {peer: median(taken) for peer, taken in seconds.items() if len(taken) == rounds}
    return min(right, key=lambda peer: right[peer]) if right else None


def summary(runs: Sequence[Mapping[str, Any]], peers: Sequence[str], timeout: float) -> dict[str, Any]:
    """The sides' medians and the paired ratios peer / ours, above 1 where ours is faster, ready for JSON.

    Without a right peer the time limit stands in its place, and the ratio is `at_least`.
    """
    peer = fastest(runs, peers)
    theirs = {run["round"]: run["seconds"] for run in runs if run["name"] == peer}
    sides, ratios = {}, {}
    for side in [*([peer] if peer else []), *OURS]:
        own = [run for run in runs if run["name"] == side]
        if any("failed" in run for run in own):
            sides[side] = {"failed": next(run["failed"] for run in own if "failed" in run)}
            continue
        sides[side] = {
            "seconds": spread([run["seconds"] for run in own]),
            "whole_seconds": spread([run["seconds"] + run["build_seconds"] for run in own]),
            "error": max(run["error"] for run in own),
            "peak_rss_mb": max(run["peak_rss_mb"] for run in own),
            "sweeps": own[0]["sweeps"],
        }
        if side in OURS:
            sides[side] |= {"method": own[0]["method"], "bound": own[0]["bound"], "converged": own[0]["converged"]}
            if peers:
                ratios[side] = spread([theirs.get(run["round"], timeout) / run["seconds"] for run in own])
    return {"fastest_peer": peer, "at_least": peer is None, "sides": sides, "ratios": ratios}


def show(cases: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console = Console(width=max(console.width, WIDTH))
    table = Table(title="Exact solving: the solve alone, and peer / ours within each round")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("model", "fastest right peer", "ours") else "right")
    for found in cases:
        table.add_row(*_row(found))
    console.print(table)
    for found in cases:
        for peer, why in found["failed"].items():
            print(f"{found['model']} {found['discount']:g}: {peer}: {why}")
    runs = [run for found in cases for run in found["runs"]]
    loaded = sum(run["other_cpu"] > LOADED for run in runs)
    if loaded:
        print(f"warning: other processes kept more than {LOADED} cores busy during {loaded} of {len(runs)} runs")


def _row(found: Mapping[str, Any]) -> list[str]:
    """One row of the table."""
    sides, peer = found["sides"], found["fastest_peer"]
    own, one, theirs = sides["ours-all"], sides["ours-1"], sides.get(peer)
    head = [found["model"], f"{found['discount']:g}", f"{peer} {_time(theirs)}" if theirs else "none"]
    if "failed" in own:
        return [*head, own["failed"], *[""] * 7]
    return [
        *head,
        f"{_time(own)} {own['method']}",
        str(own["sweeps"]),
        f"{own['error']:.0e}",
        f"{own['bound']:.0e}",
        _ratio(found, "ours-all"),
        "" if "failed" in one else f"{_time(one)} {_ratio(found, 'ours-1')}",
        " / ".join(f"{each['whole_seconds']['median']:.2g}" for each in (theirs, own) if each),
        " / ".join(str(each["peak_rss_mb"]) for each in (theirs, own) if each),
    ]


def _time(side: Mapping[str, Any]) -> str:
    seconds = side["seconds"]["median"]
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _ratio(found: Mapping[str, Any], side: str) -> str:
    ratio = found["ratios"].get(side)
    if not ratio:
        return ""
    sign = ">" if found["at_least"] else ""
    return f"{sign}{ratio['median']:.3g} ({ratio['low']:.3g}-{ratio['high']:.3g})"


def main(argv: Sequence[str] | None = None) -> None:
    given = arguments(argv)
    if given.peers and not PEER_PYTHON.exists():
        print("error: no .venv-peers here: the peers are installed by `make bench-peers`", file=sys.stderr)
        raise SystemExit(4)
    cases: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="mdp-bench-") as folder:
        for name in given.models:
            model, spared = prepared(name, Path(folder)), dict[str, str]()
            for discount in given.discounts:
                cases.append(case(name, model, discount, given, Path(folder), spared))
            model.unlink()
    versions: dict[str, Any] = {}
    for run in (run for found in cases for run in found["runs"]):
        versions.setdefault(run["name"], run.pop("versions", None))
        run.pop("versions", None)
    show(cases)
    if given.save:
        report = {
            "command": shlex.join(["python", "bench/mdp.py", *(sys.argv[1:] if argv is None else argv)]),
            "date": time.strftime("%Y-%m-%d"),
            "machine": machine(),
            "epsilon": given.epsilon,
            "timeout": given.timeout,
            "rounds": given.rounds,
            "versions": {name: found for name, found in versions.items() if found},
            "cases": cases,
        }
        given.save.parent.mkdir(parents=True, exist_ok=True)
        given.save.write_text(json.dumps(report, indent=1) + "\n")
        print(f"wrote {given.save}")


if __name__ == "__main__":
    main()
