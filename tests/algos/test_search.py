"""Policy search: what is tried, what is kept, and what is written down."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from rltrain import envs
from rltrain.algos import search
from rltrain.core import Hardware
from rltrain.errors import InputError
from rltrain.experiment import config
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.policies import choosing
from rltrain.rng import Streams
from rltrain.run import begin

RANGES = {"w2": (0.0, 1.0), "w3": (0.0, 1.0)}
SPEC = envs.describe(EnvironmentConfig(id="CartPole-v1"))


def make(seed=0, num_envs=16, env_id="CartPole-v1", **settings):
    env = envs.make(EnvironmentConfig(id=env_id), num_envs=num_envs)
    return search.make(search.SearchConfig(**settings), env, Streams(seed), Hardware())


def test_random_points_lie_in_their_ranges_and_never_end():
    algorithm = make(batch=50, games=1, recheck=1, ranges=RANGES)
    algorithm.step()
    algorithm.step()
    family = choosing.make(search.SearchConfig(ranges=RANGES), SPEC)
    low, high = family.parameters.low, family.parameters.high
    assert algorithm.strategy.points.shape == (100, 5)
    assert (algorithm.strategy.points >= low).all() and (algorithm.strategy.points <= high).all()
    assert len(np.unique(algorithm.strategy.points, axis=0)) == 100
    assert not algorithm.done


def test_a_grid_is_tried_whole_and_then_done():
    algorithm = make(sampler="grid", steps=2, batch=12, games=1, recheck=1)
    while not algorithm.done:
        algorithm.step()
    assert algorithm.counters["policies"] == 32
    assert sorted(algorithm.strategy.points.tolist()) == sorted(
        np.array(np.meshgrid(*[[-1, 1]] * 5)).reshape(5, -1).T.tolist()
    )


def test_a_latin_design_is_tried_whole_and_then_done():
    algorithm = make(sampler="latin", points=30, batch=12, games=1, recheck=1)
    while not algorithm.done:
        algorithm.step()
    slices = np.floor((algorithm.strategy.points + 1) / 2 * 30).astype(int)
    assert all(sorted(column) == list(range(30)) for column in slices.T)


def test_every_score_belongs_to_its_point():
    """CartPole pays what an episode lasts, and a policy that always pushes one way falls at once."""
    algorithm = make(sampler="grid", steps=2, batch=32, games=2, recheck=1)
    algorithm.step()
    one_way = np.abs(algorithm.strategy.points[:, :4]).sum(axis=1) * 0 + np.sign(algorithm.strategy.points[:, 4])
    along = (algorithm.strategy.points[:, 2] > 0) & (algorithm.strategy.points[:, 3] > 0)
    assert set(one_way) == {-1, 1}
    assert (algorithm.strategy.scores[~along] < 60).all()
    assert algorithm.strategy.scores.argmax() in np.flatnonzero(along)


def test_steps_and_games_are_counted_as_they_were_played():
    algorithm = make(batch=10, games=3, recheck=7)
    metrics = algorithm.step()
    assert algorithm.counters["policies"] == 10
    assert algorithm.counters["episodes"] == 10 * 3 + 7
    assert algorithm.counters["env_steps"] == round(algorithm.strategy.scores.sum() * 3 + metrics["return/mean"] * 7)


def test_the_best_is_chosen_by_games_of_its_own():
    algorithm = make(batch=40, games=1, recheck=20)
    for _ in range(3):
        metrics = algorithm.step()
    best = algorithm.strategy.points[algorithm.strategy.scores.argmax()]
    assert metrics["population/best"] == algorithm.strategy.scores.max()
    assert metrics["champion/games"] >= 20
    assert any((algorithm.champion.candidate == point).all() for point in algorithm.strategy.points)
    assert best.shape == algorithm.champion.candidate.shape


@pytest.mark.parametrize("sampler", ["random", "grid", "latin"])
def test_a_loaded_algorithm_goes_on_exactly(sampler):
    settings = {"sampler": sampler, "steps": 3, "points": 100, "batch": 20, "games": 1, "recheck": 2}
    streams = [Streams(3), Streams(3)]
    one, other = (
        search.make(
            search.SearchConfig(**settings),
            envs.make(EnvironmentConfig(id="CartPole-v1"), num_envs=16),
            rng,
            Hardware(),
        )
        for rng in streams
    )
    one.step()
    other.load(one.save())
    streams[1].load(streams[0].save())
    for _ in range(3):
        assert one.step() == other.step()
    assert (one.strategy.points == other.strategy.points).all()
    assert one.counters == other.counters


EXPERIMENT = """
algorithm: {name: search, sampler: latin, points: 60, batch: 20, games: 2, recheck: 3}
environment: {id: CartPole-v1, num_envs: 4}
run: {budget: {policies: 1000}, save: {every: {policies: 20}}}
"""


def test_the_points_lie_in_the_run_folder(tmp_path: Path):
    run = begin.create(config.loads(EXPERIMENT, "test.yaml"), tmp_path, "x", "a test")
    list(run.advance())
    run.close()
    with (run.folder / "points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["w0", "w1", "w2", "w3", "bias", "score", "games"]
    read = np.array([[float(row[name]) for name in list(row)[:5]] for row in rows])
    assert (read == run.algorithm.strategy.points).all()
    assert [float(row["score"]) for row in rows] == run.algorithm.strategy.scores.tolist()
    assert {row["games"] for row in rows} == {"2"}
    last = json.loads((run.folder / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["policies"] == 60 and last["population/best"] == max(run.algorithm.strategy.scores)


def test_many_parameters_are_left_out_of_the_table():
    algorithm = make(policy="mlp", hidden=(8,), batch=4, games=1, recheck=1)
    algorithm.step()
    config = search.SearchConfig(policy="mlp", hidden=(8,))
    assert list(search.tables(config, SPEC, algorithm.save())["points"]) == ["score", "games"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sampler": "grid", "policy": "mlp"}, "sampler: latin"),
        ({"ranges": {"w9": (0, 1)}}, r"algorithm\.ranges\.w9: unknown parameter"),
        ({"policy": "walk_and_turn"}, "RobotVacuum-v0"),
        ({"env_id": "configs/mdp/book.yaml"}, "no time limit"),
    ],
)
def test_what_cannot_be_searched_is_refused(settings, words):
    with pytest.raises(InputError, match=words):
        make(**settings)
