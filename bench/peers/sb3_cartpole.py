"""Stable-Baselines3 on CartPole-v1 until it is solved, with the settings of RL Baselines3 Zoo for this environment.

Every 5,000 steps 10 games of the greedy policy; once their mean is 475, 100 games decide. Prints one line that starts
with "solved". Needs .venv-peers (`make bench-peers`).

    .venv-peers/bin/python bench/peers/sb3_cartpole.py --algo a2c --seed 0
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

CHECK_EVERY = 5_000  # steps
SOLVED = 475.0
LANES = 10
MOST_STEPS = {"a2c": 500_000, "ppo": 100_000}  # the zoo's budgets


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Stable-Baselines3 on CartPole-v1 until it is solved")
    parser.add_argument("--algo", choices=list(MOST_STEPS), default="a2c", help="a2c or ppo [a2c]")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness [0]")
    parser.add_argument("--threads", type=int, default=1, help="torch threads; more are slower for nets this small [1]")
    return parser.parse_args()


def mean_score(model: Any, world: Any, games: int) -> float:
    """Of so many games, the same number in every environment."""
    import numpy as np

    obs = world.reset()
    returns = np.zeros(LANES)
    left = np.full(LANES, games // LANES)
    scores: list[float] = []
    while left.any():
        obs, reward, done, _ = world.step(model.predict(obs, deterministic=True)[0])
        returns += reward
        for lane in np.flatnonzero(done):
            if left[lane]:
                scores.append(float(returns[lane]))
                left[lane] -= 1
            returns[lane] = 0
    return float(np.mean(scores))


def main() -> None:
    given = arguments()
    import torch
    from stable_baselines3 import A2C, PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env

    torch.set_num_threads(given.threads)
    world = make_vec_env("CartPole-v1", n_envs=LANES, seed=1000 + given.seed)

    class UntilSolved(BaseCallback):
        """Asks between rollouts."""

        due = CHECK_EVERY
        score: float | None = None

        def _on_step(self) -> bool:
            return self.score is None

        def _on_rollout_start(self) -> None:
            if self.num_timesteps < self.due:
                return
            self.due = self.num_timesteps + CHECK_EVERY
            if mean_score(self.model, world, 10) >= SOLVED:
                score = mean_score(self.model, world, 100)
                self.score = score if score >= SOLVED else None

    training = make_vec_env("CartPole-v1", n_envs=8, seed=given.seed)

    def falling(value: float) -> Any:
        return lambda left: left * value

    if given.algo == "ppo":
        model: Any = PPO(
            "MlpPolicy", training, n_steps=32, batch_size=256, gae_lambda=0.8, gamma=0.98, n_epochs=20, ent_coef=0.0,
            learning_rate=falling(1e-3), clip_range=falling(0.2), seed=given.seed, device="cpu",
        )  # fmt: skip
    else:
        model = A2C("MlpPolicy", training, ent_coef=0.0, seed=given.seed, device="cpu")
    asked = UntilSolved()
    model.learn(MOST_STEPS[given.algo], callback=asked)
    if asked.score is None:
        print(f"unsolved after {model.num_timesteps} steps", flush=True)
        sys.exit(0)
    print(f"solved: mean {asked.score:.1f} over 100 games, {model.num_timesteps} steps", flush=True)


if __name__ == "__main__":
    main()
