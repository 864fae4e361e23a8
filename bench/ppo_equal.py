"""One rollout and its updates by Stable-Baselines3's PPO and A2C, kept so that a test can hold rltrain's against them.

Two environments play 8 steps of a fixed tape, which ends episodes for both reasons, in the middle and at the end of
the rollout. Of each case the file has the first weights, what was seen and drawn, the order of the minibatches, and
what Stable-Baselines3 makes of it: advantages, returns, weights. Time is laid out as in `rltrain.core.Step`: where an
episode stopped, one more row opens the next. Weights of fully connected layers are [in, out].

tests/algos/test_ppo_peer.py plays the same tape. Needs .venv-peers (`make bench-peers`); takes seconds.

    .venv-peers/bin/python bench/ppo_equal.py
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent.parent / "tests" / "algos" / "ppo_peer.npz"
ENVS, STEPS = 2, 8
STOPS = {(0, 3): "terminated", (1, 5): "truncated", (1, 7): "truncated"}  # after which step of which environment
HIDDEN = (8, 8)
PICTURE, CONVOLUTIONS, PICTURE_HIDDEN = (2, 12, 12), ((4, 4, 2), (4, 3, 1)), 16

COMMON: dict[str, Any] = {"learning_rate": 5e-3, "gamma": 0.9, "gae_lambda": 0.8, "vf_coef": 0.7, "max_grad_norm": 0.5}
PPO: dict[str, Any] = {**COMMON, "n_epochs": 3, "batch_size": 4, "clip_range": 0.1, "ent_coef": 0.02}
A2C: dict[str, Any] = {**COMMON, "gae_lambda": 1.0, "ent_coef": 0.02}
WHOLE = {**PPO, "batch_size": 16, "n_epochs": 5, "ent_coef": 0.0, "max_grad_norm": 0.05, "normalize_advantage": False}
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {  # algorithm, form of the actions, settings
    "discrete": ("ppo", "discrete", PPO),
    "discrete, values limited": ("ppo", "discrete", {**PPO, "clip_range_vf": 0.05}),
    "discrete, whole batches": ("ppo", "discrete", WHOLE),
    "discrete, until too far": ("ppo", "discrete", {**PPO, "target_kl": 0.002}),
    "discrete, A2C": ("a2c", "discrete", A2C),
    "several choices": ("ppo", "multi_discrete", PPO),
    "numbers": ("ppo", "continuous", PPO),
    "numbers, values limited": ("ppo", "continuous", {**PPO, "clip_range_vf": 0.05}),
    "numbers, A2C": ("a2c", "continuous", A2C),
    "pictures": ("ppo", "pictures", PPO),
}


def tape(pictures: bool) -> tuple[Any, Any]:
    """Observations [N, T + 4, *obs], of each environment in the order in which it shows them, and rewards [N, T]."""
    import numpy as np

    rng = np.random.default_rng(0)
    shape = (ENVS, STEPS + 4)  # one to begin with and one that opens each next episode; the rest is spare
    obs = rng.integers(0, 256, (*shape, *PICTURE), dtype=np.uint8) if pictures else rng.normal(size=(*shape, 4))
    return obs if pictures else obs.astype(np.float32), rng.normal(size=(ENVS, STEPS)).astype(np.float32)


def tape_env(number: int, obs: Any, reward: Any, actions: Any) -> Any:
    """An environment that shows its tape, whatever is done."""
    import gymnasium
    import numpy as np

    class Tape(gymnasium.Env[Any, Any]):
        action_space = actions
        observation_space = (
            gymnasium.spaces.Box(0, 255, PICTURE, np.uint8)
            if obs.dtype == np.uint8
            else gymnasium.spaces.Box(-np.inf, np.inf, obs.shape[2:], np.float32)
        )
        shown = time = 0

        def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
            self.shown += 1
            return obs[number, self.shown - 1], {}

        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            now, stops = self.time, STOPS.get((number, self.time))
            self.time, self.shown = self.time + 1, self.shown + 1
            over = stops == "terminated", stops == "truncated"
            return obs[number, self.shown - 1], float(reward[number, now]), *over, {}

    return Tape()


def in_rows(obs: Any, reward: Any) -> tuple[dict[str, Any], Any]:
    """The tape as rows of `rltrain.core.Step`, [T' + 1, N], and the row [N, T] that each step is taken from."""
    import numpy as np

    rows = STEPS + 1  # of each environment one opens an episode within the rollout
    found = {
        "obs": np.stack([each[: rows + 1] for each in obs], axis=1),
        "reward": np.zeros((rows + 1, ENVS), np.float32),
        "discount": np.ones((rows + 1, ENVS), np.float32),
        "first": np.zeros((rows + 1, ENVS), bool),
        "last": np.zeros((rows + 1, ENVS), bool),
    }
    found["first"][0] = True
    taken = np.zeros((ENVS, STEPS), int)
    for n in range(ENVS):
        row = 0
        for step in range(STEPS):
            taken[n, step], row = row, row + 1
            found["reward"][row, n] = reward[n, step]
            stops = STOPS.get((n, step))
            found["last"][row, n] = stops is not None
            found["discount"][row, n] = stops != "terminated"
            if stops is not None and step < STEPS - 1:
                row += 1
                found["first"][row, n] = True
    return found, taken


def small_pictures() -> Any:
    """Convolutions as of the Nature network, but few: a class of features for Stable-Baselines3."""
    import torch
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

    class SmallPictures(BaseFeaturesExtractor):
        def __init__(self, observation_space: Any) -> None:
            super().__init__(observation_space, PICTURE_HIDDEN)
            layers: list[Any] = []
            channels = PICTURE[0]
            for out, kernel, stride in CONVOLUTIONS:
                layers += [torch.nn.Conv2d(channels, out, kernel, stride), torch.nn.ReLU()]
                channels = out
            self.cnn = torch.nn.Sequential(*layers, torch.nn.Flatten())
            width = self.cnn(torch.zeros(1, *PICTURE)).shape[1]
            self.linear = torch.nn.Sequential(torch.nn.Linear(width, PICTURE_HIDDEN), torch.nn.ReLU())

        def forward(self, observations: Any) -> Any:
            return self.linear(self.cnn(observations))

    return SmallPictures


def weights(policy: Any, pictures: bool) -> dict[str, Any]:
    """By rltrain's names and in its shapes."""
    import numpy as np

    own = {name: value.detach().numpy().copy() for name, value in policy.named_parameters()}
    if not pictures:
        found = {}
        for role, last in (("policy", "action_net"), ("value", "value_net")):
            layers = [f"mlp_extractor.{role}_net.{place}" for place in (0, 2)] + [last]
            parts = [own[f"{layer}.{kind}"].T for layer in layers for kind in ("weight", "bias")]
            found |= {f"{role}.{number}": np.ascontiguousarray(part) for number, part in enumerate(parts)}
        return found | ({"free.0": own["log_std"]} if "log_std" in own else {})
    found = {}
    names = {"trunk.0": "features_extractor.cnn.0", "trunk.2": "features_extractor.cnn.2", "out": "action_net"}
    names |= {"value": "value_net", "rest.0": "features_extractor.linear.0"}
    for ours, theirs in names.items():
        found |= {f"{ours}.{kind}": own[f"{theirs}.{kind}"] for kind in ("weight", "bias")}
    wide = found["rest.0.weight"]  # its inputs are [C, H, W] there and [H, W, C] here
    side = round((wide.shape[1] / CONVOLUTIONS[-1][0]) ** 0.5)
    wide = wide.reshape(len(wide), -1, side, side).transpose(0, 2, 3, 1)
    return found | {"rest.0.weight": wide.reshape(len(wide), -1)}


def played(algorithm: str, form: str, settings: dict[str, Any]) -> dict[str, Any]:
    """What Stable-Baselines3 makes of one case."""
    import gymnasium
    import numpy as np
    import stable_baselines3
    import torch
    from stable_baselines3.common.logger import Logger
    from stable_baselines3.common.vec_env import DummyVecEnv

    spaces = {
        "continuous": gymnasium.spaces.Box(-1, 1, (2,), np.float32),
        "multi_discrete": gymnasium.spaces.MultiDiscrete([3, 2]),
    }
    pictures = form == "pictures"
    obs, reward = tape(pictures)
    actions = spaces.get(form, gymnasium.spaces.Discrete(3))
    envs = [lambda n=n: tape_env(n, obs, reward, actions) for n in range(ENVS)]
    network: dict[str, Any] = {"ortho_init": False, "net_arch": [] if pictures else list(HIDDEN)}
    if pictures:
        network["features_extractor_class"] = small_pictures()
    learner = getattr(stable_baselines3, algorithm.upper())(
        "CnnPolicy" if pictures else "MlpPolicy", DummyVecEnv(envs), n_steps=STEPS, policy_kwargs=network, seed=0,
        device="cpu", **settings,
    )  # fmt: skip
    learner.set_logger(Logger(None, []))
    with torch.no_grad():  # scores of actions far enough apart that ratios leave the clip range
        learner.policy.action_net.weight.mul_(2)
    before = weights(learner.policy, pictures)
    orders: list[Any] = []
    shuffled = np.random.permutation

    def noted(count: int) -> Any:
        orders.append(shuffled(count))
        return orders[-1]

    _, callback = learner._setup_learn(STEPS * ENVS)
    learner.collect_rollouts(learner.env, callback, learner.rollout_buffer, STEPS)
    buffer = learner.rollout_buffer
    rows, taken = in_rows(obs, reward)
    drawn = np.zeros((STEPS + 1, ENVS, *buffer.actions.shape[2:]), np.float32)
    for n in range(ENVS):
        drawn[taken[n], n] = buffer.actions[:, n]
    found = {**rows, "drawn": drawn if form in spaces else drawn[..., 0], "taken": taken}
    for name, column in (("score", buffer.advantages), ("target", buffer.returns), ("log_prob", buffer.log_probs)):
        found[name] = column.T.copy()  # [N, T]
    np.random.permutation = noted
    learner.train()
    np.random.permutation = shuffled
    each = taken * ENVS + np.arange(ENVS)[:, None]  # [N, T] -> rows of the rollout laid out flat
    found["order"] = np.stack([each.ravel()[order] for order in orders])
    return found | {"before": before, "after": weights(learner.policy, pictures)}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Updates of Stable-Baselines3 for a test of rltrain's")
    parser.add_argument("--out", type=Path, default=FILE, help="the file that is written [that of the test]")
    given = parser.parse_args(argv)
    import numpy as np
    import torch

    torch.set_num_threads(1)
    arrays: dict[str, Any] = {}
    shapes: dict[str, Any] = {}
    for name, case in CASES.items():
        found = played(*case)
        shapes[name] = {key: value.shape for key, value in found["before"].items()}
        for key in ("before", "after"):  # in one array each: an array takes 300 bytes besides its numbers
            found[key] = np.concatenate([value.ravel() for value in found[key].values()])
        arrays |= {f"{name}/{key}": value for key, value in found.items()}
    packages = ("stable-baselines3", "torch", "numpy", "gymnasium")
    head = {
        "versions": {package: version(package) for package in packages},
        "convolutions": CONVOLUTIONS,
        "hidden": {"pictures": [PICTURE_HIDDEN], "vectors": HIDDEN},
        "cases": {
            name: {"form": form, "settings": settings, "shapes": shapes[name]}
            for name, (_, form, settings) in CASES.items()
        },
    }
    for name, (algorithm, _, _) in CASES.items():
        if algorithm == "a2c":
            more = {"optimizer": "rmsprop", "n_epochs": 1, "batch_size": ENVS * STEPS, "normalize_advantage": False}
            head["cases"][name]["settings"] = {**head["cases"][name]["settings"], **more}
    np.savez_compressed(given.out, head=np.array(json.dumps(head)), **arrays)
    print(f"wrote {given.out}: {len(CASES)} cases, {given.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
