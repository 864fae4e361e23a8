"""Q-learning steps per second on one core, FrozenLake's and Taxi's table: ours, a plain numba loop, a Python loop.

Same table, same settings: epsilon-greedy 0.1, learning rate 0.1, discount 0.99, time limits of 100 and 200 steps,
starts as the environment draws them. The numba loop is the one that one writes first: a table [S, A], cumulative
probabilities, a search for the best action at every step, two draws of xorshift (Marsaglia 2003). The Python loop steps
Gymnasium.
`--sampled` is about an environment without a table, Blackjack: there every step is Gymnasium's own, in Python. Beside
ours stands the loop of a dozen lines that one writes first, a dictionary of lists; and that loop with a seed of its own
for each episode, which is what makes a run go on to the bit after it was killed. Figures are processor time.
Every round runs each side once, one after the other; a ratio is taken within a round, and the figure is the median of
the rounds. All in one process and on one core; compilation is not counted.

    python bench/qlearn.py --save              # about two minutes; leave the machine alone meanwhile
    python bench/qlearn.py --sampled --save    # ten seconds
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import gymnasium
import numba
import numpy as np
from numba import njit

from rltrain.algos import qlearn
from rltrain.core import Hardware
from rltrain.envs import model_named
from rltrain.envs.gym import numbered
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.mdp.learn import q_learning, rules, sampling
from rltrain.mdp.model import Model
from rltrain.rng import Streams, derive

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "bench" / "results" / "qlearn.json"
SAMPLED_RESULT = RESULT.with_name("qlearn_sampled.json")
SAMPLED = "Blackjack-v1"  # has no table; an episode lasts a step and a half
SAMPLED_STEPS = 20_000
LIMITS = {"FrozenLake-v1": 100, "Taxi-v4": 200}
EPSILON, RATE, GAMMA = 0.1, 0.1, 0.99
PEER, PYTHON = "numba loop", "python loop on Gymnasium"
PLAIN, SEEDED = "dictionary loop", "dictionary loop, a seed an episode"


@njit(nogil=True)
def xorshift(state: Any) -> Any:
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    return state


@njit(nogil=True)
def peer_loop(summed: Any, follows: Any, reward: Any, ended: Any, starts: Any, steps: Any, limit: Any) -> Any:
    """The plain loop; summed, follows, reward, ended [S, A, K], starts [S] cumulative probabilities."""
    num_states, num_actions, most = summed.shape
    q = np.zeros((num_states, num_actions))
    stream, scale, age = np.uint64(88172645463325252), 2.0**-53, 0
    state = np.searchsorted(starts, 0.5)
    for _ in range(steps):
        stream = xorshift(stream)
        drawn = (stream >> np.uint64(11)) * scale
        if drawn < EPSILON:
            action = int(drawn / EPSILON * num_actions)
        else:
            action = 0
            for other in range(1, num_actions):
                if q[state, other] > q[state, action]:
                    action = other
        stream = xorshift(stream)
        drawn = (stream >> np.uint64(11)) * scale
        k = 0
        while k < most - 1 and drawn >= summed[state, action, k]:
            k += 1
        after = follows[state, action, k]
        last = ended[state, action, k]
        best = 0.0
        if not last:
            best = q[after, 0]
            for other in range(1, num_actions):
                best = max(best, q[after, other])
        q[state, action] += RATE * (reward[state, action, k] + GAMMA * best - q[state, action])
        state = after
        age += 1
        if last or age == limit:
            age = 0
            stream = xorshift(stream)
            drawn = (stream >> np.uint64(11)) * scale
            state = min(np.searchsorted(starts, drawn, side="right"), num_states - 1)
    return q


def python_loop(name: str, steps: int) -> Any:
    """Q-learning as one writes it on Gymnasium, tables in numpy."""
    env = gymnasium.make(name)
    num_actions = env.action_space.n
    q, stream = np.zeros((env.observation_space.n, num_actions)), np.random.default_rng(0)
    state, _ = env.reset(seed=0)
    for _ in range(steps):
        action = int(stream.integers(num_actions)) if stream.random() < EPSILON else int(np.argmax(q[state]))
        after, reward, terminated, truncated, _ = env.step(action)
        follows = 0.0 if terminated else q[after].max()
        q[state, action] += RATE * (reward + GAMMA * follows - q[state, action])
        state = env.reset()[0] if terminated or truncated else after
    env.close()
    return q


def dictionary_loop(steps: int, seeded: bool) -> dict[Any, list[float]]:
    """Q-learning as one writes it where states are tuples."""
    env, table = gymnasium.make(SAMPLED), dict[Any, list[float]]()
    obs, _ = env.reset(seed=1)
    episode = 0
    for _ in range(steps):
        q = table.setdefault(obs, [0.0, 0.0])
        action = random.randrange(2) if random.random() < EPSILON else int(q[1] > q[0])
        after, reward, terminated, truncated, _ = env.step(action)
        follows = 0.0 if terminated else max(table.setdefault(after, [0.0, 0.0]))
        q[action] += RATE * (float(reward) + follows - q[action])
        obs = after
        if terminated or truncated:
            episode += 1
            obs, _ = env.reset(seed=derive(1, 0, episode)) if seeded else env.reset()
    env.close()
    return table


def sampled_sides() -> dict[str, Callable[[int], Any]]:
    """Ours, compiled already, and the loops, on an environment without a table."""
    env = numbered.make(EnvironmentConfig(id=SAMPLED), 1)
    chances = {"exploration_initial_eps": EPSILON, "exploration_final_eps": EPSILON}
    config = qlearn.QlearnConfig(gamma=1.0, learning_rate=RATE, report_every=SAMPLED_STEPS, **chances)  # type: ignore[arg-type]
    algorithm = qlearn.make(config, env, Streams(0), Hardware())
    algorithm.step()
    return {
        PLAIN: lambda steps: dictionary_loop(steps, seeded=False),
        SEEDED: lambda steps: dictionary_loop(steps, seeded=True),
        "ours": lambda steps: [algorithm.step() for _ in range(steps // SAMPLED_STEPS)],
    }


def peer_tables(model: Model) -> tuple[Any, ...]:
    """The model as the plain loop wants it; a terminal state's rows are never used."""
    longest = int(np.diff(model.first_next).max())
    shape = (model.num_states, model.num_actions, longest)
    summed, follows = np.ones(shape), np.zeros(shape, np.int64)
    reward, ended = np.zeros(shape), np.zeros(shape, bool)
    for pair in range(model.num_pairs):
        own = model.successors(pair)
        place = (int(model.pair_state[pair]), int(model.action[pair]), slice(own.stop - own.start))
        summed[place] = np.cumsum(model.prob[own])
        follows[place] = model.next[own]
        reward[place] = model.reward[pair] if model.next_reward is None else model.next_reward[own]
        ended[place] = model.terminal[model.next[own]]
    return summed, follows, reward, ended, np.cumsum(model.start_distribution())


