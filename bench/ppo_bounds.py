"""What bounds the steps a second of PPO: its environments alone, and the products of its networks.

A product of matrices [M, in] [in, out] is 2 M in out operations. Each environment step goes once forwards through the
networks when it is played, and in every epoch once forwards and once backwards, which is twice as much but for the
first layer, whose inputs need no gradient.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np

from rltrain import envs
from rltrain.algos import _ppo_network as network
from rltrain.core import EnvSpec, Hardware
from rltrain.experiment.config import Experiment
from rltrain.spaces import Continuous, Discrete

SECONDS = 3.0  # of each measurement


def bounds(experiment: Experiment) -> dict[str, float]:
    """The environments' own steps a second, the networks' operations, and the steps a second that these would allow."""
    spec = envs.describe(experiment.environment)
    forward, first = operations(experiment.algorithm, spec)
    epochs = experiment.algorithm.n_epochs  # type: ignore[attr-defined]
    step = forward + epochs * (3 * forward - first)
    speed = products_a_second()
    return {
        "environments alone, steps a second": environments_alone(experiment),
        "operations of the network an environment step": step,
        "operations a second of one large product": speed,
        "steps a second at that speed": speed / step,
    }


def operations(config: Any, spec: EnvSpec) -> tuple[float, float]:
    """Of one observation forwards through the networks, and of their first layers alone."""
    outputs = network.distribution_of(config, spec).outputs
    if not spec.has_image:
        each = [network.sizes_of(config, spec, last) for last in (outputs, 1)]
        layers = [[2 * a * b for a, b in pairwise(sizes)] for sizes in each]
        return float(sum(map(sum, layers))), float(sum(own[0] for own in layers))
    return of_pictures(config, spec)


def of_pictures(config: Any, spec: EnvSpec) -> tuple[float, float]:
    """`operations` of a network of torch."""
    import torch

    built: Any = network.network_of(config, spec, np.random.default_rng(0), Hardware("cpu", 1))
    found: list[float] = []

    def count(layer: Any, _: Any, out: Any) -> None:
        places = out[0].numel() / out.shape[1]  # where a convolution's window lies; of a layer, 1
        found.append(2.0 * layer.weight.numel() * places)

    kinds = torch.nn.Conv2d | torch.nn.Linear
    hooks = [layer.register_forward_hook(count) for layer in built.network.modules() if isinstance(layer, kinds)]
    built.see(np.zeros((1, *spec.obs_shape), spec.obs_dtype))
    for hook in hooks:
        hook.remove()
    return sum(found), found[0]


def environments_alone(experiment: Experiment) -> float:
    """Environment steps a second under random actions, as a run plays them."""
    import os

    env = envs.make(experiment.environment, threads=experiment.run.threads or len(os.sched_getaffinity(0)))
    n, space, stream = env.spec.num_envs, env.spec.actions, np.random.default_rng(0)
    if isinstance(space, Continuous):
        actions = stream.uniform(space.low, space.high, (64, n, len(space.low))).astype(np.float32)
    else:
        assert isinstance(space, Discrete)
        actions = stream.integers(0, space.n, (64, n))
    env.reset(0)
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        for action in actions:
            steps += n - int(env.step(action).first.sum())
    rate = steps / (time.perf_counter() - start)
    env.close()
    return rate


def products_a_second(side: int = 1024) -> float:
    """Operations a second of a product of two float32 matrices, on as many cores as numpy takes."""
    a = np.random.default_rng(0).random((side, side), dtype=np.float32)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        a @ a
        count += 1
    return 2 * side**3 * count / (time.perf_counter() - start)
