"""Where a round of DQN spends its time: milliseconds of one core per update, by part, and the arithmetic behind them.

One thread does everything, so parts never run beside each other, and their sum is the time of the run. On two cores the
parts are shared out; where two cores are two threads of one, each then takes longer than here.

`MFLOP` counts the multiplications and additions of the network's layers, by its shape. `GFLOP/s` is what that comes to;
the last line is what one thread reaches on a product of two square matrices, which is about the most that there is.

    python bench/dqn_parts.py
    python bench/dqn_parts.py "algorithm.convolutions=[[16,4,4],[64,3,3]]" --config configs/dqn_pacman.yaml
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from measuring import machine
from rich.console import Console
from rich.table import Table

from rltrain.deep.networks import QNetwork
from rltrain.experiment import config
from rltrain.run import build

ROOT = Path(__file__).resolve().parent.parent
FIRST = ("environments", "acting", "writing", "drawing", "observations", "targets", "gradients", "optimiser")


class Clock:
    """Seconds by part. The time of a part within a part counts for the inner one alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._parts = ["everything else"]
        self._since = time.perf_counter()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._turn()
        self._parts.append(name)
        try:
            yield
        finally:
            self._turn()
            self._parts.pop()

    def _turn(self) -> None:
        now = time.perf_counter()
        self.seconds[self._parts[-1]] += now - self._since
        self._since = now

    def watch(self, owner: object, method: str, name: str) -> None:
        """From now on the calls of this method are a part."""
        inner: Callable[..., Any] = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return inner(*args, **kwargs)

        setattr(owner, method, timed)

    def start(self) -> None:
        self.seconds.clear()
        self._since = time.perf_counter()

    def stop(self) -> None:
        self._turn()


def watch(clock: Clock, algorithm: Any) -> None:
    """The parts of a round of DQN."""
    learner = algorithm.learner
    for owner, method, name in (
        (algorithm.env, "step", "environments"),
        *((player, "step", "acting") for player in algorithm.players.actors),
        (algorithm, "_store", "writing"),
        (algorithm.replay, "draw", "drawing"),
        (algorithm.replay, "rewrite_priorities", "drawing"),
        (algorithm.replay, "observations", "observations"),
        (algorithm, "td_target", "targets"),
        (algorithm.engine, "learn", "gradients"),
        *(
            (optimiser, method, "optimiser")
            for optimiser in (learner.wide, learner.others)
            for method in ("take", "step")
        ),
    ):
        clock.watch(owner, method, name)


def row_flops(network: QNetwork, obs_shape: tuple[int, ...]) -> dict[str, float]:
    """Multiplications and additions of a row forwards, and of its way back to all weights, by the layers' shapes."""
    forward = first = 0.0
    with torch.inference_mode():
        x = network.prepare(torch.zeros((1, *obs_shape), dtype=torch.uint8 if network.is_image else torch.float32))
        for layer in network.trunk:
            x = layer(x)
            if isinstance(layer, torch.nn.Conv2d):
                cost = 2.0 * x.numel() * layer.weight[0].numel()
                first, forward = first or cost, forward + cost
    forward += sum(2.0 * m.weight.numel() for m in network.modules() if isinstance(m, torch.nn.Linear))
    return {"forward": forward, "back": 2 * forward - first}


def peak_gflops(rounds: int = 7, side: int = 768) -> float:
    a, b, best = torch.rand(side, side), torch.rand(side, side), float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2e-9 * side**3 / best


def main() -> None:
    parser = argparse.ArgumentParser(description="Where a round of DQN spends its time")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings before the file's")
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "dqn_pacman.yaml", help="[dqn_pacman.yaml]")
    parser.add_argument("--seconds", type=float, default=20, help="of measurement [20]")
    given = parser.parse_args()
    fixed = ["run.threads=1", "algorithm.overlap=false", "run.device=cpu"]
    experiment = config.load(given.config, [*given.overrides, *fixed])
    parts = build.build(experiment)
    algorithm: Any = parts.algorithm
    while algorithm.updates < 20:
        algorithm.step()
    clock = Clock()
    watch(clock, algorithm)
    steps, updates, start = algorithm.env_steps, algorithm.updates, time.perf_counter()
    clock.start()
    while time.perf_counter() - start < given.seconds:
        algorithm.step()
    clock.stop()
    steps, updates = algorithm.env_steps - steps, algorithm.updates - updates
    report(clock.seconds, steps, updates, algorithm)


def report(seconds: dict[str, float], steps: int, updates: int, algorithm: Any) -> None:
    flops = row_flops(algorithm.learner.master, algorithm.spec.obs_shape)
    batch = algorithm.config.batch_size * updates
    double = 2 if algorithm.config.double else 1
    work = {
        "acting": flops["forward"] * steps,
        "targets": flops["forward"] * double * batch,
        "gradients": (flops["forward"] + flops["back"]) * batch,
    }
    total = sum(seconds.values())
    per_second = f"{steps / total:,.0f} steps/s and {updates / total:,.1f} updates/s on one thread"
    table = Table(title=f"{per_second}, {algorithm.precision}, {machine()['instructions']}")
    for column in ("part", "ms an update", "us a step", "share", "MFLOP an update", "GFLOP/s"):
        table.add_column(column, justify="left" if column == "part" else "right")
    for name in sorted(seconds, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST)):
        took, done = seconds[name], work.get(name)
        counted = ("", "") if done is None else (f"{1e-6 * done / updates:,.0f}", f"{1e-9 * done / took:,.0f}")
        each = f"{1e3 * took / updates:.2f}", f"{1e6 * took / steps:.0f}", f"{took / total:.0%}"
        table.add_row(name, *each, *counted)
    done = sum(work.values())
    together = f"{1e3 * total / updates:.2f}", f"{1e6 * total / steps:.0f}", "100%"
    table.add_row("all", *together, f"{1e-6 * done / updates:,.0f}", f"{1e-9 * done / total:,.0f}")
    console = Console()
    console.print(table)
    console.print(f"a product of two square matrices: {peak_gflops():,.0f} GFLOP/s on one thread")


if __name__ == "__main__":
    main()
