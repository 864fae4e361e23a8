"""baselines.json: what there is to beat, measured once, the same each time."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from rltrain import config
from rltrain.run import baselines

CARTPOLE = "algorithm: dqn\nenvironment: CartPole-v1\nrun: {{seed: {seed}}}\n"


def written(text: str, folder: Path) -> dict[str, object]:
    folder.mkdir(exist_ok=True)
    baselines.write(config.loads(text, "x"), folder)
    found: dict[str, object] = json.loads((folder / baselines.FILE).read_text())
    return found


def test_random_play_the_rule_and_the_threshold_are_written(tmp_path: Path) -> None:
    found = written(CARTPOLE.format(seed=1), tmp_path)
    assert 15 < found["baselines"]["random"] < 35  # 22 in the mean
    assert 35 < found["baselines"]["angle"] < 50  # 42
    assert (found["reward_threshold"], found["episodes"], found["protocol"]) == (475.0, 25, "training")


def test_the_seed_alone_decides(tmp_path: Path) -> None:
    one, again, other = (
        written(CARTPOLE.format(seed=s), tmp_path / name) for s, name in ((1, "a"), (1, "b"), (2, "c"))
    )
    assert one == again
    assert one["baselines"] != other["baselines"]


def test_what_is_there_stays_unless_it_was_played_by_another_protocol(tmp_path: Path) -> None:
    (tmp_path / baselines.FILE).write_text('{"protocol": "training", "episodes": 3}')
    assert written(CARTPOLE.format(seed=1), tmp_path)["episodes"] == 3
    for text in ('{"protocol": "nature", "episodes": 3}', "{}", "{", "[]"):
        (tmp_path / baselines.FILE).write_text(text)
        assert written(CARTPOLE.format(seed=1), tmp_path)["protocol"] == "training"


@pytest.mark.parametrize("name", ["book/viter.yaml", "qlearn_book.yaml"])
def test_where_nothing_is_played_nothing_is_written(name: str, tmp_path: Path) -> None:
    baselines.write(config.load(Path(__file__).parents[2] / "configs" / name), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_games_take_about_as_long_in_every_environment() -> None:
    for limit in (100, 200, 500, 1000, 4500, None):
        games = baselines.games_within(limit)
        assert baselines.FEWEST <= games <= baselines.MOST
        assert games * (limit or math.inf) <= baselines.STEPS or games == baselines.FEWEST
