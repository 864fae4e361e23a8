"""The model inside a Gymnasium environment that carries its table: `P[state][action]`, rows of (probability, next,
reward, done).

An episode ends with a `done` transition, whatever state it enters. A `Model` ends in terminal states. So the state that
`done` transitions enter is terminal, where nothing else that can happen enters it; else these transitions go to one
more state, "end". What a table says of the actions in a terminal state is never played, and is left out.

The limit on an episode's steps (`max_episode_steps`) is no part of the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.toy_text.cliffwalking import CliffWalkingEnv
from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv
from gymnasium.envs.toy_text.taxi import TaxiEnv

from rltrain.core import Array
from rltrain.envs import gym, known
from rltrain.errors import InputError
from rltrain.mdp import build
from rltrain.mdp.model import Model, Names, Numbered
from rltrain.settings import EnvironmentConfig

END = "end"  # the terminal state that a table lacks
ACTIONS = {
    FrozenLakeEnv: ("left", "down", "right", "up"),
    CliffWalkingEnv: ("up", "right", "down", "left"),
    TaxiEnv: ("south", "north", "east", "west", "pickup", "dropoff"),
}
PLACES = "RGYB"  # of Taxi: red, green, yellow, blue
IN_TAXI = "taxi"


class Rows(NamedTuple):
    """A table as parallel arrays. Rows that cannot happen are left out."""

    state: Array  # [rows] int64
    action: Array  # [rows] int64
    next: Array  # [rows] int64
    prob: Array  # [rows] float64
    reward: Array  # [rows] float64
    done: Array  # [rows] bool


def model_of(env_id: str, kwargs: Mapping[str, Any] | None = None) -> Model | None:
    """The model of a registered environment. None if it has no table, or one that leaves out what it does.

    InputError for arguments that it refuses or a table that is no model, MissingError for an unknown id.
    """
    kwargs = dict(kwargs or {})
    # Not validated: an argument here may be a list, such as FrozenLake's `desc`.
    settings = EnvironmentConfig.model_construct(id=env_id, kwargs=kwargs)
    known.check(settings)
    if settings.is_atari:
        return None
    try:
        with np.errstate(all="ignore"):
            env = gym._open(settings)
    except (AttributeError, IndexError) as error:
        raise InputError(f"{env_id} refuses {kwargs}: {type(error).__name__} {error}") from error
    try:
        return _model(env, " ".join([env_id, *(f"{key}={_written(value)}" for key, value in kwargs.items())]))
    finally:
        env.close()


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _model(env: gymnasium.Env[Any, Any], name: str) -> Model | None:
    rows = table_of(env)
    if rows is None:
        return None
    assert isinstance(env.observation_space, spaces.Discrete) and isinstance(env.action_space, spaces.Discrete)
    num_states, num_actions = int(env.observation_space.n), int(env.action_space.n)
    start = _start(env, num_states)
    if start is not None and not np.isfinite(start).all():
        raise InputError(f"{name}: no state to start from")  # a map without S divides 0 by 0
    states = _states(env.unwrapped, num_states)
    rows, terminal = ended(rows, num_states, start)
    if len(terminal) > num_states:
        states = (*states, END)
        start = None if start is None else np.append(start, 0.0)
    merged = _merged(rows, len(terminal), num_actions)
    return build.from_transitions(
        states,
        _actions(env.unwrapped, num_actions),
        merged.state,
        merged.action,
        merged.next,
        merged.prob,
        merged.reward,
        start=start,
        name=name,
        place=lambda row: f"{name}: env.P",
        terminal=terminal,
    )


def table_of(env: gymnasium.Env[Any, Any]) -> Rows | None:
    """The rows of `env.unwrapped.P`; None where there is none, or where the environment plays by other rules."""
    inner: Any = env.unwrapped
    table = getattr(inner, "P", None)
    numbered = all(
        isinstance(space, spaces.Discrete) and int(space.start) == 0
        for space in (env.observation_space, env.action_space)
    )
    if table is None or not numbered or (env.spec is not None and env.spec.additional_wrappers):
        return None
    if isinstance(inner, TaxiEnv) and inner.fickle_passenger:
        return None  # the passenger's change of mind is not in its table
    found: list[tuple[int, int, int, float, float, bool]] = []
    try:
        for state in range(int(env.observation_space.n)):  # type: ignore[attr-defined]
            for action in range(int(env.action_space.n)):  # type: ignore[attr-defined]
                for prob, following, reward, done in table[state][action]:
                    if float(prob) != 0:
                        found.append((state, action, int(following), float(prob), float(reward), bool(done)))
    except (KeyError, IndexError, TypeError, ValueError):
        return None  # something else that is called P
    columns = list(zip(*found, strict=True)) if found else [()] * 6
    kinds = (np.int64, np.int64, np.int64, np.float64, np.float64, np.bool_)
    return Rows(*(np.array(column, dtype=kind) for column, kind in zip(columns, kinds, strict=True)))


def ended(rows: Rows, num_states: int, start: Array | None) -> tuple[Rows, Array]:
    """Rows without `done`, and which states are terminal [S] bool; one longer where a state "end" is needed.

    `start` [S] is where an episode may begin; None: anywhere.
    """
    reachable = _reachable(rows, num_states, start)
    terminal = np.zeros(num_states, dtype=bool)
    terminal[rows.next[rows.done]] = True
    entered = rows.next[~rows.done & reachable[rows.state] & ~_stay(rows, terminal)]
    terminal[entered] = False
    if start is not None:
        terminal[start > 0] = False
    following = rows.next.copy()
    lost = rows.done & ~terminal[rows.next]
    if lost.any():
        following[lost] = num_states
        terminal = np.append(terminal, True)
    kept = ~terminal[rows.state]
    return Rows(*(column[kept] for column in rows._replace(next=following))), terminal


def _stay(rows: Rows, candidates: Array) -> Array:
    """[rows] bool: the row leads from an end to itself, which is how some tables write that nothing follows."""
    return np.asarray(candidates[rows.state] & (rows.state == rows.next) & (rows.reward == 0))


def _reachable(rows: Rows, num_states: int, start: Array | None) -> Array:
    """[S] bool: an episode can be there and go on."""
    if start is None:
        return np.ones(num_states, dtype=bool)
    following: list[list[int]] = [[] for _ in range(num_states)]
    for state, after, done in zip(rows.state.tolist(), rows.next.tolist(), rows.done.tolist(), strict=True):
        if not done:
            following[state].append(after)
    found = np.asarray(start > 0)
    waiting = np.flatnonzero(found).tolist()
    while waiting:
        for after in following[waiting.pop()]:
            if not found[after]:
                found[after] = True
                waiting.append(after)
    return found


def _merged(rows: Rows, num_states: int, num_actions: int) -> Rows:
    """One row a (state, action, next): two ways to the same state are one, with the mean of their rewards."""
    key = (rows.state * num_actions + rows.action) * num_states + rows.next
    order = np.argsort(key, kind="stable")
    state, action, following, prob, reward, done = (column[order] for column in rows)
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    if len(first) == len(key):
        return Rows(state, action, following, prob, reward, done)
    total = np.add.reduceat(prob, first)
    weight = prob / np.repeat(prob[first], np.diff(np.append(first, len(prob))))  # 1, 1, 1: no rounding in the mean
    mean = np.add.reduceat(weight * reward, first) / np.add.reduceat(weight, first)
    alike = np.minimum.reduceat(reward, first) == np.maximum.reduceat(reward, first)
    return Rows(state[first], action[first], following[first], total, np.where(alike, reward[first], mean), done[first])


def _start(env: gymnasium.Env[Any, Any], num_states: int) -> Array | None:
    """[S] the probabilities of the first state, where the environment tells them."""
    given = getattr(env.unwrapped, "initial_state_distrib", None)
    if given is None:
        return None
    start = np.asarray(given, dtype=np.float64).ravel()
    return start if len(start) == num_states else None


def _states(inner: Any, num_states: int) -> Names | Sequence[str]:
    """`row,column` on a grid; Taxi adds where the passenger is and wants to be: `2,3 R>G`, `0,4 taxi>B`."""
    if isinstance(inner, FrozenLakeEnv | CliffWalkingEnv):
        columns = int(inner.ncol if isinstance(inner, FrozenLakeEnv) else inner.shape[1])
        return tuple(f"{state // columns},{state % columns}" for state in range(num_states))
    if isinstance(inner, TaxiEnv):
        return tuple(_taxi(*inner.decode(state)) for state in range(num_states))
    return Numbered(num_states)


def _taxi(row: int, column: int, passenger: int, wish: int) -> str:
    return f"{row},{column} {PLACES[passenger] if passenger < len(PLACES) else IN_TAXI}>{PLACES[wish]}"


def _actions(inner: Any, num_actions: int) -> Names:
    names = next((names for kind, names in ACTIONS.items() if isinstance(inner, kind)), ())
    return names if len(names) == num_actions else Numbered(num_actions)
