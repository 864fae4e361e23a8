"""Hard-coded policies, each a rule that is written down and not learned: what a learner has to beat.

angle            CartPole: push to the side that the pole leans to (Géron, Hands-On Machine Learning, chapter 16)
angle_velocity   CartPole: the same of angle + half the angular velocity, where the pole will lean soon
energy           MountainCar, with actions of either kind: push along the motion; Acrobot: turn the elbow the way it
                 moves; Pendulum: push along the motion while it swings too low for its height, against it while too
                 high, and hold it once it is up. All add energy (Åström and Furuta 2000)
bounce           RobotVacuum: straight on until it bumps, then a turn uniform in [90, 270] degrees
constant         one action, always
random           each action with equal probability, of those that are possible; numbers uniform within their bounds
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from rltrain.core import Array, EnvSpec, Policy
from rltrain.errors import InputError
from rltrain.spaces import Actions, Discrete, MultiDiscrete, possible

Constant = int | float | tuple[float, ...]  # an action, as it is written in a config
Name = Literal["angle", "angle_velocity", "energy", "bounce", "constant", "random"]


class RulePolicy:
    """A policy that is a function of the observations. For what is masked, the first that is not: of each choice."""

    def __init__(self, rule: Callable[[Array], Array], actions: Actions) -> None:
        self._rule, self._actions = rule, actions

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        action = self._rule(obs).astype(self._actions.dtype)
        match self._actions:
            case Discrete() if mask is not None:
                return _first_possible(action, mask)
            case MultiDiscrete(columns=columns) if mask is not None:
                own = (_first_possible(action[:, k], mask[:, each]) for k, each in enumerate(columns))
                return np.stack(list(own), axis=1)
        return action


def _first_possible(choice: Array, mask: Array) -> Array:
    """Choices [N] as they are, but the first possible where mask [N, n] leaves something, and not them."""
    able = mask[np.arange(len(choice)), choice] | ~mask.any(axis=1)
    return np.where(able, choice, mask.argmax(axis=1))


class BouncePolicy:
    """RobotVacuum, obs [N, 16], the first whether it bumped -> [N]: 0 forward, or a turn into the room.

    It is `core.Scoring`, by probabilities.
    """

    score_name = "probability"

    def __init__(self, num_actions: int, stream: np.random.Generator) -> None:
        self._turns, self._stream, self._chances = num_actions - 1, stream, bounces(num_actions)

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        steps = np.rint(self._stream.uniform(90, 270, len(obs)) * self._turns / 360).astype(np.int64)
        return np.where(obs[:, 0] > 0, _turned(steps, self._turns), 0)

    def scores(self, obs: Array, mask: Array | None = None) -> Array:
        """Probabilities [N, A] at obs [N, 16]."""
        return self._chances[(obs[:, 0] > 0).astype(np.int64)]


def bounces(num_actions: int) -> Array:
    """The probabilities [2, A] of the rule `bounce`: where it did not bump, and where it did."""
    turns = num_actions - 1
    steps = np.arange(-1, turns + 1)
    ends = (np.stack([steps - 0.5, steps + 0.5]) * 360 / turns).clip(90, 270)  # [2, steps]
    found = np.zeros((2, num_actions))
    found[0, 0] = 1.0
    np.add.at(found[1], _turned(steps, turns), (ends[1] - ends[0]) / 180)
    return found


def _turned(steps: Array, turns: int) -> Array:
    """The actions that turn by so many of `turns` equal parts of a circle, as `envs.vacuum` numbers them."""
    return np.asarray((steps + turns // 2 - 1) % turns + 1)


class RandomPolicy:
    """A policy that takes each possible action with equal probability, whatever is seen."""

    def __init__(self, actions: Actions, stream: np.random.Generator) -> None:
        self._actions, self._stream = actions, stream

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        return self._actions.sample(self._stream, len(obs), mask)


class UniformPolicy:
    """A `RandomPolicy` that chooses one of some, and says how probable each is: `core.Scoring`."""

    score_name = "probability"

    def __init__(self, actions: Discrete, stream: np.random.Generator) -> None:
        self._count, self._drawn = actions.n, RandomPolicy(actions, stream)

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        return self._drawn.act(obs, mask)

    def scores(self, obs: Array, mask: Array | None = None) -> Array:
        """Probabilities [N, A], of what the mask [N, A] leaves."""
        able = np.ones((len(obs), self._count)) if mask is None else possible(mask).astype(np.float64)
        return np.asarray(able / able.sum(axis=1, keepdims=True))


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


def push_along_motion(obs: Array) -> Array:
    """MountainCarContinuous, obs [N, 2] = position, velocity -> [N, 1]: full force to where it moves."""
    return np.where(obs[:, 1:] >= 0, 1.0, -1.0)


def swing_up(obs: Array) -> Array:
    """Pendulum-v1, obs [N, 3] = cos, sin, angular velocity w of the angle from upright -> [N, 1]: torque within 2.

    Its energy, E = w²/6 + 5 (cos - 1) for m = l = 1 and g = 10, is 0 for a pendulum that comes to rest upright, and
    dE/dt = w * torque: a torque against E along w brings it there. Near the top a torque in proportion to angle and
    velocity holds it, which gravity leaves to a torque of 2 within 0.4 rad.
    """
    cos, sin, velocity = obs[:, 0], obs[:, 1], obs[:, 2]
    angle = np.arctan2(sin, cos)
    energy = velocity**2 / 6 + 5 * (cos - 1)
    pump = -4 * energy * np.where(velocity >= 0, 1.0, -1.0)
    hold = -(10 * angle + 2 * velocity)
    return np.asarray(np.clip(np.where(cos > 0.9, hold, pump), -2, 2)[:, None])


RULES: dict[tuple[Name, str], Callable[[EnvSpec, np.random.Generator], Policy]] = {  # (name, environment id)
    ("angle", "CartPole-v0"): lambda spec, _: RulePolicy(angle, spec.actions),
    ("angle", "CartPole-v1"): lambda spec, _: RulePolicy(angle, spec.actions),
    ("angle_velocity", "CartPole-v0"): lambda spec, _: RulePolicy(angle_velocity, spec.actions),
    ("angle_velocity", "CartPole-v1"): lambda spec, _: RulePolicy(angle_velocity, spec.actions),
    ("energy", "MountainCar-v0"): lambda spec, _: RulePolicy(along_motion, spec.actions),
    ("energy", "MountainCarContinuous-v0"): lambda spec, _: RulePolicy(push_along_motion, spec.actions),
    ("energy", "Acrobot-v1"): lambda spec, _: RulePolicy(elbow_motion, spec.actions),
    ("energy", "Pendulum-v1"): lambda spec, _: RulePolicy(swing_up, spec.actions),
    ("bounce", "RobotVacuum-v0"): lambda spec, stream: BouncePolicy(spec.num_actions, stream),
}


def names_for(env_id: str) -> list[Name]:
    """The rules made for this environment, the plainest first; none for most."""
    return [name for name, known in RULES if known == env_id]


def make(name: Name, spec: EnvSpec, stream: np.random.Generator, action: Constant = 0) -> Policy:
    """The rule of this name, `action` being what `constant` plays. InputError if it is not for this environment."""
    if name == "random":
        if isinstance(spec.actions, Discrete):
            return UniformPolicy(spec.actions, stream)
        return RandomPolicy(spec.actions, stream)
    if name == "constant":
        always = constant(spec, action)
        return RulePolicy(lambda obs: np.repeat(always, len(obs), axis=0), spec.actions)
    rule = RULES.get((name, spec.id))
    if rule is None:
        made_for = ", ".join(env_id for known, env_id in RULES if known == name)
        others = ", ".join([*names_for(spec.id), "constant", "random"])
        raise InputError(f"algorithm.policy: '{name}' is a rule for {made_for}; {spec.id} can be played by {others}")
    return rule(spec, stream)


def constant(spec: EnvSpec, action: Constant) -> Array:
    """One action [1, *action]; of several choices or numbers one value is that of each. InputError if there is none."""
    space, place = spec.actions, "algorithm.action"
    values = np.array(action if isinstance(action, tuple) else (action,), np.float64)
    if isinstance(space, Discrete):
        if values.shape != (1,) or not values[0].is_integer() or values[0] < 0:
            raise InputError(f"{place}: {_shown(action)} is no action; those of {spec.id} are 0 to {space.n - 1}")
        if values[0] >= space.n:
            last = space.n - 1
            raise InputError(f"{place}: {_shown(action)} is too large; the actions of {spec.id} are 0 to {last}")
        return values.astype(np.int64)
    count = space.shape[0]
    if len(values) not in (1, count):
        raise InputError(f"{place}: {_shown(action)} are {len(values)}; an action of {spec.id} is {space}")
    with np.errstate(invalid="ignore"):  # NaN as a choice
        found = np.broadcast_to(values, (1, count)).astype(space.dtype)
    if (found != values.astype(np.float32)).any() or space.fault(found, 1) is not None:
        raise InputError(f"{place}: {_shown(action)} cannot be; an action of {spec.id} is {space}")
    return found


def _shown(action: Constant) -> str:
    return str(list(action)) if isinstance(action, tuple) else f"{action:g}"
