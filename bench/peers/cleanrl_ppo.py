"""CleanRL's ppo.py, ppo_continuous_action.py or ppo_atari.py, unchanged, in one environment.

CleanRL is a folder of scripts: the script of a checkout is run as it stands, and its agent and steps are listened to.
What Gymnasium called by another name when they were written is there under that name. Besides what
bench/peers/policy_side.py reads: `checkout`, `script`, its `flags`, and `n_steps` of a rollout. An evaluation sees
observations as its first environment normalises them at that time. Needs .venv-peers (`make bench-peers`) and a
checkout of github.com/vwxyzjn/cleanrl.

    .venv-peers/bin/python bench/peers/cleanrl_ppo.py '{"what": "solve", "script": "ppo.py", ...}'
"""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
from pathlib import Path
from typing import Any

from policy_side import Course, Ended, arguments

CLIP_OBS = 10.0  # as ppo_continuous_action.py has it


def give_old_names(gymnasium: Any) -> None:
    """Names and signatures of Gymnasium 0.29."""
    wrappers = gymnasium.wrappers
    newer = wrappers.TransformObservation

    class TransformObservation(newer):  # type: ignore[misc,valid-type]
        def __init__(self, env: Any, func: Any, observation_space: Any = None) -> None:
            super().__init__(env, func, observation_space or env.observation_space)

    wrappers.TransformObservation = TransformObservation
    wrappers.GrayScaleObservation = wrappers.GrayscaleObservation
    wrappers.FrameStack = wrappers.FrameStackObservation


def normalizing(env: Any, kind: type) -> Any:
    """The wrapper of this kind around an environment, if there is one."""
    while env is not env.unwrapped:
        if isinstance(env, kind):
            return env
        env = env.env
    return None


def main() -> None:
    spec = arguments("CleanRL's PPO in one environment")
    import gymnasium
    import numpy as np
    import torch

    if spec["threads"]:
        torch.set_num_threads(spec["threads"])
    give_old_names(gymnasium)
    if spec.get("atari"):
        import ale_py

        gymnasium.register_envs(ale_py)
    course = Course(spec)
    agents: list[Any] = []
    training: list[Any] = []
    counted = {"steps": 0}
    vector = gymnasium.vector.SyncVectorEnv
    begin, make, step, close = torch.nn.Module.__init__, vector.__init__, vector.step, vector.close

    def act(obs: Any) -> Any:
        agent, first = agents[-1], training[0].envs[0]
        wrapper = normalizing(first, gymnasium.wrappers.NormalizeObservation)
        if wrapper is not None:
            seen = (obs - wrapper.obs_rms.mean) / np.sqrt(wrapper.obs_rms.var + wrapper.epsilon)
            obs = np.clip(seen, -CLIP_OBS, CLIP_OBS)
        with torch.no_grad():
            seen = torch.as_tensor(obs, dtype=torch.float32)
            if spec["script"] == "ppo_continuous_action.py":
                space = first.unwrapped.action_space
                return np.clip(agent.actor_mean(seen).numpy(), space.low, space.high)
            return agent.actor(seen).argmax(1).numpy()

    def begin_and_remember(self: Any, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        if type(self).__name__ == "Agent":
            agents.append(self)

    def make_and_remember(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        if not training:
            training.append(self)

    def step_and_count(self: Any, actions: Any) -> Any:
        if self is training[0]:
            if counted["steps"] and counted["steps"] % (self.num_envs * spec["n_steps"]) == 0:
                course.between(counted["steps"], act)
            counted["steps"] += self.num_envs
        return step(self, actions)

    def close_at_the_end(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self is training[0]:
            course.between(counted["steps"], act)
        return close(self, *args, **kwargs)

    torch.nn.Module.__init__ = begin_and_remember  # type: ignore[method-assign]
    vector.__init__, vector.step, vector.close = make_and_remember, step_and_count, close_at_the_end
    sys.path.insert(0, spec["checkout"])
    sys.argv = [spec["script"], "--seed", str(spec["seed"]), "--no-cuda", "--env-id", spec["env_id"], *spec["flags"]]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.suppress(Ended):
        runpy.run_path(str(Path(spec["checkout"]) / "cleanrl" / spec["script"]), run_name="__main__")
    vector.close = close  # type: ignore[method-assign]
    course.told(act)


if __name__ == "__main__":
    main()
