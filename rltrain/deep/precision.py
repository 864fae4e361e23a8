"""Choose the arithmetic of a network on this machine: bfloat16 where it is faster and agrees, float32 otherwise.

bfloat16 is several times slower than float32 on a processor without instructions for it, and has been wrong on some
(pytorch issues 163347, 183815), so it is tried before it is trusted. The choice is part of a run's state.
"""

from __future__ import annotations

import time

import torch

from rltrain.core import EnvSpec
from rltrain.deep.networks import NetworkShape, QNetwork, copy_weights, initialise

MIN_SPEEDUP = 1.15
MAX_DISAGREEMENT = 0.05  # of the values' spread; bfloat16 keeps 8 bits, about 0.4 % a product


def choose(spec: EnvSpec, shape: NetworkShape, device: torch.device, batch_size: int) -> str:
    """ "float32" or "bfloat16": the faster one at training this network, if both give the same values."""
    if spec.obs_dtype != "uint8" or (device.type == "cpu" and not torch.cpu._is_avx512_bf16_supported()):
        return "float32"
    generator = torch.Generator().manual_seed(0)
    full, half = QNetwork(spec, shape), QNetwork(spec, shape, torch.bfloat16)
    initialise(full, generator)
    copy_weights(full, half)
    obs = torch.randint(0, 256, (batch_size, *spec.obs_shape), dtype=torch.uint8, generator=generator).to(device)
    seconds = {}
    for name, network in (("float32", full.to(device)), ("bfloat16", half.to(device))):
        _train_once(network, obs)
        seconds[name] = min(_train_once(network, obs) for _ in range(7))
    with torch.inference_mode():
        q, q_half = full(obs), half(obs)
    agrees = (q - q_half).abs().max() <= MAX_DISAGREEMENT * (q.abs().max() + 1e-6)
    return "bfloat16" if agrees and seconds["bfloat16"] * MIN_SPEEDUP < seconds["float32"] else "float32"


def _train_once(network: QNetwork, obs: torch.Tensor) -> float:
    """Seconds of one forward and backward pass."""
    start = time.perf_counter()
    torch.autograd.grad(network(obs).square().mean(), list(network.parameters()))
    if obs.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start
