"""The compiled and the plain path give the same tables bit for bit; the rules are what the papers say."""

import os
import subprocess
import sys

import numpy as np
import pytest

from rltrain.mdp import build, files
from rltrain.mdp.learn import q_learning, rules, sampling
from rltrain.mdp.learn.q_learning import LearnerOptions

PLAIN = LearnerOptions(
    exploration=q_learning.EPSILON, method=q_learning.PLAIN, gamma=0.9, epsilon=1.0,
    epsilon_final=0.1, epsilon_steps=300.0,
    temperature=5.0, bonus=10.0, decay=0.0, omega=0.0, trace=0.0, accumulate=False, limit=17,
)  # fmt: skip
VARIANTS = {
    "plain": {},
    "decay": {"decay": 0.01},
    "count": {"omega": 0.7},
    "no_limit": {"limit": 0},
    "softmax": {"exploration": q_learning.SOFTMAX},
    "bonus": {"exploration": q_learning.BONUS},
    "double": {"method": q_learning.DOUBLE},
    "sarsa": {"method": q_learning.SARSA},
    "expected": {"method": q_learning.EXPECTED},
    "expected_softmax": {"method": q_learning.EXPECTED, "exploration": q_learning.SOFTMAX},
    "traces": {"trace": 0.8},
    "accumulating": {"trace": 0.8, "accumulate": True},
    "sarsa_traces": {"trace": 0.5, "method": q_learning.SARSA},
}
FAST = ["plain", "decay", "count", "no_limit"]


def run(name, loop, steps=600, lanes=3, pieces=1):  # type: ignore[no-untyped-def]
    options = PLAIN._replace(**VARIANTS[name])
    model = files.read(files.BOOK).model
    sampler = sampling.make(model)
    agent = q_learning.make_agent(options, model.num_pairs, np.full(lanes, 0.1), sampling.streams(1, "agent", lanes))
    world = q_learning.make_world(sampler, sampling.streams(1, "world", lanes))
    with np.errstate(over="ignore"):
        for piece in range(pieces):
            loop(options, sampler, agent, world, piece * steps // pieces, steps // pieces)
    return agent, world


def digest(agent, world) -> str:  # type: ignore[no-untyped-def]
    return " ".join(array.tobytes().hex() for array in (agent.q, agent.second, agent.visits, *world))


def loop_of(name: str):  # type: ignore[no-untyped-def]
    return rules.learn if name not in FAST else q_learning.learn_plain


@pytest.fixture(scope="module")
def uncompiled() -> dict[str, str]:
    """Digests of every variant from a process in which nothing is compiled."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_learning as t\n"
        "for name in t.VARIANTS: print(name, t.digest(*t.run(name, t.loop_of(name))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, os.path.dirname(__file__)], env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


@pytest.mark.parametrize("name", VARIANTS)
def test_compiled_and_plain_give_the_same_bits(name: str, uncompiled: dict[str, str]) -> None:
    assert digest(*run(name, loop_of(name))) == uncompiled[name]


@pytest.mark.parametrize("name", FAST)
def test_the_fast_loop_is_the_general_one(name: str) -> None:
    assert digest(*run(name, q_learning.learn_plain)) == digest(*run(name, rules.learn))


@pytest.mark.parametrize("name", VARIANTS)
def test_in_pieces_is_in_one(name: str) -> None:
    assert digest(*run(name, loop_of(name), pieces=4)) == digest(*run(name, loop_of(name)))


def test_learners_do_not_know_of_each_other() -> None:
    many, _ = run("plain", q_learning.learn_plain, lanes=3)
    few, _ = run("plain", q_learning.learn_plain, lanes=2)
    assert np.array_equal(many.q[:2], few.q)
    assert not np.array_equal(many.q[0], many.q[1])


def chain(length: int):  # type: ignore[no-untyped-def]
    """0 -> 1 -> ... -> end, reward 1 at the last step, one action."""
    states = np.arange(length)
    return build.from_transitions(
        tuple(map(str, range(length + 1))), ("on",), states, np.zeros(length, int), states + 1,
        np.ones(length), (states == length - 1) * 1.0, terminal=np.arange(length + 1) == length,
    )  # fmt: skip


@pytest.mark.parametrize("accumulate", [False, True])
def test_a_trace_carries_the_reward_back_by_hand(accumulate: bool) -> None:
    options = PLAIN._replace(trace=0.5, accumulate=accumulate, gamma=0.8, limit=0)
    sampler = sampling.make(chain(3))
    agent = q_learning.make_agent(options, 3, np.array([0.5]), sampling.streams(0, "agent", 1))
    rules.learn(options, sampler, agent, q_learning.make_world(sampler, sampling.streams(0, "w", 1)), 0, 3)
    # delta 1 at the last step, alpha 0.5, traces (gamma lambda)^k = 0.4^k
    assert agent.q[0] == pytest.approx([0.5 * 0.16, 0.5 * 0.4, 0.5])


def test_a_time_limit_does_not_cut_the_target() -> None:
    """One state that pays 1 forever: worth 1 / (1 - gamma), however short its episodes."""
    model = build.from_transitions(("s",), ("stay",), *map(np.array, ([0], [0], [0], [1.0], [1.0])))
    sampler = sampling.make(model)
    options = PLAIN._replace(limit=1)
    agent = q_learning.make_agent(options, 1, np.array([0.5]), sampling.streams(0, "agent", 1))
    world = q_learning.make_world(sampler, sampling.streams(0, "world", 1))
    q_learning.learn_plain(options, sampler, agent, world, 0, 1000)
    assert agent.q[0, 0] == pytest.approx(10.0)
    assert world.episodes[0] == 1000
    assert world.recent[0] == pytest.approx(np.ones(100))


def test_epsilon_falls_in_a_straight_line() -> None:
    assert [q_learning.epsilon_at(PLAIN, t) for t in (0, 150, 300, 900)] == pytest.approx([1.0, 0.55, 0.1, 0.1])


def test_rounds_are_round() -> None:
    assert [q_learning.round_below(n) for n in (1, 4, 5, 99, 100, 199, 200, 5_400)] == [
        1,
        2,
        5,
        50,
        100,
        100,
        200,
        5_000,
    ]
