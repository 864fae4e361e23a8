"""Atari: exact save and load, and everything that the emulator would do differently if it were asked naively."""

import itertools

import numpy as np
import pytest

from rltrain import envs
from rltrain.core import Step
from rltrain.envs.atari import roms
from rltrain.envs.atari.emulators import Advance
from rltrain.envs.atari.settings import AtariConfig
from rltrain.errors import CheckpointError


def breakout(**settings) -> AtariConfig:
    """Short games of 60 to 120 steps with five lives, so lanes fall out of step at once."""
    chosen = {
        "frame_skip": 10,
        "screen_size": 24,
        "repeat_action_probability": 0.25,
        "terminal_on_life_loss": True,
        "reseed_every": 100,
    }
    return AtariConfig(id="ALE/Breakout-v5", **(chosen | settings))


def actions(env, steps: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(env.spec.num_actions, size=(steps, env.spec.num_envs))


def identical(one: Step, other: Step) -> bool:
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(one[:5], other[:5], strict=True))


@pytest.fixture(scope="module")
def tape():
    """4 lanes of Breakout: the steps, the states saved before each action, and where lanes were re-seeded."""
    env = envs.make(breakout(), num_envs=4, threads=2)
    moves = actions(env, 150)
    steps, states, reseeded = [env.reset(7)], [], []
    for t, move in enumerate(moves):
        states.append(env.save())
        steps.append(env.step(move))
        if (env.save()["life"] != states[-1]["life"]).any():
            reseeded.append(t + 1)
    return moves, steps, states, reseeded


def test_a_loaded_environment_goes_on_as_if_nothing_had_happened(tape):
    moves, steps, states, reseeded = tape
    a_last = next(t for t, step in enumerate(steps) if step.last.any())
    env = envs.make(breakout(), num_envs=4, threads=1)  # another number of threads
    for at in (a_last, reseeded[1] - 1):  # the second into a used environment, and over the re-seeding
        env.load(states[at])
        for t in range(at, at + 12):
            assert identical(env.step(moves[t]), steps[t + 1]), f"saved at {at}, differs {t - at} steps later"


def test_the_tape_covers_what_it_should(tape):
    _, steps, states, reseeded = tape
    assert len(set(states[-1]["journal"]["lengths"].tolist())) >= 2, "journals of different lengths"
    assert len(reseeded) >= 2
    lost_lives = sum(int(((step.discount == 0) & ~step.last).sum()) for step in steps)
    assert lost_lives > 15
    assert sum(int(step.last.sum()) for step in steps) >= 4


def test_every_game_opens_right_after_the_last_step_with_an_empty_stack(tape):
    _, steps, _, reseeded = tape
    for before, step in itertools.pairwise(steps):
        assert np.array_equal(step.first, before.last)
        assert not step.reward[step.first].any()
        assert (step.discount[step.first] == 1).all()
    opened = [steps[0], *(step for step in steps[1:] if step.first.any())]
    assert reseeded and any(steps[t].first.any() for t in reseeded)
    for step in opened:
        frames = step.obs[step.first].reshape(step.first.sum(), 4, -1)
        assert not frames[:, :3].any()
        assert frames[:, 3].any(axis=1).all()


def test_a_game_over_has_discount_zero(tape):
    steps = tape[1]
    assert all((step.discount[step.last] == 0).all() for step in steps)


def test_a_lost_life_cuts_only_in_training_and_changes_nothing_else(tape):
    moves, steps, _, _ = tape
    env = envs.make(breakout(), num_envs=4, threads=2, training=False)
    assert identical(env.reset(7), steps[0])
    for move, expected in zip(moves[:60], steps[1:], strict=False):
        step = env.step(move)
        assert np.array_equal(step.discount == 0, step.last)
        assert identical(step._replace(discount=expected.discount), expected)


def test_saving_changes_nothing():
    env = envs.make(breakout(), num_envs=2)
    moves = actions(env, 60)  # over a re-seeding
    runs = []
    for saves in (False, True):
        steps = [env.reset(1)]
        for move in moves:
            if saves:
                env.save()
            steps.append(env.step(move))
        runs.append(steps)
    assert all(identical(a, b) for a, b in zip(*runs, strict=True))


def test_a_time_limit_stops_the_game_and_keeps_the_discount():
    env = envs.make(AtariConfig(id="ALE/MsPacman-v5", max_episode_steps=12), num_envs=2)
    env.reset(0)
    for t in range(1, 27):
        step = env.step(np.array([0, 1]))
        assert step.last.all() == (t in (12, 25))  # the step between opens the next game
        assert step.first.all() == (t in (13, 26))
        assert (step.discount == 1).all()


def test_a_reset_right_after_a_last_opens_one_game_and_not_two():
    env = envs.make(AtariConfig(id="ALE/MsPacman-v5", max_episode_steps=1), num_envs=1)
    env.reset(0)
    assert env.step(np.array([0])).last[0]
    env.reset(0)
    assert not env.step(np.array([0])).first[0]


