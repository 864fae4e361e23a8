"""RobotVacuum-v0: thirty minutes, a room, and a robot that is to pick up the dust in it.

The robot is a disc of 35 cm that cleans what it covers. A step is a second. In it the robot either drives forward, 20 cm
or until it bumps into a wall or furniture, or turns where it stands. An episode is 1,800 steps, cut off by the time limit
(`max_episode_steps`). The reward is the dust picked up in grams. Every room has 100 g, all of it within reach, so the
return is the percentage of the dust as well. Where the dust lies and where the robot starts is drawn anew each episode;
after that nothing is random.

    action 0          forward
    action k = 1..K   turn by -180 + 360 k / K degrees, to the left if positive: K equally spaced angles in (-180, 180]

K is the argument `turns`. With the default 72 an angle that is uniform in [-r, r] is hit to within 2.5 degrees
(`turn_action`), for rules such as "forward with probability p, else turn by a random angle" (Géron, Hands-On Machine
Learning, chapter 16). A learner that has to try every action is better off with `turns: 8`.

    obs    range    float32 [16]: what such a robot can sense
    0      0, 1     it bumped in the last second
    1      0..1     dust picked up in the last second; 1: four times what a second on average floor gives
    2      0..1     time left, as a share of the limit; 1 where there is none
    3      0..1     dust in the bag, as a share of the room's
    4, 5   -1..1    compass: cosine and sine of the heading
    6-10   0..1     free way at 90, 45, 0, -45 and -90 degrees from the heading, to the left first; 1: 4 m or more
    11-15  0..1     dust along the same directions, up to 0.9 m away and not behind what stands in the way; 1: four times
                    the average

Arguments: `room` is living (default), flat (three rooms and their doors), pillars or empty; `width` and `depth` are the
floor's, 8 and 6 metres, and stretch the furniture along; `dust` is uneven (heaps, as default) or even; `turns` is K, a
multiple of 8. To Gymnasium's users: `import rltrain.envs.vacuum`, then `gymnasium.make("RobotVacuum-v0")` or, compiled
and many at once, `gymnasium.make_vec`.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from rltrain.core import Array, EnvSpec
from rltrain.envs.vacuum_room import Options
from rltrain.errors import InputError
from rltrain.settings import EnvironmentConfig
from rltrain.spelling import did_you_mean

if TYPE_CHECKING:
    from rltrain.envs.vacuum_picture import Picture

ID = "RobotVacuum-v0"
MINUTES = 30
BEAM_NAMES = ("left", "ahead left", "ahead", "ahead right", "right")
SENSES = (
    "bumped", "picked up", "time left", "bag", "compass cosine", "compass sine",
    *(f"way {beam}" for beam in BEAM_NAMES), *(f"dust {beam}" for beam in BEAM_NAMES),
)  # fmt: skip
METADATA: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 30}


def turn_action(angle_degrees: float, turns: int = 72) -> int:
    """The action that turns by the nearest of the `turns` angles; the angle may be any number."""
    steps = round(angle_degrees * turns / 360)
    return (steps + turns // 2 - 1) % turns + 1


def action_names(turns: int = 72) -> tuple[str, ...]:
    """("forward", "turn -175", ..., "turn 180"): what each action does, in degrees."""
    return ("forward", *(f"turn {-180 + 360 * k / turns:g}" for k in range(1, turns + 1)))


def options_of(settings: EnvironmentConfig) -> Options:
    """The arguments in `environment.kwargs`. InputError for what is not one of them."""
    names = [field.name for field in fields(Options)]
    for name in settings.kwargs:
        if name not in names:
            raise InputError(f"environment.kwargs: {ID} has no {name!r}{did_you_mean(name, names)}")
    try:
        return Options(**settings.kwargs)  # type: ignore[arg-type]  # it checks them
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
        num_actions=len(names),
        action_names=names,
        num_envs=num_envs,
        frames_per_step=1,
        max_episode_steps=settings.max_episode_steps or 60 * MINUTES,
        reward_threshold=None,
    )


class RobotVacuum(gymnasium.Env[Array, np.int64]):
    """One robot, as Gymnasium has it. `info` has dust_left (grams), x, y (metres from the top left) and heading."""

    metadata = METADATA

    def __init__(
        self,
        room: str = "living",
        width: float = 8.0,
        depth: float = 6.0,
        dust: str = "uneven",
        turns: int = 72,
        render_mode: str | None = None,
    ) -> None:
        from rltrain.envs.vacuum_lanes import Robots

        self.render_mode = _checked_mode(render_mode)
        self._robots = Robots(Options(room, width, depth, dust, turns), 1)
        self._picture = _pictures(self._robots.options, 1) if render_mode else []
        self.action_space = spaces.Discrete(turns + 1)
        self.observation_space = _space()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        own = _own_seed(self.np_random) if seed is None else seed
        obs, _ = self._advance(np.zeros(1, np.int64), [own])
        return obs[0], self._info()

    def step(self, action: np.int64) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        obs, reward = self._advance(np.array([action], np.int64), [])
        return obs[0], float(reward[0]), False, False, self._info()

    def render(self) -> Array | None:  # type: ignore[override]  # Gymnasium allows None where there is no mode
        """The room from above, uint8 [height, width, 3]."""
        return _frame(self._picture[0], self._robots, 0) if self._picture else None

    def _advance(self, action: Array, seeds: list[int]) -> tuple[Array, Array]:
        first = np.array([bool(seeds)])
        limit = self.spec.max_episode_steps if self.spec else 60 * MINUTES
        result = self._robots.step(action, first, seeds, limit)
        _follow(self._picture, self._robots, first)
        return result

    def _info(self) -> dict[str, Any]:
        return {name: float(values[0]) for name, values in self._robots.facts().items()}


class RobotVacuumVector(VectorEnv[Array, Array, Array]):
    """N robots, as Gymnasium has them: what `gymnasium.make_vec` gives, and what N single ones would do, only faster."""

    metadata = {**METADATA, "autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int = 60 * MINUTES,
        room: str = "living",
        width: float = 8.0,
        depth: float = 6.0,
        dust: str = "uneven",
        turns: int = 72,
        render_mode: str | None = None,
    ) -> None:
        from rltrain.envs.vacuum_lanes import Robots

        self.num_envs, self.render_mode = num_envs, _checked_mode(render_mode)
        self._limit = max_episode_steps
        self._robots = Robots(Options(room, width, depth, dust, turns), num_envs)
        self._pictures = _pictures(self._robots.options, num_envs) if render_mode else []
        self.single_action_space = spaces.Discrete(turns + 1)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.single_observation_space = _space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._streams: list[np.random.Generator] = []
        self._ended = np.zeros(num_envs, bool)

    def reset(  # type: ignore[override]  # as SyncVectorEnv, it takes a list of seeds too
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """`seed` is lane 0's, the next one lane 1's, and so on; or a list with one a lane."""
        given = seed if isinstance(seed, list) else [None if seed is None else seed + i for i in range(self.num_envs)]
        if len(given) != self.num_envs:
            raise ValueError(f"seed: expected {self.num_envs} seeds, got {len(given)}")
        super().reset(seed=given[0])
        for lane, own in enumerate(given):
            if own is not None or not self._streams[lane:]:
                self._streams[lane : lane + 1] = [gymnasium.utils.seeding.np_random(own)[0]]
        seeds = [_own_seed(self._streams[lane]) if own is None else own for lane, own in enumerate(given)]
        self._ended = np.zeros(self.num_envs, bool)
        obs, _ = self._advance(np.zeros(self.num_envs, np.int64), ~self._ended, seeds)
        return obs, {}

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        seeds = [_own_seed(self._streams[lane]) for lane in np.flatnonzero(self._ended).tolist()]
        obs, reward = self._advance(np.asarray(actions, np.int64), self._ended, seeds)
        self._ended = self._robots.lanes.age >= self._limit
        return obs, reward.astype(np.float64), np.zeros(self.num_envs, bool), self._ended.copy(), {}

    def render(self) -> tuple[Array, ...] | None:
        """A picture of each lane."""
        if not self._pictures:
            return None
        return tuple(_frame(picture, self._robots, lane) for lane, picture in enumerate(self._pictures))

    def _advance(self, action: Array, first: Array, seeds: list[int]) -> tuple[Array, Array]:
        result = self._robots.step(action, first, seeds, self._limit)
        _follow(self._pictures, self._robots, first)
        return result


def _space() -> spaces.Box:
    low = np.zeros(len(SENSES), np.float32)
    low[4:6] = -1.0
    return spaces.Box(low, np.ones(len(SENSES), np.float32), dtype=np.float32)


def _own_seed(stream: np.random.Generator) -> int:
    return int(stream.integers(2**62))


def _checked_mode(render_mode: str | None) -> str | None:
    if render_mode not in (None, *METADATA["render_modes"]):
        raise ValueError(f"render_mode: {render_mode!r} is unknown; one of {', '.join(METADATA['render_modes'])}")
    return render_mode


def _pictures(options: Options, count: int) -> list[Picture]:
    from rltrain.envs.vacuum_picture import Picture

    return [Picture(options) for _ in range(count)]


def _follow(pictures: list[Picture], robots: Any, first: Array) -> None:
    """Draw the last second of each path; first [N] bool begins a new one."""
    for lane, picture in enumerate(pictures):
        if first[lane]:
            picture.begin(robots.lanes.dust[lane], robots.lanes.place[lane])
        else:
            picture.move(robots.lanes.place[lane])


def _frame(picture: Picture, robots: Any, lane: int) -> Array:
    lanes = robots.lanes
    heading = 2 * np.pi * lanes.heading[lane] / robots.options.turns
    return picture.frame(lanes.dust[lane], heading, int(lanes.age[lane]), int(lanes.picked[lane]))


if ID not in gymnasium.registry:
    gymnasium.register(
        ID,
        entry_point="rltrain.envs.vacuum:RobotVacuum",
        vector_entry_point="rltrain.envs.vacuum:RobotVacuumVector",
        max_episode_steps=60 * MINUTES,
    )
