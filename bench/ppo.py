"""PPO of rltrain, Stable-Baselines3 and CleanRL in turn, at equal settings: time to a score, speed, returns.

    --what solve         seconds from process start until the mean of the games of an evaluation is the stated score
    --what speed         environment steps a second while learning, of the second half of a run without evaluations
    --what equal-steps   the mean of games after the last update of a run of so many steps

All settings are those of one config of rltrain, its evaluations and its budget among them; what cannot be set equal is
said in the result. Evaluations are the same on all sides: the greedy policy, as many games, every so many steps. A
peer plays 10 games first and the rest only if the mean of those is enough, which is in its favour. Every round is one
seed and runs each side once, in a fresh process, one after the other. Before, each peer is tried for a moment with one
thread of torch and with its own choice of threads, its environments in one process and in many; the fastest is taken.

With the speed comes what bounds it: the environments alone under random actions, and the products of the network:
their operations beside what this machine does of one large product of matrices.

With --save an interrupted command goes on after the last whole run.

Peers live in .venv-peers (`make bench-peers`); CleanRL is no package, so --cleanrl names a checkout of
github.com/vwxyzjn/cleanrl.

    python bench/ppo.py --what solve --env cartpole --cleanrl DIR --save    # leave the machine alone meanwhile
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from measuring import LOADED, machine, spread, widest_instructions
from ppo_bounds import bounds
from ppo_settings import ROOT, TASKS, Spec, Task, experiment_of, for_cleanrl, for_sb3
from sides import PEER_PYTHON, peer_versions, run_side, versions

from rltrain import envs

RESULTS = ROOT / "bench" / "results" / "ppo"
OURS: dict[str, tuple[str, ...]] = {"ours": (), "ours-bfloat16": ("algorithm.precision=bfloat16",)}  # and overrides
SIDES = (*OURS, "sb3", "cleanrl")
PACKAGES = ("gymnasium", "numpy", "torch")
WORLDS = {"lunarlander": "Box2D", "halfcheetah": "mujoco", "halfcheetah-1": "mujoco", "breakout": "ale-py"}
TRIED, TRIED_SECONDS = 16, 120.0  # a trial of a peer's arrangement is this part of a run for the speed, at most
TIMEOUT = {"solve": 3600.0, "speed": 900.0, "equal-steps": 7200.0}  # seconds


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="PPO of rltrain, Stable-Baselines3 and CleanRL in turn")
    parser.add_argument("--what", choices=list(TIMEOUT), required=True, help="what is compared")
    parser.add_argument("--env", choices=list(TASKS), action="append", help="may be given again [all that have it]")
    parser.add_argument("--seeds", type=int, default=5, help="0, 1, ...: rounds; below 3 is only a trial [5]")
    parser.add_argument("--side", action="append", choices=SIDES, help="may be given again [all]")
    parser.add_argument("--cleanrl", type=Path, metavar="DIR", help="a checkout of CleanRL; without it, it is left out")
    parser.add_argument(
        "--steps", type=int, help="environment steps of a run: for a trial, in which no peer is arranged"
    )
    parser.add_argument("--timeout", type=float, help="seconds after which a side is ended [3600, 900, 7200]")
    parser.add_argument(
        "--save", nargs="?", const=RESULTS, type=Path, metavar="FOLDER", help="write JSON [results/ppo]"
    )
    given = parser.parse_args(argv)
    given.env = given.env or [name for name, task in TASKS.items() if given.what == "speed" or task.score is not None]
    given.timeout = given.timeout or TIMEOUT[given.what]
    for name in given.env:
        if given.what != "speed" and TASKS[name].score is None:
            parser.error(f"--what {given.what}: {name} is for the speed alone")
    if given.seeds < 1 or (given.save and given.seeds < 3):
        parser.error(f"--seeds {given.seeds}: must be at least 1, and 3 with --save")
    if given.save and given.steps:
        parser.error("--save with --steps: a result is kept only of the task's own steps")
    if given.side and "cleanrl" in given.side and given.cleanrl is None:
        parser.error("--side cleanrl: name a checkout with --cleanrl DIR")
    left = {"cleanrl"} if given.cleanrl is None else set()
    given.side = given.side or [side for side in SIDES if side not in left]
    return given


def steps_of(what: str, task: Task, budget: int, rollout: int, steps: int | None = None) -> int:
    """Environment steps of a run: whole rollouts, and for the speed an even number of them."""
    wanted = steps or {"solve": budget, "speed": task.speed_steps, "equal-steps": task.equal_steps}[what]
    whole = 2 * rollout if what == "speed" else rollout
    return max(1, round(wanted / whole)) * whole


class Comparison:
    """One task on all sides."""

    def __init__(self, name: str, given: argparse.Namespace, folder: Path) -> None:
        self.name, self.given, self.folder, self.task = name, given, folder, TASKS[name]
        self.experiment = experiment_of(self.task)
        self.spec = envs.describe(self.experiment.environment)
        self.rollout = self.experiment.algorithm.n_steps * self.spec.num_envs  # type: ignore[attr-defined]
        run = self.experiment.run
        assert run.budget is not None and run.evaluate.every is not None
        self.steps = steps_of(given.what, self.task, run.budget["env_steps"], self.rollout, given.steps)
        self.every, self.games = run.evaluate.every["env_steps"], run.evaluate.episodes
        self.file = folder / f"{name}.yaml"
        self.file.write_text(self.experiment.to_yaml())
        self.arrangements: dict[str, Spec] = {"sb3": {"threads": 1, "vec": "dummy"}, "cleanrl": {"threads": 1}}
        self.unequal: dict[str, list[str]] = {}
        half = self.spec.has_image and "bf16" in widest_instructions()
        self.sides = [side for side in given.side if side != "ours-bfloat16" or half]

    def arrange(self) -> dict[str, list[Spec]]:
        """Take the fastest arrangement of each peer; what was tried, and how fast it was."""
        tried: dict[str, list[Spec]] = {}
        steps = max(2, round(self.task.speed_steps / TRIED / self.rollout)) * self.rollout
        for side in self.sides:
            if side in OURS:
                continue
            own = [{"threads": 1}, {"threads": 0}]
            if side == "sb3":
                kinds = ("dummy", "subproc") if self.spec.num_envs > 1 else ("dummy",)
                own = [{**each, "vec": kind} for kind in kinds for each in own]
            tried[side] = []
            for each in own:
                words = self.peer(side, 0, "speed", steps, each)
                done = run_side(words, TRIED_SECONDS, self.folder)
                rate = 0.0 if done["last"] is None else json.loads(done["last"])["steps_per_second"]
                tried[side].append({**each, "steps_per_second": round(rate, 1)})
                print(f"{self.name} {side} {each}: {rate:,.0f} steps a second", flush=True)
            best = max(tried[side], key=lambda each: each["steps_per_second"])
            self.arrangements[side] = {key: value for key, value in best.items() if key != "steps_per_second"}
        return tried

    def peer(self, side: str, seed: int, what: str, steps: int, arrangement: Mapping[str, Any]) -> list[str]:
        """The command of a peer."""
        task = self.task
        spec: Spec = {"what": what, "env_id": task.peers_id, "env_kwargs": {}, "seed": seed, "steps": steps}
        spec |= {**arrangement, "atari": self.spec.is_image}
        if what != "speed":
            spec["check"] = {"every": self.every, "games": self.games, "score": task.score, "first": 10}
        if side == "sb3":
            own, self.unequal[side] = for_sb3(self.experiment, self.spec)
            spec |= own
        else:
            flags, self.unequal[side] = for_cleanrl(self.experiment, self.spec, steps)
            spec |= {"checkout": str(self.given.cleanrl.resolve()), "script": task.script, "flags": flags}
            spec["n_steps"] = self.rollout // self.spec.num_envs
        script = {"sb3": "sb3_policy.py", "cleanrl": "cleanrl_ppo.py"}[side]
        return [str(PEER_PYTHON), str(ROOT / "bench" / "peers" / script), json.dumps(spec)]

    def ours(self, side: str, seed: int) -> list[str]:
        """The command of rltrain."""
        words = [sys.executable, "-m", "rltrain", "train", self.file, "--seed", seed, "--quiet", "-n", self.steps]
        words += ["--runs-dir", self.folder, "--name", f"{side}-{seed}"]
        if self.given.what == "solve":
            words += [f"run.evaluate.until={self.task.score}"]
        else:
            words += ["run.evaluate.until=null", "run.evaluate.every=null"]
        words += OURS[side]
        return [str(word) for word in words]

    def measured(self, side: str, seed: int) -> dict[str, Any]:
        """One run of a side: `figure` is seconds, steps a second or a mean return; None if it came to none."""
        given = self.given
        words = (
            self.ours(side, seed)
            if side in OURS
            else self.peer(side, seed, given.what, self.steps, self.arrangements[side])
        )
        done = run_side(words, given.timeout, self.folder)
        row = {"side": side, "seed": seed, "other_cpu": done["other_cpu"], "wall": done["wall"]}
        if given.what == "solve":
            return row | {"figure": done["seconds"], "said": done["said"] or done["last"] or "ended"}
        if done["last"] is None:
            return row | {"figure": None, "said": "ended"}
        if side in OURS:
            run = self.folder / f"{side}-{seed}"
            return row | (second_half(run) if given.what == "speed" else self.final_games(run, seed, done["wall"]))
        said = json.loads(done["last"])
        return row | {"figure": said.pop("steps_per_second" if given.what == "speed" else "mean"), **said}

    def final_games(self, run: Path, seed: int, seconds: float) -> dict[str, Any]:
        """What the policy at the end of a run plays."""
        words = [sys.executable, "-m", "rltrain", "eval", "--checkpoint", str(run), "--json"]
        words += ["--episodes", str(self.games), "--seed", str(2000 + seed)]
        done = run_side(words, self.given.timeout, self.folder)
        return {"figure": float(json.loads(done["last"])["mean"]), "train_seconds": seconds, "steps": self.steps}


def second_half(run: Path) -> dict[str, Any]:
    """Environment steps a second of the second half of a run, in whole rollouts with their updates."""
    rows = [json.loads(line) for line in (run / "timings.jsonl").read_text().splitlines()]
    whole = [row for before, row in pairwise([{"updates": 0}, *rows]) if row["updates"] > before["updates"]]
    last = whole[-1]
    first = min(whole[:-1], key=lambda row: abs(2 * row["env_steps"] - last["env_steps"]))
    steps, seconds = last["env_steps"] - first["env_steps"], last["elapsed_seconds"] - first["elapsed_seconds"]
    return {"figure": steps / seconds, "steps": steps, "seconds": seconds}


def summary(what: str, runs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Per side its figures; each of ours beside each peer's, seed by seed: how many times as fast, or how much more."""
    found: dict[str, Any] = {"sides": {}, "beside": {}}
    of = {(run["side"], run["seed"]): run["figure"] for run in runs}
    for name in names:
        own = [figure for (side, _), figure in of.items() if side == name]
        known = [figure for figure in own if figure is not None]
        found["sides"][name] = {"of": len(own), "figure": spread(known) if known else None}
        if what == "equal-steps" and known:
            found["sides"][name] |= interval(known)
    for own in (name for name in names if name in OURS):
        found["beside"][own] = {}
        for peer in (name for name in names if name not in OURS):
            pairs = [(of[own, seed], of[peer, seed]) for side, seed in of if side == own and (peer, seed) in of]
            both = [(ours, theirs) for ours, theirs in pairs if ours is not None and theirs is not None]
            if both and what == "equal-steps":
                found["beside"][own][peer] = interval([ours - theirs for ours, theirs in both])
            elif both:
                speed = what == "speed"
                found["beside"][own][peer] = spread([a / b if speed else b / a for a, b in both])
    return found


