"""The robot vacuum: its physics, its dust, its senses, and that all its forms are the same game."""

import itertools
import json
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from in_process import command

from rltrain import envs, kinds
from rltrain.envs import vacuum
from rltrain.envs.serial import Serial
from rltrain.envs.vacuum import action_names, turn_action, turn_actions
from rltrain.envs.vacuum import gym as vacuum_gym
from rltrain.envs.vacuum import room as vacuum_room
from rltrain.envs.vacuum.layouts import LAYOUTS, VacuumOptions
from rltrain.envs.vacuum.robots import Vacuum
from rltrain.envs.vacuum.units import CELL, RADIUS, TOTAL, WALL
from rltrain.errors import CheckpointError, InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.rng import derive

SMALL = {"width": 3.0, "depth": 2.5, "turns": 8}


def make(num_envs: int = 1, steps: int | None = None, **kwargs: object) -> Vacuum:
    settings = EnvironmentConfig(id=vacuum.ID, max_episode_steps=steps, kwargs=kwargs)
    env = envs.make(settings, num_envs=num_envs)
    assert isinstance(env, Vacuum)
    return env


def moves(env: Vacuum, count: int, seed: int = 0) -> np.ndarray:
    """[count, N]: mostly forward."""
    stream = np.random.default_rng(seed)
    shape = (count, env.spec.num_envs)
    return np.where(stream.random(shape) < 0.8, 0, stream.integers(env.spec.num_actions, size=shape))


def put(env: Vacuum, x: float, y: float, heading: float) -> None:
    """Every robot to x, y in metres, heading in degrees to the left of the right."""
    lanes = env._robots.state
    lanes.place[:] = [x / CELL + WALL, y / CELL + WALL]
    lanes.heading[:] = round(heading * env._robots.options.turns / 360)


def alike(one, other) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one[:5], other[:5], strict=True))


# What it is to others


@pytest.mark.parametrize("kwargs", [{}, {"room": "flat", "turns": 8}, {"room": "empty", "dust": "even", "width": 4}])
def test_gymnasium_finds_nothing_wrong_with_it(kwargs):
    env = gymnasium.make(vacuum.ID, disable_env_checker=True, **kwargs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check=bool(kwargs))


def test_plain_gymnasium_makes_it_after_one_import():
    code = (
        "import sys, gymnasium, rltrain.envs.vacuum\nassert 'numba' not in sys.modules, 'the import is slow'\n"
        "env = gymnasium.make('RobotVacuum-v0')\nprint(env.spec.max_episode_steps, env.reset(seed=1)[0].shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1800 (16,)\n"


def test_its_spec():
    spec = envs.describe(EnvironmentConfig(id=vacuum.ID), num_envs=3)
    assert spec == make(3).spec
    assert (spec.obs_shape, spec.obs_dtype, spec.num_actions, spec.max_episode_steps) == ((16,), "float32", 73, 1800)
    assert spec.action_names[:2] == ("forward", "turn -175") and spec.action_names[-1] == "turn 180"
    assert envs.describe(EnvironmentConfig(id=vacuum.ID, max_episode_steps=60)).max_episode_steps == 60
    assert vacuum.ID in kinds.ids()


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"rom": "flat"}, "has no 'rom'; did you mean 'room'"),
        ({"room": "livin"}, "room: 'livin' is unknown; did you mean 'living'"),
        ({"turns": 10}, "turns: a multiple of 8 from 8 to 360, got 10"),
        ({"turns": 8.0}, "turns: a multiple of 8"),
        ({"width": 99}, "width: from 2 to 16 metres, got 99"),
        ({"depth": "6"}, "depth: from 2 to 16 metres"),
        ({"dust": True}, "dust: True is unknown; one of even, uneven"),
    ],
)
def test_wrong_arguments_are_named(kwargs, words):
    settings = EnvironmentConfig(id=vacuum.ID, kwargs=kwargs)
    for ask in (envs.make, envs.describe):
        with pytest.raises(InputError, match=rf"environment\.kwargs: .*{words}"):
            ask(settings)


