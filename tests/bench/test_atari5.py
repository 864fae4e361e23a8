"""Five games: what they say of 57."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import atari5


def test_scores_are_normalised_by_random_play_and_the_tester():
    assert atari5.normalised("Qbert", 163.9) == pytest.approx(0, abs=0.1)
    assert atari5.normalised("Qbert", 13455.0) == pytest.approx(100, abs=0.1)
    assert atari5.normalised("DoubleDunk", -20.8) == pytest.approx(-100)


def test_the_estimate_by_hand():
    """Equal scores of p in all games, whose weights sum to 0.9653: (1 + p)^0.9653 - 1."""
    assert atari5.median_of_57(dict.fromkeys(atari5.WEIGHTS, 99.0)) == pytest.approx(100**0.9653 - 1)
    nothing = dict.fromkeys(atari5.WEIGHTS, -500.0)  # worse than random play
    assert atari5.median_of_57(nothing) == 0
    assert atari5.median_of_57(nothing | {"BattleZone": 9999.0}) == pytest.approx(10 ** (4 * 0.382) - 1)


def test_rainbow_of_hessel_et_al_is_met_within_a_tenth():
    """Its scores in the five games after no-ops, table 6 there; its median is 223 % (table 1)."""
    scores = {"BattleZone": 62010.0, "DoubleDunk": -0.3, "NameThisGame": 13136.0, "Phoenix": 108528.6, "Qbert": 33817.5}
    percent = {game: atari5.normalised(game, score) for game, score in scores.items()}
    assert atari5.median_of_57(percent) == pytest.approx(223, rel=0.1)


def test_a_game_is_a_setting_of_its_runs():
    given = atari5.arguments(["--set", "run.threads=1", "--name", "try"])
    asked = atari5.of_game(given, "Qbert")
    assert (asked.set, asked.name) == (["run.threads=1", "environment.id=ALE/Qbert-v5"], "try-Qbert")
    assert given.set == ["run.threads=1"]


def test_the_table_has_the_estimate_when_all_five_are_there():
    found = {"seeds": [{"env_steps": 10}], "nature": {"mean": 1000.0}, "sticky": {"mean": 2000.0}}
    games = dict.fromkeys(atari5.WEIGHTS, found)
    assert len(atari5.table(games).rows) == 6
    assert len(atari5.table({"Qbert": found}).rows) == 1
