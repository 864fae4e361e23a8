"""A budget ends at the next step of the environments. To go on from there: test_extended.py.

Every algorithm in the registry, found by discovery. What a generation, a batch or an update of whole games is, is not
cut: `reinforce`, the evolution strategies and `search` end with it, and sweeps are counted one by one.
"""

import json
from pathlib import Path

import pytest
from small_runs import BUDGETS, PARTS, SLOW, counters_of, run_to, text_of

from rltrain.core import Pausing
from rltrain.experiment import config
from rltrain.run import build


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow) if case in SLOW else case for case in PARTS]
)
def test_a_unit_ends_at_the_step_that_reaches_a_limit(case: str) -> None:
    for counter in counters_of(case):
        parts = build.build(config.loads(text_of(*PARTS[case]), "test.yaml"))
        algorithm = parts.algorithm
        for limit in (1, BUDGETS[counter] // 2, BUDGETS[counter]):
            while algorithm.counters[counter] < limit:
                if isinstance(algorithm, Pausing):
                    algorithm.pause_at({counter: limit, "no such counter": 1})
                algorithm.step()
            over = algorithm.counters[counter] - limit
            if counter == "simulations":
                assert over < parts.env.spec.num_envs * parts.experiment.algorithm.simulations  # of moves made together
            elif isinstance(algorithm, Pausing) and counter != "updates":
                assert over < parts.env.spec.num_envs  # those that were stepped together
            elif counter in ("sweeps", "generations"):
                assert over == 0
        parts.env.close()


def test_an_evaluation_comes_at_the_next_step_after_its_interval(tmp_path: Path) -> None:
    text = text_of("dqn", "", "CartPole-v1")
    run = run_to(tmp_path / "r", text, {"env_steps": 900}, "run.evaluate={every: {env_steps: 100}, episodes: 1}")
    rows = [json.loads(line)["env_steps"] for line in (run.folder / "eval.jsonl").read_text().splitlines()]
    assert [row // 100 for row in rows] == list(range(1, 10))
    assert all(row % 100 < 3 for row in rows)
