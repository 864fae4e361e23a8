"""Seconds of `rltrain eval` of a run, from process start; against another checkout of rltrain, in pairs.

Each is asked twice with a cache folder of its own: the first time random play is played too, the second time its mean
is known. Both must give the same games, or the seconds compare nothing.

    git worktree add /tmp/before HEAD~1
    python bench/evaluation.py runs/dqn_pacman-1 --episodes 100 --pairs 3 --against /tmp/before --save
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import LOADED, machine, machine_seconds, own_seconds, spread

OURS = Path(__file__).resolve().parent.parent
DEFAULT = OURS / "bench" / "results" / "evaluation.json"


def evaluated(checkout: Path, run: Path, episodes: int, cache: Path) -> dict[str, Any]:
    """One evaluation by the rltrain of a checkout. Wall and processor seconds, cores that others kept busy, games."""
    command = [sys.executable, "-m", "rltrain", "eval", str(run.resolve()), "--episodes", str(episodes), "--json"]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "XDG_CACHE_HOME": str(cache)}
    begun, all_before, own_before = time.perf_counter(), machine_seconds(), own_seconds()
    done = subprocess.run(command, env=environment, cwd=checkout, stdout=subprocess.PIPE, check=True, text=True)
    seconds, own = time.perf_counter() - begun, own_seconds() - own_before
    others = max(0.0, machine_seconds() - all_before - own) / seconds
    found = json.loads(done.stdout)
    return {
        "seconds": seconds,
        "processor_seconds": own,
        "others": others,
        "loaded": others > LOADED,
        "games": {key: found[key] for key in ("mean", "returns", "lengths", "baselines")},
    }


def twice(checkout: Path, run: Path, episodes: int) -> dict[str, dict[str, Any]]:
    """With an empty cache, and again."""
    with tempfile.TemporaryDirectory() as cache:
        return {name: evaluated(checkout, run, episodes, Path(cache)) for name in ("first", "again")}


def summary(sides: dict[str, list[dict[str, dict[str, Any]]]]) -> dict[str, Any]:
    """Of each side and moment the spread of its seconds; with two sides the ratios, pair by pair."""
    said: dict[str, Any] = {
        side: {
            moment: {
                name: spread([each[moment][name] for each in measured]) for name in ("seconds", "processor_seconds")
            }
            for moment in ("first", "again")
        }
        for side, measured in sides.items()
    }
    if len(sides) == 2:
        ours, before = sides.values()
        for name in ("seconds", "processor_seconds"):
            said[f"ratio_of_{name}"] = {
                moment: spread([b[moment][name] / o[moment][name] for o, b in zip(ours, before, strict=True)])
                for moment in ("first", "again")
            }
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds of an evaluation, against another checkout.")
    parser.add_argument("run", type=Path, help="a run folder")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another rltrain, measured in turn with this")
    parser.add_argument("--save", type=Path, nargs="?", const=DEFAULT, metavar="FILE")
    given = parser.parse_args()
    checkouts = {"ours": OURS} | ({"before": given.against.resolve()} if given.against else {})
    sides: dict[str, list[dict[str, dict[str, Any]]]] = {side: [] for side in checkouts}
    for pair in range(given.pairs):
        for side, checkout in checkouts.items():
            measured = twice(checkout, given.run, given.episodes)
            sides[side].append(measured)
            first, again = measured["first"], measured["again"]
            print(
                f"{side:<6} {pair + 1}: {first['seconds']:6.1f} s, again {again['seconds']:6.1f} s; processor "
                f"{first['processor_seconds']:6.1f} s, {again['processor_seconds']:6.1f} s; others kept "
                f"{first['others']:.1f} cores busy",
                flush=True,
            )
    games = [measured[moment]["games"] for each in sides.values() for measured in each for moment in ("first", "again")]
    if any(other != games[0] for other in games):
        sys.exit("these are not the same games: the seconds compare nothing")
    found = summary(sides)
    for name in ("seconds", "processor_seconds"):
        for moment, ratio in found.get(f"ratio_of_{name}", {}).items():
            print(f"{moment}: before / ours, {name}: {ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})")
    if given.save:
        steps = sum(games[0]["lengths"])
        about = {"machine": machine(), "episodes": given.episodes, "agent_steps": steps, "mean": games[0]["mean"]}
        loaded = any(m["first"]["loaded"] or m["again"]["loaded"] for each in sides.values() for m in each)
        given.save.write_text(json.dumps({**about, "loaded": loaded, **found}, indent=2) + "\n", encoding="utf-8")
        print(f"saved {given.save}")


if __name__ == "__main__":
    main()