class ExtraLife:
    """Stands in for the emulators: a game with four lives is cut off, the next one opens with three."""

    def __init__(self):
        self.tape = iter([(4, False), (4, True), (3, False), (2, False), (2, False)])

    def reset(self, seeds, lanes):
        return np.zeros((1, 4, 84, 84), np.uint8), np.array([4])

    def step(self, action):
        lives, truncated = next(self.tape)
        flags = np.array([False]), np.array([truncated])
        return Advance(np.zeros((1, 4, 84, 84), np.uint8), np.array([0]), *flags, np.array([lives]))


def test_fewer_lives_in_a_new_game_are_no_lost_life():
    env = envs.make(AtariConfig(id="ALE/MsPacman-v5", terminal_on_life_loss=True), num_envs=1)
    env._emulators = ExtraLife()
    env.reset(0)
    steps = [env.step(np.array([0])) for _ in range(5)]
    assert [bool(step.last[0]) for step in steps] == [False, True, False, False, False]
    assert [float(step.discount[0]) for step in steps] == [1, 1, 1, 0, 1]


def test_rewards_are_raw_scores():
    env = envs.make(AtariConfig(id="ALE/MsPacman-v5"), num_envs=1)
    env.reset(0)
    rewards = {float(env.step(np.array([3])).reward[0]) for _ in range(100)}
    assert 10.0 in rewards  # a dot; clipped it would be 1


def test_observations_are_never_overwritten():
    env = envs.make(AtariConfig(id="ALE/MsPacman-v5"), num_envs=1)
    kept = [env.reset(0).obs]
    copies = [kept[0].copy()]
    for t in range(30):
        kept.append(env.step(np.array([t % 9])).obs)
        copies.append(kept[-1].copy())
    assert all(np.array_equal(a, b) for a, b in zip(kept, copies, strict=True))


def test_an_action_out_of_range_raises_instead_of_hanging():
    env = envs.make(AtariConfig(id="ALE/MsPacman-v5"), num_envs=2)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(np.array([0, 0]))
    env.reset(0)
    for bad in (9, -1, 10**12):
        with pytest.raises(ValueError, match="from 0 to 8"):
            env.step(np.array([0, bad]))
        assert env.step(np.array([0, 8])).obs.any(), "still usable"


def test_lanes_and_seeds_differ_and_the_same_seed_repeats():
    env = envs.make(AtariConfig(id="ALE/MsPacman-v5", repeat_action_probability=0.25), num_envs=2)
    moves = actions(env, 40)

    def frames(seed):
        env.reset(seed)
        return np.stack([env.step(move).obs for move in moves])

    first, again, other = frames(5), frames(5), frames(6)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[:, 0], first[:, 1])


@pytest.mark.parametrize(("noop_max", "num_envs", "fewest", "most"), [(0, 2, 1, 1), (1, 6, 2, 2), (30, 4, 3, 4)])
def test_no_ops_vary_the_start_and_include_their_number(noop_max, num_envs, fewest, most):
    env = envs.make(AtariConfig(id="ALE/MsPacman-v5", noop_max=noop_max), num_envs=num_envs)
    assert fewest <= len({frame.tobytes() for frame in env.reset(0).obs}) <= most


def test_the_spec_says_what_the_environment_does():
    settings = AtariConfig(id="ALE/MsPacman-v5", frame_stack=2, screen_size=42, frame_skip=5, full_action_space=True)
    env = envs.make(settings, num_envs=2)
    assert env.spec == envs.describe(settings, num_envs=2)
    assert env.spec.obs_shape == (2, 42, 42)
    assert env.reset(0).obs.shape == (2, 2, 42, 42)
    assert (env.spec.num_actions, env.spec.action_names[0]) == (18, "NOOP")
    assert (env.spec.max_episode_steps, env.spec.frames_per_step) == (3600, 5)  # 18,000 frames


def test_a_state_that_does_not_fit_or_does_not_replay_is_refused():
    settings = AtariConfig(id="ALE/MsPacman-v5")
    env, single = envs.make(settings, num_envs=2), envs.make(settings, num_envs=1)
    env.reset(0)
    env.step(np.array([1, 2]))
    with pytest.raises(CheckpointError, match="saved with 2 environments, now 1"):
        single.load(env.save())
    with pytest.raises(CheckpointError, match="did not reproduce"):
        env.load({**env.save(), "seed": 8})


def test_a_state_from_before_the_first_reset_loads():
    settings = AtariConfig(id="ALE/MsPacman-v5")
    env, other = envs.make(settings), envs.make(settings)
    other.load(env.save())
    assert identical(other.reset(3), env.reset(3))


@pytest.mark.slow
@pytest.mark.parametrize("game", roms.games())
def test_every_game_resumes_exactly(game):
    settings = AtariConfig(id=game, repeat_action_probability=0.25, reseed_every=40, max_episode_steps=30)
    env, other = envs.make(settings, num_envs=2, threads=2), envs.make(settings, num_envs=2, threads=2)
    moves = actions(env, 120)
    env.reset(11)
    for move in moves[:80]:
        env.step(move)
    other.load(env.save())
    for move in moves[80:]:
        assert identical(other.step(move), env.step(move))
