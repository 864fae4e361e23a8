"""The tasks of bench/ppo.py, and one config of rltrain as Stable-Baselines3's settings and as CleanRL's flags.

`for_sb3` and `for_cleanrl` say besides, in words, what they cannot set equal. The settings of rltrain's PPO are
Stable-Baselines3's by name, so that most are handed on as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from rltrain.core import EnvSpec
from rltrain.experiment import config
from rltrain.experiment.config import Experiment
from rltrain.experiment.wrappers import ClipReward, NormalizeObservation, NormalizeReward, Shared, Wrapper

ROOT = Path(__file__).resolve().parent.parent
Spec = dict[str, Any]  # what a peer's side is given: bench/peers/policy_side.py


class Task(NamedTuple):
    """An environment, and how much of it is measured."""

    config: str  # a file of configs/
    overrides: tuple[str, ...]
    peers_id: str  # the environment's name there
    script: str  # CleanRL's
    score: float | None  # that counts as solved; None: for the speed alone
    equal_steps: int  # after which returns are compared
    speed_steps: int  # of a run whose second half is timed; rounded to whole rollouts


CHEETAH = Task(
    "worlds/halfcheetah_ppo.yaml", (), "HalfCheetah-v5", "ppo_continuous_action.py",
    score=3_000, equal_steps=500_000, speed_steps=40_000,
)  # fmt: skip
TASKS: dict[str, Task] = {
    "cartpole": Task(
        "ppo_cartpole.yaml", (), "CartPole-v1", "ppo.py",
        score=475, equal_steps=50_000, speed_steps=100_000,
    ),
    "lunarlander": Task(
        "ppo_lunarlander.yaml", (), "LunarLander-v3", "ppo.py",
        score=200, equal_steps=400_000, speed_steps=80_000,
    ),
    "halfcheetah": CHEETAH,
    "halfcheetah-1": CHEETAH._replace(overrides=("environment.num_envs=1", "algorithm.n_steps=2048"), score=None),
    "breakout": Task(
        "ppo_breakout.yaml", ("algorithm.precision=float32",), "BreakoutNoFrameskip-v4", "ppo_atari.py",
        score=None, equal_steps=0, speed_steps=16_384,
    ),
}  # fmt: skip


def experiment_of(task: Task) -> Experiment:
    """The config of a task."""
    return config.load(ROOT / "configs" / task.config, task.overrides)


# Settings that have their own place below; of all others, what is not the default is said to be unequal.
HANDED_ON = ("gamma", "gae_lambda", "ent_coef", "vf_coef", "normalize_advantage", "target_kl", "n_epochs", "n_steps")
PLACED = (
    *HANDED_ON, "learning_rate", "learning_rate_final", "learning_rate_steps", "batch_size", "clip_range",
    "clip_range_final", "clip_range_vf", "max_grad_norm", "optimizer", "optimizer_eps", "hidden", "activation",
    "log_std_init", "act",
)  # fmt: skip
NO_LIMIT = 1e9  # a gradient that is never too long


def unplaced(own: Any) -> list[str]:
    """Settings that no peer has."""
    fields = type(own).model_fields
    changed = {name: value for name, value in own if name not in PLACED and value != fields[name].default}
    return [f"{name} is {value} in rltrain alone" for name, value in changed.items()]


def batches(own: Any, spec: EnvSpec) -> tuple[int, list[str]]:
    """How many a rollout is split into."""
    rollout = own.n_steps * spec.num_envs
    parts = max(1, round(rollout / own.batch_size))
    return parts, [] if rollout % parts == 0 else [f"a rollout of {rollout} is not {parts} equal batches"]


def wrapped(wrappers: tuple[Wrapper, ...]) -> dict[str, Any]:
    """Those around all environments, by name. SystemExit for others."""
    other = [each.name for each in wrappers if not isinstance(each, Shared)]
    if other:
        raise SystemExit(f"a peer is given no wrapper {', '.join(other)}")
    return {each.name: each for each in wrappers}


def for_sb3(experiment: Experiment, spec: EnvSpec) -> tuple[Spec, list[str]]:
    """What bench/peers/sb3_policy.py is given, and what is unequal."""
    own: Any = experiment.algorithm
    parts, unequal = batches(own, spec)
    unequal += unplaced(own)
    kwargs = {name: getattr(own, name) for name in HANDED_ON}
    kwargs |= {"clip_range_vf": own.clip_range_vf, "batch_size": -(-own.n_steps * spec.num_envs // parts)}
    kwargs["max_grad_norm"] = NO_LIMIT if own.max_grad_norm is None else own.max_grad_norm
    policy: Spec = {"optimizer": [own.optimizer, own.optimizer_eps]}
    if spec.is_image:
        first, *more = own.hidden or (512,)
        policy |= {"features_dim": first, "net_arch": more}
        if more:
            unequal.append("layers after the first behind the pictures are the policy's and the value's own there")
    else:
        policy |= {"net_arch": list(own.hidden or (64, 64)), "activation": own.activation}
    if spec.actions.form == "continuous":
        policy["log_std_init"] = own.log_std_init
        unequal += unequal_bounds(spec)
    found = {
        "algo": "ppo",
        "num_envs": spec.num_envs,
        "kwargs": kwargs,
        "policy": policy,
        "lines": {
            "learning_rate": [own.learning_rate, own.learning_rate_final, own.learning_rate_steps],
            "clip_range": [own.clip_range, own.clip_range_final, own.learning_rate_steps],
        },
    }
    around = wrapped(experiment.environment.wrappers)
    obs, reward = around.get("NormalizeObservation"), around.get("NormalizeReward")
    if obs or reward:
        found["normalize"] = normalize_of(obs, reward)
        if obs and reward and obs.epsilon != reward.epsilon:
            unequal.append(f"epsilon of rewards is {reward.epsilon} here and {obs.epsilon} there")
    unequal += unequal_rewards(around, spec)
    return found, unequal


def normalize_of(obs: NormalizeObservation | None, reward: NormalizeReward | None) -> Spec:
    """Settings of VecNormalize."""
    found: Spec = {"norm_obs": obs is not None, "norm_reward": reward is not None}
    if obs is not None:
        found |= {"clip_obs": obs.clip or NO_LIMIT, "epsilon": obs.epsilon}
    if reward is not None:
        found |= {"clip_reward": reward.clip or NO_LIMIT, "gamma": reward.gamma}
    return found


def unequal_bounds(spec: EnvSpec) -> list[str]:
    """Numbers are drawn in halves of their bounds here, as they are there."""
    space: Any = spec.actions
    return [] if set(space.low) == {-1.0} and set(space.high) == {1.0} else ["numbers are not drawn from -1 to 1"]


def unequal_rewards(around: dict[str, Any], spec: EnvSpec) -> list[str]:
    """Both peers clip Atari's rewards to their sign and press FIRE where a game waits for it."""
    clip = around.get("ClipReward")
    if not spec.is_image:
        return [] if clip is None else ["rewards are clipped here alone"]
    signs = clip == ClipReward(name="ClipReward", min_reward=-1.0, max_reward=1.0)
    found = ["the peers press FIRE when a game opens"]
    return found if signs else [*found, "rewards are clipped to their sign there alone"]


