"""The network of PPO, in numpy for vectors and in torch for pictures, and the policy that it stands for."""

from __future__ import annotations

import math

import numpy as np

from rltrain.algos._ppo_config import PpoConfig
from rltrain.computation import Computation, Seen
from rltrain.core import EnvSpec, Hardware, Policy, State
from rltrain.errors import InputError
from rltrain.policies import as_computation, distributions, inputs, mlp
from rltrain.policies.actor_critic import ActorCritic, MlpActorCritic
from rltrain.policies.distributions import Categorical, Distribution
from rltrain.policies.trained import DistributionPolicy, SoftmaxPolicy
from rltrain.saved import Saved
from rltrain.warm_start import Taken, WarmSource

MANY_CORES = 1024  # torch takes as many as `run.threads` allows
POLICY_GAIN, VALUE_GAIN = 0.01, 1.0  # of the last layers' first weights: nearly uniform actions at first


def distribution_of(config: PpoConfig, spec: EnvSpec) -> Distribution:
    """How the network's outputs are probabilities of the actions."""
    return distributions.of(spec.actions, config.log_std_init, squash=config.squash)


def sizes_of(config: PpoConfig, spec: EnvSpec, outputs: int) -> list[int]:
    """Units of a network for vectors: inputs, hidden layers, outputs."""
    return [inputs.size(spec), *((64, 64) if config.hidden is None else config.hidden), outputs]


def network_of(config: PpoConfig, spec: EnvSpec, stream: np.random.Generator, hardware: Hardware) -> ActorCritic:
    """A network at its beginning, whose weights are drawn from the stream."""
    distribution = distribution_of(config, spec)
    if spec.has_image:
        from rltrain.algos import _ppo_pictures

        return _ppo_pictures.of(config, spec, distribution, stream, hardware)
    gain = math.sqrt(2)
    return MlpActorCritic(
        mlp.orthogonal(sizes_of(config, spec, distribution.outputs), stream, gain, POLICY_GAIN),
        mlp.orthogonal(sizes_of(config, spec, 1), stream, gain, VALUE_GAIN),
        distribution.initial(),
        config.activation,
        inputs.reader(spec),
        config.optimizer,
        config.optimizer_eps,
        config.max_grad_norm,
    )


def policy_of(config: PpoConfig, spec: EnvSpec, network: ActorCritic, seed: int) -> Policy:
    """The policy of a network as it is now."""
    stream = np.random.default_rng(seed) if config.act == "sample" else None
    distribution, free = distribution_of(config, spec), [part.copy() for part in network.free]
    if isinstance(distribution, Categorical):
        return SoftmaxPolicy(network.acting(), distribution, stream, network.valuing())
    return DistributionPolicy(network.acting(), free, distribution, stream, network.valuing())


def load_policy(config: PpoConfig, spec: EnvSpec, state: State, hardware: Hardware) -> Policy:
    """The policy of a saved state, without its environments. CheckpointError for weights of another network."""
    network = network_of(config, spec, np.random.default_rng(0), hardware)
    network.load(Saved.of(state).part("network"))
    return policy_of(config, spec, network, seed=0)


def computation(config: PpoConfig, spec: EnvSpec, state: State, seen: Seen) -> Computation:
    """What the policy of a saved state computes. CheckpointError for weights of another network."""
    network = network_of(config, spec, np.random.default_rng(0), Hardware("cpu", 1))
    network.load(Saved.of(state).part("network"))
    draws = config.act == "sample"
    if isinstance(network, MlpActorCritic):
        x = as_computation.read(spec, seen)
        own = (network.policy, network.free, x, seen, config.activation, draws, config.squash)
        return as_computation.of_distribution(spec.actions, *own)
    from rltrain.algos import _ppo_pictures

    out = _ppo_pictures.outputs(network, spec, seen)
    return as_computation.of_outputs(spec.actions, out, network.free, seen, draws, config.squash)


def warm_start(config: PpoConfig, spec: EnvSpec, network: ActorCritic, source: WarmSource) -> Taken:
    """Take over the layers that fit of a saved run. InputError if none of the policy does; CheckpointError."""
    source.check_made_by("ppo")
    other = source.config.activation
    if not spec.has_image and other != config.activation:
        raise InputError(f"algorithm.activation: {config.activation}, and its layers were made for {other}")
    saved = source.state.part("network")
    if ("weights" in saved) != spec.has_image:
        raise InputError("one of both learned from pictures, which have another network")
    return network.start_from(saved)


def cost(config: PpoConfig, spec: EnvSpec) -> dict[str, int]:
    """What a run of these settings needs: parameters, bytes of a rollout and of a checkpoint, cores; at most."""
    outputs = distribution_of(config, spec).outputs
    if spec.has_image:
        from rltrain.algos import _ppo_pictures

        parameters = _ppo_pictures.parameter_count(config, spec, outputs)
    else:
        networks = [sizes_of(config, spec, outputs), sizes_of(config, spec, 1)]
        parameters = sum(math.prod(shape) for sizes in networks for shape in mlp.shapes(sizes))
    obs_bytes = math.prod(spec.obs_shape) * (1 if spec.obs_dtype == "uint8" else 4)
    return {
        "parameters": parameters,
        "rollout_bytes": config.n_steps * spec.num_envs * (obs_bytes + 8 * (2 * outputs + 8)),
        "checkpoint_bytes": 3 * parameters * (4 if spec.has_image else 8),
        "cores": MANY_CORES if spec.has_image else 1,
    }
