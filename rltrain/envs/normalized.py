"""Observations and rewards normalised by statistics of all that was seen: one set for all environments side by side.

    mean, variance    of observations, and of the discounted sums G <- gamma G + reward of each environment
    obs               (obs - mean) / sqrt(variance + epsilon)
    reward to learn   reward / sqrt(variance of G + epsilon)

The moments of a batch are merged into those of all before it (Chan, Golub and LeVeque 1979). Settings and defaults are
those of Gymnasium's NormalizeObservation and NormalizeReward, whose statistics are of one environment each; shared ones
are as in Stable-Baselines3's VecNormalize. An observation is counted before it is shown. The reward of a `Step` stays
raw, and what a learner takes in its place is `Step.scaled`.

The statistics are no part of what the environments save: an algorithm that begins its games anew at every step saves
no environments, and an evaluation needs the statistics alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from rltrain.core import Array, Env, EnvSpec, Reopening, State, Step
from rltrain.errors import InputError
from rltrain.experiment.wrappers import ClipReward, NormalizeObservation, NormalizeReward, Shared, Wrapper
from rltrain.policies.normalizing import Normalization, cut
from rltrain.saved import Saved

FIRST_COUNT = 1e-4  # as Gymnasium and Stable-Baselines3 begin: mean 0 and variance 1, which soon count for nothing


class Moments:
    """Mean and variance of all rows so far."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.mean, self.variance, self.count = np.zeros(shape), np.ones(shape), FIRST_COUNT

    def add(self, rows: Array) -> None:
        """Take in rows [M, *shape]."""
        if not len(rows):
            return
        rows, more = rows.astype(np.float64), len(rows)
        total = self.count + more
        mean = np.add.reduce(rows, axis=0) / more  # a third of the time that `mean` and `var` take for a few rows
        apart, distance = rows - mean, mean - self.mean
        squares = self.variance * self.count + np.add.reduce(apart * apart, axis=0)
        squares += distance * distance * (self.count * more / total)
        self.mean = self.mean + distance * (more / total)
        self.variance, self.count = squares / total, total

    def save(self) -> State:
        return {"mean": self.mean.copy(), "variance": self.variance.copy(), "count": self.count}

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.mean = saved.like("mean", self.mean)
        self.variance = saved.like("variance", self.variance, 0)
        self.count = saved.number("count", FIRST_COUNT)


class Statistics:
    """What was seen of observations and rewards, in N environments side by side."""

    def __init__(self, wrappers: Sequence[Shared], obs_shape: tuple[int, ...], num_envs: int) -> None:
        self._obs = next((each for each in wrappers if isinstance(each, NormalizeObservation)), None)
        self._reward = next((each for each in wrappers if isinstance(each, NormalizeReward)), None)
        self.obs, self.returns = Moments(obs_shape), Moments((1,))
        self._running = np.zeros(num_envs)  # [N] the discounted sum of each environment's episode so far

    def normalization(self) -> Normalization | None:
        """Of observations, as they were seen so far; None: they are not normalised."""
        own = self._obs
        return None if own is None else Normalization(self.obs.mean, self.obs.variance, own.epsilon, own.clip)

    def deviation(self) -> float:
        """What rewards are divided by."""
        return float(np.sqrt(self.returns.variance[0] + self._reward.epsilon)) if self._reward else 1.0

    def see(self, obs: Array) -> None:
        """Take in observations [N, *obs]."""
        if self._obs is not None:
            self.obs.add(obs)

    def pay(self, reward: Array, first: Array) -> None:
        """Take in rewards [N]; where an episode opens, `first` [N], there is none."""
        if self._reward is not None:
            self._running = np.where(first, 0.0, self._running * self._reward.gamma + reward)
            self.returns.add(self._running[~first, None])

    def save(self) -> State:
        obs, reward = self._obs, self._reward
        return {
            "obs": None if obs is None else {**self.obs.save(), "epsilon": obs.epsilon, "clip": obs.clip},
            "returns": None if reward is None else {**self.returns.save(), "running": self._running.copy()},
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        if self._obs is not None:
            self.obs.load(saved.part("obs"))
        if self._reward is not None:
            returns = saved.part("returns")
            self.returns.load(returns)
            self._running = returns.like("running", self._running)


class Normalized:
    """N environments whose observations and rewards are normalised: `steps.Normalizing`."""

    def __init__(self, env: Env, wrappers: Sequence[Shared]) -> None:
        self.spec = env.spec
        self.statistics = Statistics(wrappers, env.spec.obs_shape, env.spec.num_envs)
        self._env = env
        self._rewards = [each for each in wrappers if not isinstance(each, NormalizeObservation)]
        self._held: tuple[Normalization | None, float] | None = None

    def reset(self, seed: int) -> Step:
        return self._normalized(self._env.reset(seed))

    def step(self, action: Array) -> Step:
        return self._normalized(self._env.step(action))

    @contextmanager
    def held(self) -> Iterator[None]:
        """See `steps.Normalizing`."""
        self._held = self.statistics.normalization(), self.statistics.deviation()
        try:
            yield
        finally:
            self._held = None

    def close(self) -> None:
        self._env.close()

    def save(self) -> State:
        return self._env.save()

    def load(self, state: State) -> None:
        self._env.load(state)

    def go_on_from(self, step: Step) -> Step:
        """See `core.Reopening`: of an episode that was opened in place of another the observation is normalised too."""
        if not isinstance(self._env, Reopening):
            return step
        found = self._env.go_on_from(step)
        if self.statistics.normalization() is None:
            return found
        opened = found.first & (found.obs != step.obs).any(axis=1)
        return found._replace(obs=np.where(opened[:, None], self._shown(found.obs), found.obs))

    def _normalized(self, step: Step) -> Step:
        self.statistics.see(step.obs)
        return step._replace(obs=self._shown(step.obs), scaled=self._scaled(step) if self._rewards else None)

    def _shown(self, obs: Array) -> Array:
        normalization = self._held[0] if self._held else self.statistics.normalization()
        return obs if normalization is None else normalization(obs)

    def _scaled(self, step: Step) -> Array:
        """Rewards [N] float32 as a learner takes them: through the wrappers, the first of them first."""
        reward = step.reward
        for each in self._rewards:
            if isinstance(each, ClipReward):
                reward = np.clip(reward, each.min_reward, each.max_reward)
            elif isinstance(each, NormalizeReward):
                self.statistics.pay(reward, step.first)
                deviation = self._held[1] if self._held else self.statistics.deviation()
                reward = cut(reward / deviation, each.clip)
        return reward.astype(np.float32)


def around(env: Env, listed: Sequence[Wrapper]) -> Env:
    """The environments with what a list of wrappers has for all of them; themselves if that is nothing."""
    shared = _shared(listed)
    return Normalized(env, shared) if shared else env


def scales(listed: Sequence[Wrapper]) -> bool:
    """Whether learners are to take other rewards than the raw ones."""
    return any(not isinstance(each, NormalizeObservation) for each in _shared(listed))


def check(listed: Sequence[Wrapper], spec: EnvSpec) -> None:
    """InputError for observations that are to be normalised and are not vectors of numbers."""
    if any(isinstance(each, NormalizeObservation) for each in listed) and (
        spec.obs_dtype != "float32" or spec.is_image
    ):
        raise InputError(
            f"environment.wrappers: NormalizeObservation is for vectors; {spec.id} shows pictures, which networks see"
            " from 0 to 1 without it"
        )


def _shared(listed: Sequence[Wrapper]) -> list[Shared]:
    return [each for each in listed if isinstance(each, Shared)]
