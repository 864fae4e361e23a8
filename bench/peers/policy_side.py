"""What the sides of bench/ppo.py and bench/cartpole.py share: what happens between rollouts, and what is said of it.

A side is given one JSON text: `what` it is for, `env_id`, `env_kwargs`, `seed`, `steps` of training, `threads` of
torch (0: its own choice) and, unless it is for the speed, `check`: `games` of the greedy policy, every so many steps
(`every`) until their mean is `score`. Where `first` is fewer than the games, the others are played once the mean of
the first has it too.

    solve         prints a line that starts with "solved" or "unsolved"
    speed         prints one JSON line: environment steps a second of the second half of the run, updates and all
    equal-steps   prints one JSON line: the mean of the games after the last update
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

LANES = 10  # games side by side in an evaluation
START = time.perf_counter()

Act = Callable[[Any], Any]  # observations [N, *obs] -> actions [N, *action], greedy


class Ended(Exception):
    """Nothing more is to be trained."""


def arguments(description: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("spec", help="JSON: what is trained, how, and what for")
    return json.loads(parser.parse_args().spec)


def mean_score(spec: dict[str, Any], act: Act, games: int, seed: int) -> float:
    """The mean of so many games of a policy, side by side; of those that each environment opens the first count."""
    import gymnasium
    import numpy as np

    lanes = min(LANES, games)
    world = gymnasium.make_vec(spec["env_id"], num_envs=lanes, vectorization_mode="sync", **spec["env_kwargs"])
    obs, _ = world.reset(seed=seed)
    returns, opening = np.zeros(lanes), np.zeros(lanes, bool)
    left = np.full(lanes, games // lanes) + (np.arange(lanes) < games % lanes)
    scores: list[float] = []
    while left.any():
        obs, reward, terminated, truncated, _ = world.step(act(obs))
        returns = np.where(opening, 0.0, returns + reward)  # a step after the last one only opens the next game
        opening = terminated | truncated
        for lane in np.flatnonzero(opening & (left > 0)):
            scores.append(float(returns[lane]))
            left[lane] -= 1
    world.close()
    return float(np.mean(scores))


class Course:
    """The course of a training: it is asked, timed or ended between two rollouts."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec, self.steps = spec, 0
        self.score: float | None = None  # that solved it
        check = spec.get("check")
        self._due = check["every"] if spec["what"] == "solve" else None
        self._half: tuple[int, float] | None = None
        self._now = START

    def between(self, steps: int, act: Act) -> None:
        """So many steps were taken and learned from. Ended: that is all."""
        self.steps, self._now = steps, time.perf_counter()
        if self._half is None and 2 * steps >= self.spec["steps"]:
            self._half = steps, self._now
        if self._due is not None and steps >= self._due:
            while self._due <= steps:
                self._due += self.spec["check"]["every"]
            self.score = self._asked(act)
            if self.score is not None:
                raise Ended
        if steps >= self.spec["steps"]:
            raise Ended

    def _asked(self, act: Act) -> float | None:
        """The mean of the games, if it is enough."""
        check, seed = self.spec["check"], self.spec["seed"]
        counts = [count for count in (check.get("first", check["games"]),) if count < check["games"]]
        for number, count in enumerate([*counts, check["games"]], start=1):
            score = mean_score(self.spec, act, count, 1000 * number + seed)
            if score < check["score"]:
                return None
        return score

    def told(self, act: Act) -> None:
        """Print what came of it."""
        spec = self.spec
        if spec["what"] == "solve":
            games = spec["check"]["games"]
            solved = f"solved: mean {self.score:.1f} over {games} games, " if self.score is not None else None
            print(f"{solved}{self.steps} steps" if solved else f"unsolved after {self.steps} steps", flush=True)
        elif spec["what"] == "speed":
            assert self._half is not None and self.steps > self._half[0], "a run of one rollout has no second half"
            steps, seconds = self.steps - self._half[0], self._now - self._half[1]
            print(json.dumps({"steps_per_second": steps / seconds, "steps": steps, "seconds": seconds}), flush=True)
        else:
            mean = mean_score(spec, act, spec["check"]["games"], 2000 + spec["seed"])
            print(json.dumps({"mean": mean, "steps": self.steps, "train_seconds": self._now - START}), flush=True)
