"""CleanRL's dqn_atari.py on Ms. Pac-Man, unchanged: agent steps per second while it learns.

CleanRL is a folder of scripts: the script of a checkout is run as it stands, with the settings of bench/ours_dqn.py as
its arguments, and its steps are counted. It was written for an older Gymnasium: the names that it uses are given their
new classes. The replay memory says that it is full from the start. Needs .venv-peers (`make bench-peers`) and a
checkout of github.com/vwxyzjn/cleanrl; prints one JSON line.

    .venv-peers/bin/python bench/peers/cleanrl_dqn.py --checkout DIR --steps 1600 --warm 400
"""

from __future__ import annotations

import argparse
import contextlib
import os
import runpy
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from dqn_side import report

UPDATE_EVERY = 4  # agent steps


class Enough(Exception):
    """Ends the script."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CleanRL's DQN on Ms. Pac-Man: agent steps per second while learning")
    parser.add_argument("--checkout", type=Path, required=True, help="a checkout of CleanRL")
    parser.add_argument("--steps", type=int, default=1600, help="agent steps in the measured window")
    parser.add_argument("--warm", type=int, default=400, help="agent steps before it")
    parser.add_argument("--replay", type=int, default=100_000, help="transitions in the replay memory, all filled")
    parser.add_argument("--threads", type=int, default=0, help="torch threads; 0 keeps torch's own choice")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    return parser.parse_args()


def fill(replay: Any) -> None:
    """Random frames in every place: each page is touched, as it is after 100,000 steps of play."""
    import numpy as np

    rng = np.random.default_rng(0)
    pattern = rng.integers(0, 256, (64, *replay.observations.shape[1:]), dtype=np.uint8)
    for start in range(0, len(replay.observations), len(pattern)):
        rows = min(len(pattern), len(replay.observations) - start)
        replay.observations[start : start + rows] = pattern[:rows]
    replay.full = True


def main() -> None:
    given = arguments()
    import ale_py
    import gymnasium
    import torch

    if given.threads:
        torch.set_num_threads(given.threads)
    gymnasium.register_envs(ale_py)
    gymnasium.wrappers.GrayScaleObservation = gymnasium.wrappers.GrayscaleObservation  # type: ignore[attr-defined]
    gymnasium.wrappers.FrameStack = gymnasium.wrappers.FrameStackObservation  # type: ignore[attr-defined]
    sys.path.insert(0, str(given.checkout.resolve()))
    from cleanrl_utils import buffers

    make_replay, step = buffers.ReplayBuffer.__init__, gymnasium.vector.SyncVectorEnv.step
    counted = {"steps": 0, "updates": 0}
    marks: list[tuple[float, int]] = []

    def make_and_fill(self: Any, *args: Any, **kwargs: Any) -> None:
        make_replay(self, *args, **kwargs)
        fill(self)

    sample = buffers.ReplayBuffer.sample

    def sample_and_count(self: Any, *args: Any, **kwargs: Any) -> Any:
        counted["updates"] += 1
        return sample(self, *args, **kwargs)

    def step_and_count(self: Any, actions: Any) -> Any:
        counted["steps"] += 1
        if counted["steps"] in (given.warm, given.warm + given.steps):
            if given.device != "cpu":
                torch.cuda.synchronize()
            marks.append((time.perf_counter(), counted["updates"]))
            if len(marks) == 2:
                raise Enough
        return step(self, actions)

    buffers.ReplayBuffer.__init__ = make_and_fill
    buffers.ReplayBuffer.sample = sample_and_count
    gymnasium.vector.SyncVectorEnv.step = step_and_count  # type: ignore[method-assign]
    same = {"buffer-size": given.replay, "learning-starts": 0, "train-frequency": UPDATE_EVERY, "batch-size": 32}
    same |= {"target-network-frequency": 1000 * UPDATE_EVERY, "start-e": 0.05, "end-e": 0.05, "learning-rate": 1e-4}
    sys.argv = ["dqn_atari.py", "--env-id", "MsPacmanNoFrameskip-v4"]
    sys.argv += [word for name, value in same.items() for word in (f"--{name}", str(value))]
    sys.argv += ["--no-cuda"] if given.device == "cpu" else []
    script = given.checkout.resolve() / "cleanrl" / "dqn_atari.py"
    with (
        tempfile.TemporaryDirectory() as place,
        contextlib.chdir(place),  # it writes its events where it is run
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.suppress(Enough),
    ):
        runpy.run_path(str(script), run_name="__main__")
    (start, before), (end, after) = marks
    figures = {"steps": given.steps, "updates": after - before, "seconds": end - start}
    packages = ("torch", "gymnasium", "ale-py", "numpy")
    report("cleanrl", given, figures, packages, envs=1, precision="float32")


if __name__ == "__main__":
    main()