def ours(model: Model, limit: int, lanes: int) -> Callable[[int], None]:
    """A function that takes so many steps, all learners together."""
    options = q_learning.LearnerOptions(
        exploration=q_learning.EPSILON, method=q_learning.PLAIN, gamma=GAMMA, epsilon=EPSILON, epsilon_final=EPSILON,
        epsilon_steps=1.0, temperature=1.0, bonus=0.0, decay=0.0, omega=0.0, trace=0.0, accumulate=False, limit=limit,
    )  # fmt: skip
    sampler = sampling.make(model)

    def run(steps: int, loop: Any = q_learning.learn_plain) -> Any:
        streams = sampling.streams(0, "agent", lanes)
        agent = q_learning.make_agent(options, model.num_pairs, np.full(lanes, RATE), streams)
        world = q_learning.make_world(sampler, sampling.streams(0, "world", lanes))
        loop(options, sampler, agent, world, 0, steps // lanes)
        return agent.q

    assert np.array_equal(run(20_000), run(20_000, rules.learn)), "the loops disagree"
    return run


def sides(name: str, lanes: Sequence[int]) -> dict[str, Callable[[int], Any]]:
    """Everything that is measured, compiled already."""
    model = model_named(name)
    assert model is not None
    limit, prepared = LIMITS[name], peer_tables(model)
    peer_loop(*prepared, 1000, limit)
    found: dict[str, Callable[[int], Any]] = {
        PYTHON: lambda steps: python_loop(name, steps),
        PEER: lambda steps: peer_loop(*prepared, steps, limit),
    }
    return found | {f"ours, {count} at once" if count > 1 else "ours": ours(model, limit, count) for count in lanes}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
    }


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Q-learning steps per second on one core")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side; below 5 is only a trial [5]")
    parser.add_argument("--steps", type=int, default=20_000_000, help="steps of a compiled run [20000000]")
    parser.add_argument("--lanes", type=int, nargs="+", default=[1, 4, 8, 16], help="learners of ours [1 4 8 16]")
    parser.add_argument("--save", nargs="?", const=RESULT, type=Path, help=f"write JSON [{RESULT.relative_to(ROOT)}]")
    parser.add_argument("--sampled", action="store_true", help=f"{SAMPLED}, which has no table, against plain loops")
    given = parser.parse_args(argv)
    if given.sampled and given.save == RESULT:
        given.save = SAMPLED_RESULT
    if given.rounds < 1:
        parser.error(f"--rounds {given.rounds}: must be at least 1")
    if given.save and given.rounds < 5:
        parser.error(f"--save with --rounds {given.rounds}: a result is kept only of 5 rounds or more")
    return given


