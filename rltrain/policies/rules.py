"""Hard-coded policies, each a rule that is written down and not learned: what a learner has to beat.

angle            CartPole: push to the side that the pole leans to (Géron, Hands-On Machine Learning, chapter 16)
angle_velocity   CartPole: the same of angle + half the angular velocity, where the pole will lean soon
energy           MountainCar: push along the motion; Acrobot: turn the elbow the way it moves. Both add energy
bounce           RobotVacuum: straight on until it bumps, then a turn uniform in [90, 270] degrees
constant         one action, always
random           each action with equal probability
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from rltrain.core import Array, EnvSpec, Policy
from rltrain.errors import InputError

Name = Literal["angle", "angle_velocity", "energy", "bounce", "constant", "random"]


class RulePolicy:
    """A policy that is a function of the observations."""

    def __init__(self, rule: Callable[[Array], Array]) -> None:
        self._rule = rule

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        return self._rule(obs).astype(np.int64)


class BouncePolicy:
    """RobotVacuum, obs [N, 16], the first whether it bumped -> [N]: 0 forward, or a turn into the room."""

    def __init__(self, num_actions: int, stream: np.random.Generator) -> None:
        self._turns, self._stream = num_actions - 1, stream

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        steps = np.rint(self._stream.uniform(90, 270, len(obs)) * self._turns / 360).astype(np.int64)
        turn = (steps + self._turns // 2 - 1) % self._turns + 1  # as `envs.vacuum` numbers its turns
        return np.where(obs[:, 0] > 0, turn, 0)


class RandomPolicy:
    """A policy that takes each action with equal probability, whatever is seen."""

    def __init__(self, num_actions: int, stream: np.random.Generator) -> None:
        self._num_actions, self._stream = num_actions, stream

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        return self._stream.integers(self._num_actions, size=len(obs))


def angle(obs: Array) -> Array:
    """CartPole, obs [N, 4] = position, velocity, angle, angular velocity -> [N]: 0 left, 1 right."""
    return obs[:, 2] >= 0


def angle_velocity(obs: Array) -> Array:
    """CartPole, obs [N, 4] = position, velocity, angle, angular velocity -> [N]: 0 left, 1 right."""
    return obs[:, 2] + 0.5 * obs[:, 3] > 0


def along_motion(obs: Array) -> Array:
    """MountainCar, obs [N, 2] = position, velocity -> [N]: 0 left, 2 right."""
    return np.where(obs[:, 1] >= 0, 2, 0)


def elbow_motion(obs: Array) -> Array:
    """Acrobot, obs [N, 6], the last the elbow's angular velocity -> [N]: torque 0 negative, 2 positive."""
    return np.where(obs[:, 5] > 0, 2, 0)


RULES: dict[tuple[Name, str], Callable[[int, np.random.Generator], Policy]] = {  # (name, environment id)
    ("angle", "CartPole-v0"): lambda *_: RulePolicy(angle),
    ("angle", "CartPole-v1"): lambda *_: RulePolicy(angle),
    ("angle_velocity", "CartPole-v0"): lambda *_: RulePolicy(angle_velocity),
    ("angle_velocity", "CartPole-v1"): lambda *_: RulePolicy(angle_velocity),
    ("energy", "MountainCar-v0"): lambda *_: RulePolicy(along_motion),
    ("energy", "Acrobot-v1"): lambda *_: RulePolicy(elbow_motion),
    ("bounce", "RobotVacuum-v0"): BouncePolicy,
}


def names_for(env_id: str) -> list[Name]:
    """The rules made for this environment, the plainest first; none for most."""
    return [name for name, known in RULES if known == env_id]


def make(name: Name, spec: EnvSpec, stream: np.random.Generator, action: int = 0) -> Policy:
    """The rule of this name, `action` being what `constant` plays. InputError if it is not for this environment."""
    if name == "random":
        return RandomPolicy(spec.num_actions, stream)
    if name == "constant":
        if action >= spec.num_actions:
            last = spec.num_actions - 1
            raise InputError(f"algorithm.action: {action} is too large; the actions of {spec.id} are 0 to {last}")
        return RulePolicy(lambda obs: np.full(len(obs), action))
    rule = RULES.get((name, spec.id))
    if rule is None:
        made_for = " and ".join(env_id for known, env_id in RULES if known == name)
        others = ", ".join([*names_for(spec.id), "constant", "random"])
        raise InputError(f"algorithm.policy: '{name}' is a rule for {made_for}; {spec.id} can be played by {others}")
    return rule(spec.num_actions, stream)
