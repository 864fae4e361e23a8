"""The replay memory against a plain list of everything that was ever said to it."""

import numpy as np
import pytest
import torch

from rltrain.core import EnvSpec, Step
from rltrain.deep.replay import Replay
from rltrain.deep.replay_size import replay_bytes
from rltrain.deep.shifts import shifted
from rltrain.spaces import Discrete

GAMMA = 0.9


def image_spec(num_envs: int, stack: int = 3) -> EnvSpec:
    return EnvSpec("Tape", (stack, 2, 2), "uint8", stack, Discrete(4, ("a", "b", "c", "d")), num_envs, 1, None, None)


class Tape:
    """Random episodes, and the whole history as lists: [time][lane]."""

    def __init__(self, num_envs: int, stack: int, seed: int, life_loss: bool = False) -> None:
        self.rng, self.num_envs, self.stack, self.life_loss = np.random.default_rng(seed), num_envs, stack, life_loss
        self.obs: list[np.ndarray] = []
        self.action: list[np.ndarray] = []
        self.reward: list[np.ndarray] = []
        self.discount: list[np.ndarray] = []
        self.last: list[np.ndarray] = []
        self._frames = np.zeros((num_envs, stack, 2, 2), np.uint8)
        self._next_is_first = np.ones(num_envs, bool)
        self._now = self._say(np.zeros(num_envs, bool))

    def _say(self, was_last: np.ndarray) -> Step:
        rng, n = self.rng, self.num_envs
        first = was_last if self.obs else np.ones(n, bool)
        frame = rng.integers(1, 256, (n, 2, 2), dtype=np.uint8)
        self._frames = np.concatenate([self._frames[:, 1:], frame[:, None]], axis=1)
        self._frames[first, :-1] = 0
        last = (rng.random(n) < 0.2) & ~first
        ended = last & (rng.random(n) < 0.5)  # the other half is cut by a time limit
        lost = (rng.random(n) < 0.1) & ~first & self.life_loss
        discount = np.where(ended | lost, 0.0, 1.0).astype(np.float32)
        return Step(self._frames.copy(), rng.normal(size=n).astype(np.float32), discount, first, last)

    def feed(self, replay: Replay, steps: int) -> None:
        for _ in range(steps):
            action = self.rng.integers(0, 4, self.num_envs)
            self.obs.append(self._now.obs)
            self.last.append(self._now.last)
            then = self._say(self._now.last)
            replay.add(self._now, action, then.reward, then.discount)
            self.action.append(action)
            self.reward.append(then.reward)
            self.discount.append(then.discount)
            self._now = then

    def transition(self, time: int, lane: int, n: int) -> tuple[float, float, int]:
        """The n-step return, the bootstrap's discount, and the time to bootstrap from: a plain loop over the lists."""
        total, discount = 0.0, 1.0
        for k in range(n):
            total += discount * self.reward[time + k][lane]
            discount *= GAMMA * self.discount[time + k][lane]
            if discount == 0 or self.last[time + k + 1][lane]:
                return total, discount, time + k + 1
        return total, discount, time + n


def exponents(priorities: tuple[float, float] | None) -> dict[str, float]:
    """The settings of prioritised replay, or none."""
    return {} if priorities is None else dict(zip(("priority_alpha", "priority_beta"), priorities, strict=True))


def make(
    num_envs: int, capacity: int, n_step: int, priorities: tuple[float, float] | None = None, stack: int = 3
) -> Replay:
    rng = np.random.default_rng(5)
    replay = Replay(capacity, image_spec(num_envs, stack), n_step=n_step, gamma=GAMMA, **exponents(priorities), rng=rng)
    return replay


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rltrain.deep.replay.CHUNK_ROWS", 24)


