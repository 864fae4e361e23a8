"""REINFORCE: policy gradient from whole games.

The probability of actions that did better than usual is raised, in proportion to how much better.

    gradient of the return = E[ sum_t grad log pi(a_t | s_t) * score_t ]                      (Williams 1992)

The score of an action is the discounted sum of the rewards after it. With `baseline: value` a second network learns
what a state is worth, and the score is the advantage over that, by generalised advantage estimation
(Schulman et al. 2016); `gae_lambda` 1 is the return minus the baseline. Scores are normalised over the batch.

One step is one update: so many whole games with the weights as they are, then one step of Adam along the mean gradient
over all their actions, in one batched pass. Every update starts its games anew from a seed of its own, so between two
steps no game is running. Actions may be one of some, several choices or numbers: `policies.distributions`. The network
is plain numpy: no deep-learning library is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from rltrain.algos._reinforce_config import ReinforceConfig
from rltrain.computation import Computation, Seen
from rltrain.core import AlgorithmPlugin, Array, Env, EnvSpec, Hardware, Metrics, Policy, State
from rltrain.envs.episodes import Episodes
from rltrain.errors import DivergedError, InputError
from rltrain.policies import as_computation, distributions, inputs, mlp, whole_games
from rltrain.policies.adam import Adam
from rltrain.policies.distributions import Categorical, Distribution
from rltrain.policies.policy_gradient import advantages, normalized, policy_gradient, returns_to_go, value_gradient
from rltrain.policies.trained import DistributionPolicy, SoftmaxPolicy
from rltrain.policies.whole_games import WholeGames
from rltrain.rng import Streams, derive
from rltrain.saved import Saved
from rltrain.spaces import Discrete
from rltrain.steps import held
from rltrain.warm_start import Taken, WarmSource


class Reinforce:
    """An algorithm whose step is one update: play whole games, score their actions, follow the gradient."""

    def __init__(self, config: ReinforceConfig, env: Env, rng: Streams, hardware: Hardware) -> None:
        self.config, self.env, self.spec, self._seed = config, env, env.spec, rng.seed
        check(config, env.spec)
        self._distribution, self._read = distribution_of(config, env.spec), inputs.reader(env.spec)
        self._act_stream = rng.numpy("act")
        variance = {"lecun": 1.0, "he": 2.0}[config.initializer]
        self.weights = mlp.initial(layer_sizes(config, env.spec), rng.numpy("init"), variance, config.output_gain)
        self.free = self._distribution.initial()
        self._learned = [*self.weights, *self.free]
        self._adam = Adam(self._learned)
        self.value = mlp.initial(
            [inputs.size(env.spec), *config.hidden, 1], rng.numpy("init value"), output_gain=config.output_gain
        )
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
        seed = derive(self._seed, "games", self.updates)
        games = self.play(config.games_per_update, seed)
        raw = games.reward
        games = games._replace(reward=games.reward_to_learn * config.reward_scale)
        score, target = (each[games.played] for each in self._scores(games))
        obs, drawn = games.obs[:-1][games.played], games.drawn[games.played]
        mask = None if games.mask is None else games.mask[games.played]
        if config.normalize_scores:
            score = normalized(score)
        gradients, entropy = policy_gradient(
            self.weights, self.free, self._distribution, obs, drawn, score, mask, config.activation, config.ent_coef
        )
        gradients, norm = mlp.clipped(gradients, config.max_grad_norm)
        if not math.isfinite(norm):
            raise DivergedError(
                f"the gradient became {norm} after {self.updates:,} updates; "
                "lower algorithm.learning_rate, or scale the rewards"
            )
        self._adam.step(gradients, self._learning_rate())
        loss = self._fit_value(obs, target) if config.baseline == "value" else math.nan
        returns = self.episodes.add_games(raw, games.last, games.played)
        self.env_steps += len(drawn)
        self.updates += 1
        return {
            **self.episodes.metrics(),
            "return/batch": float(np.mean(returns)),
            "entropy": entropy,
            "loss/grad_norm": norm,
            "loss/value": loss,
        }

    def play(self, games: int, seed: int) -> WholeGames:
        """So many whole games with the weights as they are."""
        with held(self.env):
            return whole_games.play(self.env, self._read, self._draw, self._distribution.taken, games, seed)

    def _draw(self, obs: Array, mask: Array | None) -> Array:
        """What is drawn for each row of obs [N, in], with its probability: [N, *action]."""
        out = mlp.forward(self.weights, obs, self.config.activation)
        return self._distribution.draw(out, self.free, mask, self._act_stream)

    def _scores(self, games: WholeGames) -> tuple[Array, Array]:
        """Of every action [T, N]: how well it did, and what the value of its state should be."""
        config = self.config
        if config.baseline == "none":
            score = returns_to_go(games.reward, games.last, config.gamma)
            return score, score
        rows = games.obs.reshape(-1, games.obs.shape[-1])
        value = mlp.forward(self.value, rows, config.activation).reshape(games.obs.shape[:2])
        score = advantages(games.reward, games.discount, games.last, value, config.gamma, config.gae_lambda)
        return score, score + value[:-1]

    def _fit_value(self, obs: Array, target: Array) -> float:
        """Take the baseline towards target [rows] by some steps; returns the mean squared error before them."""
        losses = []
        for _ in range(self.config.value_epochs):
            gradients, loss = value_gradient(self.value, obs, target, self.config.activation)
            self._value_adam.step(gradients, self.config.value_learning_rate)
            losses.append(loss)
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
        learned, value = ([part.copy() for part in parts] for parts in (self._learned, self.value))
        return _policy(self.config, self.spec, learned, value, derive(self._seed, "policy"))

    def save(self) -> State:
        return {
            "weights": [part.copy() for part in self._learned],
            "adam": self._adam.save(),
            "value": [part.copy() for part in self.value],
            "value_adam": self._value_adam.save(),
            "env_steps": self.env_steps,
            "updates": self.updates,
            "episodes": self.episodes.save(),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        saved.fill_list("weights", self._learned)
        saved.fill_list("value", self.value)
        self._adam.load(saved.part("adam"))
        self._value_adam.load(saved.part("value_adam"))
        self.env_steps = saved.integer("env_steps")
        self.updates = saved.integer("updates")
        self.episodes.load(saved.part("episodes"))


def load_policy(config: ReinforceConfig, spec: EnvSpec, state: Mapping[str, Any], hardware: Hardware) -> Policy:
    """The policy of a saved state. CheckpointError for weights of another network."""
    value = [np.zeros(shape) for shape in mlp.shapes([inputs.size(spec), *config.hidden, 1])]
    if config.baseline == "value":
        Saved.of(state).fill_list("value", value)
    return _policy(config, spec, _saved(config, spec, state), value, seed=0)


def computation(config: ReinforceConfig, spec: EnvSpec, state: State, seen: Seen) -> Computation:
    """What the policy of a saved state computes. CheckpointError for weights of another network."""
    learned, count = _saved(config, spec, state), 2 * (len(config.hidden) + 1)
    x, draws = as_computation.read(spec, seen), config.act == "sample"
    return as_computation.of_distribution(
        spec.actions, learned[:count], learned[count:], x, seen, config.activation, draws
    )


def _saved(config: ReinforceConfig, spec: EnvSpec, state: State) -> list[Array]:
    """What was learned, of a saved state, the network's weights first."""
    check(config, spec)
    free = distribution_of(config, spec).initial()
    shapes = [*mlp.shapes(layer_sizes(config, spec)), *(part.shape for part in free)]
    saved = Saved.of(state).listed("weights", len(shapes))
    return [saved.array(str(number), "float64", shape) for number, shape in enumerate(shapes)]


