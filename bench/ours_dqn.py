"""rltrain's DQN on Ms. Pac-Man: agent steps per second while it learns.

The settings of bench/peers/sb3_dqn.py: 84x84x4, frame skip 4, the Nature network, batch 32, Adam 1e-4, one update per
4 agent steps, target copied every 4,000 agent steps (1,000 updates), epsilon 0.05, no Double, no dueling, replay of
100,000, full from the start. One agent step is one action in one environment. Prints one JSON line.

    python bench/ours_dqn.py --envs 8 --precision float32 --steps 1600 --warm 400
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, cast

from peers.dqn_side import report

if TYPE_CHECKING:
    from rltrain.algos.dqn import DQN

SETTINGS = """
algorithm:
  name: dqn
  learning_rate: 1e-4
  buffer_size: 100_000
  learning_starts: 0
  batch_size: 32
  gamma: 0.99
  train_freq: 4
  target_update_interval: 4000
  exploration_initial_eps: 0.05
  exploration_final_eps: 0.05
  max_grad_norm: 10
  double: false
  dueling: false
environment:
  id: ALE/MsPacman-v5
  terminal_on_life_loss: true
"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="rltrain's DQN on Ms. Pac-Man: agent steps per second while learning")
    parser.add_argument("--envs", type=int, default=8, help="environments side by side")
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="of the arithmetic; weights stay float32",
    )
    parser.add_argument("--steps", type=int, default=1600, help="agent steps in the measured window")
    parser.add_argument("--warm", type=int, default=400, help="agent steps before it")
    parser.add_argument("--replay", type=int, default=100_000, help="transitions in the replay memory, all filled")
    parser.add_argument("--threads", type=int, default=0, help="cores to use; 0 for all")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--alone", action="store_true", help="only play, at random: the environments' own limit")
    return parser.parse_args()


def build(given: argparse.Namespace) -> DQN:
    """The algorithm as `rltrain train` builds it, its environments started and its replay memory full."""
    from rltrain.experiment import config
    from rltrain.run import build as parts

    overrides = [
        f"algorithm.buffer_size={given.replay}",
        f"algorithm.precision={given.precision}",
        f"environment.num_envs={given.envs}",
        f"run.device={given.device}",
    ]
    if given.threads:
        overrides.append(f"run.threads={given.threads}")
    algorithm = cast("DQN", parts.build(config.loads(SETTINGS, "bench/ours_dqn.py", overrides)).algorithm)
    fill(algorithm)
    return algorithm


def fill(algorithm: DQN) -> None:
    """Random transitions in every place: the speed is that of a run that has played 100,000 steps."""
    import numpy as np

    from rltrain.core import Step

    replay, spec = algorithm.replay, algorithm.env.spec
    rng = np.random.default_rng(0)
    N = spec.num_envs
    pattern = rng.integers(0, 256, (64, N, *spec.obs_shape), dtype=np.uint8)
    zeros, ones, no = np.zeros(N, np.float32), np.ones(N, np.float32), np.zeros(N, bool)
    steps = replay.capacity_steps
    for t in range(steps):
        seen = Step(pattern[t % 64], zeros, ones, no | (t == 0), no | (t == steps - 1))
        replay.add(seen, rng.integers(0, spec.num_actions, N), zeros, ones)


def play(given: argparse.Namespace) -> dict[str, float]:
    """The environments with all cores, and nothing else."""
    import os

    import numpy as np

    from rltrain import envs
    from rltrain.experiment import config

    experiment = config.loads(SETTINGS, "bench/ours_dqn.py", [f"environment.num_envs={given.envs}"])
    env = envs.make(experiment.environment, threads=given.threads or len(os.sched_getaffinity(0)))
    env.reset(0)
    rng, start, counted, steps = np.random.default_rng(0), 0.0, 0, given.warm + given.steps
    for played in range(0, steps, given.envs):
        if start == 0 and played >= given.warm:
            start = time.perf_counter()
        env.step(rng.integers(0, env.spec.num_actions, given.envs))
        counted += given.envs if start else 0
    return {"steps": counted, "updates": 0, "seconds": time.perf_counter() - start}


def learn(given: argparse.Namespace) -> dict[str, float]:
    """The whole algorithm."""
    algorithm = build(given)
    import torch

    while algorithm.counters["env_steps"] < given.warm:
        algorithm.step()
    before = dict(algorithm.counters)
    start = time.perf_counter()
    while algorithm.counters["env_steps"] < before["env_steps"] + given.steps:
        algorithm.step()
    if given.device != "cpu":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    after = algorithm.counters
    return {"seconds": seconds} | {
        name: after[counter] - before[counter] for name, counter in (("steps", "env_steps"), ("updates", "updates"))
    }


def main() -> None:
    given = arguments()
    figures = play(given) if given.alone else learn(given)
    side = "environments" if given.alone else "rltrain"
    packages = ("rltrain", "torch", "gymnasium", "ale-py", "numpy")
    report(side, given, figures, packages, envs=given.envs, precision=given.precision)


if __name__ == "__main__":
    main()