@pytest.mark.parametrize("priorities", [None, (0.6, 0.4)])
@pytest.mark.parametrize(
    ("num_envs", "n_step", "life_loss"), [(1, 1, False), (3, 1, True), (2, 3, True), (3, 5, False)]
)
def test_every_drawn_transition_is_the_one_that_happened(
    num_envs: int, n_step: int, life_loss: bool, priorities: tuple[float, float] | None
) -> None:
    tape = Tape(num_envs, 3, seed=n_step, life_loss=life_loss)
    spec = image_spec(num_envs)
    replay = Replay(60, spec, n_step=n_step, gamma=GAMMA, **exponents(priorities), rng=np.random.default_rng(1))
    seen = set()
    for _ in range(30):  # the ring of about 100 rows is crossed several times
        tape.feed(replay, 17)
        for batch in replay.draw(2, 16):
            obs, next_obs = replay.observations(batch.row).numpy(), replay.observations(batch.next_row).numpy()
            for i, row in enumerate(batch.row):
                position, lane = divmod(int(row), num_envs)
                newest = replay.steps - 1
                time = newest - (newest - position) % replay.ring_steps
                assert time >= replay.steps - replay.capacity_steps
                assert not tape.last[time][lane]
                total, discount, at = tape.transition(time, lane, n_step)
                assert batch.reward[i] == pytest.approx(total, abs=1e-5)
                assert batch.discount[i] == pytest.approx(discount, abs=1e-6)
                assert batch.action[i] == tape.action[time][lane]
                np.testing.assert_array_equal(obs[i], tape.obs[time][lane])
                if discount > 0:
                    np.testing.assert_array_equal(next_obs[i], tape.obs[at][lane])
                seen.add((time, lane))
    assert len(seen) > 300


def test_an_image_is_shifted_and_its_edge_repeated() -> None:
    image = torch.arange(1, 10, dtype=torch.uint8).reshape(1, 1, 3, 3)
    obs = torch.cat([image, image + 10], dim=1).repeat(3, 1, 1, 1)  # three observations of two frames
    still, down_two, up_and_right = shifted(obs, np.array([[0, 0], [2, 0], [-1, 1]])).numpy()
    np.testing.assert_array_equal(still, obs[0])
    np.testing.assert_array_equal(down_two[0], [[1, 2, 3], [1, 2, 3], [1, 2, 3]])
    np.testing.assert_array_equal(up_and_right[0], [[4, 4, 5], [7, 7, 8], [7, 7, 8]])
    np.testing.assert_array_equal(up_and_right[1], up_and_right[0] + 10)


def test_shifts_are_drawn_evenly_and_apart_for_both_observations() -> None:
    tape, rng = Tape(2, 3, seed=0), np.random.default_rng(1)
    replay = Replay(40, image_spec(2), n_step=1, gamma=GAMMA, random_shift=2, rng=rng)
    tape.feed(replay, 30)
    batch = replay.draw(1, 5000)[0]
    shifts = np.concatenate([batch.shift, batch.next_shift], axis=1)  # [M, 4]
    for column in shifts.T:
        values, counts = np.unique(column, return_counts=True)
        np.testing.assert_array_equal(values, [-2, -1, 0, 1, 2])
        assert np.abs(counts - 1000).max() < 150
    assert np.abs(np.corrcoef(shifts.T) - np.eye(4)).max() < 0.06
    plain = replay.observations(batch.row)
    np.testing.assert_array_equal(replay.observations(batch.row, batch.shift), shifted(plain, batch.shift))


def test_nothing_is_shifted_unless_it_is_asked_to() -> None:
    tape, replay = Tape(2, 3, seed=0), make(2, 40, 1)
    tape.feed(replay, 30)
    batch = replay.draw(1, 16)[0]
    assert not batch.shift.any() and not batch.next_shift.any()
    np.testing.assert_array_equal(replay.observations(batch.row, batch.shift), replay.observations(batch.row))


def test_the_rewards_are_those_that_are_stored() -> None:
    tape, replay = Tape(2, 3, seed=0), make(2, 40, 1)
    assert replay.rewards().size == 0
    tape.feed(replay, 15)
    np.testing.assert_array_equal(replay.rewards(), np.ravel(tape.reward))