@pytest.mark.parametrize("turns", [8, 24, 72, 360])
def test_an_angle_becomes_the_nearest_turn_and_its_name_says_so(turns):
    names = action_names(turns)
    assert len(set(names)) == turns + 1
    spacing = 360 / turns
    for angle in np.linspace(-180, 180, 1001):
        meant = float(names[turn_action(angle, turns)].removeprefix("turn "))
        assert -180 < meant <= 180
        assert abs((meant - angle + 180) % 360 - 180) <= spacing / 2 + 1e-9
    assert turn_action(370, turns) == turn_action(10, turns)
    angles = np.linspace(-180, 180, 1001)
    assert turn_actions(angles, turns).tolist() == [turn_action(angle, turns) for angle in angles]


# What a second does


def test_it_drives_twenty_centimetres_a_second_and_turns_to_the_left():
    env = make(room="empty", dust="even")
    env.reset(0)
    put(env, 4.0, 3.0, heading=0)
    for action, x, y, heading in [
        (0, 4.2, 3.0, 0), (turn_action(90), 4.2, 3.0, 90), (0, 4.2, 2.8, 90), (turn_action(-45), 4.2, 2.8, 45),
        (0, 4.2 + 0.2 / 2**0.5, 2.8 - 0.2 / 2**0.5, 45), (turn_action(-60), 4.34142, 2.65858, 345),
    ]:  # fmt: skip
        step = env.step(np.array([action]))
        facts = env._robots.facts()
        assert (facts["x"][0], facts["y"][0], facts["heading"][0]) == pytest.approx((x, y, heading), abs=1e-5)
        assert step.obs[0, 4:6] == pytest.approx([np.cos(np.deg2rad(heading)), np.sin(np.deg2rad(heading))], abs=1e-6)
        assert (step.reward[0] > 0) == (action == 0)


def test_a_second_on_even_dust_picks_up_what_its_strip_holds():
    env = make(room="empty", dust="even")
    env.reset(0)
    put(env, 4.0, 3.0, heading=0)
    env.step(np.array([0]))  # the first disc lies on dust that is not its own
    lanes = env._robots.state
    before = lanes.dust[0].reshape(-1, env._robots.room.columns).astype(int)
    reward = env.step(np.array([0])).reward[0]
    after = lanes.dust[0].reshape(before.shape)
    rows, _ = np.nonzero(before != after)
    assert (np.ptp(rows) + 1) * CELL == pytest.approx(2 * RADIUS * CELL)
    assert len(rows) == 28  # 7 x 4 cells, all with dust
    assert reward == pytest.approx((before - after).sum() / 1000)


@pytest.mark.parametrize(("heading", "x", "y"), [(0, 7.825, 3), (180, 0.175, 3), (90, 4, 0.175), (270, 4, 5.825)])
def test_a_wall_stops_it(heading, x, y):
    env = make(room="empty")
    env.reset(0)
    put(env, 4.0, 3.0, heading)
    bumps = [env.step(np.array([0])).obs[0, 0] for _ in range(40)]
    facts = env._robots.facts()
    assert (facts["x"][0], facts["y"][0]) == pytest.approx((x, y), abs=CELL / 2 + 1e-9)  # to the cell
    assert bumps == sorted(bumps) and bumps[0] == 0 and bumps[-1] == 1
    place = env._robots.state.place.copy()
    step = env.step(np.array([0]))
    assert step.obs[0, 0] == 1 and step.reward[0] == 0 and np.array_equal(place, env._robots.state.place)
    assert env.step(np.array([turn_action(180)])).obs[0, 0] == 0
    assert env.step(np.array([0])).obs[0, 0] == 0


