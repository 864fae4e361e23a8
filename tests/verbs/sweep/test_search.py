"""What a trial tries depends on the sweep, its number and the scores of earlier batches, and on nothing else."""

from __future__ import annotations

import itertools
import math

import pytest

from rltrain.experiment import sweep as sweeps
from rltrain.experiment.space import OneOf, Range
from rltrain.verbs.sweep.dimensions import at, count, inside, nth, place, values
from rltrain.verbs.sweep.search import KnownTrial, asks, generation_size
from rltrain.yaml_subset import flow, resolve

SPACE = """
  algorithm.learning_rate: {from: 1e-3, to: 1, log: true}
  algorithm.gamma: {from: 0.5, to: 1.0, step: 0.1}
  algorithm.start_value: {from: 0.0, to: 5.0}
  environment.num_envs: {from: 1, to: 64, log: true}
  environment.max_episode_steps: {from: 10, to: 20}
"""
CHOICES = "\n  algorithm.exploration_final_eps: [0.1, 0.0, 0.01]\n"
GP = pytest.param("gp", marks=pytest.mark.slow)  # half a second for a trial
LEARNING = ("tpe", GP, "cmaes")
SEARCHES = ("grid", "random", "sobol", *LEARNING)


@pytest.fixture
def made(tmp_path):
    (tmp_path / "small.yaml").write_text(
        "algorithm: qlearn\nenvironment: FrozenLake-v1\n"
        "run: {seed: 7, budget: {env_steps: 9_000}, evaluate: {every: {env_steps: 1_000}}}\n"
    )

    def sweep(search, *overrides, space=None):
        if space is None:
            space = SPACE if search == "cmaes" else SPACE + CHOICES
            if search == "grid":
                space = "\n  algorithm.gamma: {from: 0.5, to: 1.0, step: 0.1}" + CHOICES
        text = f"sweep: {{config: small.yaml, search: {search}, trials: 16}}\nspace:{space}"
        return sweeps.loads(text, str(tmp_path / "s.yaml"), overrides)

    return sweep


def score(point):
    return -sum(abs(math.log(abs(number) + 0.1)) for number in point.values())


def study(sweep, trials, at_once=4, known=()):
    """All points of a sweep, whose scores are those of `score`."""
    found = list(known)
    while len(found) < trials:
        first = len(found)
        points = asks(sweep, range(first, min(first + at_once, trials)), found)
        found += [KnownTrial(point, score(point)) for point in points]
    return found


@pytest.mark.parametrize("search", SEARCHES)
def test_every_trial_asked_alone_tries_what_it_tries_in_its_batch(made, search):
    sweep, known = made(search), study(made(search), 12)
    batch = asks(sweep, range(12, 16), known)
    for index in range(4):
        others = batch[:index] if search == "gp" else []  # what is tried beside it
        assert asks(sweep, [12 + index], known, others) == [batch[index]]


@pytest.mark.parametrize("search", SEARCHES)
def test_all_numbers_lie_in_their_ranges_and_have_their_types(made, search):
    sweep = made(search)
    for each in study(sweep, 16):
        assert list(each.point) == list(sweep.space)
        found = values(sweep.space, each.point)
        sweep.base.replace(*sweep.overrides(found))  # the config takes it
        for key, varied in sweep.space.items():
            if isinstance(varied, OneOf):
                assert found[key] in varied.values
                continue
            number = found[key]
            assert varied.low <= number <= varied.high
            assert type(number) is (int if varied.whole else float)
            assert varied.step is None or number in varied.points
            read = resolve(flow(number))
            assert (read, type(read)) == (number, type(number))  # the same bits


@pytest.mark.parametrize("search", LEARNING)
def test_a_search_that_learns_depends_on_the_scores_the_seed_and_how_many_are_asked_together(made, search):
    sweep, known = made(search), study(made(search), 12)
    usual = asks(sweep, range(12, 14), known)
    turned = [KnownTrial(each.point, -(each.score or 0)) for each in known]
    assert asks(sweep, range(12, 14), turned) != usual
    assert asks(made(search, "sweep.seed=1"), range(2), []) != asks(sweep, range(2), [])
    assert study(made(search, "sweep.at_once=3"), 16, at_once=3)[12:] != study(sweep, 16)[12:]


@pytest.mark.parametrize("search", ["random", "sobol"])
def test_other_searches_do_not_depend_on_scores_but_on_the_seed(made, search):
    sweep = made(search)
    assert asks(sweep, range(3, 5), []) == [each.point for each in study(sweep, 5)[3:]]
    assert asks(made(search, "sweep.seed=1"), range(3, 5), []) != asks(sweep, range(3, 5), [])


