"""Every algorithm's runs can be explained: a game with what its policy says of it. Found by discovery."""

from pathlib import Path

import numpy as np
import pytest
import small_runs

from rltrain.core import Scoring
from rltrain.verbs.explain.explain import Question, explain

CASES = {case: small_runs.PARTS[case] for case in small_runs.PARTS if case not in small_runs.SLOW}


@pytest.mark.parametrize("case", CASES)
def test_a_game_of_every_algorithm_is_explained(case: str, tmp_path: Path) -> None:
    (counter, *_) = small_runs.counters_of(case)
    run = small_runs.run_to(tmp_path / "run", small_runs.text_of(*CASES[case]), {counter: small_runs.BUDGETS[counter]})
    assert run.folder == tmp_path / "run"
    found = explain(tmp_path / "run", Question(step=0), last=True)
    game, steps = found.game, len(found.game)
    assert steps > 0
    assert game.end in ("over", "cut")
    assert {len(column) for column in game.columns.values()} == {steps}
    assert game.total[-1] + game.reward[-1] == pytest.approx(game.total_return)
    policy = found.recording.policy
    if isinstance(policy, Scoring):
        assert game.scores.shape == (steps, len(game.actions))
        assert np.isfinite(game.scores).any(axis=1).all()
        greedy = ~game.explored & (game.score_name == "Q")
        assert (game.scores[greedy, game.chosen[greedy]] == np.nanmax(game.scores[greedy], axis=1)).all()
    else:
        assert game.notes
        assert game.scores.shape == (steps, 0)
    if game.value_name:
        assert np.isfinite(game.td[:-1]).all()
    else:
        assert any("no values" in note for note in game.notes)
    assert found.details[0].step == 0
    assert found.json()["steps"][0]["step"] == 0