@pytest.mark.parametrize("room", LAYOUTS)
def test_the_robot_never_stands_in_furniture_and_its_senses_stay_in_range(room):
    env = make(20, room=room)
    step = env.reset(1)
    table, space = env._robots.room, vacuum_gym._space()
    for move in moves(env, 400):
        column, row = np.floor(env._robots.state.place.T).astype(int)
        under = (row * table.columns + column)[:, None] + table.disc
        assert table.floor[under].all()
        assert (env._robots.state.dust[np.arange(20)[:, None], under] == 0).all()
        assert all(space.contains(own) for own in step.obs)
        step = env.step(move)


@pytest.mark.parametrize("room", LAYOUTS)
def test_no_dust_is_lost_or_made(room):
    env = make(16, room=room, width=5.5, depth=4.5)
    env.reset(2)
    lanes = env._robots.state
    assert (lanes.dust.sum(axis=1) == TOTAL).all()
    total = np.zeros(16)
    for move in moves(env, 300):
        total += env.step(move).reward
        assert (lanes.dust.sum(axis=1) + lanes.picked == TOTAL).all()
    assert total == pytest.approx(lanes.picked / 1000, abs=1e-4)
    assert total.min() > 0
    assert env._robots.facts()["dust_left"] == pytest.approx(100 - total, abs=1e-4)


def test_dust_under_furniture_stays_there():
    env = make(8, room="flat")
    env.reset(3)
    lanes, floor = env._robots.state, env._robots.room.floor
    assert (lanes.dust[:, ~floor] == 0).all()  # none lies there by itself
    lanes.dust[:, ~floor] = 7
    for move in moves(env, 1500):
        env.step(move)
    assert (lanes.dust[:, ~floor] == 7).all() and lanes.picked.min() > 0


def test_all_dust_is_within_reach():
    for name in LAYOUTS:
        room = vacuum_room.build(VacuumOptions(room=name))
        covered = np.zeros(len(room.floor), bool)
        covered[(room.starts[:, None] + room.disc).ravel()] = True
        assert np.array_equal(np.flatnonzero(covered), room.dusty)
        assert room.floor[covered].all() and covered.sum() > 0.9 * room.floor.sum() - 800


def test_what_comes_under_the_robot_is_what_was_not():
    """The tables of fresh cells against the discs themselves."""
    room = vacuum_room.build(VacuumOptions(room="empty"))
    disc = set(room.disc.tolist())
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            number = 3 * (dy + 1) + dx + 1
            new = set(room.fresh[number, : room.num_fresh[number]].tolist())
            shifted = {cell - dy * room.columns - dx for cell in disc}
            assert new == disc - shifted


def test_the_way_ahead_is_as_far_as_it_can_drive():
    env = make(30, room="living")
    env.reset(5)
    for move in moves(env, 20):
        env.step(move)
    lanes = env._robots.state
    lanes.place[:] = np.floor(lanes.place) + 0.5  # it looks from the middle of its cell
    expected = env.step(np.full(30, turn_action(0))).obs[:, 8] * 4.0  # metres
    start = lanes.place.copy()
    for _ in range(25):
        env.step(np.zeros(30, int))
    driven = np.hypot(*(env._robots.state.place - start).T) * CELL
    assert np.minimum(driven, 4.0) == pytest.approx(expected, abs=1e-6)
    assert (driven > 1).any()


def test_it_sees_dust_where_dust_is_and_not_behind_a_wall():
    env = make(room="flat", dust="even")
    env.reset(0)
    lanes = env._robots.state
    put(env, 2.0, 3.0, heading=0)
    lanes.dust[:] = 0
    assert env.step(np.array([turn_action(0)])).obs[0, 11:].tolist() == [0, 0, 0, 0, 0]
    grid = lanes.dust[0].reshape(-1, env._robots.room.columns)
    grid[: round(2.8 / CELL) + WALL] = 50  # above: to the left
    seen = env.step(np.array([turn_action(0)])).obs[0, 11:]
    assert seen[0] > 0.5 and seen[1] > 0.3 and seen[2:].max() == 0
    grid[:] = 0
    grid[round(3.4 / CELL) + WALL :] = 50  # below: to the right, but in the next room
    assert env.step(np.array([turn_action(0)])).obs[0, 11:].max() == 0


