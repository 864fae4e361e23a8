"""A game that is played to be explained: its columns, and what the policy saw of it, for whoever looks closer."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rltrain.core import Array, EnvSpec, Policy, Scoring
from rltrain.envs.filmed_game import Windowed
from rltrain.policies.asking import Planning, spread_of, worth
from rltrain.progress import Progress
from rltrain.run.play import Moment, play
from rltrain.spaces import Continuous, MultiDiscrete, combinations
from rltrain.verbs.explain import arithmetic, rewards
from rltrain.verbs.explain.arena import Arena
from rltrain.verbs.explain.game import ExplainedGame

BATCH = 256  # observations that a policy is asked about at once
MOST_STEPS = 100_000  # of a game that does not end: it is left there


class Packed:
    """Arrays of one shape, compressed: a long game of pictures would fill the memory."""

    def __init__(self) -> None:
        self._arrays: list[tuple[bytes, tuple[int, ...], np.dtype[np.generic]]] = []

    def __len__(self) -> int:
        return len(self._arrays)

    def add(self, array: Array) -> None:
        """Keep a copy."""
        self._arrays.append((zlib.compress(np.ascontiguousarray(array).tobytes(), 1), array.shape, array.dtype))

    def __getitem__(self, number: int) -> Array:
        data, shape, dtype = self._arrays[number]
        return np.frombuffer(zlib.decompress(data), dtype).reshape(shape).copy()


@dataclass(frozen=True, eq=False)
class PlayedGame:
    """An explained game of T steps, and what was seen in it."""

    game: ExplainedGame
    spec: EnvSpec  # actions with names
    policy: Policy
    seen: Packed  # [T + 1] observations [*obs]; the last of the end, if it came
    frames: Packed  # [T + 1] pictures uint8 [H, W, 3]; none where the game has none
    window: tuple[slice, slice] | None  # rows and columns of a picture that observations show; None: not known
    masks: tuple[Array | None, ...]  # [T + 1] of what could be done
    fps: float

    def mask(self, step: int) -> Array | None:
        """[1, mask_width] of what could be done at a step; None: everything."""
        found = self.masks[step]
        return None if found is None else found[None]


def played(arena: Arena, seed: int, progress: Progress, most: int | None = None) -> PlayedGame:
    """Play one game and ask the policy about every step of it. Ctrl-C ends it with what there is: `game.partial`.

    `most`: steps after which it is left. KeyboardInterrupt before the first.
    """
    moments = list[Moment]()
    seen, frames = Packed(), Packed()
    partial = False
    with arena.open() as (env, twin):
        spec, fps = env.spec, env.fps
        window = env.window if isinstance(env, Windowed) else None
        limit = min(most or MOST_STEPS, MOST_STEPS)
        total = min(limit, env.spec.max_episode_steps or limit)
        try:
            for moment in play(arena.policy, env, 1, arena.epsilon, seed, twin):
                assert moment.obs is not None
                seen.add(moment.obs)
                if moment.frame is not None:
                    frames.add(moment.frame)
                moments.append(moment._replace(obs=None, frame=None))
                progress.at(moment.step, total, moment.step, "steps")
                if moment.step >= limit:
                    break
        except KeyboardInterrupt:
            if len(moments) < 2:
                raise
            partial = True
    game = _columns(arena, spec, moments, seen, seed, partial)
    return PlayedGame(game, spec, arena.policy, seen, frames, window, tuple(moment.mask for moment in moments), fps)


def _columns(
    arena: Arena, spec: EnvSpec, moments: list[Moment], seen: Packed, seed: int, partial: bool
) -> ExplainedGame:
    """What the moments of a game say; the last of them is its end, or where it was left."""
    end: Literal["over", "cut", "left"] = "left"
    if moments[-1].last:
        end = "cut" if moments[-1].cut else "over"
    acts, count = moments[:-1], len(moments) - 1
    policy, actions = arena.policy, _action_names(spec, arena.policy)
    scores = np.full((count, 0), np.nan)
    if isinstance(policy, Scoring):
        scores = np.array([_known(moment) for moment in acts], np.float64).reshape(count, len(actions))
    reward = np.array([moment.reward for moment in moments[1:]], np.float64)
    learned, said = rewards.to_learn(arena.experiment, arena.saved.loaded, reward)
    value, value_name = _values(policy, scores, moments, seen, end)
    td = np.full(count, np.nan)
    if value_name:
        td = arithmetic.td_errors(learned, value, arena.gamma, end == "over")
    mean, deviation, probability = _spread(policy, moments, seen, count)
    notes = _notes(policy, value_name, bool(mean.shape[1] or probability.shape[1]))
    action = np.array([moment.action for moment in acts])
    return ExplainedGame(
        algorithm=arena.experiment.algorithm_name,
        environment=arena.settings.name,
        checkpoint=str(arena.saved.path),
        chosen_because=arena.saved.chosen,
        protocol=arena.protocol,
        epsilon=arena.epsilon,
        seed=seed,
        gamma=arena.gamma,
        end=end,
        partial=partial,
        score_name=policy.score_name if isinstance(policy, Scoring) else "",
        value_name=value_name,
        actions=actions,
        sizes=tuple(spec.actions.sizes) if isinstance(spec.actions, MultiDiscrete) else (),
        rewards_learned=said if value_name else "",
        notes=notes,
        step=np.arange(count),
        reward=reward,
        total=np.array([moment.total for moment in acts], np.float64),
        returns=arithmetic.returns_to_go(reward, arena.gamma),
        scores=scores,
        gap=arithmetic.gaps(scores),
        best=arithmetic.best(scores),
        chosen=_numbers(spec, policy, action, count),
        action=action,
        explored=np.array([moment.explored for moment in acts], bool),
        value=value[:-1],
        td=td,
        mean=mean,
        deviation=deviation,
        probability=probability,
        state=tuple(moment.state for moment in acts) if any(moment.state for moment in acts) else (),
    )


def _action_names(spec: EnvSpec, policy: Policy) -> tuple[str, ...]:
    """Of what scores are of; of numbers and of several choices without scores, their places."""
    if isinstance(spec.actions, MultiDiscrete):
        if isinstance(policy, Scoring):
            return tuple(",".join(map(str, each)) for each in combinations(spec.actions).tolist())
        return tuple(map(str, range(len(spec.actions.sizes))))
    if isinstance(spec.actions, Continuous):
        return tuple(map(str, range(len(spec.actions.low))))
    return spec.action_names


def _numbers(spec: EnvSpec, policy: Policy, action: Array, count: int) -> Array:
    """[T] the place of each action among those with names; -1: it is none of some."""
    if isinstance(spec.actions, MultiDiscrete) and isinstance(policy, Scoring):
        return np.asarray(np.ravel_multi_index(tuple(action.reshape(count, -1).T), spec.actions.sizes), np.int64)
    if action.ndim == 1 and action.dtype.kind in "iu":
        return action.astype(np.int64)
    return np.full(count, -1)


def _values(policy: Policy, scores: Array, moments: list[Moment], seen: Packed, end: str) -> tuple[Array, str]:
    """Values [T + 1] of what was seen, the last 0 where the task was over; and where they come from."""
    count = len(moments)
    value = np.full(count, np.nan)
    own = _asked(seen, count, lambda obs: worth(policy, obs))
    name = ""
    if own is not None:
        value, name = own, "value network"
    elif isinstance(policy, Scoring) and policy.score_name == "Q":
        value[:-1], name = arithmetic.greatest(scores), "best Q"
        if end != "over" and not isinstance(policy, Planning):  # one that plans would search from there once more
            last, mask = seen[count - 1][None], moments[-1].mask
            final = policy.scores(last) if mask is None else policy.scores(last, mask[None])
            value[-1] = arithmetic.greatest(np.asarray(final, np.float64))[0]
    if end == "over":
        value[-1] = 0.0
    return value, name


def _known(moment: Moment) -> Array:
    """Scores [A] of what can be done; NaN of the rest."""
    assert moment.scores is not None
    scores = np.asarray(moment.scores, np.float64)
    if moment.possible is None or moment.possible.shape != scores.shape:  # of several choices the policy says it
        return scores
    return np.where(moment.possible, scores, np.nan)


def _asked(seen: Packed, count: int, ask: Callable[[Array], Array | None]) -> Array | None:
    """What `ask` says of the first `count` observations, [count, ...]; None where it says nothing."""
    found = []
    for begin in range(0, count, BATCH):
        said = ask(np.stack([seen[number] for number in range(begin, min(begin + BATCH, count))]))
        if said is None:
            return None
        found.append(np.asarray(said, np.float64))
    return np.concatenate(found)


def _spread(policy: Policy, moments: list[Moment], seen: Packed, count: int) -> tuple[Array, Array, Array]:
    """Mean and deviation [T, K] of numbers, and probabilities [T, sum of sizes] of several choices; [T, 0]: none."""
    nothing = np.zeros((count, 0))
    found = []
    for number in range(count):
        mask = moments[number].mask
        said = spread_of(policy, seen[number][None], None if mask is None else mask[None])
        if said is None:
            return nothing, nothing, nothing
        found.append(said)
    columns = zip(*found, strict=True)
    return tuple(  # type: ignore[return-value]  # of three
        nothing if column[0] is None else np.concatenate(column) for column in columns
    )


def _notes(policy: Policy, value_name: str, spread: bool) -> tuple[str, ...]:
    """What cannot be said of this policy, and why."""
    notes = []
    if not isinstance(policy, Scoring) and not spread:
        notes.append("the policy says nothing of its actions but which one it takes")
    if not value_name:
        notes.append("nothing says what a state is worth, so there are no values and no TD errors")
    return tuple(notes)
