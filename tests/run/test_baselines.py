"""baselines.json: what there is to beat, measured once, the same each time."""

from __future__ import annotations

import json
import math
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from rltrain.experiment import config
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.run import answer_cache, baselines

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
    assert (found["reward_threshold"], found["episodes"], found["protocol"]) == (475.0, 100, "training")


def test_they_are_one_number_for_one_environment_whoever_asks(tmp_path: Path) -> None:
    one, other = (written(CARTPOLE.format(seed=seed), tmp_path / str(seed)) for seed in (1, 2))
    assert one == other
    assert one["baselines"] == baselines.standing(CART, None) == baselines.standing(CART, "training", threads=2)


def test_what_is_there_stays_unless_other_games_were_played(tmp_path: Path) -> None:
    about = {"protocol": "training", "episodes": 100, "seed": baselines.SEED}
    (tmp_path / baselines.FILE).write_text(json.dumps(about))
    assert written(CARTPOLE.format(seed=1), tmp_path) == about
    for text in (*(json.dumps(about | {key: 3}) for key in about), "{}", "{", "[]"):
        (tmp_path / baselines.FILE).write_text(text)
        assert written(CARTPOLE.format(seed=1), tmp_path)["baselines"]


def test_a_table_that_is_never_evaluated_has_them_where_a_score_counts_as_solved(tmp_path: Path) -> None:
    found = written("algorithm: qlearn\nenvironment: FrozenLake-v1\n", tmp_path)
    assert found["reward_threshold"] == 0.7
    assert found["baselines"]["random"] < 0.1


@pytest.mark.parametrize("name", ["book/viter.yaml", "qlearn_book.yaml"])
def test_where_nothing_is_played_nothing_is_written(name: str, tmp_path: Path) -> None:
    baselines.write(config.load(Path(__file__).parents[2] / "configs" / name), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_games_take_about_as_long_in_every_environment() -> None:
    for limit in (100, 200, 500, 1000, 4500, None):
        games = baselines.games_within(limit)
        assert baselines.FEWEST <= games <= baselines.MOST
        assert games * (limit or math.inf) <= baselines.STEPS or games == baselines.FEWEST


CART = EnvironmentConfig(id="CartPole-v1")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "rltrain" / "baselines"


def means(settings: EnvironmentConfig = CART, episodes: int = 3, seed: int = 0, **options: object) -> dict[str, float]:
    found: dict[str, float] = baselines.means(settings, None, episodes, seed, worth_seconds=0.0, **options)
    return found


def test_they_are_random_play_and_the_hard_coded_rule() -> None:
    found = means(episodes=100)
    assert list(found) == ["random", "angle"]
    assert 18 < found["random"] < 27
    assert 39 < found["angle"] < 45
    assert list(means(EnvironmentConfig(id="FrozenLake-v1"), 2)) == ["random"]


class Listening:
    """Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.phases: list[str] = []

    def phase(self, what: str, about: str = ""):
        self.phases.append(what)
        return nullcontext()

    def at(self, done: float, total: float, spent: float = math.nan, unit: str = "") -> None:
        pass


def test_what_was_played_once_is_recalled_for_exactly_the_same_question(cache: Path) -> None:
    played = Listening()
    first = means(progress=played)
    assert len(played.phases) == 2
    recalled = Listening()
    assert means(progress=recalled) == first
    assert recalled.phases == []
    for other in (
        {"seed": 1},
        {"episodes": 4},
        {"settings": EnvironmentConfig(id="CartPole-v0")},
        {"settings": EnvironmentConfig(id="CartPole-v1", max_episode_steps=9)},
    ):
        heard = Listening()
        means(**other, progress=heard)
        assert len(heard.phases) == 2, other
    assert len(list(cache.iterdir())) == 5


def test_what_is_quick_to_play_again_leaves_no_file(cache: Path) -> None:
    baselines.means(CART, None, 1, 0, worth_seconds=1e9)
    assert not cache.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 60_000,
        '{"question": {}, "answer": {"random": 1.0, "angle": 2.0}}',
        "nan",
        '{"answer": NaN}',
        "x" * (1 << 20),
    ],
)
def test_a_damaged_entry_is_as_none(cache: Path, text: str) -> None:
    first = means()
    (entry,) = cache.iterdir()
    whole = entry.read_text()
    entry.write_text(text)
    assert means() == first
    assert entry.read_text() == whole, "and is replaced"


@pytest.mark.parametrize(
    "answer", [{}, {"random": 1.0}, {"angle": 1.0, "random": 2.0}, {"random": "1", "angle": 2.0}, 3]
)
def test_an_entry_of_other_content_is_not_believed(cache: Path, answer: object) -> None:
    first = means()
    (entry,) = cache.iterdir()
    entry.write_text(json.dumps(json.loads(entry.read_text()) | {"answer": answer}))
    assert means() == first


def test_what_is_no_regular_file_is_not_read(cache: Path, tmp_path: Path) -> None:
    first = means()
    (entry,) = cache.iterdir()
    entry.rename(tmp_path / "elsewhere")
    entry.symlink_to(tmp_path / "elsewhere")
    heard = Listening()
    assert means(progress=heard) == first
    assert heard.phases, "a link is not followed"
    entry.unlink()
    os.mkfifo(entry)
    assert means() == first, "a pipe is not waited for"


@pytest.mark.parametrize("place", ["file", "relative", "nowhere"])
def test_without_a_place_to_keep_them_they_are_played(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.setenv("XDG_CACHE_HOME", {"file": str(tmp_path / "file"), "relative": "here", "nowhere": ""}[place])
    assert means() == means()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_the_games_of_an_environment_of_ones_own_are_played_each_time(cache: Path) -> None:
    import gymnasium
    from gymnasium.envs.classic_control import CartPoleEnv

    class Own(CartPoleEnv):
        pass

    gymnasium.register("Own-v0", entry_point=Own, max_episode_steps=20)
    means(EnvironmentConfig(id="Own-v0"))
    del gymnasium.registry["Own-v0"]
    assert not cache.exists()


def test_what_a_run_folder_says_is_not_believed(cache: Path, tmp_path: Path) -> None:
    """It may be anyone's: the number beside an evaluation is ours."""
    (tmp_path / baselines.FILE).write_text('{"protocol": "training", "baselines": {"random": 1e9, "angle": 1e9}}')
    written(CARTPOLE.format(seed=1), tmp_path)
    assert max(means().values()) < 500
    assert answer_cache.folder() == cache.parent