def test_the_heaps_are_uneven_and_the_even_floor_is_not():
    rough, flat = (make(4, dust=dust) for dust in ("uneven", "even"))
    for env, low, high in ((rough, 0.4, 3.0), (flat, 0.0, 0.15)):
        env.reset(0)
        dust = env._robots.state.dust[:, env._robots.room.dusty].astype(float)
        dust = dust[:, dust.min(axis=0) > 0]
        variation = dust.std(axis=1) / dust.mean(axis=1)
        assert (low <= variation).all() and (variation <= high).all()
    assert not np.array_equal(*rough._robots.state.dust[:2])


# One game in every form


def test_an_episode_ends_by_its_time_limit_and_the_next_one_opens():
    env = make(2, steps=5, **SMALL)
    first = env.reset(0)
    assert first.first.all() and not first.last.any() and first.obs[:, 2].tolist() == [1, 1]  # a full battery
    steps = [env.step(move) for move in moves(env, 7)]
    assert [step.last[0] for step in steps] == [0, 0, 0, 0, 1, 0, 0]
    assert [step.first[0] for step in steps] == [0, 0, 0, 0, 0, 1, 0]
    assert [float(step.obs[0, 2]) for step in steps] == pytest.approx(1 - np.array([1, 2, 3, 4, 5, 0, 1]) / 1800)
    assert all((step.discount == 1).all() for step in steps)
    assert steps[5].reward.tolist() == [0, 0] and not np.array_equal(steps[5].obs, first.obs)


def test_it_plays_as_single_gymnasium_games_do():
    settings = EnvironmentConfig(id=vacuum.ID, max_episode_steps=120, kwargs={"room": "flat", "turns": 24})
    from rltrain.envs.gym import games

    ours, theirs = envs.make(settings, num_envs=3), games.make(settings, 3)
    assert isinstance(theirs, Serial)
    assert alike(ours.reset(4), theirs.reset(4))
    for move in moves(ours, 400):
        assert alike(ours.step(move), theirs.step(move))


def test_gymnasiums_own_vector_of_single_games_agrees():
    ours, theirs = (
        gymnasium.make_vec(vacuum.ID, num_envs=3, vectorization_mode=mode, max_episode_steps=60, **SMALL)
        for mode in ("vector_entry_point", "sync")
    )
    assert ours.single_observation_space == theirs.single_observation_space
    assert ours.single_action_space == theirs.single_action_space
    stream = np.random.default_rng(0)
    for seed in (11, None):
        assert np.array_equal(ours.reset(seed=seed)[0], theirs.reset(seed=seed)[0])
        for _ in range(150):
            action = np.where(stream.random(3) < 0.8, 0, stream.integers(9, size=3))
            assert alike(ours.step(action)[:4], theirs.step(action)[:4])


def test_a_lane_does_not_depend_on_how_many_there_are():
    few, many = make(2, steps=50, **SMALL), make(9, steps=50, **SMALL)
    assert alike([part[:2] for part in many.reset(3)[:5]], few.reset(3)[:5])
    for move in moves(many, 150):
        assert alike([part[:2] for part in many.step(move)[:5]], few.step(move[:2])[:5])


def test_seeds_decide_and_nothing_else():
    one, same, other = (make(2) for _ in range(3))
    np.random.seed(1)
    assert alike(one.reset(1), same.reset(1)) and not alike(one.reset(1), other.reset(2))
    single = gymnasium.make(vacuum.ID)
    obs, _ = single.reset(seed=derive(1, 1, 0))
    assert np.array_equal(obs, one.reset(1).obs[1])


@pytest.mark.parametrize("at", [0, 1, 49, 50, 51, 120])
def test_load_goes_on_exactly_wherever_it_was_saved(at):
    env, other = make(3, steps=50, room="pillars"), make(3, steps=50, room="pillars")
    env.reset(8)
    actions = moves(env, 200)
    for move in actions[:at]:
        env.step(move)
    other.load(env.save())
    for move in actions[at:]:
        assert alike(env.step(move), other.step(move))


