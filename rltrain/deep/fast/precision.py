"""Choose the arithmetic of a network on this machine: bfloat16 where it is faster and agrees, float32 otherwise.

bfloat16 is up to a hundred times slower than float32 on a processor without instructions for it, and has been wrong on
some (pytorch issues 163347, 183815), so it is tried before it is trusted. The choice is part of a run's state.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import nn

from rltrain.core import EnvSpec
from rltrain.deep.fast.cuda import PLAIN_CALLS, Recorded
from rltrain.deep.networks import copy_weights

MIN_SPEEDUP = 1.15
MAX_DISAGREEMENT = 0.05  # of the largest value; bfloat16 keeps 8 bits, about 0.4 % a product


class Choice(NamedTuple):
    """What was chosen, and for what reason, for a person to read."""

    name: str  # "float32" or "bfloat16"
    why: str


def choose(spec: EnvSpec, full: nn.Module, half: nn.Module, device: torch.device, batch_size: int) -> Choice:
    """The faster arithmetic at training a network, if both give the same values [M, outputs] for obs [M, *obs].

    `full` is one in float32 at its beginning, `half` another of its shape in bfloat16, which takes its weights.
    """
    if not spec.is_image:
        return Choice("float32", "images among other parts" if spec.has_image else "no images")
    if not has_bfloat16(device):
        return Choice("float32", "the processor has no instructions for bfloat16")
    generator = torch.Generator().manual_seed(0)
    copy_weights(full, half)
    pixels = torch.randint(
        0, spec.obs_high + 1, (batch_size, *spec.obs_shape), dtype=torch.uint8, generator=generator
    ).to(device)
    obs = pixels if spec.obs_dtype == "uint8" else pixels / 255
    seconds = {}
    for name, network in (("float32", full.to(device)), ("bfloat16", half.to(device))):
        train = Recorded(partial(_train_once, network, obs), device)  # on a GPU updates are recorded
        for _ in range(PLAIN_CALLS + 1):
            train()
        seconds[name] = min(_seconds(train, device) for _ in range(7))
    with torch.inference_mode():
        q, q_half = full(obs), half(obs)
    return judge(seconds["float32"], seconds["bfloat16"], ((q - q_half).abs().max() / (q.abs().max() + 1e-6)).item())


def has_bfloat16(device: torch.device) -> bool:
    """Whether the processor has instructions for bfloat16. One without them still gives the same values."""
    return device.type != "cpu" or torch.cpu._is_avx512_bf16_supported()


def of_saved(saved: str, wanted: str, own: str, device: torch.device) -> Choice:
    """The arithmetic of a run that was saved with one, and whose settings want this one or "auto", here its `own`."""
    if saved == "bfloat16" and wanted == "auto" and not has_bfloat16(device):
        return Choice(own, "the processor has no instructions for the run's bfloat16")
    return Choice(saved, "as the run began")


def judge(float32_seconds: float, bfloat16_seconds: float, disagreement: float) -> Choice:
    """From seconds of a pass forward and back, and the largest difference of values as a share of the largest value."""
    measured = f"{1e3 * bfloat16_seconds:.1f} ms a pass in bfloat16, {1e3 * float32_seconds:.1f} in float32"
    measured += f", values {100 * disagreement:.1f} % apart"
    right = disagreement <= MAX_DISAGREEMENT  # not if it is no number
    fast = bfloat16_seconds * MIN_SPEEDUP < float32_seconds
    return Choice("bfloat16" if right and fast else "float32", measured)


def _train_once(network: nn.Module, obs: torch.Tensor) -> None:
    """One forward and backward pass; what varies with noise alone has no part in it."""
    torch.autograd.grad(network(obs).square().mean(), list(network.parameters()), allow_unused=True)


def _seconds(work: Callable[[], None], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
