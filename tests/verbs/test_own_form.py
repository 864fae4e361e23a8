"""A loaded policy plays the environment itself: it takes what `reset` and `step` give, and gives what `step` takes."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import rltrain
from rltrain.errors import InputError


class Probe(gymnasium.Env):
    """Ten steps in spaces of any kind."""

    def __init__(self, observation_space, action_space):
        self.observation_space, self.action_space = observation_space, action_space

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self.time = 0
        return self.observation_space.sample(), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.time += 1
        return self.observation_space.sample(), 1.0, self.time == 10, False, {}


PICTURE = spaces.Box(0, 255, (6, 5, 3), np.uint8)
NUMBERS = spaces.Box(-1, 1, (2,))
FROM_FIVE, FROM_ONE = spaces.Discrete(2, start=5), spaces.MultiDiscrete([2, 3], start=[1, 1])
CAR = spaces.Dict(gas=spaces.Box(0, 1, (1,)), wheel=spaces.Box(-1, 1, (1,)))
WORLDS = {
    "a dict, and actions from five on": (
        "reinforce",
        spaces.Dict(a=NUMBERS, b=spaces.Discrete(3)),
        spaces.Discrete(2, start=5),
    ),
    "a picture, and a table of numbers": ("basic", PICTURE, spaces.Box(0, 1, (2, 2))),
    "numbers and a picture, and two choices": (
        "basic",
        spaces.Tuple([PICTURE, NUMBERS]),
        spaces.MultiDiscrete([2, 3], start=[1, 1]),
    ),
    "numbers, and a dict of numbers": (
        "reinforce",
        NUMBERS,
        spaces.Dict(gas=spaces.Box(0, 1, (1,)), wheel=spaces.Box(-1, 1, (1,))),
    ),
    "states from seven on": ("qlearn", spaces.Discrete(4, start=7), spaces.Discrete(2, start=1)),
}


@pytest.mark.parametrize("name", WORLDS)
def test_a_policy_plays_the_environment_itself(name, tmp_path):
    algorithm, seen, done = WORLDS[name]

    def make():
        return Probe(seen, done)

    settings = {"policy": "random"} if algorithm == "basic" else {}
    config = {
        "algorithm": {"name": algorithm, **settings},
        "environment": {"num_envs": 1, "max_episode_steps": 20},
        "run": {"budget": {"env_steps": 40}, "threads": 1},
    }
    run = rltrain.train(config, environment=make, runs_dir=tmp_path, picture=False)
    policy, env = rltrain.load(run, environment=make), make()
    obs, over = env.reset(seed=1)[0], False
    while not over:
        obs, _, over, _, _ = env.step(policy.act(obs))
    for wrong in ("abc", None, np.zeros((9, 9, 9, 9))):
        with pytest.raises(InputError, match="obs"):
            policy.act(wrong)
