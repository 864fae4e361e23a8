"""CartPole-v1 solved, from process start to verdict: rltrain, Stable-Baselines3 and CleanRL in turn.

Solved is a mean of at least 475 over 100 games of the greedy policy. Every side says so in a line on its standard
output, and the time is taken from the start of its process to that line. Peers ask 10 games every 5,000 steps and, once
those pass, 100; rltrain asks 100 games every 10,000 steps. Every round is one seed and runs each side once, in a fresh
process, one after the other, so that a machine that slows down slows all. Then the speed while learning: environment
steps a second of a run of rltrain without evaluations, in turn with Gymnasium's vectorised environment alone.

Peers live in .venv-peers (`make bench-peers`); CleanRL is no package, so --cleanrl names a checkout of
github.com/vwxyzjn/cleanrl.

    python bench/cartpole.py --cleanrl DIR --save    # about 10 minutes; leave the machine alone meanwhile
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sides
from measuring import LOADED, machine, spread
from sides import PEER_PYTHON, ROOT, run_side

RESULT = ROOT / "bench" / "results" / "cartpole.json"
OURS = {"reinforce": "configs/reinforce_cartpole.yaml", "genetic": "configs/genetic_cartpole.yaml"}
PEERS = ("sb3-a2c", "sb3-ppo", "cleanrl-ppo")
ZOO: dict[str, dict[str, Any]] = {  # settings and budgets of RL Baselines3 Zoo for this environment
    "sb3-a2c": {"steps": 500_000, "kwargs": {"ent_coef": 0.0}},
    "sb3-ppo": {
        "steps": 100_000,
        "kwargs": {
            "n_steps": 32,
            "batch_size": 256,
            "gae_lambda": 0.8,
            "gamma": 0.98,
            "n_epochs": 20,
            "ent_coef": 0.0,
        },
        "lines": {"learning_rate": [1e-3, 0.0, 100_000], "clip_range": [0.2, 0.0, 100_000]},
    },
}
SPEED_STEPS = 1_000_000
SPEED_LANES = (32, 128)  # of the config, and many


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CartPole-v1 solved: rltrain and its peers in turn")
    parser.add_argument("--seeds", type=int, default=10, help="of ours: 0, 1, ...; below 5 is only a trial [10]")
    parser.add_argument("--peer-seeds", type=int, default=5, help="of the peers, in the first rounds [5]")
    parser.add_argument("--side", action="append", choices=[*OURS, *PEERS], help="may be given again [all]")
    parser.add_argument("--cleanrl", type=Path, metavar="DIR", help="a checkout of CleanRL; without it, it is left out")
    parser.add_argument(
        "--timeout", type=float, default=300.0, help="seconds after which a run counts as unsolved [300]"
    )
    parser.add_argument("--save", nargs="?", const=RESULT, type=Path, help=f"write JSON [{RESULT.relative_to(ROOT)}]")
    given = parser.parse_args(argv)
    if given.seeds < 1:
        parser.error(f"--seeds {given.seeds}: must be at least 1")
    if given.save and given.seeds < 5:
        parser.error(f"--save with --seeds {given.seeds}: a result is kept only of 5 seeds or more")
    if given.side and "cleanrl-ppo" in given.side and given.cleanrl is None:
        parser.error("--side cleanrl-ppo: name a checkout with --cleanrl DIR")
    return given


def wanted_sides(given: argparse.Namespace) -> list[str]:
    """Which sides run, in turn."""
    wanted = given.side or [*OURS, *PEERS]
    return [side for side in wanted if side != "cleanrl-ppo" or given.cleanrl is not None]


def command(side: str, seed: int, given: argparse.Namespace, folder: Path) -> list[str]:
    """What is run for a side and a seed."""
    if side in OURS:
        words: list[Any] = [sys.executable, "-m", "rltrain", "train", ROOT / OURS[side], "--seed", seed]
        words += ["--quiet", "--runs-dir", folder, "--name", f"{side}-{seed}"]
        return [str(word) for word in words]
    check = {"every": 5_000, "first": 10, "games": 100, "score": 475.0}
    spec: dict[str, Any] = {"what": "solve", "env_id": "CartPole-v1", "env_kwargs": {}, "seed": seed, "check": check}
    spec["threads"] = 1  # more are slower for networks this small
    if side == "cleanrl-ppo":  # its own settings
        spec |= {"checkout": str(given.cleanrl.resolve()), "script": "ppo.py", "flags": [], "n_steps": 128}
        spec["steps"] = 500_000
    else:
        spec |= {"algo": side.removeprefix("sb3-"), "vec": "dummy", "num_envs": 8, **ZOO[side]}
    script = "cleanrl_ppo.py" if side == "cleanrl-ppo" else "sb3_policy.py"
    return [str(PEER_PYTHON), str(ROOT / "bench/peers" / script), json.dumps(spec)]


def fresh_mean(run: Path) -> float:
    """The mean of 100 more games, which decided nothing: those that end a run are its luckiest."""
    words = [sys.executable, "-m", "rltrain", "eval", "--checkpoint", str(run), "--episodes", "100", "--json"]
    done = subprocess.run([*words, "--seed", "12345"], cwd=ROOT, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout)["mean"])


def speed(lanes: int, folder: Path) -> float:
    """Environment steps a second while REINFORCE learns, evaluations left out: of the second half of a run."""
    words = [sys.executable, "-m", "rltrain", "train", OURS["reinforce"], "-n", str(SPEED_STEPS), "--quiet"]
    words += [f"algorithm.games_per_update={lanes}", f"environment.num_envs={lanes}"]
    words += [
        "--runs-dir",
        str(folder),
        "--name",
        "speed",
        "run.evaluate.until=null",
        "run.evaluate.every=null",
    ]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    rows = [json.loads(line) for line in (folder / "speed" / "timings.jsonl").read_text().splitlines()]
    first, last = rows[len(rows) // 2], rows[-1]
    return float((last["env_steps"] - first["env_steps"]) / (last["elapsed_seconds"] - first["elapsed_seconds"]))


def environment_alone(num_envs: int, steps: int = 10_000) -> float:
    """Environment steps a second of Gymnasium's vectorised CartPole with random actions: what no learner can exceed."""
    import gymnasium
    import numpy as np

    world = gymnasium.make_vec("CartPole-v1", num_envs=num_envs, vectorization_mode="vector_entry_point")
    world.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 2, (64, num_envs))
    start = time.perf_counter()
    for step in range(steps):
        world.step(actions[step % 64])
    return steps * num_envs / (time.perf_counter() - start)


