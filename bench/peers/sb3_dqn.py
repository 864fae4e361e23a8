"""Stable-Baselines3's DQN on Ms. Pac-Man: agent steps per second while it learns.

The settings of bench/ours_dqn.py: 84x84x4, frame skip 4, the Nature network, batch 32, float32, Adam 1e-4, one update
per 4 agent steps, target copied every 4,000 agent steps (1,000 updates), epsilon 0.05, no Double, replay of 100,000,
full from the start. One agent step is one action in one environment. Needs .venv-peers (`make bench-peers`); prints one
JSON line.

    .venv-peers/bin/python bench/peers/sb3_dqn.py --envs 8 --subproc --steps 1600 --warm 400
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from dqn_side import report

UPDATE_EVERY = 4  # agent steps


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Stable-Baselines3 DQN on Ms. Pac-Man: agent steps per second while learning"
    )
    parser.add_argument("--envs", type=int, default=8, help="environments side by side: 1, or a multiple of 4")
    parser.add_argument("--subproc", action="store_true", help="one process per environment (SubprocVecEnv)")
    parser.add_argument("--steps", type=int, default=1600, help="agent steps in the measured window")
    parser.add_argument("--warm", type=int, default=400, help="agent steps before it")
    parser.add_argument("--replay", type=int, default=100_000, help="transitions in the replay memory, all filled")
    parser.add_argument("--threads", type=int, default=0, help="torch threads; 0 keeps torch's own choice")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    given = parser.parse_args()
    if given.envs != 1 and given.envs % UPDATE_EVERY:
        parser.error(f"--envs {given.envs}: must be 1 or a multiple of {UPDATE_EVERY}, or the update rate would differ")
    return given


def build(given: argparse.Namespace) -> Any:
    """The agent, its environments started and its replay memory full."""
    import ale_py
    import gymnasium
    import torch
    from stable_baselines3 import DQN
    from stable_baselines3.common.env_util import make_atari_env
    from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecFrameStack

    if given.threads:
        torch.set_num_threads(given.threads)
    gymnasium.register_envs(ale_py)
    envs = make_atari_env(
        "MsPacmanNoFrameskip-v4",  # no sticky actions; the wrapper skips 4 frames
        n_envs=given.envs,
        seed=0,
        vec_env_cls=SubprocVecEnv if given.subproc else DummyVecEnv,
        vec_env_kwargs={"start_method": "fork"} if given.subproc else None,
    )
    agent = DQN(
        "CnnPolicy",
        VecFrameStack(envs, 4),
        learning_rate=1e-4,
        buffer_size=given.replay,
        learning_starts=0,
        batch_size=32,
        train_freq=UPDATE_EVERY if given.envs == 1 else 1,  # counted in steps of the whole vector
        gradient_steps=max(1, given.envs // UPDATE_EVERY),
        target_update_interval=1000 * UPDATE_EVERY,
        exploration_initial_eps=0.05,
        exploration_final_eps=0.05,
        device=given.device,
        seed=0,
    )
    fill(agent.replay_buffer)
    return agent


def fill(replay: Any) -> None:
    """Random transitions in every place: each page is touched, as it is after 100,000 steps of play."""
    import numpy as np

    rng = np.random.default_rng(0)
    pattern = rng.integers(0, 256, (64, *replay.observations.shape[1:]), dtype=np.uint8)
    for start in range(0, len(replay.observations), len(pattern)):
        rows = min(len(pattern), len(replay.observations) - start)
        replay.observations[start : start + rows] = pattern[:rows]
        replay.next_observations[start : start + rows] = pattern[:rows][::-1]
    replay.actions[:] = rng.integers(0, 9, replay.actions.shape)  # Ms. Pac-Man has 9 actions
    replay.full = True


def main() -> None:
    given = arguments()
    agent = build(given)
    agent.learn(given.warm)
    steps, updates = agent.num_timesteps, agent._n_updates
    start = time.perf_counter()
    agent.learn(given.steps, reset_num_timesteps=False)  # goes on where the warm-up stopped
    seconds = time.perf_counter() - start
    steps, updates = agent.num_timesteps - steps, agent._n_updates - updates
    agent.env.close()  # waits for the worker processes, so that their processor time is counted
    figures = {"steps": steps, "updates": updates, "seconds": seconds}
    packages = ("stable-baselines3", "torch", "gymnasium", "ale-py", "numpy")
    report("sb3", given, figures, packages, envs=given.envs, subproc=given.subproc, precision="float32")


if __name__ == "__main__":
    main()
