"""PPO: a policy gradient of several steps, none of them too far.

    r_t = pi(a_t | s_t) / pi_old(a_t | s_t)
    objective = E[ min(r_t A_t, clip(r_t, 1 - clip_range, 1 + clip_range) A_t) ]        (Schulman et al. 2017, eq. 7)
                - vf_coef (V(s_t) - target_t)² + ent_coef entropy(pi(. | s_t))

All environments play n_steps with the policy as it is; then every step is learned from n_epochs times, in batches of a
random order. Advantages A_t are generalised advantage estimates (Schulman et al. 2016). Once an action's probability
has moved by clip_range in the direction that its advantage asks for, it gains nothing more, and its gradient is 0: so
many steps stay close to the policy that played. With one epoch of one batch it is A2C (Huang et al. 2022).

One step is a rollout and its updates. The gradient of the objective in what a network gave is written out here; the
network takes it from there: of vectors numpy (`policies.actor_critic`), of pictures torch (`algos._ppo_pictures`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from rltrain.algos._ppo_config import PpoConfig
from rltrain.algos._ppo_network import distribution_of, network_of, policy_of
from rltrain.core import Array, Env, Hardware, Metrics, Policy, State
from rltrain.counters import reached
from rltrain.envs.episodes import Episodes
from rltrain.errors import DivergedError
from rltrain.policies.actor_critic import Slope
from rltrain.policies.policy_gradient import advantages
from rltrain.rng import Streams, derive
from rltrain.saved import Saved, resumed, step_state
from rltrain.steps import reward_to_learn

EPS = 1e-8  # keeps a batch of equal advantages from being divided by nothing


class PolicyRollout(NamedTuple):
    """What N environments played in T steps."""

    obs: Array  # [T, N, *obs]
    mask: Array  # [T, N, width] bool, what could be done; width 0 where nothing is masked
    out: Array  # [T, N, outputs] float64, of the policy's network
    drawn: Array  # [T, N, *action], what was drawn from them
    value: Array  # [T + 1, N] float64, of each observation and of the one that follows
    reward: Array  # [T, N] float64
    discount: Array  # [T, N] float64, 0 where the task ended
    stops: Array  # [T, N] bool, the episode stops with this step, for either reason
    played: Array  # [T, N] bool, False where the step only opened an episode


class PolicyBatch(NamedTuple):
    """What updates learn from, M rows of a rollout."""

    out: Array  # [M, outputs], when it was played
    drawn: Array  # [M, *action]
    log_prob: Array  # [M] of what was drawn, when it was played
    mask: Array | None  # [M, width]
    value: Array  # [M], when it was played
    score: Array  # [M], the advantages
    target: Array  # [M], what the value should have been

    def take(self, rows: Array) -> PolicyBatch:
        mask = None if self.mask is None else self.mask[rows]
        return PolicyBatch(
            out=self.out[rows],
            drawn=self.drawn[rows],
            log_prob=self.log_prob[rows],
            mask=mask,
            value=self.value[rows],
            score=self.score[rows],
            target=self.target[rows],
        )


# What an update tells of itself, for the metrics: losses; the gradient's norm before clipping; the mean entropy; the KL
# divergence of the old policy from the new one, an estimate (Schulman 2020); the share of ratios beyond the range.
TOLD = ("loss/policy", "loss/value", "loss/grad_norm", "entropy", "kl", "clipped")
Update = dict[str, float]


class PPO:
    """PPO on N environments."""

    def __init__(self, config: PpoConfig, env: Env, rng: Streams, hardware: Hardware) -> None:
        self.config, self.spec, self.env = config, env.spec, env
        self._seed = rng.seed
        self._act, self._order = rng.numpy("act"), rng.numpy("order")
        self.distribution = distribution_of(config, env.spec)
        self.network = network_of(config, env.spec, rng.numpy("init"), hardware)
        self.episodes = Episodes(env.spec.num_envs)
        self.env_steps = self.updates = 0
        self.now = env.reset(derive(rng.seed, "train"))
        self._rollout, self._at = self._blank(), 0  # what is being played, and how many steps of it were
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
        return self._at > 0

    def step(self) -> Metrics:
        """A rollout, and the updates that it is worth."""
        return self._row(self._learn()) if self._collect() else self.so_far()

    def so_far(self) -> Metrics:
        return self._row([])

    def _row(self, updates: Sequence[Update]) -> Metrics:
        told = {name: [update[name] for update in updates if name in update] for name in TOLD}
        return {
            **self.episodes.metrics(),
            **{name: float(np.mean(values)) if values else math.nan for name, values in told.items()},
        }

    # Acting

    def _collect(self) -> bool:
        """Play a rollout, or go on with the one that was paused. Whether it is whole."""
        rollout, steps = self._rollout, self.config.n_steps
        while self._at < steps:
            i, now = self._at, self.now
            rollout.out[i], rollout.value[i] = self.network.see(now.obs)
            drawn = self.distribution.draw(rollout.out[i], self.network.free, now.mask, self._act)
            step = self.now = self.env.step(self.distribution.taken(drawn))
            rollout.obs[i], rollout.drawn[i] = now.obs, drawn
            if now.mask is not None:
                rollout.mask[i] = now.mask
            rollout.reward[i], rollout.discount[i] = reward_to_learn(step), step.discount
            rollout.stops[i], rollout.played[i] = step.last, ~now.last
            self.env_steps += int(rollout.played[i].sum())
            self.episodes.add(step)
            self._at += 1
            if self._at < steps and reached(self._limits, self.counters):
                return False
        rollout.value[steps] = self.network.see(self.now.obs)[1]
        self._at = 0
        return True

    def _blank(self) -> PolicyRollout:
        t, n, space = self.config.n_steps, self.spec.num_envs, self.spec.actions
        return PolicyRollout(
            obs=np.zeros((t, n, *self.spec.obs_shape), self.spec.obs_dtype),
            mask=np.ones((t, n, space.mask_width if self.spec.masked else 0), np.bool_),
            out=np.zeros((t, n, self.distribution.outputs)),
            drawn=np.zeros((t, n, *space.shape), np.float64 if space.form == "continuous" else np.int64),
            value=np.zeros((t + 1, n)),
            reward=np.zeros((t, n)),
            discount=np.zeros((t, n)),
            stops=np.zeros((t, n), np.bool_),
            played=np.zeros((t, n), np.bool_),
        )

    # Learning

    def _learn(self) -> Sequence[Update]:
        """`n_epochs` times all that was played, in batches, unless the policy gets too far from it before."""
        config, found = self.config, list[Update]()
        batch, inputs = self._batch(), self.network.inputs(self._rollout.obs.reshape(-1, *self.spec.obs_shape))
        rows = np.flatnonzero(self._rollout.played)
        parts = max(1, round(len(rows) / config.batch_size))
        learning_rate, clip_range = self._scheduled()
        for _ in range(config.n_epochs if len(rows) else 0):
            for own in np.array_split(self._order.permutation(rows), parts):
                update: Update = {}
                loss = partial(self._loss, batch.take(own), clip_range, update)
                norm = self.network.learn(inputs, own, loss, learning_rate)
                found.append(update)
                if norm is None:  # no step was taken
                    return found
                update["loss/grad_norm"] = norm
                self.updates += 1
                if not math.isfinite(norm):
                    raise DivergedError(
                        f"the gradient became {norm} after {self.updates:,} updates; "
                        "lower algorithm.learning_rate, or scale the rewards"
                    )
        return found

    def _batch(self) -> PolicyBatch:
        """All rows of the rollout."""
        config, rollout = self.config, self._rollout
        ends = rollout.stops if not config.bootstrap_time_limits else np.zeros_like(rollout.stops)
        discount = np.where(ends, 0.0, rollout.discount)
        score = advantages(rollout.reward, discount, rollout.stops, rollout.value, config.gamma, config.gae_lambda)
        rows = rollout.played.size
        out, drawn, mask = (
            column.reshape(rows, *column.shape[2:]) for column in (rollout.out, rollout.drawn, rollout.mask)
        )
        possible = mask if self.spec.masked else None
        return PolicyBatch(
            out,
            drawn,
            self.distribution.log_prob(out, self.network.free, drawn, possible),
            possible,
            rollout.value[:-1].ravel(),
            score.ravel(),
            (score + rollout.value[:-1]).ravel(),
        )

    def _loss(self, batch: PolicyBatch, clip_range: float, update: Update, out: Array, value: Array) -> Slope | None:
        """The gradient of what is to become less, at out [M, outputs] and value [M]; `update` is told what is seen.

        None if the policy is too far from the one that played.
        """
        config, free = self.config, self.network.free
        log_ratio = self.distribution.log_prob(out, free, batch.drawn, batch.mask) - batch.log_prob
        ratio = np.exp(log_ratio)
        kl = update["kl"] = float(np.mean(ratio - 1 - log_ratio))
        update["clipped"] = float(np.mean(np.abs(ratio - 1) > clip_range))
        if config.target_kl is not None and kl > 1.5 * config.target_kl:
            return None
        score = batch.score
        if config.normalize_advantage and len(score) > 1:
            score = (score - score.mean()) / (score.std(ddof=1) + EPS)
        within = np.where(score > 0, ratio <= 1 + clip_range, ratio >= 1 - clip_range)
        slopes = self.distribution.slopes(
            out, free, batch.drawn, np.where(within, ratio * score, 0.0), batch.mask, config.ent_coef
        )
        limited = np.clip(ratio, 1 - clip_range, 1 + clip_range)
        update["loss/policy"] = -float(np.mean(np.minimum(ratio * score, limited * score)))
        update["entropy"] = slopes.entropy
        error, moves = value - batch.target, 1.0
        if config.clip_range_vf is not None:
            apart = value - batch.value
            error = batch.value + np.clip(apart, -config.clip_range_vf, config.clip_range_vf) - batch.target
            moves = np.abs(apart) <= config.clip_range_vf
        update["loss/value"] = float(np.mean(error**2))
        return Slope(slopes.out, config.vf_coef * 2 / len(error) * error * moves, slopes.free)

    def _scheduled(self) -> tuple[float, float]:
        """Learning rate and clip range now, each along a straight line."""
        config = self.config
        share = min(1.0, self.env_steps / config.learning_rate_steps)
        lines = (
            (config.learning_rate, config.learning_rate_final),
            (config.clip_range, config.clip_range_final),
        )
        learning_rate, clip_range = (
            first if final is None else first + share * (final - first) for first, final in lines
        )
        return learning_rate, clip_range

    # What it has learned

    def policy(self) -> Policy:
        return policy_of(self.config, self.spec, self.network, derive(self._seed, "policy"))

    def save(self) -> State:
        played = {name: column[: self._at].copy() for name, column in self._rollout._asdict().items()}
        return {
            "network": self.network.save(),
            "env_steps": self.env_steps,
            "updates": self.updates,
            "now": step_state(self.now),
            "episodes": self.episodes.save(),
            "env": self.env.save(),
            "at": self._at,
            **({"rollout": played} if self._at else {}),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.network.load(saved.part("network"))
        self.env_steps, self.updates = saved.integer("env_steps"), saved.integer("updates")
        self.now = resumed(self.env, saved)
        self.episodes.load(saved.part("episodes"))
        self._at = saved.integer("at", 0, self.config.n_steps - 1)
        if self._at:
            played = saved.part("rollout")
            for name, column in self._rollout._asdict().items():
                played.fill(name, column[: self._at])
            self._rollout.stops[self._at - 1] |= self.now.last  # an episode that was left behind stops where it was