def summary(runs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Per side: how many seeds it solved and in how many seconds; ours against the fastest peer, seed by seed."""
    found: dict[str, Any] = {}
    for name in names:
        own = [run for run in runs if run["side"] == name]
        times = [run["seconds"] for run in own if run["seconds"] is not None]
        found[name] = {"solved": len(times), "of": len(own), "seconds": spread(times) if times else None}
        fresh = [run["fresh_mean"] for run in own if "fresh_mean" in run]
        if fresh:
            found[name]["fresh_mean"] = spread(fresh)
    peers = {name: found[name]["seconds"]["median"] for name in names if name in PEERS and found[name]["seconds"]}
    ratios = {}
    if peers:
        best = min(peers, key=lambda name: peers[name])
        for name in names:
            pairs = [
                (theirs["seconds"], ours["seconds"])
                for ours in runs
                for theirs in runs
                if ours["side"] == name and theirs["side"] == best and ours["seed"] == theirs["seed"]
            ]
            complete = [theirs / ours for theirs, ours in pairs if theirs is not None and ours is not None]
            if name in OURS and complete:
                ratios[name] = {"fastest_peer": best, **spread(complete)}
    return {"sides": found, "ratios": ratios}


def show(figures: Mapping[str, Any], speeds: Mapping[str, Mapping[str, float]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="CartPole-v1: process start to solved, seconds")
    for column in ("side", "solved", "median", "range", "100 more games"):
        table.add_column(column, justify="left" if column == "side" else "right")
    for name, side in figures["sides"].items():
        seconds = side["seconds"]
        cells = (
            ["-", "-"]
            if seconds is None
            else [f"{seconds['median']:.2f}", f"{seconds['low']:.2f} - {seconds['high']:.2f}"]
        )
        fresh = side.get("fresh_mean")
        cells.append("-" if fresh is None else f"{fresh['median']:.1f} (least {fresh['low']:.1f})")
        table.add_row(name, f"{side['solved']} of {side['of']}", *cells)
    console = Console()
    console.print(table)
    for name, ratio in figures["ratios"].items():
        console.print(
            f"{name}: {ratio['median']:.1f} times as fast as {ratio['fastest_peer']}, the fastest peer"
            f" ({ratio['low']:.1f} to {ratio['high']:.1f}, seed by seed)"
        )
    for name, rate in speeds.items():
        what = "environment steps a second"
        console.print(f"{name}: {rate['median']:,.0f} {what} ({rate['low']:,.0f} to {rate['high']:,.0f})")


def main(argv: Sequence[str] | None = None) -> None:
    words = list(sys.argv[1:] if argv is None else argv)
    given = arguments(words)
    names = wanted_sides(given)
    if any(name in PEERS for name in names) and not PEER_PYTHON.exists():
        print("error: no .venv-peers here: the peers are installed by `make bench-peers`", file=sys.stderr)
        raise SystemExit(4)
    runs: list[dict[str, Any]] = []
    speeds: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for seed in range(given.seeds):
            for name in names if seed < given.peer_seeds else [name for name in names if name in OURS]:
                done = run_side(command(name, seed, given, Path(temporary)), given.timeout, Path(temporary))
                if name in OURS:
                    done["fresh_mean"] = fresh_mean(Path(temporary) / f"{name}-{seed}")
                runs.append({"side": name, "seed": seed, **done})
                print(
                    f"seed {seed} {name}: {done['seconds'] or 'unsolved'}, other load {done['other_cpu']}", flush=True
                )
        if "reinforce" in names:
            for lanes in SPEED_LANES:
                rates, limits = [], []
                for trial in range(5):
                    folder = Path(temporary) / f"speed-{lanes}-{trial}"
                    folder.mkdir()
                    limits.append(environment_alone(lanes))
                    rates.append(speed(lanes, folder))
                speeds[f"reinforce, {lanes} games an update"] = spread(rates)
                speeds[f"{lanes} environments alone"] = spread(limits)
    figures = summary(runs, names)
    show(figures, speeds)
    loaded = sum(run["other_cpu"] > LOADED for run in runs)
    if loaded:
        print(f"warning: other processes kept more than {LOADED} cores busy during {loaded} of {len(runs)} runs")
    if given.save:
        report = {
            "command": shlex.join(
                ["python", "bench/cartpole.py", *("DIR" if word == str(given.cleanrl) else word for word in words)]
            ),
            "date": time.strftime("%Y-%m-%d"),
            "machine": machine(),
            "versions": versions(names, given.cleanrl),
            **figures,
            "steps_per_second": speeds,
            "runs": runs,
        }
        given.save.write_text(json.dumps(report, indent=1) + "\n")
        print(f"wrote {given.save}")


def versions(names: Sequence[str], cleanrl: Path | None) -> dict[str, str]:
    """Of what was measured; of CleanRL, the commit."""
    theirs = ("stable-baselines3", "torch") if any(name in PEERS for name in names) else ()
    return sides.versions(("rltrain", "numpy", "gymnasium"), theirs, cleanrl if theirs else None)


if __name__ == "__main__":
    main()