def measure(given: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Environment -> side -> million steps a second of every round, their median, and the median ratio to the peer."""
    figures: dict[str, dict[str, Any]] = {}
    for name in LIMITS:
        running = sides(name, given.lanes)
        speeds: dict[str, list[float]] = {side: [] for side in running}
        for _ in range(given.rounds):
            for side, run in running.items():
                steps = max(1, given.steps // 500) if side == PYTHON else given.steps
                start = time.perf_counter()
                run(steps)
                speeds[side].append(steps / (time.perf_counter() - start) / 1e6)
        figures[name] = {
            side: {
                "median": median(own),
                "ratio": median(a / b for a, b in zip(own, speeds[PEER], strict=True)),
                "rounds": own,
            }
            for side, own in speeds.items()
        }
    return figures


def measure_sampled(given: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """As `measure`, in processor time; `ratio` is to the plain dictionary loop, and `seeded_ratio` to the other."""
    running = sampled_sides()
    speeds: dict[str, list[float]] = {side: [] for side in running}
    for _ in range(given.rounds):
        for side, run in running.items():
            start = time.process_time()
            run(SAMPLED_STEPS)
            speeds[side].append(SAMPLED_STEPS / (time.process_time() - start) / 1e6)
    return {
        SAMPLED: {
            side: {
                "median": median(own),
                "ratio": median(a / b for a, b in zip(own, speeds[PLAIN], strict=True)),
                "seeded_ratio": median(a / b for a, b in zip(own, speeds[SEEDED], strict=True)),
                "rounds": own,
            }
            for side, own in speeds.items()
        }
    }


def show_sampled(figures: dict[str, dict[str, Any]]) -> None:
    for side, figure in figures[SAMPLED].items():
        low, high = (round(1e6 * end(figure["rounds"])) for end in (min, max))
        print(
            f"{SAMPLED}  {side:<34}  {round(1e6 * figure['median']):>7,} steps a processor second ({low:,}-{high:,})"
            f"  x {PLAIN} {figure['ratio']:.2f}, seeded {figure['seeded_ratio']:.2f}"
        )


def show(figures: dict[str, dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Q-learning on one core")
    for column in ("table", "side", "million steps/s", "range", f"x {PEER}"):
        table.add_column(column, justify="left" if column in ("table", "side") else "right")
    for name, own in figures.items():
        for side, figure in own.items():
            low, high = min(figure["rounds"]), max(figure["rounds"])
            digits = 2 if side == PYTHON else 1
            table.add_row(
                name, side, f"{figure['median']:.{digits}f}", f"{low:.{digits}f}-{high:.{digits}f}",
                f"{figure['ratio']:.{digits + 1}f}",
            )  # fmt: skip
    Console().print(table)


def main(argv: Sequence[str] | None = None) -> None:
    given = arguments(argv)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    figures = measure_sampled(given) if given.sampled else measure(given)
    (show_sampled if given.sampled else show)(figures)
    if given.save:
        report = {
            "command": shlex.join(["python", "bench/qlearn.py", *(sys.argv[1:] if argv is None else argv)]),
            "date": time.strftime("%Y-%m-%d"),
            "machine": {**machine(), "cores_used": 1},
            "versions": {
                "python": platform.python_version(),
                "numba": numba.__version__,
                "numpy": np.__version__,
                "gymnasium": gymnasium.__version__,
            },
            "unit": "million steps a second, all learners together",
            "figures": figures,
        }
        given.save.parent.mkdir(parents=True, exist_ok=True)
        given.save.write_text(json.dumps(report, indent=1) + "\n")
        print(f"wrote {given.save}")


if __name__ == "__main__":
    main()
