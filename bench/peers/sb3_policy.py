"""Stable-Baselines3's PPO or A2C in one environment: until it is solved, for its speed, or for its score.

Besides what bench/peers/policy_side.py reads: `algo`, `num_envs`, `kwargs` of the algorithm, `lines` of settings that
move straight from one value to another over so many steps, `policy` (widths of layers, activation, optimiser),
`normalize` (of VecNormalize) and `vec`: "dummy", all environments in turn, or "subproc", each in a process of its own.
Needs .venv-peers (`make bench-peers`).

    .venv-peers/bin/python bench/peers/sb3_policy.py '{"what": "solve", "algo": "a2c", ...}'
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from policy_side import Act, Course, Ended, arguments


def worlds(spec: dict[str, Any]) -> Any:
    """The environments that are trained in."""
    from stable_baselines3.common.env_util import make_atari_env, make_vec_env
    from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecFrameStack, VecNormalize

    how: dict[str, Any] = {"n_envs": spec["num_envs"], "seed": spec["seed"], "env_kwargs": spec["env_kwargs"]}
    how["vec_env_cls"] = SubprocVecEnv if spec["vec"] == "subproc" else DummyVecEnv
    if spec["vec"] == "subproc":
        how["vec_env_kwargs"] = {"start_method": "fork"}
    if spec.get("atari"):
        import ale_py
        import gymnasium

        gymnasium.register_envs(ale_py)
        return VecFrameStack(make_atari_env(spec["env_id"], **how), 4)
    training = make_vec_env(spec["env_id"], **how)
    return VecNormalize(training, **spec["normalize"]) if spec.get("normalize") else training


def line(first: float, final: float | None, over: int, total: int) -> float | Callable[[float], float]:
    """A value that moves straight to another over so many steps, of the share of `total` that is left."""
    if final is None:
        return first
    return lambda left: first + min(1.0, (1 - left) * total / over) * (final - first)


def policy_kwargs(wanted: dict[str, Any]) -> dict[str, Any]:
    """`policy_kwargs` of Stable-Baselines3."""
    import torch

    found: dict[str, Any] = {key: wanted[key] for key in ("net_arch", "log_std_init") if key in wanted}
    if "activation" in wanted:
        found["activation_fn"] = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU, "elu": torch.nn.ELU}[
            wanted["activation"]
        ]
    if "features_dim" in wanted:
        found["features_extractor_kwargs"] = {"features_dim": wanted["features_dim"]}
    if "optimizer" in wanted:
        name, eps = wanted["optimizer"]
        found["optimizer_class"] = {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop}[name]
        found["optimizer_kwargs"] = {"eps": eps} | ({"alpha": 0.99} if name == "rmsprop" else {})
    return found


def main() -> None:
    spec = arguments("Stable-Baselines3's PPO or A2C in one environment")
    import stable_baselines3
    import torch
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.vec_env import VecNormalize

    if spec["threads"]:
        torch.set_num_threads(spec["threads"])
    course, training, steps = Course(spec), worlds(spec), spec["steps"]
    lines = {name: line(*values, steps) for name, values in spec.get("lines", {}).items()}
    pictures = bool(spec.get("atari"))
    model = getattr(stable_baselines3, spec["algo"].upper())(
        "CnnPolicy" if pictures else "MlpPolicy", training, policy_kwargs=policy_kwargs(spec.get("policy", {})),
        seed=spec["seed"], device="cpu", **spec["kwargs"], **lines,
    )  # fmt: skip
    normalizing = training if isinstance(training, VecNormalize) and training.norm_obs else None

    def greedy(obs: Any) -> Any:
        seen = obs if normalizing is None else normalizing.normalize_obs(obs)
        return model.predict(seen, deterministic=True)[0]

    class Between(BaseCallback):
        def _on_rollout_start(self) -> None:
            course.between(self.num_timesteps, act)

        def _on_step(self) -> bool:
            return True

    act: Act = greedy
    try:
        model.learn(steps, callback=Between())
        course.between(model.num_timesteps, act)
    except Ended:
        pass
    course.told(act)


if __name__ == "__main__":
    main()
