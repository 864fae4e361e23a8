"""What DQN's settings and saved states come to on a machine: network, arithmetic, threads, bytes, policy."""

from __future__ import annotations

import torch

from rltrain.algos._dqn_config import DqnConfig
from rltrain.computation import Computation, Seen
from rltrain.core import EnvSpec, Hardware, Policy, State
from rltrain.deep.fast import precision
from rltrain.deep.greedy import computation_of_saved, greedy_of_saved
from rltrain.deep.histogram import Bins
from rltrain.deep.networks import NetworkShape, QNetwork, initialise, parameter_count, shape_of
from rltrain.deep.quantiles import Quantiles
from rltrain.deep.replay import Replay
from rltrain.deep.replay_size import frame_bytes, replay_bytes
from rltrain.errors import CheckpointError
from rltrain.rng import Streams
from rltrain.saved import Saved

MANY_CORES = 1024  # torch takes as many as `run.threads` allows
FEATURES = "height, width, channels"  # the order in which the first hidden layer reads what the convolutions give


def network_shape(config: DqnConfig, spec: EnvSpec) -> NetworkShape:
    """The network that these settings mean for these observations."""
    spread: Bins | Quantiles | None = None
    if config.loss == "hl_gauss":
        spread = Bins(low=config.v_min, high=config.v_max, number=config.num_bins, sigma=config.bin_sigma)
    if config.loss == "c51":
        spread = Bins.around(config.v_min, config.v_max, config.num_bins, config.bin_sigma)
    if config.loss in ("quantile", "iqn"):
        spread = Quantiles(config.n_quantiles, implicit=config.loss == "iqn")
    return shape_of(config, spec, spread, config.noisy)


def memory(config: DqnConfig, spec: EnvSpec, rng: Streams, device: torch.device) -> Replay:
    """The replay memory, its frames on this device."""
    return Replay(
        config.buffer_size,
        spec,
        n_step=max(config.n_step, config.n_step_final or 1),
        gamma=config.gamma,
        priority_alpha=config.priority_alpha if config.prioritized else None,
        priority_beta=config.priority_beta,
        random_shift=config.random_shift if spec.has_image else 0,
        rng=rng.numpy("replay"),
        device=device,
    )


def overlaps(config: DqnConfig, spec: EnvSpec) -> bool:
    """Whether one core collects while the other learns."""
    return spec.has_image if config.overlap is None else config.overlap


def arithmetic(config: DqnConfig, spec: EnvSpec, device: torch.device) -> tuple[str, str | None]:
    """float32 or bfloat16, and how that was found if the settings leave it to the machine."""
    if config.precision != "auto":
        return config.precision, None
    shape = network_shape(config, spec)
    full, half = QNetwork(spec, shape), QNetwork(spec, shape, torch.bfloat16)
    initialise(full, torch.Generator().manual_seed(0))
    return precision.choose(spec, full, half, device, config.batch_size)


def arithmetic_of_saved(config: DqnConfig, saved: str, own: str, device: torch.device) -> tuple[str, str]:
    """That of a run which was saved with one and resumed with its `own`, and why."""
    return precision.of_saved(saved, config.precision, own, device)


def check_features(spec: EnvSpec, state: State) -> None:
    """CheckpointError for one of a version that had the weights for images in another order."""
    if spec.is_image and state.get("features") != FEATURES:
        raise CheckpointError("saved by an earlier version of dqn, whose weights lie in another order")


def load_policy(config: DqnConfig, spec: EnvSpec, state: State, hardware: Hardware) -> Policy:
    """The policy of a saved state, without its environments and its memory."""
    saved = Saved.of(state)
    check_features(spec, saved)
    return greedy_of_saved(saved, spec, network_shape(config, spec), hardware)


def computation(config: DqnConfig, spec: EnvSpec, state: State, seen: Seen) -> Computation:
    """What the policy of a saved state computes."""
    saved = Saved.of(state)
    check_features(spec, saved)
    return computation_of_saved(saved, spec, network_shape(config, spec), seen)


def cost(config: DqnConfig, spec: EnvSpec) -> dict[str, int]:
    """What a run of these settings needs: parameters, bytes of replay memory and of a checkpoint, cores; at most."""
    parameters = parameter_count(QNetwork(spec, network_shape(config, spec)))
    n_step = max(config.n_step, config.n_step_final or 1)
    replay = replay_bytes(config.buffer_size, spec, n_step, config.prioritized)
    compression = 8 if spec.has_image else 1  # chunks of real frames shrink tenfold
    return {
        "parameters": parameters,
        "replay_bytes": replay,
        "frame_bytes": frame_bytes(config.buffer_size, spec, n_step),
        "checkpoint_bytes": 4 * 4 * parameters + replay // compression,
        "cores": 2 if overlaps(config, spec) else 1 if not spec.has_image else MANY_CORES,
    }