def test_what_was_handed_out_is_never_overwritten():
    env = make(3, steps=20, **SMALL)
    steps, copies = [env.reset(0)], []
    saved = env.save()
    copies = [[part.copy() for part in steps[0][:5]], saved["lanes"]["dust"].copy()]
    for move in moves(env, 60):
        steps.append(env.step(move))
    assert alike(steps[0], copies[0]) and np.array_equal(saved["lanes"]["dust"], copies[1])


def test_what_does_not_fit_is_refused():
    env = make(2)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(np.array([0, 0]))
    env.reset(0)
    for wrong in ([0, 73], [-1, 0], [0, 0, 0]):
        with pytest.raises(ValueError, match="expected 2 actions from 0 to 72"):
            env.step(np.array(wrong))
    with pytest.raises(CheckpointError, match="saved with 2 environments, now 3"):
        make(3).load(env.save())
    with pytest.raises(CheckpointError, match=r"lanes/dust: uint16 .* must be uint16"):
        make(2, width=4).load(env.save())


def test_a_run_trains_and_is_evaluated(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rltrain = command(capsys)
    config = tmp_path / "vacuum.yaml"
    config.write_text(
        "algorithm: basic\nenvironment: {id: RobotVacuum-v0, num_envs: 4, max_episode_steps: 100, kwargs: {turns: 8}}\n"
        "run: {budget: {episodes: 8}}\n"
    )
    assert rltrain("train", config, "--name", "x", "-q")[0] == 0
    code, out, _ = rltrain("eval", "--checkpoint", "x", "--episodes", 6, "--json")
    result = json.loads(out)
    assert code == 0
    assert result["truncated_share"] == 1 and set(result["lengths"]) == {100} and 0 < result["mean"] < 100


# How it looks


def test_pictures_show_what_happens():
    env = gymnasium.make(vacuum.ID, render_mode="rgb_array")
    assert env.metadata["render_fps"] == 30
    env.reset(seed=0)
    frames = [env.render()]
    for action in [0] * 10 + [turn_action(120)] + [0] * 10:
        env.step(action)
        frames.append(env.render())
    height, width, colours = frames[0].shape
    assert height >= 360 and width >= 480 and colours == 3 and height % 2 == width % 2 == 0
    assert all(frame.dtype == np.uint8 and frame.shape == frames[0].shape for frame in frames)
    assert all((one != other).any() for one, other in itertools.pairwise(frames))
    changed = np.mean((frames[0] != frames[-1]).any(axis=-1))
    assert 0.005 < changed < 0.25  # the robot, its path, the strip below; the room stands still
    env.reset(seed=0)
    assert np.array_equal(env.render(), frames[0])  # nothing of the last episode is left


def test_dust_is_dark_and_a_clean_floor_is_not():
    env = gymnasium.make(vacuum.ID, room="empty", dust="even", render_mode="rgb_array").unwrapped
    env.reset(seed=0)
    dusty = env.render()[:480].mean()
    env._robots.state.dust[:] = 0
    assert env.render()[:480].mean() > dusty + 10


def test_a_vector_shows_every_robot_and_a_silent_one_nothing():
    env = gymnasium.make_vec(vacuum.ID, num_envs=2, render_mode="rgb_array", **SMALL)
    single = gymnasium.make(vacuum.ID, render_mode="rgb_array", **SMALL)
    env.reset(seed=5)
    single.reset(seed=6)
    for _ in range(20):
        env.step(np.array([3, 0]))
        single.step(0)
    assert np.array_equal(env.render()[1], single.render())
    env = gymnasium.make_vec(vacuum.ID, num_envs=2)
    env.reset(seed=5)
    assert env.render() is None
    with pytest.raises(ValueError, match="render_mode: 'human' is unknown"):
        vacuum_gym.RobotVacuum(render_mode="human")
