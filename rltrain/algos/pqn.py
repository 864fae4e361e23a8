"""Parallelised Q-network: Q-learning from what was just played.

    return_t = reward_t + discount_t ((1 - lambda) max_a Q(s_t+1, a) + lambda return_t+1)

Source: Gallici et al. 2024, "Simplifying Deep Temporal Difference Learning"; the returns are Peng's Q(lambda) (Peng and
Williams 1994). There is no replay memory and no target network. All environments play some steps with a network that
stands still; then every transition is learned from a few times, towards the return that this network gave it. Layer
normalisation keeps the values from running away, which is what a target network is for elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rltrain.algos._pqn_config import PqnConfig
from rltrain.computation import Computation, Seen
from rltrain.core import Array, Env, EnvSpec, Hardware, Metrics, Policy, State, Step
from rltrain.counters import reached
from rltrain.deep import losses
from rltrain.deep.actor import Exploration
from rltrain.deep.device import resolve
from rltrain.deep.engine import engine
from rltrain.deep.greedy import computation_of_saved, greedy_copy, greedy_of_saved
from rltrain.deep.learner import Learner, Samples, UpdateStats, summary
from rltrain.deep.masks import masked
from rltrain.deep.networks import PIXEL, QNetwork, high_of, parameter_count, shape_of
from rltrain.deep.rewards import RewardScale
from rltrain.deep.trunks import chosen_convolutions
from rltrain.envs.episodes import Episodes
from rltrain.rng import Streams, derive
from rltrain.saved import Saved, resumed, step_state
from rltrain.steps import reward_to_learn


class Rollout(NamedTuple):
    """What N environments played in T steps."""

    obs: Array  # [T, N, *obs]
    action: Array  # [T, N] int64
    reward: Array  # [T, N] float32, raw
    discount: Array  # [T, N] float32, 0 where the task ended
    stops: Array  # [T, N] bool, the episode stops with this step, for either reason
    played: Array  # [T, N] bool, False where the step only opened an episode
    value: Array  # [T + 1, N] float32, the highest value at each observation and at the one that follows


@dataclass
class Begun:
    """A rollout that is under way."""

    explored: Exploration  # [T, N]
    rollout: Rollout
    at: int = 0  # steps of each environment so far

    def save(self) -> State:
        played = {name: column[: self.at].copy() for name, column in self.rollout._asdict().items()}
        return {"random": self.explored.random, "chosen": self.explored.action, "at": self.at, "rollout": played}


def begun_of(saved: Saved, rollout: Rollout, spec: EnvSpec) -> Begun:
    """What `Begun.save` told of, in a blank rollout."""
    shape = rollout.action.shape
    at, played, highest = saved.integer("at", 1, shape[0] - 1), saved.part("rollout"), spec.num_actions - 1
    played.fill("obs", rollout.obs[:at])
    played.fill("action", rollout.action[:at], 0, highest)
    played.fill("discount", rollout.discount[:at], 0, 1)
    for name in ("reward", "stops", "played", "value"):
        played.fill(name, rollout._asdict()[name][:at])
    return Begun(Exploration.of(saved.array("random", "bool", shape), saved, "chosen", spec), rollout, at)


def loss(config: PqnConfig, network: QNetwork, outputs: Tensor, samples: Samples) -> losses.Loss:
    """The mean of Huber's function of the errors, or of their squares. outputs [M, A, 1]."""
    each = partial(losses.huber, delta=config.huber_delta) if config.loss == "huber" else losses.squared
    return losses.regression(outputs, samples.action, samples.target, samples.weight, each)


