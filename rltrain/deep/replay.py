"""Replay memory: what N environments said, each observation stored once; batches of n-step transitions drawn from it.

A row is one environment at one time. Rows lie in time order, all environments of a vector step side by side, in a ring.
A row holds the newest frame of the observation, the action taken on it, and the reward and discount that followed.
Stacks of frames are rebuilt when they are read: a frame from before the episode is zeros. A million 84 x 84 transitions
take 7.2 GB.

    return_t = sum_{k<m} gamma^k (prod_{i<k} discount_i) reward_k,   m = n, or fewer where the episode stops or is cut

Uniform draws, or in proportion to |td error|^alpha with importance weights (Schaul et al. 2016). The ring is written
out in chunks that never change, so a checkpoint holds only names for what an earlier one has written.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from rltrain.core import Array, Blob, EnvSpec, State, Step
from rltrain.deep.priorities import MAX_PRIORITY, Priorities
from rltrain.deep.shifts import shifted
from rltrain.deep.transitions import Batch, Transitions
from rltrain.deep.trunks import with_pictures
from rltrain.saved import Saved

CHUNK_ROWS = 4096  # rows of an immutable chunk, about 29 MB of Atari frames before compression


class Replay:
    """The last `capacity` transitions of `spec.num_envs` environments.

    gamma, n_step     of the transitions; `draw` may ask for fewer steps, and another discount
    priority_alpha    exponent of the priorities: 0 is uniform draws, 1 in proportion to the error. None: uniform draws
    priority_beta     exponent of the importance weights: 0 is no correction, 1 a full one
    random_shift      pixels by which images may be shifted, each way
    device            where the frames lie, the processor's memory by default; all else stays with the processor
    """

    def __init__(
        self,
        capacity: int,
        spec: EnvSpec,
        *,
        n_step: int,
        gamma: float,
        priority_alpha: float | None = None,
        priority_beta: float = 0.0,
        random_shift: int = 0,
        rng: np.random.Generator,
        device: torch.device | None = None,
    ) -> None:
        self.random_shift = random_shift
        self.num_envs, self.stack, self.n_step, self.gamma = spec.num_envs, spec.frame_stack, n_step, gamma
        self.capacity_steps = max(capacity // spec.num_envs, n_step + 2)  # vector steps that may be drawn
        self.chunk_steps = max(self.stack + n_step, CHUNK_ROWS // spec.num_envs)
        # The ring is longer than the capacity by the history of the oldest stack and by one chunk, so that every chunk
        # that a checkpoint needs is still whole.
        kept = self.capacity_steps + self.stack - 1 + self.chunk_steps
        self.ring_steps = -(-kept // self.chunk_steps) * self.chunk_steps
        self._rng = rng
        self._num_actions, self._parts = spec.num_actions, spec.parts

        rows = self.ring_steps * self.num_envs
        self._frame_shape = spec.obs_shape[1:] if self.stack > 1 else spec.obs_shape
        dtype = torch.uint8 if spec.obs_dtype == "uint8" else torch.float32
        size = int(np.prod(self._frame_shape))
        # The last row stays zeros: the frames before an episode.
        self._frames = torch.zeros((rows + 1, size), dtype=dtype, device=device)
        self._frames.fill_(0)  # touch every page now: memory that is not there must fail at the start, not in hour five
        self._action = np.zeros(rows, np.int64 if spec.num_actions > 256 else np.uint8)
        self._reward = np.zeros(rows, np.float32)
        self._discount = np.zeros(rows, np.bool_)  # discounts of environments are 0 or 1
        self._last = np.zeros(rows, np.bool_)
        self._age = np.zeros(rows, np.uint8)  # steps since the episode's first observation, at most stack - 1
        # What is possible at the observation, a bit an action; no columns where everything always is.
        self._masked = spec.masked
        self._mask = np.full((rows, -(-spec.num_actions // 8) if spec.masked else 0), 255, np.uint8)

        self._priorities = None if priority_alpha is None else Priorities(rows, priority_alpha, priority_beta)
        self._env_age = np.zeros(self.num_envs, np.int64)
        self.steps = 0  # vector steps ever added

    def __len__(self) -> int:
        """Rows that are stored and may be drawn, or may be once their successors are there."""
        return min(self.steps, self.capacity_steps) * self.num_envs

    @property
    def ready(self) -> bool:
        """Whether there is anything to draw."""
        return len(self._drawable_steps()) >= 2  # of two steps in a row at most one is an episode's last

    # Writing

    def add(self, step: Step, action: Array, reward: Array, discount: Array) -> None:
        """One vector step: what was seen, what was done, and what followed. Arrays [N]."""
        rows = self._row_of(np.full(self.num_envs, self.steps), np.arange(self.num_envs))
        frame = step.obs[:, -1] if self.stack > 1 else step.obs
        self._frames[rows[0] : rows[-1] + 1] = torch.from_numpy(np.ascontiguousarray(frame)).reshape(self.num_envs, -1)
        self._action[rows], self._reward[rows] = action, reward
        self._discount[rows], self._last[rows] = discount != 0, step.last
        if step.mask is not None:
            self._mask[rows] = np.packbits(step.mask, axis=1)
        self._env_age = np.where(step.first, 0, np.minimum(self._env_age + 1, self.stack - 1))
        self._age[rows] = self._env_age
        self.steps += 1
        if self._priorities is not None:
            self._open_and_close(self._priorities)

    def _open_and_close(self, priorities: Priorities) -> None:
        """Rows whose n successors are now there may be drawn; rows that left the capacity may not."""
        envs = np.arange(self.num_envs)
        opened, closed = self.steps - 1 - self.n_step, self.steps - 1 - self.capacity_steps
        if closed >= 0:
            priorities.close(self._row_of(np.full(self.num_envs, closed), envs))
        if opened >= 0:
            rows = self._row_of(np.full(self.num_envs, opened), envs)
            priorities.open(rows, but=self._last[rows])

    # Reading

    def draw(
        self, num_batches: int, batch_size: int, n_step: int | None = None, gamma: float | None = None
    ) -> list[Batch]:
        """Batches of transitions, all drawn from the memory as it stands; `n_step` at most that of the memory."""
        if self._priorities is None:
            rows = self._draw_uniform(num_batches * batch_size)
            weight = np.ones(rows.shape, np.float32)
        else:
            rows, weight = self._priorities.draw(num_batches, batch_size, len(self), self._rng)
        drawn = self._n_step(
            rows.ravel(), weight.ravel(), n_step or self.n_step, self.gamma if gamma is None else gamma
        )
        return [Batch(*(column[i : i + batch_size] for column in drawn)) for i in range(0, rows.size, batch_size)]

    def _shifts(self, count: int) -> Array:
        """Pixels down and right, [count, 2], each from -random_shift to random_shift."""
        if not self.random_shift:
            return np.zeros((count, 2), np.int64)
        return self._rng.integers(-self.random_shift, self.random_shift, (count, 2), endpoint=True)

    def _draw_uniform(self, count: int) -> Array:
        drawable = self._drawable_steps()
        rows = np.empty(count, np.int64)
        missing = np.arange(count)
        while missing.size:  # an episode's last observation starts no transition: draw again
            step = self._rng.integers(drawable.start, drawable.stop, missing.size)
            rows[missing] = self._row_of(step, self._rng.integers(0, self.num_envs, missing.size))
            missing = missing[self._last[rows[missing]]]
        return rows

    def _n_step(self, row: Array, weight: Array, n_step: int, gamma: float) -> Batch:
        """Sum rewards until n steps are done, the task ended, or the episode stopped."""
        reward = np.zeros(row.shape, np.float32)
        discount = np.ones(row.shape, np.float32)
        running, at = np.ones(row.shape, np.bool_), row
        for _ in range(n_step):
            reward += np.where(running, discount * self._reward[at], np.float32(0))
            discount *= np.where(running, np.float32(gamma) * self._discount[at], np.float32(1))
            at = np.where(running, self._later(at, 1), at)
            running &= (discount != 0) & ~self._last[at]
        shift, next_shift = self._shifts(len(row)), self._shifts(len(row))
        action, none = self._action[row].astype(np.int64), np.empty((len(row), 0), np.float32)
        return Batch(row, at, action, reward, discount, weight, shift, next_shift, none, none)

    def transitions(self, batch: Batch, prepare: Callable[[torch.Tensor], torch.Tensor]) -> Transitions:
        """A batch as tensors of the processor; `prepare` makes of observations what the networks take."""

        def observed(row: Array, shift: Array) -> torch.Tensor:
            return prepare(self.observations(row, shift))

        columns = (batch.action, batch.reward, batch.discount, batch.weight, batch.levels, batch.noise)
        action, reward, discount, weight, levels, noise = map(torch.from_numpy, columns)
        obs, next_obs = partial(observed, batch.row, batch.shift), partial(observed, batch.next_row, batch.next_shift)
        mask, next_mask = (
            None if mask is None else torch.from_numpy(mask) for mask in map(self.masks, (batch.row, batch.next_row))
        )
        return Transitions(obs, action, reward, discount, next_obs, weight, mask, next_mask, levels, noise)

    def observations(self, row: Array, shift: Array | None = None) -> torch.Tensor:
        """The observations of these rows, [M, *obs] in the environment's dtype, shifted by so many pixels [M, 2]."""
        obs = self.stacks(torch.from_numpy(self.frame_rows(row)).to(self._frames.device))
        return obs if shift is None else self.shifted(obs, partial(shifted, shift=shift))

    def shifted(self, obs: torch.Tensor, rule: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """Observations [M, *obs], of which the pictures [M, C, H, W] are shifted by this rule, if they are at all."""
        if not self.random_shift:
            return obs
        return with_pictures(obs, self._parts, rule) if self._parts else rule(obs)

    def masks(self, row: Array) -> Array | None:
        """What is possible at these observations, [M, A] bool; None where everything always is."""
        if not self._masked:
            return None
        return np.unpackbits(self._mask[row], axis=1, count=self._num_actions).astype(np.bool_)

    def frame_rows(self, row: Array) -> Array:
        """Where the frames of these observations lie, [M, stack] int64, the oldest first."""
        if self.stack == 1:
            return row[:, None]
        back = np.arange(self.stack - 1, -1, -1)
        return np.where(back <= self._age[row][:, None], self._later(row[:, None], -back), len(self._frames) - 1)

    def stacks(self, frame: torch.Tensor) -> torch.Tensor:
        """Frames put together, `frame_rows` [M, stack] on the memory's device -> [M, *obs]."""
        frames = self._frames.index_select(0, frame.flatten())
        lead = (len(frame),) if self.stack == 1 else (len(frame), self.stack)
        return frames.reshape(*lead, *self._frame_shape)

    def rewards(self) -> Array:
        """All that may be drawn, [len(self)] float32."""
        return self._reward[self._kept_rows()]

    def rewrite_priorities(self, row: Array, td_error: Array) -> None:
        """After learning: priority |td error|, if draws are prioritised. row and td_error [M]."""
        if self._priorities is not None:
            self._priorities.rewrite(row, td_error)

    # Places

    def _row_of(self, step: Array, env: Array) -> Array:
        return (step % self.ring_steps) * self.num_envs + env

    def _later(self, row: Array, steps: Array | int) -> Array:
        return (row + steps * self.num_envs) % (self.ring_steps * self.num_envs)

    def _drawable_steps(self) -> range:
        """Vector steps whose n successors are stored."""
        return range(max(0, self.steps - self.capacity_steps), self.steps - self.n_step)

    # Remembering

    def save(self) -> State:
        first_chunk, open_chunk = self._chunks()
        return {
            "steps": self.steps,
            "lane_age": self._env_age.copy(),
            "chunks": [self._blob(chunk) for chunk in range(first_chunk, open_chunk)],
            "tail": self._rows_of(open_chunk * self.chunk_steps, self.steps),
            "max_priority": 1.0 if self._priorities is None else self._priorities.highest,
            "priorities": None if self._priorities is None else self._priorities.leaves[self._kept_rows()].copy(),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.steps = saved.integer("steps")
        self._env_age = saved.like("lane_age", self._env_age, 0, self.stack - 1)
        first_chunk, open_chunk = self._chunks()
        chunks = saved.listed("chunks", open_chunk - first_chunk)
        columns = (self._action, self._reward, self._discount, self._last, self._age, self._mask)
        row = self._frames[0].nbytes + sum(column[0].nbytes for column in columns)
        most = self.chunk_steps * self.num_envs * row  # bytes
        for i, chunk in enumerate(range(first_chunk, open_chunk)):
            self._restore(chunk * self.chunk_steps, self.chunk_steps, chunks.blob(str(i), _chunk_name(chunk), most))
        start = open_chunk * self.chunk_steps
        self._restore(start, self.steps - start, saved.part("tail"))
        kept = self._kept_rows()
        last = self._last[kept].reshape(-1, self.num_envs)
        if (last[1:] & last[:-1]).any():  # else a draw that avoids them might never end
            saved.refuse("tail", "an episode ends with two steps in a row; a first one stands between two ends")
        highest = saved.number("max_priority", 1, MAX_PRIORITY)  # the first one, or a greater
        if self._priorities is None:
            if saved.given("priorities"):
                saved.refuse("priorities", "must be null: draws are uniform")
            return
        never = last.copy()
        never[-self.n_step :] = True
        self._priorities.highest = highest
        self._priorities.load(saved, kept, never.ravel())
        if self.ready and self._priorities.total <= 0:
            saved.refuse("priorities", "all 0: nothing could be drawn; some must be greater")

    def _chunks(self) -> tuple[int, int]:
        """The first chunk that is still needed, and the chunk that is still being filled."""
        oldest = max(0, self.steps - self.capacity_steps - self.stack + 1)
        open_chunk = self.steps // self.chunk_steps
        return min(oldest // self.chunk_steps, open_chunk), open_chunk

    def _kept_rows(self) -> Array:
        steps = np.arange(max(0, self.steps - self.capacity_steps), self.steps)
        return self._row_of(steps[:, None], np.arange(self.num_envs)).ravel()

    def _blob(self, chunk: int) -> Blob:
        start = chunk * self.chunk_steps
        return Blob(_chunk_name(chunk), lambda: self._rows_of(start, start + self.chunk_steps))

    def _rows_of(self, start: int, stop: int) -> dict[str, Array]:
        """The stored columns of vector steps start <= t < stop, which lie within one chunk: one run of the ring."""
        first = (start % self.ring_steps) * self.num_envs
        rows = slice(first, first + (stop - start) * self.num_envs)
        return {
            "frames": self._frames[rows].cpu().numpy().copy(),
            "action": self._action[rows].copy(),
            "reward": self._reward[rows].copy(),
            "discount": self._discount[rows].copy(),
            "last": self._last[rows].copy(),
            "age": self._age[rows].copy(),
            **({"mask": self._mask[rows].copy()} if self._masked else {}),
        }

    def _restore(self, start: int, steps: int, saved: Saved) -> None:
        """The columns of so many vector steps from `start` on."""
        first = (start % self.ring_steps) * self.num_envs
        rows = slice(first, first + steps * self.num_envs)
        frames = self._frames[rows]
        dtype = "uint8" if frames.dtype == torch.uint8 else "float32"
        frames.copy_(torch.from_numpy(saved.array("frames", dtype, tuple(frames.shape))))
        saved.fill("action", self._action[rows], 0, self._num_actions - 1)
        saved.fill("reward", self._reward[rows])
        saved.fill("discount", self._discount[rows])
        saved.fill("last", self._last[rows])
        saved.fill("age", self._age[rows], 0, self.stack - 1)
        if self._masked:
            saved.fill("mask", self._mask[rows])


def _chunk_name(chunk: int) -> str:
    return f"replay-{chunk:08d}"