def for_cleanrl(experiment: Experiment, spec: EnvSpec, steps: int) -> tuple[list[str], list[str]]:
    """Flags of CleanRL's script for a run of so many steps, and what is unequal."""
    own: Any = experiment.algorithm
    parts, unequal = batches(own, spec)
    rollout = own.n_steps * spec.num_envs
    unequal += [*unplaced(own), "time limits do not bootstrap there; the step that opens an episode is learned from"]
    flags: dict[str, Any] = {
        "num-envs": spec.num_envs, "num-steps": own.n_steps, "num-minibatches": parts, "update-epochs": own.n_epochs,
        "gamma": own.gamma, "gae-lambda": own.gae_lambda, "ent-coef": own.ent_coef, "learning-rate": own.learning_rate,
        "clip-coef": own.clip_range, "vf-coef": 2 * own.vf_coef,  # there it is the weight of half the squared error
        "max-grad-norm": NO_LIMIT if own.max_grad_norm is None else own.max_grad_norm,
    }  # fmt: skip
    total = steps + rollout  # it is stopped after `steps`
    if falls := own.learning_rate_final is not None:
        total = round(own.learning_rate_steps * own.learning_rate / (own.learning_rate - own.learning_rate_final))
        if total < steps or own.learning_rate_steps + rollout <= steps:
            unequal.append("the learning rate ends at another value")
    if own.target_kl is not None:
        flags["target-kl"] = 1.5 * own.target_kl
        unequal.append("the distance of the policies is looked at after each epoch there")
    switches = {"anneal-lr": falls, "norm-adv": own.normalize_advantage, "clip-vloss": own.clip_range_vf is not None}
    if own.clip_range_vf is not None:
        unequal.append(f"values are limited by {own.clip_range} there, and the greater of two errors counts")
    if own.clip_range_final is not None:
        unequal.append("the clip range stays as it is there")
    if (own.optimizer, own.optimizer_eps) != ("adam", 1e-5):
        unequal.append("the optimiser is Adam with 1e-5 there")
    unequal += unequal_network(own, spec)
    around = wrapped(experiment.environment.wrappers)
    if spec.actions.form == "continuous":
        normal = "NormalizeObservation" in around and "NormalizeReward" in around
        own_statistics = "each environment has statistics of its own there"
        unequal += [own_statistics if normal else "observations and rewards are normalised there"]
        unequal += unequal_bounds(spec)
    elif around.keys() & {"NormalizeObservation", "NormalizeReward"}:
        unequal.append("observations and rewards are not normalised there")
    unequal += unequal_rewards(around, spec)
    flags["total-timesteps"] = total
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    return words + [f"--{name}" if on else f"--no-{name}" for name, on in switches.items()], unequal


def unequal_network(own: Any, spec: EnvSpec) -> list[str]:
    """The networks of CleanRL's scripts are fixed."""
    if spec.is_image:
        return [] if own.hidden in (None, (512,)) else ["the layer behind the pictures has 512 units there"]
    found = []
    if own.hidden not in (None, (64, 64)) or own.activation != "tanh":
        ours = " and ".join(map(str, own.hidden or (64, 64)))
        found = [f"hidden layers are 64 and 64 tanh there, {ours} {own.activation} here"]
    if spec.actions.form == "continuous" and own.log_std_init != 0:
        found.append(f"the first log deviation is 0 there, {own.log_std_init} here")
    return found
