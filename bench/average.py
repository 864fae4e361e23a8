"""The average reward of chains that mix slowly: rltrain, and Howard's policy iteration with full matrices.

ring: S states in a circle, each step goes on with probability .5 or .6 and else back, and one state earns 1. queue: up
to S - 1 customers, three speeds of service of different cost. News travels one state a step, so that sweeps alone need
tens of thousands. Ours proves its gain to 1e-6; the other side is right to rounding where all goes well, and proves
nothing. Every round runs each side once, one after the other; a ratio is taken within a round, and the figure is the
median of the rounds. Figures are processor time, of the solve alone; each side ran once before.

    python bench/average.py    # a minute
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from statistics import median

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from rltrain.core import Array
from rltrain.mdp.model import Model, Numbered
from rltrain.mdp.undiscounted import average

EPSILON = 1e-6


def ring(size: int) -> tuple[Array, Array]:
    """P [A, S, S] and r [A, S]."""
    prob, states = np.zeros((2, size, size)), np.arange(size)
    for action, forward in enumerate((0.5, 0.6)):
        prob[action, states, (states + 1) % size] = forward
        prob[action, states, (states - 1) % size] = 1 - forward
    return prob, np.where(states == 0, 1.0, np.zeros((2, size)))


def queue(size: int) -> tuple[Array, Array]:
    """P [A, S, S] and r [A, S]."""
    prob, states = np.zeros((3, size, size)), np.arange(size)
    arrives = 0.45
    for action, served in enumerate((0.4, 0.5, 0.55)):
        np.add.at(prob[action], (states, np.minimum(states + 1, size - 1)), arrives)
        np.add.at(prob[action], (states, np.maximum(states - 1, 0)), served)
        prob[action, states, states] += 1 - arrives - served
    prob[prob < 1e-12] = 0.0
    prob /= prob.sum(axis=2, keepdims=True)
    return prob, -0.01 * states - np.array([[0.0], [1.0], [3.0]])


MODELS: dict[str, Callable[[int], tuple[Array, Array]]] = {"ring": ring, "queue": queue}


def model_of(prob: Array, reward: Array) -> Model:
    """The same as rltrain has it."""
    actions, size, _ = prob.shape
    rows = prob.transpose(1, 0, 2).reshape(size * actions, size)
    pair, following = np.nonzero(rows)
    return Model(
        states=Numbered(size),
        actions=Numbered(actions),
        first_pair=np.arange(size + 1, dtype=np.int64) * actions,
        action=np.tile(np.arange(actions, dtype=np.int32), size),
        first_next=np.searchsorted(pair, np.arange(size * actions + 1)).astype(np.int64),
        next=following.astype(np.int32),
        prob=rows[pair, following],
        reward=reward.T.ravel(),
    )


def full_matrices(prob: Array, reward: Array) -> float:
    """The gain, by policy iteration as one writes it (Howard 1960); right where every policy has one closed class."""
    size = prob.shape[1]
    choice, states = np.zeros(size, int), np.arange(size)
    while True:
        matrix = np.eye(size) - prob[choice, states]
        matrix[:, 0] = 1.0  # the unknown h(0) is 0: its place is the gain's
        h = np.linalg.solve(matrix, reward[choice, states])
        gain, h[0] = float(h[0]), 0.0
        q = reward + prob @ h
        better = q.max(axis=0) > q[choice, states] + 1e-9
        if not better.any():
            return gain
        choice = np.where(better, q.argmax(axis=0), choice)


def measure(name: str, size: int, rounds: int) -> dict[str, float]:
    """Median seconds of both sides, the median ratio theirs / ours, what the gains differ by, and what ours proves."""
    prob, reward = MODELS[name](size)
    model = model_of(prob, reward)
    ours, theirs = [], []
    solved, gain = average.solve(model, EPSILON), full_matrices(prob, reward)
    for _ in range(rounds):
        start = time.process_time()
        solved = average.solve(model, EPSILON)
        middle = time.process_time()
        gain = full_matrices(prob, reward)
        ours.append(middle - start)
        theirs.append(time.process_time() - middle)
    return {
        "ours": median(ours),
        "theirs": median(theirs),
        "ratio": median(b / a for a, b in zip(ours, theirs, strict=True)),
        "apart": abs(float(solved.gain[0]) - gain),
        "bound": solved.bound,
        "sweeps": solved.sweeps,
        "policies": solved.policies,
    }


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The average reward of chains that mix slowly, in processor seconds")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side [5]")
    parser.add_argument("--sizes", type=int, nargs="+", default=[501, 1001, 2001], help="states [501 1001 2001]")
    given = parser.parse_args(argv)
    if given.rounds < 1 or min(given.sizes) < 3:
        parser.error("--rounds must be at least 1, --sizes at least 3")
    return given


def main(argv: Sequence[str] | None = None) -> None:
    given = arguments(argv)
    for name in MODELS:
        for size in given.sizes:
            found = measure(name, size, given.rounds)
            print(
                f"{name:<6} {size:>6,} states  ours {found['ours']:.3f} s ({found['sweeps']:.0f} sweeps,"
                f" {found['policies']:.0f} policies, proven to {found['bound']:.0e})  full matrices"
                f" {found['theirs']:.3f} s  full / ours {found['ratio']:.1f}  apart {found['apart']:.0e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
