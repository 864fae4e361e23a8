"""RobotVacuum-v0: thirty minutes, a room, and a robot that is to pick up the dust in it.

The robot is a disc of 35 cm that cleans what it covers. A step is a second: the robot drives forward, 20 cm or until it
bumps into a wall or furniture, or it turns where it stands. An episode is 1,800 steps, cut off by the time limit
(`max_episode_steps`). The reward is the dust picked up, in grams. Every room has 100 g, all of it within reach, so the
return is the percentage of the dust as well. Where the dust lies and where the robot starts is drawn anew each episode;
after that nothing is random.

    action 0          forward
    action k = 1..K   turn by -180 + 360 k / K degrees, to the left if positive: K equally spaced angles in (-180, 180]

K is the argument `turns`. With the default 72 an angle that is uniform in [-r, r] is hit to within 2.5 degrees
(`turn_action`), for rules such as "forward with probability p, else turn by a random angle" (Géron, Hands-On Machine
Learning, chapter 16). A learner that has to try every action is better off with `turns: 8`.

    obs    range   float32 [16]: what such a robot can sense
    0      0, 1    it bumped in the last second
    1      0..1    dust picked up in the last second; 1: four times what a second on average floor gives
    2      0..1    battery: the share left of 30 minutes, whatever the time limit
    3      0..1    dust in the bag, as a share of the room's
    4, 5   -1..1   compass: cosine and sine of the heading
    6-10   0..1    free way at 90, 45, 0, -45 and -90 degrees from the heading, to the left first; 1: 4 m or more
    11-15  0..1    dust along the same directions, up to 0.9 m away, not behind an obstacle; 1: four times the mean

Arguments: `room` is living (default), flat (three rooms and their doors), pillars or empty; `width` and `depth` are the
floor's, 8 and 6 metres, and stretch the furniture along; `dust` is uneven (heaps, the default) or even; `turns` is K, a
multiple of 8.

What rules pick up, in grams, mean of 100 episodes (bench/vacuum.py):

                                                       living   flat   pillars   empty
    random actions                                        2.0    2.0       1.7     1.8
    forward with p, else a turn in [-r, r], the best     61.1   46.5      61.1    69.3   p .8 to .85, r 150 to 180
    forward until it bumps, then a turn in [90, 270]     87.3   72.1      86.0    90.6
    rows to and fro by bumper and compass                30.2   29.9      30.1    99.8   it gets caught in corners

To Gymnasium's users: `import rltrain.envs.vacuum`, then `gymnasium.make("RobotVacuum-v0")`, or
`gymnasium.make_vec` for many at once.
"""

from __future__ import annotations

from dataclasses import fields

import gymnasium
import numpy as np

from rltrain.core import Array, EnvSpec
from rltrain.envs.vacuum.layouts import VacuumOptions
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.spaces import Discrete
from rltrain.spelling import did_you_mean

ID = "RobotVacuum-v0"
MINUTES = 30
BEAM_NAMES = ("left", "ahead left", "ahead", "ahead right", "right")
SENSES = (
    "bumped", "picked up", "battery", "bag", "compass cosine", "compass sine",
    *(f"way {beam}" for beam in BEAM_NAMES), *(f"dust {beam}" for beam in BEAM_NAMES),
)  # fmt: skip


def action_names(turns: int = 72) -> tuple[str, ...]:
    """("forward", "turn -175", ..., "turn 180"): what each action does, in degrees."""
    return ("forward", *(f"turn {-180 + 360 * k / turns:g}" for k in range(1, turns + 1)))


def turn_action(angle_degrees: float, turns: int = 72) -> int:
    """The action that turns by the nearest of the `turns` angles; the angle may be any number."""
    return int(turn_actions(np.asarray(angle_degrees), turns))


def turn_actions(angle_degrees: Array, turns: int = 72) -> Array:
    """The actions that turn by the nearest of the `turns` angles: int64, in the shape of the angles."""
    steps = np.rint(angle_degrees * turns / 360).astype(np.int64)
    actions: Array = (steps + turns // 2 - 1) % turns + 1
    return actions


def options_of(settings: EnvironmentConfig) -> VacuumOptions:
    """The arguments in `environment.kwargs`. InputError for what is not one of them."""
    names = [field.name for field in fields(VacuumOptions)]
    for name in settings.kwargs:
        if name not in names:
            raise InputError(f"environment.kwargs: {ID} has no {name!r}{did_you_mean(name, names)}")
    try:
        return VacuumOptions(**settings.kwargs)  # type: ignore[arg-type]  # it checks them
    except ValueError as error:
        raise InputError(f"environment.kwargs: {error}") from error


def describe(settings: EnvironmentConfig, num_envs: int) -> EnvSpec:
    """What an algorithm may know of it. InputError as `options_of`."""
    names = action_names(options_of(settings).turns)
    return EnvSpec(
        id=ID,
        obs_shape=(len(SENSES),),
        obs_dtype="float32",
        frame_stack=1,
        actions=Discrete(len(names), names),
        num_envs=num_envs,
        frames_per_step=1,
        max_episode_steps=settings.max_episode_steps or 60 * MINUTES,
        reward_threshold=None,
    )


if ID not in gymnasium.registry:
    gymnasium.register(
        ID,
        entry_point="rltrain.envs.vacuum.gym:RobotVacuum",
        vector_entry_point="rltrain.envs.vacuum.gym:RobotVacuumVector",
        max_episode_steps=60 * MINUTES,
    )