def test_uniform_draws_reach_every_transition_equally() -> None:
    tape, replay = Tape(2, 3, seed=0), make(2, 40, 1)
    tape.feed(replay, 70)
    rows = np.concatenate([batch.row for batch in replay.draw(200, 100)])
    counts = np.unique(rows, return_counts=True)[1]
    expected = len(rows) / len(counts)
    assert len(counts) > 25
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_prioritised_draws_follow_the_priorities() -> None:
    tape, replay = Tape(2, 3, seed=0), make(2, 64, 1, (1.0, 0.5))
    tape.feed(replay, 60)
    batch = replay.draw(1, 32)[0]
    rows = np.unique(batch.row)
    replay.rewrite_priorities(rows, np.zeros(len(rows)))
    favourite = rows[:1]
    replay.rewrite_priorities(favourite, np.array([-50.0]))
    tree = replay._priorities
    assert tree is not None
    share = tree.leaves / tree.total
    drawn = np.concatenate([b.row for b in replay.draw(100, 100)])
    observed = np.bincount(drawn, minlength=len(share)) / len(drawn)
    np.testing.assert_allclose(observed, share, atol=0.01)
    assert observed[favourite] > 0.3

    # Weights: (size * share)^-beta over the largest of the batch.
    batch = replay.draw(1, 64)[0]
    raw = (len(replay) * share[batch.row]) ** -0.5
    np.testing.assert_allclose(batch.weight, raw / raw.max(), rtol=1e-6)


@pytest.mark.parametrize("priorities", [None, (0.6, 0.4)])
@pytest.mark.parametrize("steps", [3, 20, 41, 333])
def test_save_and_load_restore_every_draw(steps: int, priorities: tuple[float, float] | None) -> None:
    tape = Tape(3, 3, seed=7)
    spec = image_spec(3)

    def fresh(seed: int) -> Replay:
        return Replay(60, spec, n_step=2, gamma=GAMMA, **exponents(priorities), rng=np.random.default_rng(seed))

    ours, other = fresh(1), fresh(2)
    tape.feed(ours, steps)
    if ours.ready:
        batch = ours.draw(1, 8)[0]
        ours.rewrite_priorities(batch.row, np.arange(8.0))
    state = ours.save()
    other.load(state)
    other._rng.bit_generator.state = ours._rng.bit_generator.state
    for _ in range(12):  # they must agree from here on, too, across the seam
        now, action = tape._now, tape.rng.integers(0, 4, 3)
        then = tape._say(now.last)
        tape._now = then
        for replay in (ours, other):
            replay.add(now, action, then.reward, then.discount)
        if ours.ready:
            for mine, theirs in zip(ours.draw(2, 8), other.draw(2, 8), strict=True):
                for a, b in zip(mine, theirs, strict=True):
                    np.testing.assert_array_equal(a, b)
                for rows in (mine.row, mine.next_row):
                    np.testing.assert_array_equal(ours.observations(rows), other.observations(rows))


def test_a_chunk_keeps_its_name_and_its_content() -> None:
    tape, replay = Tape(3, 3, seed=7), make(3, 60, 2)
    tape.feed(replay, 40)
    before = {blob.name: blob.read() for blob in replay.save()["chunks"]}
    tape.feed(replay, 3)
    after = {blob.name: blob.read() for blob in replay.save()["chunks"]}
    common = before.keys() & after.keys()
    assert common
    for name in common:
        for column in before[name]:
            np.testing.assert_array_equal(before[name][column], after[name][column])


def test_a_million_atari_transitions_fit_in_7_5_gigabytes() -> None:
    spec = EnvSpec("ALE/MsPacman-v5", (4, 84, 84), "uint8", 4, Discrete(9, ("x",) * 9), 8, 4, None, None)
    assert replay_bytes(1_000_000, spec, 3, prioritised=True) < 7.5e9


def test_the_stated_bytes_are_the_real_ones() -> None:
    spec = image_spec(4)
    replay = Replay(5_000, spec, n_step=3, gamma=GAMMA, rng=np.random.default_rng(0))
    columns = (replay._action, replay._reward, replay._discount, replay._last, replay._age)
    real = replay._frames.numpy().nbytes + sum(column.nbytes for column in columns)
    assert replay_bytes(5_000, spec, 3, prioritised=False) == pytest.approx(real, rel=0.1)
