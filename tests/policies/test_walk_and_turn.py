"""The chapter's vacuum cleaner: how often it walks, and where it turns to."""

from dataclasses import replace

import numpy as np
import pytest

from rltrain.core import EnvSpec, Scoring
from rltrain.errors import InputError
from rltrain.policies import choosing
from rltrain.policies.parameters import Fixed
from rltrain.policies.walk_and_turn import WalkAndTurn, Wandering
from rltrain.spaces import Discrete

ANGLES = [-180 + 360 * k / 72 for k in range(1, 73)]  # -175 to 180 in steps of 5
SPEC = EnvSpec(
    id="Vacuum-v0", obs_shape=(4,), obs_dtype="float32", frame_stack=1,
    actions=Discrete(73, ("forward", *(f"turn {angle:g}" for angle in ANGLES))),
    num_envs=5, frames_per_step=1, max_episode_steps=1800, reward_threshold=None,
)  # fmt: skip


def play(p, r, draws=60_000, spec=SPEC):
    family = WalkAndTurn(spec)
    uniform = np.random.default_rng(0).random((draws, family.draws))
    return family.act(np.array([[p, r]]), np.zeros((draws, 4)), uniform)


def degrees(action):
    return np.array(ANGLES)[action[action > 0] - 1]


def test_it_walks_with_probability_p():
    assert abs((play(0.7, 90) == 0).mean() - 0.7) < 0.01
    assert (play(1.0, 90) == 0).all()
    assert (play(0.0, 90) > 0).all()


def test_it_turns_evenly_within_r():
    turned = degrees(play(0.0, 42.5))
    values, counts = np.unique(turned, return_counts=True)
    assert values.tolist() == list(range(-40, 41, 5))  # each stands for 2.5 degrees to either side
    assert np.abs(counts / len(turned) - 1 / 17).max() < 0.005


def test_no_range_is_no_turn():
    assert (degrees(play(0.0, 0.0)) == 0).all()


def test_the_full_circle_has_no_seam():
    values, counts = np.unique(degrees(play(0.0, 180.0, draws=720_000)), return_counts=True)
    assert len(values) == 72
    assert np.abs(counts / 10_000 - 1).max() < 0.05  # 180 is half from the one end and half from the other


def test_each_candidate_has_its_own_numbers():
    family = WalkAndTurn(SPEC)
    candidates = np.array([[1.0, 90], [0.0, 0.0], [0.0, 180.0], [0.5, 90], [0.5, 90]])
    uniform = np.array([[0.999, 0.5], [0.0, 0.9], [0.0, 1.0], [0.4, 0.0], [0.6, 0.0]])
    names = [SPEC.action_names[action] for action in family.act(candidates, np.zeros((5, 4)), uniform)]
    assert names == ["forward", "turn 0", "turn 180", "forward", "turn -90"]


def test_the_order_and_names_of_other_actions_do_not_matter():
    odd = replace(SPEC, actions=Discrete(5, ("beep", "turn 90", "turn -90", "forward", "turn 180")))
    assert np.isin(play(0.0, 100, spec=odd), [1, 2]).all()  # no turn of 0, so the nearest
    assert np.bincount(play(0.0, 180, spec=odd), minlength=5)[4] > 10_000
    assert (play(1.0, 100, spec=odd) == 3).all()


def test_it_is_the_default_where_its_actions_are():
    class Settings:
        policy, hidden, activation = None, (8,), "tanh"
        ranges = {"r": (0.0, 90.0)}  # noqa: RUF012

    family = choosing.make(Settings(), SPEC)
    assert family.parameters.names == ("p", "r")
    assert family.parameters.high.tolist() == [1, 90]
    plain = replace(SPEC, actions=Discrete(2, ("0", "1")))
    Settings.ranges = {}
    assert choosing.make(Settings(), plain).parameters.names[-1] == "bias"


def test_other_environments_are_refused():
    with pytest.raises(InputError, match=r"Vacuum-v0 are 0, 1"):
        WalkAndTurn(replace(SPEC, actions=Discrete(2)))


def test_it_says_that_it_knows_no_masks():
    with pytest.raises(InputError, match="masks actions"):
        WalkAndTurn(replace(SPEC, masked=True))


@pytest.mark.parametrize(("p", "r"), [(0.7, 90), (0.2, 42.5), (0.0, 180), (1.0, 30), (0.5, 0.0), (0.5, 1.0)])
def test_its_probabilities_are_those_of_what_it_draws(p, r):
    chances = WalkAndTurn(SPEC).chances(np.array([p, r]))
    drawn = np.bincount(play(p, r, draws=200_000), minlength=73) / 200_000
    assert chances.sum() == pytest.approx(1)
    assert (drawn[chances == 0] == 0).all()
    assert np.abs(drawn - chances).max() < 5 * np.sqrt(0.25 / 200_000)


def test_as_a_policy_it_says_them_for_every_observation():
    family = WalkAndTurn(SPEC)
    policy = Wandering(family, np.array([0.7, 90.0]), seed=1)
    assert isinstance(policy, Scoring)
    assert policy.scores(np.zeros((3, 4))).tolist() == [family.chances(np.array([0.7, 90.0])).tolist()] * 3
    fixed = Fixed(family, np.array([0.7, 90.0]), seed=1)
    assert policy.act(np.zeros((50, 4))).tolist() == fixed.act(np.zeros((50, 4))).tolist()
