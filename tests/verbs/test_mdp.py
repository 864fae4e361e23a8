"""The verbs of `rltrain mdp`, called from Python: values go in, a typed frozen result comes out, nothing is printed."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from rltrain.errors import InputError
from rltrain.verbs.mdp import convert, discounts, evaluate, generate, graph, info, models, policies, simulate, solve
from rltrain.verbs.mdp import verify as verifying

RIGHT = ["a0", "a2", "a1"]  # in the book's model at its discount, 0.95
SAFE = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 1.0])  # [P] the book's, without the fire


@pytest.fixture(autouse=True)
def silence(capfd: pytest.CaptureFixture[str]) -> object:
    yield
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_every_way_to_solve_finds_the_books_policy() -> None:
    assert solve.solve().policy == RIGHT
    assert solve.solve(discount=0.9).policy == solve.solve(discount="9/10").policy == ["a0", "a0", "a1"]
    assert solve.solve_exact(discount=0.95).policy == RIGHT
    assert solve.solve_exact(discount=0.95).discount == Fraction(19, 20)
    assert solve.solve_average().policy == solve.solve_average_exact().policy == RIGHT
    assert solve.solve_average_exact().gain[0] == Fraction(170, 137)
    assert solve.solve_horizon(horizon=3).value.shape == (4, 3)


def test_a_model_may_be_given_by_name_as_a_file_or_as_itself(tmp_path: Path) -> None:
    lake = models.model_of("FrozenLake-v1", {"is_slippery": False})
    file = tmp_path / "lake.npz"
    convert.convert("FrozenLake-v1", file, {"is_slippery": False})
    for source in (lake, file, str(file)):
        assert solve.solve(source, 0.95).value[0] == pytest.approx(0.95**5)


def test_a_result_is_frozen() -> None:
    for result in (solve.solve(), evaluate.evaluate(), verifying.verify(), info.describe(), simulate.task_of()):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(result, dataclasses.fields(result)[0].name, None)


def test_a_policy_may_be_probabilities_of_pairs_or_a_name() -> None:
    by_array, by_name = evaluate.evaluate(policy=SAFE), evaluate.evaluate(policy="optimal")
    assert by_name.worst_loss == pytest.approx(0, abs=1e-9) and by_array.worst_loss == pytest.approx(1.17982024)
    assert by_array.loss is not None and by_array.loss.argmax() == 1
    exactly = evaluate.evaluate_exact(policy=SAFE)
    assert exactly.loss is not None and float(max(exactly.loss)) == pytest.approx(by_array.worst_loss, abs=1e-9)
    with pytest.raises(InputError, match="did you mean 'optimal'"):
        policies.policy_of(models.model_of(), "optimall")


def test_a_policy_is_measured_by_any_goal() -> None:
    by_average = evaluate.evaluate(policy=SAFE, average=True)
    assert by_average.goal.discount is None and by_average.worst_loss > 0
    by_steps = evaluate.evaluate(policy=SAFE, horizon=3)
    assert by_steps.goal.steps == 3 and by_steps.worst_loss == pytest.approx(0, abs=1e-12)
    with pytest.raises(InputError, match="--average goes without --horizon"):
        evaluate.evaluate(average=True, horizon=3)


def test_a_verdict_names_the_first_wrong_state_and_what_is_better() -> None:
    verdict = verifying.verify(policy=SAFE)
    assert verdict.passed is False and verdict.first is not None
    assert (verdict.first.state, verdict.model.actions[int(verdict.model.action[verdict.first.better])]) == (1, "a2")
    assert verifying.verify(policy=SAFE, tolerance=1.2).passed is True
    assert verifying.verify(policy=SAFE, average=True).passed is False


def test_episodes_and_what_is_expected_of_them() -> None:
    task = simulate.task_of(policy="random", episodes=50, steps=20, start="s1")
    found = simulate.simulate(task, keep=2)
    assert len(found.played.first) == 2 and found.played.length.tolist() == [20] * 50
    assert found.expected is not None and abs(simulate.z_score(found.returns, found.expected.total)) < 4
    assert found.reached_classes() == [0]


def test_the_discounts_at_which_the_best_policy_changes() -> None:
    found = discounts.discounts(low=0.9, high="0.99")
    assert [round(point.discount, 6) for point in found.breakpoints] == [0.947633]


def test_a_model_is_made_described_and_drawn(tmp_path: Path) -> None:
    made = generate.generate("forest", tmp_path / "forest.yaml", {"states": 3}, 0.9)
    facts = info.describe(made)
    assert (facts.states, facts.discount, facts.deterministic) == (3, 0.9, False)
    drawing = graph.drawing_of(made)
    assert drawing.policy is not None and "digraph" in graph.dot_lines(drawing)[0]
    assert (
        graph.drawing_of(generate.generate("grid", tmp_path / "grid.yaml", {"side": 2})).note == graph.UNKNOWN_DISCOUNT
    )