def interval(values: Sequence[float]) -> dict[str, Any]:
    """Mean and Student's 95 % interval of the mean, None of a single value."""
    import numpy as np
    from scipy import stats

    mean, ends = float(np.mean(values)), None
    if len(values) > 1:
        half = float(stats.t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
        ends = [mean - half, mean + half]
    return {"mean": mean, "ci95": ends}


UNITS = {"solve": "seconds", "speed": "steps a second", "equal-steps": "mean return"}


def told(what: str, name: str, figures: Mapping[str, Any]) -> list[str]:
    """The lines that a person is shown."""
    lines = []
    for side, own in figures["sides"].items():
        figure = own["figure"]
        if figure is None:
            lines.append(f"{name} {side}: nothing in {own['of']} runs")
            continue
        text = (
            f"{figure['median']:,.2f} ({figure['low']:,.2f} to {figure['high']:,.2f}), {figure['count']} of {own['of']}"
        )
        ends = own.get("ci95")
        more = f"; mean {own['mean']:,.1f}, 95 % {ends[0]:,.1f} to {ends[1]:,.1f}" if ends else ""
        lines.append(f"{name} {side}: {UNITS[what]} {text}{more}")
    for own, peers in figures["beside"].items():
        for peer, beside in peers.items():
            if what == "equal-steps":
                ends = beside["ci95"]
                more = f" (95 % {ends[0]:,.1f} to {ends[1]:,.1f})" if ends else ""
                lines.append(f"{name}: {own} has {beside['mean']:+,.1f} beside {peer}{more}")
            else:
                ends = f"{beside['low']:.2f} to {beside['high']:.2f}"
                lines.append(f"{name}: {own} is {beside['median']:.2f} times as fast as {peer} ({ends}, seed by seed)")
    return lines


def check_versions(given: argparse.Namespace) -> None:
    """SystemExit unless the peers are there and have the same environments."""
    if not PEER_PYTHON.exists():
        print("error: no .venv-peers here: the peers are installed by `make bench-peers`", file=sys.stderr)
        raise SystemExit(4)
    names = sorted({*PACKAGES, *(WORLDS[name] for name in given.env if name in WORLDS)})
    here, there = versions(names, (), None), peer_versions(names)
    apart = [f"{name} {here[name]} here, {there[name]} in .venv-peers" for name in names if here[name] != there[name]]
    if apart:
        raise SystemExit(f"error: unequal versions: {'; '.join(apart)}")


def main(argv: Sequence[str] | None = None) -> None:
    words = list(sys.argv[1:] if argv is None else argv)
    given = arguments(words)
    if set(given.side) - set(OURS):
        check_versions(given)
    for name in given.env:
        with tempfile.TemporaryDirectory() as temporary:
            comparison, runs = Comparison(name, given, Path(temporary)), list[dict[str, Any]]()
            part = given.save / f"{given.what}_{name}.part.json" if given.save else None
            if part is not None and part.exists():
                kept = json.loads(part.read_text())
                runs, tried = kept["runs"], kept["tried"]
                comparison.arrangements, comparison.unequal = kept["arrangements"], kept["unequal"]
                print(f"{name}: {len(runs)} runs are kept from before", flush=True)
            else:
                tried = {} if given.steps else comparison.arrange()
            measured = {(run["side"], run["seed"]) for run in runs}
            for seed, side in product(range(given.seeds), comparison.sides):
                if (side, seed) in measured:
                    continue
                runs.append(row := comparison.measured(side, seed))
                figure = "none" if row["figure"] is None else f"{row['figure']:,.2f}"
                print(f"{name} seed {seed} {side}: {figure}, other load {row['other_cpu']}", flush=True)
                if part is not None:
                    so_far = {"arrangements": comparison.arrangements, "unequal": comparison.unequal}
                    part.parent.mkdir(parents=True, exist_ok=True)
                    part.write_text(json.dumps({"runs": runs, "tried": tried, **so_far}))
            bound = bounds(comparison.experiment) if given.what == "speed" else None
        figures = summary(given.what, runs, comparison.sides)
        print("\n".join(told(given.what, name, figures)))
        if bound is not None:
            for key, value in bound.items():
                print(f"{name} {key}: {value:,.0f}")
        for side, lines in comparison.unequal.items():
            for line in lines:
                print(f"{name} unequal to {side}: {line}")
        loaded = sum(run["other_cpu"] > LOADED for run in runs)
        if loaded:
            print(f"warning: other processes kept more than {LOADED} cores busy during {loaded} of {len(runs)} runs")
        if given.save:
            save(given, words, comparison, {"tried": tried, "bounds": bound, **figures, "runs": runs})
            assert part is not None
            part.unlink(missing_ok=True)


def save(given: argparse.Namespace, words: Sequence[str], comparison: Comparison, figures: Mapping[str, Any]) -> None:
    """Write the result of one task."""
    said = ["DIR" if given.cleanrl and word == str(given.cleanrl) else word for word in words]
    world = WORLDS.get(comparison.name)
    own = ["rltrain", *PACKAGES, *([world] if world else [])]
    theirs = ("stable-baselines3",) if set(given.side) - set(OURS) else ()
    report = {
        "command": shlex.join(["python", "bench/ppo.py", *said]),
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": versions(own, theirs, given.cleanrl if "cleanrl" in given.side else None),
        "steps": comparison.steps,
        "task": comparison.task._asdict(),
        "unequal": comparison.unequal,
        "arrangements": {side: own for side, own in comparison.arrangements.items() if side in given.side},
        **figures,
        "config": comparison.experiment.to_yaml(),
    }
    given.save.mkdir(parents=True, exist_ok=True)
    path = given.save / f"{given.what}_{comparison.name}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