def warm_start(algorithm: Reinforce, source: WarmSource) -> Taken:
    """Take over the layers of a saved policy that fit, and of its baseline where both have one.

    InputError for another activation, and if no layer of the policy fits; CheckpointError.
    """
    source.check_made_by("reinforce")
    config, other = algorithm.config, source.config
    if other.activation != config.activation:
        raise InputError(f"algorithm.activation: {config.activation}, and its layers were made for {other.activation}")
    taken = mlp.start_from(algorithm.weights, source.state, "weights", "policy")
    listed = source.state.listed("weights")
    for spread in algorithm.free:  # of a Gaussian, behind the network's weights
        there = listed.any_shape(str(len(listed) - 1), "float64")
        if len(listed) % 2 and there.shape == spread.shape:
            spread[...] = there
        else:
            taken = taken._replace(left=[*taken.left, "policy: how widely its numbers are spread"])
    if config.baseline != "value":
        return taken
    if other.baseline != "value":
        return taken._replace(left=[*taken.left, "baseline: it learned none"])
    try:
        value = mlp.start_from(algorithm.value, source.state, "value", "baseline")
    except InputError as error:
        return taken._replace(left=[*taken.left, f"baseline: {error}"])
    return Taken([*taken.taken, *value.taken], [*taken.left, *value.left])


def check(config: ReinforceConfig, spec: EnvSpec) -> None:
    """InputError for an environment without vectors or an end, and for an output that does not fit its actions."""
    if spec.obs_dtype == "uint8" and not spec.parts:
        raise InputError(
            f"environment.id: {spec.id} shows images; reinforce learns from vectors of numbers, dqn from both"
        )
    if spec.max_episode_steps is None and spec.longest is None:
        raise InputError(
            f"environment.max_episode_steps: {spec.id} has no limit of its own, and reinforce learns from whole games; "
            "set one"
        )
    if config.output == "sigmoid" and not (isinstance(spec.actions, Discrete) and spec.actions.n == 2):
        raise InputError(f"algorithm.output: sigmoid is for two actions; {spec.id} has {spec.actions}: write softmax")


def layer_sizes(config: ReinforceConfig, spec: EnvSpec) -> list[int]:
    """Units of the policy network: inputs, hidden layers, outputs."""
    return [inputs.size(spec), *config.hidden, distribution_of(config, spec).outputs]


def distribution_of(config: ReinforceConfig, spec: EnvSpec) -> Distribution:
    """How the network's outputs are probabilities of the actions."""
    return distributions.of(spec.actions, config.log_std_init, config.output == "sigmoid")


def _policy(config: ReinforceConfig, spec: EnvSpec, learned: list[Array], value: list[Array], seed: int) -> Policy:
    """What was learned, the network's weights first, and the baseline."""
    stream = np.random.default_rng(seed) if config.act == "sample" else None
    distribution, read = distribution_of(config, spec), inputs.reader(spec)
    count = 2 * (len(config.hidden) + 1)
    weights, free = learned[:count], learned[count:]

    def network(obs: Array) -> Array:
        return mlp.forward(weights, read(obs), config.activation)

    worth = None if config.baseline == "none" else lambda obs: mlp.forward(value, read(obs), config.activation)[:, 0]
    if isinstance(distribution, Categorical):
        return SoftmaxPolicy(network, distribution, stream, worth)
    return DistributionPolicy(network, free, distribution, stream, worth)


PLUGIN = AlgorithmPlugin(
    config=ReinforceConfig,
    make=Reinforce,
    images=False,
    budget={"env_steps": 500_000},
    num_envs=16,
    actions=("discrete", "multi_discrete", "continuous"),
    doubts=whole_games.doubts,
    scaled_rewards=True,
    load_policy=load_policy,
    computation=computation,
    warm_start=warm_start,
)
