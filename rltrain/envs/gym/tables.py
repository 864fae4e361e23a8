"""The model inside a Gymnasium environment that carries its table: `P[state][action]`, rows of (probability, next,
reward, done).

An episode ends with a `done` transition, whatever state it enters; `mdp.done` says what that is in a `Model`, which
ends in terminal states. A state that every other state's rows enter with `done`, and in which no episode begins, is one
in which nobody ever acts: what the table says of actions there is left out, and it is terminal.

Where the environment says what can be done in a state (`action_mask(state)`, as Taxi), the other pairs are no part of
the model that is learned from, unless `environment.action_masks` is false. `rltrain mdp` shows the table as it is.

The limit on an episode's steps (`max_episode_steps`) is no part of the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from gymnasium import spaces
from gymnasium.envs.toy_text.cliffwalking import CliffWalkingEnv
from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv
from gymnasium.envs.toy_text.taxi import TaxiEnv

from rltrain.core import Array
from rltrain.envs.gym import faults, foreign
from rltrain.envs.gym.action_names import ACTIONS
from rltrain.envs.gym.actions import mask_of
from rltrain.envs.gym.foreign import Foreign
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.mdp import build, parts
from rltrain.mdp.done import Rows, groups, merged
from rltrain.mdp.model import Model, Names, Numbered
from rltrain.spaces import Discrete
from rltrain.yaml_subset import flow

KNOWN = {FrozenLakeEnv: "FrozenLake", CliffWalkingEnv: "CliffWalking", TaxiEnv: "Taxi"}  # whatever their id
PLACES = "RGYB"  # of Taxi: red, green, yellow, blue
IN_TAXI = "taxi"


@runtime_checkable
class Tabled(Protocol):
    """An environment that carries its table of transitions: rows of `P[state][action]`."""

    P: Any


@runtime_checkable
class Starting(Protocol):
    """An environment that tells the probabilities of its first state, [S]."""

    initial_state_distrib: Any


@runtime_checkable
class Masking(Protocol):
    """An environment that tells what can be done in any state, [A] zeros and ones."""

    def action_mask(self, state: int) -> Any: ...


def model_of(settings: EnvironmentConfig) -> Model | None:
    """The model of a registered environment. None if it has no table, or one that leaves out what it does.

    So is one that says what can be done where it stands, and nowhere else: unless `action_masks` is false. What is put
    around it is in no table. InputError for arguments that it refuses or a table that is no model.
    """
    if settings.wrappers:
        return None
    with np.errstate(all="ignore"):
        env = foreign.make(settings)
    try:
        return model_in(env, settings)
    finally:
        env.close()


def model_in(env: Foreign, settings: EnvironmentConfig) -> Model | None:
    """The model of an environment that was made with these settings, as `model_of` gives it."""
    name = " ".join([settings.id, *(f"{key}={flow(value)}" for key, value in settings.kwargs.items())])
    model = _model(env, name)
    if model is None or not env.masks():
        return model
    return _masked(model, env) if isinstance(env.unwrapped, Masking) else None


def left_out(env_id: str, kwargs: Mapping[str, Any]) -> str:
    """Why an environment that has a table has none that could be solved with these arguments; else empty."""
    if env_id.startswith("Taxi-") and kwargs.get("fickle_passenger"):
        return (
            "fickle_passenger=true: its table (env.P) leaves out that the passenger may change the destination, so it "
            "cannot be solved exactly; fickle_passenger=false can"
        )
    return ""


def _model(env: Foreign, name: str) -> Model | None:
    with faults.calling(name, "its table, env.P,"):
        rows = table_of(env)
    if rows is None:
        return None
    assert isinstance(env.observation_space, spaces.Discrete) and isinstance(env.action_space, spaces.Discrete)
    num_states, num_actions = int(env.observation_space.n), int(env.action_space.n)
    start = _start(env, num_states)
    if start is not None and not np.isfinite(start).all():
        raise InputError(f"{name}: no state to start from")  # a map without S divides 0 by 0
    states = _states(env.unwrapped, num_states)
    rows = played(rows, num_states, start)
    rows = merged(rows, groups(rows, num_states, num_actions))  # two ways to the same state are one
    return build.from_transitions(
        states,
        _actions(env.unwrapped, num_actions),
        *rows[:5],
        done=rows.done,
        start=start,
        name=name,
        place=lambda row: f"{name}: env.P",
        terminal=np.zeros(num_states, dtype=bool),
    )


def _masked(model: Model, env: Foreign) -> Model:
    """The model without the pairs that its environment says are impossible."""
    kept = np.ones(model.num_pairs, dtype=bool)
    for state in np.unique(model.pair_state).tolist():
        with faults.calling(env.name, f"action_mask({state})"):
            mask = mask_of({"action_mask": env.unwrapped.action_mask(state)}, Discrete(model.num_actions))
        own = slice(*model.first_pair[state : state + 2].tolist())
        if mask is not None and mask[model.action[own]].any():  # what masks everything masks nothing
            kept[own] = mask[model.action[own]]
    return replace(parts.of_pairs(model, kept), start=model.start)


def table_of(env: Foreign) -> Rows | None:
    """The rows of `env.unwrapped.P`; None where there is none, or where the environment plays by other rules."""
    inner = env.unwrapped
    numbered = all(
        isinstance(space, spaces.Discrete) and int(space.start) == 0
        for space in (env.observation_space, env.action_space)
    )
    if not isinstance(inner, Tabled) or not numbered or (env.spec is not None and env.spec.additional_wrappers):
        return None
    if isinstance(inner, TaxiEnv) and inner.fickle_passenger:
        return None  # the passenger's change of mind is not in its table
    found: list[tuple[int, int, int, float, float, bool]] = []
    try:
        for state in range(int(env.observation_space.n)):  # type: ignore[attr-defined]
            for action in range(int(env.action_space.n)):  # type: ignore[attr-defined]
                for prob, following, reward, done in inner.P[state][action]:
                    if float(prob) != 0:
                        found.append((state, action, int(following), float(prob), float(reward), bool(done)))
    except (KeyError, IndexError, TypeError, ValueError):
        return None  # something else that is called P
    columns = list(zip(*found, strict=True)) if found else [()] * 6
    kinds = (np.int64, np.int64, np.int64, np.float64, np.float64, np.bool_)
    return Rows(*(np.array(column, dtype=kind) for column, kind in zip(columns, kinds, strict=True)))


def played(rows: Rows, num_states: int, start: Array | None) -> Rows:
    """Without the rows of states in which nobody can act. `start` [S] is where an episode may begin; None: anywhere."""
    if start is None:
        return rows
    never = np.zeros(num_states, dtype=bool)
    never[rows.next[rows.done]] = True
    never[rows.next[~rows.done & (rows.state != rows.next)]] = False
    never[start > 0] = False
    return Rows(*(column[~never[rows.state]] for column in rows))


def _start(env: Foreign, num_states: int) -> Array | None:
    """[S] the probabilities of the first state, where the environment tells them."""
    if not isinstance(env.unwrapped, Starting):
        return None
    start = np.asarray(env.unwrapped.initial_state_distrib, dtype=np.float64).ravel()
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
    names = next((ACTIONS[name] for kind, name in KNOWN.items() if isinstance(inner, kind)), ())
    return names if len(names) == num_actions else Numbered(num_actions)