class PQN:
    """PQN on N environments."""

    def __init__(self, config: PqnConfig, env: Env, rng: Streams, hardware: Hardware) -> None:
        self.config, self.spec, self.env = config, env.spec, env
        self.device = resolve(hardware.device)
        has_image = env.spec.has_image
        beside = has_image and self.device.type == "cpu"
        torch.set_num_threads(1 if beside or not has_image else hardware.threads)
        self._explore, self._order = rng.numpy("explore"), rng.numpy("order")
        self.learner = Learner(
            env.spec,
            shape_of(config, env.spec),
            partial(loss, config),
            rng.torch("init"),
            device=self.device,
            optimizer=config.optimizer,
            optimizer_eps=config.optimizer_eps,
            max_grad_norm=config.max_grad_norm,
        )
        self.chosen = chosen_convolutions(env.spec, config.convolutions)
        self.engine = engine(self.learner, self.device, beside=beside, threads=hardware.threads)
        self.rewards = RewardScale(config.reward_clip, config.reward_scale)
        self.episodes = Episodes(env.spec.num_envs)
        self.env_steps = self.updates = 0
        self.now = env.reset(derive(rng.seed, "train"))
        self._begun: Begun | None = None  # the rollout that is under way
        self._limits: Mapping[str, int] = {}

    @property
    def counters(self) -> Mapping[str, int]:
        return {"env_steps": self.env_steps, "episodes": self.episodes.total, "updates": self.updates}

    @property
    def done(self) -> bool:
        return False

    def pause_at(self, limits: Mapping[str, int]) -> None:
        self._limits = limits

    @property
    def paused(self) -> bool:
        return self._begun is not None

    def step(self) -> Metrics:
        """A rollout, and the updates that it is worth."""
        rollout = self._collect()
        return self.so_far() if rollout is None else self._row(self._learn(rollout))

    def so_far(self) -> Metrics:
        return self._row([])

    def _row(self, stats: Sequence[UpdateStats]) -> Metrics:
        return {
            **self.episodes.metrics(),
            **summary(stats, self.updates),
            "epsilon": self.epsilon,
            **self.rewards.metrics(),
        }

    @property
    def epsilon(self) -> float:
        """The chance of a random action, along a straight line."""
        first, final = self.config.exploration_initial_eps, self.config.exploration_final_eps
        return _line(first, final, self.config.exploration_steps, self.env_steps)

    @property
    def learning_rate(self) -> float:
        config = self.config
        final = config.learning_rate if config.learning_rate_final is None else config.learning_rate_final
        return _line(config.learning_rate, final, config.learning_rate_steps, self.env_steps)

    # Acting

    def _collect(self) -> Rollout | None:
        """Begin a rollout, or go on with the one that was paused. None: paused."""
        begun = self._begun = self._begun or self._begin()
        rollout, steps = begun.rollout, self.config.rollout_steps
        while begun.at < steps:
            i, step = begun.at, self.now
            rollout.value[i], greedy = self._best(step)
            explored = Exploration(*(column[i] for column in begun.explored))
            action = explored.over(greedy, step.mask)
            next_step = self.env.step(action)
            rollout.obs[i], rollout.action[i] = step.obs, action
            rollout.reward[i], rollout.discount[i] = reward_to_learn(next_step), next_step.discount
            rollout.stops[i], rollout.played[i] = next_step.last, ~step.last
            self.env_steps += int(rollout.played[i].sum())
            self.episodes.add(next_step)
            self.now = next_step
            begun.at += 1
            if begun.at < steps and reached(self._limits, self.counters):
                return None
        rollout.value[steps], _ = self._best(self.now)
        self._begun = None
        return rollout

    def _begin(self) -> Begun:
        """A rollout of nothing yet, and where its actions will be random."""
        return Begun(
            Exploration.drawn(self.epsilon, self.config.rollout_steps, self.spec, self._explore), self._blank()
        )

    def _blank(self) -> Rollout:
        t, n = self.config.rollout_steps, self.spec.num_envs
        return Rollout(
            obs=np.empty((t, n, *self.spec.obs_shape), self.spec.obs_dtype),
            action=np.empty((t, n), np.int64),
            reward=np.empty((t, n), np.float32),
            discount=np.empty((t, n), np.float32),
            stops=np.empty((t, n), np.bool_),
            played=np.empty((t, n), np.bool_),
            value=np.empty((t + 1, n), np.float32),
        )

    def _best(self, step: Step) -> tuple[Array, Array]:
        """The highest value [N] among the actions that are possible, and its action [N]."""
        with torch.inference_mode():
            values = self.learner.working(torch.from_numpy(step.obs).to(self.device))
            value, action = masked(values, step.mask).max(1)
        return value.cpu().numpy(), action.cpu().numpy()

    # Learning

    def _learn(self, rollout: Rollout) -> Sequence[UpdateStats]:
        """`epochs` times all that was played, in batches."""
        reward = self.rewards(rollout.reward)
        reward = self.rewards.scaled(reward, lambda: reward)
        target = returns(reward, rollout, self.config.gamma, self.config.trace_decay)
        stats = self.engine.learn(self._batches(rollout, target), self.learning_rate)
        self.updates += len(stats)
        return stats

    def _batches(self, rollout: Rollout, target: Array) -> Iterator[Samples]:
        """All that was played in random order, `epochs` times; the few that fill no batch are left out."""
        obs = rollout.obs.reshape(-1, *self.spec.obs_shape)
        actions, targets = torch.from_numpy(rollout.action.ravel()), torch.from_numpy(target.ravel())
        rows = np.flatnonzero(rollout.played)
        size = min(self.config.batch_size, len(rows))
        weight = torch.ones(size, device=self.device)
        for _ in range(self.config.epochs):
            order = self._order.permutation(rows)
            for start in range(0, len(order) - size + 1, size) if size else ():
                batch = order[start : start + size]
                x = self.learner.working.prepare(torch.from_numpy(obs[batch]).to(self.device))
                row = torch.from_numpy(batch)
                yield Samples(x, actions[row].to(self.device), targets[row].to(self.device), weight)

    # What it has learned

    def policy(self) -> Policy:
        return greedy_copy(self.learner.master, self.spec, shape_of(self.config, self.spec), self.device)

    def save(self) -> State:
        return {
            "learner": self.learner.save(),
            **({} if self.spec.obs_high == PIXEL else {"obs_high": self.spec.obs_high}),
            "env_steps": self.env_steps,
            "updates": self.updates,
            "auto_scale": self.rewards.auto,
            "now": step_state(self.now),
            "episodes": self.episodes.save(),
            "env": self.env.save(),
            **({} if self._begun is None else {"begun": self._begun.save()}),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.spec = replace(self.spec, obs_high=high_of(saved, self.spec))
        for network in (self.learner.master, self.learner.working):
            network.see_as_one(self.spec.obs_high)
        self.learner.load(saved.part("learner"))
        self.env_steps, self.updates = saved.integer("env_steps"), saved.integer("updates")
        self.rewards.load(saved)
        self.now = resumed(self.env, saved)
        self.episodes.load(saved.part("episodes"))
        self._begun = begun_of(saved.part("begun"), self._blank(), self.spec) if "begun" in saved else None
        if self._begun is not None:  # an episode that was left behind stops where it was
            self._begun.rollout.stops[self._begun.at - 1] |= self.now.last


def returns(reward: Array, rollout: Rollout, gamma: float, trace_decay: float) -> Array:
    """lambda-returns [T, N] float32. reward [T, N]: as learned from. Where an episode is cut the value takes over."""
    value = rollout.value
    out = np.empty_like(reward)
    after = value[-1]
    for t in range(len(reward) - 1, -1, -1):
        mixed = np.where(rollout.stops[t], value[t + 1], (1 - trace_decay) * value[t + 1] + trace_decay * after)
        out[t] = after = reward[t] + np.float32(gamma) * rollout.discount[t] * mixed
    return out


def _line(first: float, last: float, over: int, steps: int) -> float:
    return first + min(1.0, steps / over) * (last - first)


def load_policy(config: PqnConfig, spec: EnvSpec, state: State, hardware: Hardware) -> Policy:
    """The policy of a saved state, without its environments."""
    return greedy_of_saved(Saved.of(state), spec, shape_of(config, spec), hardware)


def computation(config: PqnConfig, spec: EnvSpec, state: State, seen: Seen) -> Computation:
    """What the policy of a saved state computes."""
    return computation_of_saved(Saved.of(state), spec, shape_of(config, spec), seen)


def cost(config: PqnConfig, spec: EnvSpec) -> dict[str, int]:
    """What a run of these settings needs: parameters, bytes of a rollout and of a checkpoint, cores; at most."""
    parameters = parameter_count(QNetwork(spec, shape_of(config, spec)))
    obs_bytes = int(np.prod(spec.obs_shape)) * (1 if spec.obs_dtype == "uint8" else 4)
    return {
        "parameters": parameters,
        "rollout_bytes": config.rollout_steps * spec.num_envs * (obs_bytes + 32),
        "checkpoint_bytes": 4 * 3 * parameters,
        "cores": 2 if spec.has_image else 1,
    }
