"""An exported policy is held against its checkpoint: what rounding decides is a tie, all else is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rltrain.computation import ArgMax, Computation, Input, Numbers
from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.portable import replay
from rltrain.portable.replay import CheckpointAnswers, Ran, ReplayResult

SCORES = np.array([[1.0, 2.0], [100.0, 100.0 - 1e-4], [3.0, 0.0]])
Q = Numbers(Input("obs", (2,), "float32"))
POLICY = Computation(ArgMax(Q), Q, (Q,))


def recorded(scores: Array | None = SCORES) -> CheckpointAnswers:
    return CheckpointAnswers({"obs": SCORES.astype(np.float32)}, SCORES.argmax(axis=1), scores)


def compared(recorded: CheckpointAnswers, found: dict[str, Array], policy: Computation, **more: Any) -> ReplayResult:
    return replay.compared(recorded, Ran(found, "a test"), policy, **more)


def test_equal_actions_and_scores_that_are_rounded_pass() -> None:
    found = compared(recorded(), {"action": np.array([1, 0, 0]), "scores": SCORES + 1e-5}, POLICY)
    assert (found.equal, found.ties) == (3, 0)
    assert found.furthest == pytest.approx(1e-7)


def test_another_action_that_rounding_decides_is_counted_as_a_tie() -> None:
    found = compared(recorded(), {"action": np.array([1, 1, 0]), "scores": SCORES}, POLICY)
    assert (found.equal, found.ties) == (2, 1)


@pytest.mark.parametrize("scores", [SCORES, None])
def test_another_action_is_refused_and_its_observation_is_named(scores: Array | None) -> None:
    with pytest.raises(InputError, match=r"observation 2 of 3: the exported policy does 1, the checkpoint 0"):
        compared(recorded(scores), {"action": np.array([1, 0, 1]), "scores": SCORES}, POLICY)


def test_so_many_ties_are_refused_where_no_scores_prove_the_rest() -> None:
    with pytest.raises(InputError, match="1 of 3 actions are others; so many are no rounding"):
        compared(recorded(None), {"action": np.array([1, 1, 0])}, POLICY)


@pytest.mark.parametrize("wrong", [2.1, np.nan, np.inf])
def test_other_scores_are_refused_though_the_actions_are_equal(wrong: float) -> None:
    others = SCORES.copy()
    others[0, 1] = wrong
    with pytest.raises(InputError, match=r"observation 0 of 3: score 1 is .* in the exported policy, 2 in the check"):
        compared(recorded(), {"action": np.array([1, 0, 0]), "scores": others}, POLICY)


def test_what_has_no_score_is_not_compared() -> None:
    known = np.where(SCORES == 0, np.nan, SCORES)
    others = np.where(SCORES == 0, -np.inf, SCORES)
    assert compared(recorded(known), {"action": np.array([1, 0, 0]), "scores": others}, POLICY).equal == 3


def test_actions_that_are_numbers_are_equal_but_for_rounding() -> None:
    numbers = CheckpointAnswers({}, np.array([[0.5], [-2.0]], np.float32), None)
    policy = Computation(Q)
    near = compared(numbers, {"action": np.array([[0.5 + 1e-6], [-2.0]])}, policy)
    assert near.equal == 2 and near.furthest == pytest.approx(5e-7, rel=0.1)
    with pytest.raises(InputError, match=r"observation 0 of 2: action 0 is 0.51 in the exported policy, 0.5 in the"):
        compared(numbers, {"action": np.array([[0.51], [-2.0]])}, policy)


def test_combinations_of_several_choices_tie_as_single_actions() -> None:
    scores = np.array([[0.0, 1.0, 1.0 + 1e-7, 0.0]] * 200)
    q = Numbers(Input("obs", (4,), "float32"))
    seen = {"obs": scores.astype(np.float64)}
    policy = Computation(ArgMax(q), q, (q,))
    both = CheckpointAnswers(seen, np.array([[1, 0]] * 200), scores)
    own = np.array([[1, 0]] * 199 + [[0, 1]])  # combination 1, and the checkpoint's is 2
    assert compared(both, {"action": own, "scores": scores}, policy, combined=(2, 2)).ties == 1
    with pytest.raises(InputError, match=r"does \[0, 0\], the checkpoint \[1, 0\]"):
        compared(both, {"action": own * [[0], *[[1]] * 199], "scores": scores}, policy, combined=(2, 2))


def test_a_file_that_cannot_be_run_is_refused_in_its_own_words(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "policy.py"
    path.write_text("import numpy\n")
    with pytest.raises(InputError, match="cannot be run: ModuleNotFoundError: import of numpy halted"):
        replay.of_python(str(path), ["action"], {"obs": SCORES}, plain=True)


def test_a_file_that_fails_its_own_test_is_refused() -> None:
    found = {"action": np.array([1, 0, 0]), "scores": SCORES}
    with pytest.raises(InputError, match="fails its own test: 2 recorded actions are others"):
        replay.compared(recorded(), Ran(found, "a test", wrong=2), POLICY)