@pytest.mark.parametrize("search", SEARCHES)
def test_more_trials_leave_what_the_first_ones_try(made, search):
    assert study(made(search, "sweep.trials=18"), 16)[:12] == study(made(search), 12)


def test_a_grid_tries_every_combination_in_the_order_of_its_points(made):
    sweep = made("grid", "sweep.trials=null")
    found = [values(sweep.space, point) for point in asks(sweep, range(sweep.trials), [])]
    assert found == list(sweep.points())
    assert len(found) == 18


def test_sobol_points_fill_every_eighth_of_each_setting_once(made):
    sweep = made(
        "sobol", space="\n  algorithm.start_value: {from: 0.0, to: 8.0}\n  algorithm.gamma: {from: 0.0, to: 0.8}"
    )
    points = asks(sweep, range(8), [])
    assert sorted(int(point["algorithm.start_value"]) for point in points) == list(range(8))
    assert sorted(int(point["algorithm.gamma"] * 10) for point in points) == list(range(8))


@pytest.mark.parametrize("search", LEARNING)
def test_a_search_that_learns_comes_nearer_to_the_best_than_it_began(made, search):
    space = (
        "\n  algorithm.start_value: {from: -4.0, to: 5.0}\n  algorithm.learning_rate: {from: 0.01, to: 1.0, log: true}"
    )
    sweep, known = made(search, "sweep.trials=40", space=space), []
    while len(known) < 40:
        points = asks(sweep, range(len(known), len(known) + 4), known)
        known += [
            KnownTrial(p, -((p["algorithm.start_value"] - 2) ** 2) - math.log(p["algorithm.learning_rate"] / 0.1) ** 2)
            for p in points
        ]
    scores = [each.score for each in known]
    assert sum(scores[-8:]) > sum(scores[:8]) + 8  # by one on average, of about ten


@pytest.mark.parametrize("search", LEARNING)
def test_trials_without_a_score_are_no_hindrance(made, search):
    sweep = made(search)
    known = [KnownTrial(each.point, None if index < 3 else each.score) for index, each in enumerate(study(sweep, 12))]
    assert len(asks(sweep, range(12, 16), known)) == 4
    assert len(asks(sweep, range(12, 16), [each._replace(score=None) for each in known])) == 4


def test_a_gaussian_process_does_not_try_one_point_four_times(made):
    space = "\n  algorithm.start_value: {from: -4.0, to: 5.0}\n  algorithm.gamma: {from: 0.1, to: 0.9}"
    sweep = made("gp", space=space)
    batch = asks(sweep, range(12, 16), study(sweep, 12))
    for one, other in itertools.combinations(batch, 2):
        assert math.dist(list(one.values()), list(other.values())) > 0.01


def test_optuna_says_nothing_and_keeps_its_settings(made, capfd, recwarn):
    import optuna

    before = optuna.logging.get_verbosity()
    study(made("tpe"), 16)
    study(made("gp"), 12)
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list
    assert optuna.logging.get_verbosity() == before


def test_a_generation_is_whole_batches_and_no_smaller_than_its_default():
    assert [generation_size(5, at_once) for at_once in (1, 3, 4, 8, 16)] == [8, 9, 8, 8, 16]


RANGES = [
    Range(1e-5, 1e-2, log=True),
    Range(1, 64, log=True),
    Range(-3, 9),
    Range(-1.0, 2.0),
    Range(0.1, 0.7, step=0.2),
]


@pytest.mark.parametrize("varied", RANGES, ids=str)
def test_a_number_is_found_again_where_it_lies(varied):
    for index in range(200):
        number = at(varied, (index + 0.5) / 200)
        assert varied.low <= number <= varied.high
        assert at(varied, place(varied, number)) == pytest.approx(number, rel=1e-12)
        assert inside(varied, number) == number
    assert at(varied, 0.0) == pytest.approx(varied.low)
    assert at(varied, math.nextafter(1, 0)) == pytest.approx(varied.high)


def test_steps_are_what_their_digits_say():
    varied = Range(0.1, 0.7, step=0.2)
    assert [nth(varied, index) for index in range(count(varied))] == [0.1, 0.3, 0.5, 0.7]
    assert inside(varied, 0.30000000000000004) == 0.3


def test_whole_numbers_are_drawn_alike_often():
    varied = Range(1, 4)
    drawn = [at(varied, (index + 0.5) / 400) for index in range(400)]
    assert [drawn.count(number) for number in (1, 2, 3, 4)] == [100] * 4
