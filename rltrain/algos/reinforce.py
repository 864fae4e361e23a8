"""REINFORCE: policy gradient from whole games.

The probability of actions that did better than usual is raised, in proportion to how much better.

    gradient of the return = E[ sum_t grad log pi(a_t | s_t) * score_t ]                      (Williams 1992)

The score of an action is the discounted sum of the rewards after it. With `baseline: value` a second network learns
what a state is worth, and the score is the advantage over that, by generalised advantage estimation
(Schulman et al. 2016); `gae_lambda` 1 is the return minus the baseline. Scores are normalised over the batch.

One step is one update: so many whole games with the weights as they are, then one step of Adam along the mean gradient
over all their actions, in one batched pass. Every update starts its games anew from a seed of its own, so between two
steps no game is running. The network is plain numpy: no deep-learning library is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, Field

from rltrain.core import AlgorithmPlugin, Array, Env, EnvSpec, Hardware, Metrics, Policy, State
from rltrain.envs.episodes import Episodes
from rltrain.errors import DivergedError, InputError
from rltrain.experiment.settings import STRICT
from rltrain.policies import mlp
from rltrain.policies.adam import Adam
from rltrain.rng import Streams, derive
from rltrain.saved import Saved

EPS = 1e-8  # keeps a batch of equal scores from being divided by nothing


class Config(BaseModel):
    """Settings of REINFORCE, named as in Stable-Baselines3 where it has them."""

    model_config = STRICT

    learning_rate: float = Field(0.02, gt=0, le=10, description="Step size of Adam.")
    learning_rate_final: float | None = Field(
        None, gt=0, le=10, description="Learning rate after learning_rate_updates, in a straight line. None: constant."
    )
    learning_rate_updates: int = Field(1_000, ge=1, description="Updates over which the learning rate moves.")
    games_per_update: int = Field(16, ge=1, le=100_000, description="Whole games of one update.")
    gamma: float = Field(0.99, ge=0, le=1, description="Discount a step, else a model's own.")
    normalize_scores: bool = Field(
        True, description="Scores are shifted and scaled to mean 0 and deviation 1 over the batch."
    )
    baseline: Literal["none", "value"] = Field(
        "none", description="value: scores are advantages over a learned value of the state."
    )
    gae_lambda: float = Field(
        1.0, ge=0, le=1, description="With a baseline: how far advantages look before they trust it; 1: to the end."
    )
    value_learning_rate: float = Field(0.01, gt=0, le=10, description="With a baseline: step size of its Adam.")
    value_epochs: int = Field(10, ge=1, le=1_000, description="With a baseline: its steps an update, on the batch.")
    ent_coef: float = Field(0.0, ge=0, le=10, description="Weight of the entropy bonus, which keeps actions random.")
    max_grad_norm: float | None = Field(None, gt=0, description="Gradients longer than this are scaled down.")
    reward_scale: float = Field(1.0, gt=0, description="Rewards are multiplied by this before learning.")
    hidden: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        (32,), max_length=8, description="Units of each hidden layer. []: linear."
    )
    activation: mlp.Activation = Field("tanh", description="Of the hidden units.")
    output: Literal["softmax", "sigmoid"] = Field(
        "softmax", description="softmax: an output an action; sigmoid: one, the chance of action 0 of two."
    )
    initializer: Literal["lecun", "he"] = Field("lecun", description="Variance of the first weights: 1 or 2 a unit.")
    output_gain: float = Field(
        0.1, gt=0, le=10, description="The last layer's first weights are multiplied by this; small: nearly uniform."
    )
    act: Literal["greedy", "sample"] = Field(
        "greedy", description="How the trained policy plays: its likeliest action, or as it did in training."
    )


class Batch(NamedTuple):
    """Whole games, [T, N]: lane by lane, one game after the other. What is not `played` counts for nothing."""

    obs: Array  # [T + 1, N, *obs] float64
    action: Array  # int64
    reward: Array  # float64, scaled
    discount: Array  # float64, 0 where the task ended
    last: Array  # bool
    played: Array  # bool


class Algorithm:
    """Plays, scores, steps."""

    def __init__(self, config: Config, env: Env, rng: Streams, hardware: Hardware) -> None:
        self.config, self.env, self.spec, self._seed = config, env, env.spec, rng.seed
        check(config, env.spec)
        self._act_stream = rng.numpy("act")
        self.weights = first_weights(config, env.spec, rng.numpy("init"))
        self._adam = Adam(self.weights)
        inputs = self.weights[0].shape[0]
        self.value = mlp.initial([inputs, *config.hidden, 1], rng.numpy("init value"), output_gain=config.output_gain)
        self._value_adam = Adam(self.value)
        self.episodes = Episodes(env.spec.num_envs)
        self.env_steps = self.updates = 0

    @property
    def counters(self) -> Mapping[str, int]:
        return {"env_steps": self.env_steps, "episodes": self.episodes.total, "updates": self.updates}

    @property
    def done(self) -> bool:
        return False

    # One update

    def step(self) -> Metrics:
        config = self.config
        batch = self._play()
        score, target = (each[batch.played] for each in self._scores(batch))
        obs, action = batch.obs[:-1][batch.played], batch.action[batch.played]
        if config.normalize_scores:
            score = normalized(score)
        gradients, entropy = policy_gradient(
            self.weights, obs, action, score, config.activation, config.ent_coef, self.spec.num_actions
        )
        gradients, norm = mlp.clipped(gradients, config.max_grad_norm)
        if not math.isfinite(norm):
            raise DivergedError(
                f"the gradient became {norm} after {self.updates:,} updates; "
                "lower algorithm.learning_rate, or scale the rewards"
            )
        self._adam.step(gradients, self._learning_rate())
        loss = self._fit_value(obs, target) if config.baseline == "value" else math.nan
        returns = self.episodes.add_games(batch.reward / config.reward_scale, batch.last, batch.played)
        self.env_steps += len(action)
        self.updates += 1
        return {
            **self.episodes.metrics(),
            "return/batch": float(np.mean(returns)),
            "entropy": entropy,
            "loss/grad_norm": norm,
            "loss/value": loss,
        }

    def _play(self) -> Batch:
        """Whole games, a fixed number a lane: the first to end would mostly be short ones."""
        due = np.full(self.spec.num_envs, self.config.games_per_update // self.spec.num_envs)
        due[: self.config.games_per_update % self.spec.num_envs] += 1
        now = self.env.reset(derive(self._seed, "games", self.updates))
        obs, action, steps, counted = [_flat(now.obs)], [], [], []
        while due.any():
            action.append(self._sample(obs[-1]))
            now = self.env.step(action[-1])
            counted.append(~now.first & (due > 0))
            due -= now.last & (due > 0)
            steps.append(now)
            obs.append(_flat(now.obs))
        return Batch(
            np.array(obs),
            np.array(action),
            np.array([step.reward for step in steps], np.float64) * self.config.reward_scale,
            np.array([step.discount for step in steps], np.float64),
            np.array([step.last for step in steps]),
            np.array(counted),
        )

    def _sample(self, obs: Array) -> Array:
        """One action a lane [N], each with its probability."""
        z = logits(self.weights, obs, self.config.activation, self.spec.num_actions)
        return draw(np.exp(z - z.max(axis=1, keepdims=True)), self._act_stream)

    def _scores(self, batch: Batch) -> tuple[Array, Array]:
        """Of every action [T, N]: how well it did, and what the value of its state should be."""
        config = self.config
        if config.baseline == "none":
            score = returns_to_go(batch.reward, batch.last, config.gamma)
            return score, score
        flat = batch.obs.reshape(-1, batch.obs.shape[-1])
        value = mlp.forward(self.value, flat, config.activation).reshape(batch.obs.shape[:2])
        score = advantages(batch.reward, batch.discount, batch.last, value, config.gamma, config.gae_lambda)
        return score, score + value[:-1]

    def _fit_value(self, obs: Array, target: Array) -> float:
        """Steps of the baseline towards target [rows]; the mean squared error before them."""
        losses = []
        for _ in range(self.config.value_epochs):
            out, kept = mlp.forward_kept(self.value, obs, self.config.activation)
            error = out[:, 0] - target
            losses.append(float(np.mean(error**2)))
            d_out = (2 / len(target)) * error[:, None]
            self._value_adam.step(
                mlp.gradient(self.value, kept, d_out, self.config.activation), self.config.value_learning_rate
            )
        if not all(np.isfinite(part).all() for part in self.value):
            raise DivergedError(
                f"the baseline's weights became no numbers after {self.updates:,} updates; "
                "lower algorithm.value_learning_rate, or scale the rewards"
            )
        return losses[0]

    def _learning_rate(self) -> float:
        config = self.config
        if config.learning_rate_final is None:
            return config.learning_rate
        share = min(1.0, self.updates / config.learning_rate_updates)
        return config.learning_rate + share * (config.learning_rate_final - config.learning_rate)

    # What it has learned

    def policy(self) -> Policy:
        weights = [part.copy() for part in self.weights]
        return _policy(self.config, weights, self.spec.num_actions, derive(self._seed, "policy"))

    def save(self) -> State:
        return {
            "weights": [part.copy() for part in self.weights],
            "adam": self._adam.save(),
            "value": [part.copy() for part in self.value],
            "value_adam": self._value_adam.save(),
            "env_steps": self.env_steps,
            "updates": self.updates,
            "episodes": self.episodes.save(),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        for key, own in (("weights", self.weights), ("value", self.value)):
            listed = saved.listed(key, len(own))
            for number, part in enumerate(own):
                listed.fill(str(number), part)
        self._adam.load(saved.part("adam"))
        self._value_adam.load(saved.part("value_adam"))
        self.env_steps = saved.integer("env_steps")
        self.updates = saved.integer("updates")
        self.episodes.load(saved.part("episodes"))


class NetworkPolicy:
    """Plays the likeliest action, or draws one from the probabilities where it has a stream."""

    score_name = "probability"

    def __init__(
        self, weights: mlp.Weights, activation: mlp.Activation, num_actions: int, stream: np.random.Generator | None
    ) -> None:
        self.weights, self._activation, self._stream = weights, activation, stream
        self._num_actions = num_actions

    def scores(self, obs: Array) -> Array:
        """The probability of every action, [N, A]."""
        return np.exp(log_policy(logits(self.weights, _flat(obs), self._activation, self._num_actions)))

    def act(self, obs: Array) -> Array:
        if self._stream is None:
            return np.asarray(logits(self.weights, _flat(obs), self._activation, self._num_actions).argmax(axis=1))
        return draw(self.scores(obs), self._stream)


def load_policy(config: Config, spec: EnvSpec, state: Mapping[str, Any], hardware: Hardware) -> Policy:
    """The policy of a saved state."""
    check(config, spec)
    shapes = mlp.shapes(layer_sizes(config, spec))
    saved = Saved.of(state).listed("weights", len(shapes))
    return _policy(
        config, [saved.array(str(i), "float64", shape) for i, shape in enumerate(shapes)], spec.num_actions, 0
    )


# The mathematics


def returns_to_go(reward: Array, last: Array, gamma: float) -> Array:
    """Discounted sum of the rewards from each step to its game's end; reward and last [T, N] -> [T, N].

    A game that a time limit cuts counts as ended: what would have come after is not known here.
    """
    out = np.zeros_like(reward)
    later = np.zeros(reward.shape[1])
    for t in reversed(range(len(reward))):
        later = out[t] = reward[t] + gamma * np.where(last[t], 0.0, later)
    return out


def advantages(reward: Array, discount: Array, last: Array, value: Array, gamma: float, gae_lambda: float) -> Array:
    """Generalised advantage estimates [T, N] of reward, discount, last [T, N] and the states' values [T + 1, N].

    A game that ended is worth nothing more (discount 0); one that a time limit cut, what its last state is worth.
    """
    error = reward + gamma * discount * value[1:] - value[:-1]
    return returns_to_go(error, last, gamma * gae_lambda)


def normalized(score: Array) -> Array:
    """Mean 0, deviation 1; [rows]."""
    return (score - score.mean()) / (score.std() + EPS)


def logits(weights: mlp.Weights, obs: Array, activation: mlp.Activation, num_actions: int) -> Array:
    """[rows, A] of obs [rows, in]."""
    return of_all_actions(mlp.forward(weights, obs, activation), num_actions)


def of_all_actions(out: Array, num_actions: int) -> Array:
    """The logits [rows, A] of the network's outputs [rows, A or 1].

    A single output z for two actions is the logit of action 0 against action 1: softmax of (z, 0) is sigmoid of z.
    """
    return out if out.shape[1] == num_actions else np.concatenate([out, np.zeros_like(out)], axis=1)


def log_policy(z: Array) -> Array:
    """Logarithm of the softmax of z [rows, A]."""
    z = z - z.max(axis=1, keepdims=True)
    return np.asarray(z - np.log(np.exp(z).sum(axis=1, keepdims=True)))


def draw(weight: Array, stream: np.random.Generator) -> Array:
    """An action a row [rows], with probabilities in proportion to weight [rows, A]."""
    mass = weight.cumsum(axis=1)
    return np.asarray((stream.random((len(mass), 1)) * mass[:, -1:] >= mass[:, :-1]).sum(axis=1))


def policy_gradient(
    weights: mlp.Weights,
    obs: Array,
    action: Array,
    score: Array,
    activation: mlp.Activation,
    ent_coef: float,
    num_actions: int,
) -> tuple[mlp.Weights, float]:
    """The gradient of the loss -mean(score log pi(action | obs)) - ent_coef entropy, and the entropy, in nats.

    Over rows of obs [rows, in], action [rows] and score [rows]. Equal to the mean over rows of the gradient of the
    action's cross-entropy times its score.
    """
    out, kept = mlp.forward_kept(weights, obs, activation)
    log_p = log_policy(of_all_actions(out, num_actions))
    p = np.exp(log_p)
    entropy = -(p * log_p).sum(axis=1, keepdims=True)
    d = p * score[:, None]
    d[np.arange(len(d)), action] -= score
    d += ent_coef * p * (log_p + entropy)
    d /= len(d)
    return mlp.gradient(weights, kept, d[:, : out.shape[1]], activation), float(entropy.mean())


# Small parts


def check(config: Config, spec: EnvSpec) -> None:
    """InputError for an environment or an output that this does not fit."""
    if spec.obs_dtype == "uint8":
        raise InputError(
            f"environment.id: {spec.id} shows images; reinforce learns from vectors of numbers, dqn from both"
        )
    if spec.max_episode_steps is None:
        raise InputError(
            f"environment.max_episode_steps: {spec.id} has no limit of its own, and reinforce learns from whole games; "
            "set one"
        )
    if config.output == "sigmoid" and spec.num_actions != 2:
        raise InputError(
            f"algorithm.output: sigmoid is for two actions, and {spec.id} has {spec.num_actions}; write softmax"
        )


def first_weights(config: Config, spec: EnvSpec, stream: np.random.Generator) -> mlp.Weights:
    """The policy network's weights before the first update."""
    variance = {"lecun": 1.0, "he": 2.0}[config.initializer]
    return mlp.initial(layer_sizes(config, spec), stream, variance, config.output_gain)


def layer_sizes(config: Config, spec: EnvSpec) -> list[int]:
    """Units of the policy network: inputs, hidden layers, outputs."""
    outputs = 1 if config.output == "sigmoid" else spec.num_actions
    return [math.prod(spec.obs_shape), *config.hidden, outputs]


def _policy(config: Config, weights: mlp.Weights, num_actions: int, seed: int) -> NetworkPolicy:
    stream = np.random.default_rng(seed) if config.act == "sample" else None
    return NetworkPolicy(weights, config.activation, num_actions, stream)


def _flat(obs: Array) -> Array:
    """[N, *obs] -> [N, in] float64."""
    return obs.reshape(len(obs), -1).astype(np.float64)


PLUGIN = AlgorithmPlugin(
    config=Config,
    make=Algorithm,
    budget={"env_steps": 500_000},
    num_envs=16,
    load_policy=load_policy,
)
