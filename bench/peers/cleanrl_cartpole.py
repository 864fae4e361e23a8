"""CleanRL's ppo.py on CartPole-v1, unchanged, until it is solved.

CleanRL is a folder of scripts: the script of a checkout is run as it stands, and its agent and steps are listened to.
Every 5,000 steps 10 games of the greedy policy; once their mean is 475, 100 games decide. Prints one line that starts
with "solved". Needs .venv-peers (`make bench-peers`) and a checkout of github.com/vwxyzjn/cleanrl.

    .venv-peers/bin/python bench/peers/cleanrl_cartpole.py --checkout DIR --seed 0
"""

from __future__ import annotations

import argparse
import contextlib
import os
import runpy
import sys
from pathlib import Path
from typing import Any

CHECK_EVERY = 5_000  # steps
SOLVED = 475.0
LANES = 10


class Solved(Exception):
    """Ends the script, with the score."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CleanRL's ppo.py on CartPole-v1 until it is solved")
    parser.add_argument("--checkout", type=Path, required=True, help="a checkout of CleanRL")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness [0]")
    parser.add_argument("--threads", type=int, default=1, help="torch threads; more are slower for nets this small [1]")
    return parser.parse_args()


def mean_score(agent: Any, world: Any, games: int, seed: int) -> float:
    """Of so many games, the same number in every environment (next-step autoreset)."""
    import numpy as np
    import torch

    obs, _ = world.reset(seed=seed)
    returns, opening = np.zeros(LANES), np.zeros(LANES, bool)
    left = np.full(LANES, games // LANES)
    scores: list[float] = []
    while left.any():
        with torch.no_grad():
            action = agent.actor(torch.as_tensor(obs)).argmax(1).numpy()
        obs, reward, terminated, truncated, _ = world.step(action)
        returns = np.where(opening, 0.0, returns + reward)
        opening = terminated | truncated
        for lane in np.flatnonzero(opening):
            if left[lane]:
                scores.append(float(returns[lane]))
                left[lane] -= 1
    return float(np.mean(scores))


def main() -> None:
    given = arguments()
    import gymnasium
    import torch

    torch.set_num_threads(given.threads)
    world = gymnasium.make_vec("CartPole-v1", num_envs=LANES, vectorization_mode="sync")
    agents: list[Any] = []
    counted = {"steps": 0, "due": CHECK_EVERY}
    begin, step = torch.nn.Module.__init__, gymnasium.vector.SyncVectorEnv.step

    def begin_and_remember(self: Any, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        if type(self).__name__ == "Agent":
            agents.append(self)

    def step_and_ask(self: Any, actions: Any) -> Any:
        if self is not world:
            counted["steps"] += self.num_envs
            if counted["steps"] >= counted["due"]:
                counted["due"] += CHECK_EVERY
                if mean_score(agents[-1], world, 10, 1000 + given.seed) >= SOLVED:
                    score = mean_score(agents[-1], world, 100, 2000 + given.seed)
                    if score >= SOLVED:
                        raise Solved(score)
        return step(self, actions)

    torch.nn.Module.__init__ = begin_and_remember  # type: ignore[method-assign]
    gymnasium.vector.SyncVectorEnv.step = step_and_ask  # type: ignore[method-assign]
    sys.path.insert(0, str(given.checkout))
    sys.argv = ["ppo.py", "--seed", str(given.seed), "--no-cuda"]
    score = None
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        try:
            runpy.run_path(str(given.checkout / "cleanrl" / "ppo.py"), run_name="__main__")
        except Solved as found:
            score = float(found.args[0])
    if score is None:
        print(f"unsolved after {counted['steps']} steps", flush=True)
        return
    print(f"solved: mean {score:.1f} over 100 games, {counted['steps']} steps", flush=True)


if __name__ == "__main__":
    main()
