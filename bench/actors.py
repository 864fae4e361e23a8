"""How far one run's environments scale over actors on Ray: python bench/actors.py [--seconds 5] [--async]

Each environment is stepped by nothing but `core.Env.step`, with random actions. The control has the same environments
without actors. The model, of N environments whose step takes c among A actors:

    step = ceil(N / A) c + r + A m        efficiency = N c / (A step)

r is a round trip to one actor, m what each further one costs the head; both are measured with environments that take no
time. Prints a JSON object, and a table of Markdown to standard error.

--async measures whole runs of `dqn` in place of steps, `mode: exact` and `mode: async` in turn: environment steps a
second while it learns, 4 environments an actor that sleep 5 ms a step.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

import rltrain
from rltrain import envs, imports, kinds
from rltrain.core import Env
from rltrain.envs.remote.on_ray import RayCrew
from rltrain.run import machine

WORLD = Path(__file__).with_name("actors_env.py")


def seconds_a_step(env: Env, seconds: float) -> float:
    """The median over steps that are made for so long, and for 3 at least."""
    stream, taken = np.random.default_rng(0), list[float]()
    env.reset(0)
    env.step(env.spec.actions.sample(stream, env.spec.num_envs, None))
    while len(taken) < 3 or sum(taken) < seconds:
        action = env.spec.actions.sample(stream, env.spec.num_envs, None)
        begun = time.perf_counter()
        env.step(action)
        taken.append(time.perf_counter() - begun)
    return float(np.median(taken))


def measured(name: str, kwargs: dict[str, float], each: int, actors: int, seconds: float) -> dict[str, object]:
    """`each` environments an actor, with actors and without."""
    settings, count = kinds.typed(name, kwargs=kwargs), each * actors
    with closing(envs.make(settings, num_envs=count)) as env:
        alone = seconds_a_step(env, seconds)
    crew = RayCrew(actors, machine.cores())
    try:
        with closing(envs.make(settings, num_envs=count, crew=crew)) as env:
            apart = seconds_a_step(env, seconds)
    finally:
        crew.close()
    return {
        "environment": name,
        **kwargs,
        "envs_per_actor": each,
        "actors": actors,
        "alone_ms": round(1e3 * alone, 3),
        "apart_ms": round(1e3 * apart, 3),
        "speedup": round(alone / apart, 2),
        "efficiency": round(alone / apart / actors, 3),
    }


LEARNING = """
algorithm: {name: dqn, hidden: [32], learning_starts: 500, buffer_size: 20_000, train_freq: 16}
environment: {id: actors_env/Sleeping, needs: [], kwargs: {seconds: 0.005}}
run: {evaluate: {every: {env_steps: 1_000_000_000}}}
"""


def steps_a_second(actors: int, mode: str, seconds: float) -> float:
    """Of environments, from when it learns, for so long."""
    settings = {"environment.num_envs": 4 * actors, "run.budget.env_steps": 10**9}
    settings |= {"run.distribute.actors": actors, "run.distribute.mode": mode}
    with tempfile.TemporaryDirectory() as place:
        events = rltrain.stream(LEARNING, settings, runs_dir=place, picture=False)
        marks = []
        for event in events:
            if event.kind == "step" and event.counters["env_steps"] > 1_500:
                marks.append((time.perf_counter(), event.counters["env_steps"]))
                if marks[-1][0] - marks[0][0] > seconds:
                    break
        events.close()
    (begun, first), (ended, last) = marks[0], marks[-1]
    return (last - first) / (ended - begun)


def runs(sizes: Sequence[int], seconds: float) -> list[dict[str, object]]:
    """The table of whole runs."""
    found = []
    print("| actors | exact, steps/s | of the ideal | async, steps/s | of the ideal |", file=sys.stderr)
    print("| --- | --- | --- | --- | --- |", file=sys.stderr)
    for actors in sizes:
        row: dict[str, object] = {"actors": actors}
        cells = [str(actors)]
        for mode in ("exact", "async"):
            rate = steps_a_second(actors, mode, seconds)
            ideal = actors / 0.005
            row |= {f"{mode}_steps_a_second": round(rate, 1), f"{mode}_efficiency": round(rate / ideal, 3)}
            cells += [f"{rate:.0f}", f"{rate / ideal:.0%}"]
        found.append(row)
        print(f"| {' | '.join(cells)} |", file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of steps for each number")
    parser.add_argument("--most", type=int, default=64, help="actors")
    parser.add_argument("--async", action="store_true", help="whole runs", dest="whole")
    options = parser.parse_args()
    imports.bring(str(WORLD))
    sizes = [actors for actors in (1, 2, 4, 8, 16, 32, 64) if actors <= options.most]
    load = os.getloadavg()
    found = runs(sizes, options.seconds) if options.whole else scaling(sizes, options.seconds)
    print(json.dumps({"machine": machine.facts(1, "cpu"), "load_before": load, "rows": found}, indent=1))


def scaling(sizes: Sequence[int], seconds: float) -> list[dict[str, object]]:
    """The table of steps."""
    plan: list[tuple[str, dict[str, float], int, int]] = []
    for pause, each in ((0.0, 1), (0.005, 4), (0.01, 16)):
        plan += [("actors_env/Sleeping", {"seconds": pause}, each, actors) for actors in sizes]
    plan += [("BipedalWalker-v3", {}, each, 2) for each in (8, 32, 128)]
    found = []
    print("| environment | per actor | actors | without, ms | with, ms | speed-up | of the ideal |", file=sys.stderr)
    print("| --- | --- | --- | --- | --- | --- | --- |", file=sys.stderr)
    for name, kwargs, each, actors in plan:
        row = measured(name, kwargs, each, actors, seconds)
        found.append(row)
        shown = name if not kwargs else f"sleeps {1e3 * kwargs['seconds']:g} ms"
        cells = [shown, each, actors, row["alone_ms"], row["apart_ms"], row["speedup"], f"{row['efficiency']:.0%}"]
        print(f"| {' | '.join(map(str, cells))} |", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    main()
