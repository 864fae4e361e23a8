"""Episodes of a model under a policy, drawn at random, and what they earn.

Every number that is drawn is a function of (seed, episode, step) alone, SplitMix64's mix of a counter (Steele, Lea and
Flood 2014): the same seed gives the same episodes, in whatever portions and by whichever way they are made. The plain
way, here, moves all episodes of a portion at once; the compiled one, in `simulate_compiled`, does the same bit for
bit and is taken where it saves more time than it takes to load.

An episode ends in a terminal state, or is cut after `steps` steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.mdp.chains import chain
from rltrain.mdp.mapped import check_room
from rltrain.mdp.model import Model
from rltrain.mdp.splitmix import GOLDEN, S11, mix
from rltrain.progress import Progress
from rltrain.rng import derive

UNIT = 2.0**-53
TABLE_BYTES = 48  # a transition, while `Tables` are made
DRAWS = 2  # a step: of the action, of the successor
PORTION = 1 << 14  # episodes that move at once
UNINTERRUPTED = 1 << 24  # steps of the compiled way that Ctrl-C waits for, unless one episode is longer
RECORDED = 1 << 20  # steps that are kept at once
STEP_SECONDS, MOVE_SECONDS = 1e-4, 2e-7  # what the plain way takes for a step of a portion, and of one episode
COMPILE_SECONDS = 1.5  # plain work that is worth loading the compiled code


class Tables(NamedTuple):
    """A model's K pairs that a policy takes, and their M successors, with running sums of the probabilities."""

    first_pair: Array  # [S + 1] int64
    pair: Array  # [K] int64, its number in the model
    pair_sum: Array  # [K] float64, the last of a state above 1
    first_next: Array  # [K + 1] int64
    next_sum: Array  # [M] float64, the last of a pair above 1
    next: Array  # [M] int32
    reward: Array  # [M] float64
    start: Array  # [I] int32
    start_sum: Array  # [I] float64
    mixed: bool  # some state has two pairs or more


class EpisodeSums(NamedTuple):
    """Where `play` writes, for N episodes."""

    total: Array  # [N] float64, undiscounted returns
    discounted: Array  # [N] float64
    length: Array  # [N] int64, steps
    last: Array  # [N] int64, the state it ended or was cut in
    visits: Array  # [K] int64, added to


class Kept(NamedTuple):
    """Every step of N episodes, where they are wanted."""

    states: Array  # [N, T + 1] int32
    pairs: Array  # [N, T] int64, among the K
    rewards: Array  # [N, T] float64


NOTHING = Kept(np.zeros((0, 0), np.int32), np.zeros((0, 0), np.int64), np.zeros((0, 0)))


class Trajectory(NamedTuple):
    """One episode."""

    states: Array  # [T + 1] int32
    pairs: Array  # [T] int64
    rewards: Array  # [T] float64
    ended: bool  # in a terminal state


@dataclass(frozen=True, eq=False)
class Trajectories:
    """What E episodes brought."""

    total: Array  # [E] float64, undiscounted returns
    discounted: Array  # [E] float64
    length: Array  # [E] int64, steps
    ended: Array  # [E] bool, in a terminal state
    pair_visits: Array  # [P] int64
    state_visits: Array  # [S] int64: it acted there, or ended there
    first: tuple[Trajectory, ...]  # a few, whole


class Spread(NamedTuple):
    """A sample, summed up. NaN where one episode cannot say."""

    mean: float
    sd: float
    error: float  # of the mean
    low: float  # 95 % interval of the mean, by Student's t
    high: float


def simulate(
    model: Model,
    policy: Array,
    episodes: int = 1000,
    steps: int = 100,
    seed: int = 0,
    discount: float = 1.0,
    *,
    start: Array | None = None,
    keep: int = 0,
    compiled: bool | None = None,
    progress: Progress | None = None,
) -> Trajectories:
    """Play `episodes` of at most `steps` by a policy [P], from `start` [S] or else where the model starts."""
    tables = tabulate(model, policy, start)
    played = EpisodeSums(
        np.zeros(episodes),
        np.zeros(episodes),
        np.zeros(episodes, dtype=np.int64),
        np.zeros(episodes, dtype=np.int64),
        np.zeros(len(tables.pair), dtype=np.int64),
    )
    way = _way(episodes, steps, compiled)
    portion = PORTION if way is play else max(1, min(PORTION, UNINTERRUPTED // steps))
    for begin in range(0, episodes, portion):
        end = min(begin + portion, episodes)
        total, discounted, length, last = (column[begin:end] for column in played[:4])
        part = EpisodeSums(total, discounted, length, last, played.visits)
        way(tables, keys(seed, begin, end), steps, discount, part, NOTHING)
        if progress is not None:
            progress.at(end, episodes, end, "episodes")
    pair_visits = np.zeros(model.num_pairs, dtype=np.int64)
    pair_visits[tables.pair] = played.visits
    state_visits = np.zeros(model.num_states, dtype=np.int64)
    np.add.at(state_visits, model.pair_state[tables.pair], played.visits)
    ended = model.terminal[played.last]
    np.add.at(state_visits, played.last[ended], 1)
    first = tuple(_record(model, tables, way, min(keep, episodes), steps, seed))
    return Trajectories(played.total, played.discounted, played.length, ended, pair_visits, state_visits, first)


def record(
    model: Model,
    policy: Array,
    episodes: int,
    steps: int,
    seed: int = 0,
    *,
    start: Array | None = None,
    compiled: bool | None = None,
) -> Iterator[Trajectory]:
    """The episodes of a policy with every step; a portion at a time is in memory."""
    way = _way(episodes, steps, compiled)
    yield from _record(model, tabulate(model, policy, start), way, episodes, steps, seed)


def _record(
    model: Model, tables: Tables, way: Callable[..., None], episodes: int, steps: int, seed: int
) -> Iterator[Trajectory]:
    portion = max(1, RECORDED // (steps + 1))
    for begin in range(0, episodes, portion):
        end = min(begin + portion, episodes)
        length, last = np.zeros(end - begin, dtype=np.int64), np.zeros(end - begin, dtype=np.int64)
        part = EpisodeSums(length * 0.0, length * 0.0, length, last, np.zeros(len(tables.pair), dtype=np.int64))
        shape = (end - begin, steps)
        kept = Kept(np.zeros((end - begin, steps + 1), np.int32), np.zeros(shape, np.int64), np.zeros(shape))
        way(tables, keys(seed, begin, end), steps, 1.0, part, kept)
        for number, count in enumerate(length.tolist()):
            states, pairs, rewards = kept.states[number, : count + 1], kept.pairs[number], kept.rewards[number]
            yield Trajectory(states, tables.pair[pairs[:count]], rewards[:count], bool(model.terminal[states[-1]]))


def _way(episodes: int, steps: int, compiled: bool | None) -> Callable[..., None]:
    """The plain or the compiled `play`; their results are the same."""
    seconds = steps * (-(-episodes // PORTION) * STEP_SECONDS + episodes * MOVE_SECONDS)
    if compiled or (compiled is None and seconds > COMPILE_SECONDS):
        from rltrain.mdp.chains.simulate_compiled import play as compiled_play

        return compiled_play
    return play


def spread(values: Array) -> Spread:
    """The mean of independent numbers [n], its standard error and 95 % interval; n = 1 has the mean alone."""
    from scipy.special import stdtrit

    count, mean = len(values), float(np.mean(values))
    if count < 2:
        return Spread(mean, np.nan, np.nan, np.nan, np.nan)
    sd = float(np.std(values, ddof=1))
    error = sd / count**0.5
    reach = float(stdtrit(count - 1, 0.975)) * error
    return Spread(mean, sd, error, mean - reach, mean + reach)


def tabulate(model: Model, policy: Array, start: Array | None = None) -> Tables:
    """What drawing needs; pairs that the policy never takes are left out."""
    start = model.start_distribution() if start is None else start
    taken = np.flatnonzero(policy > 0)
    count = np.bincount(model.pair_state[taken], minlength=model.num_states)
    first_pair = np.concatenate(([0], np.cumsum(count)))
    length = np.diff(model.first_next)[taken]
    first_next = np.concatenate(([0], np.cumsum(length)))
    check_room(model.mapped, float(first_next[-1]), TABLE_BYTES, chain.POLICY_ROWS)
    if len(taken) == model.num_pairs:
        following, prob, where = model.next, model.prob, None
    else:
        where = np.arange(int(first_next[-1])) + np.repeat(model.first_next[taken] - first_next[:-1], length)
        following, prob = model.next[where], model.prob[where]
    if model.next_reward is None:
        reward = np.repeat(model.reward[taken], length)
    else:
        reward = model.next_reward if where is None else model.next_reward[where]
    begin = np.flatnonzero(start > 0)
    start_sum = running_sums(start[begin], np.array([0, len(begin)]))
    pair_sum, next_sum = running_sums(policy[taken], first_pair), running_sums(prob, first_next)
    mixed = int(count.max(initial=0)) > 1
    begin = begin.astype(np.int32)
    return Tables(first_pair, taken, pair_sum, first_next, next_sum, following, reward, begin, start_sum, mixed)


def running_sums(prob: Array, first: Array) -> Array:
    """Of each row by itself, so that a long table loses no digits; the last of a row is set above every draw."""
    sums = np.empty(len(prob))
    length = np.diff(first)
    for size in np.unique(length[length > 0]):
        where = first[:-1][length == size, None] + np.arange(size)
        sums[where] = np.cumsum(prob[where], axis=1)
    sums[first[1:][length > 0] - 1] = 2.0
    return sums


def keys(seed: int, begin: int, end: int) -> Array:
    """[N] uint64: where the counters of episodes begin .. end - 1 begin."""
    base = mix(np.array([derive(seed, "simulate")], dtype=np.uint64) * GOLDEN)
    return np.asarray(mix(base ^ mix(np.arange(begin + 1, end + 1, dtype=np.uint64) * GOLDEN)))


def draw(key: Array, counter: int) -> Array:
    """Uniform numbers in [0, 1): number `counter` of each key."""
    offset = np.array([counter], dtype=np.uint64) * GOLDEN
    return np.asarray((mix(key + offset) >> S11) * UNIT)


def find(sums: Array, first: Array, end: Array, u: Array) -> Array:
    """The first place in each row sums[first : end] that is above u."""
    low, high = first.copy(), end - 1
    while True:
        middle = (low + high) >> 1
        right = (sums[middle] <= u) & (low < high)
        low = np.where(right, middle + 1, low)
        high = np.where(right, high, np.minimum(middle, high))
        if not (low < high).any():
            return np.asarray(low)


def _begin(tables: Tables, key: Array) -> Array:
    """[N] int64: the states that episodes begin in."""
    if len(tables.start) == 1:
        return np.full(len(key), tables.start[0], dtype=np.int64)
    return tables.start[np.searchsorted(tables.start_sum, draw(key, 0), side="right")].astype(np.int64)


def _step(tables: Tables, key: Array, state: Array, step: int) -> tuple[Array, Array]:
    """The places of the pairs [N] and of the successors [N] that are drawn."""
    pair = tables.first_pair[state]
    if tables.mixed:
        pair = find(tables.pair_sum, pair, tables.first_pair[state + 1], draw(key, DRAWS * step + 1))
    first, end = tables.first_next[pair], tables.first_next[pair + 1]
    return pair, find(tables.next_sum, first, end, draw(key, DRAWS * step + 2))


def play(tables: Tables, key: Array, steps: int, discount: float, played: EpisodeSums, kept: Kept) -> None:
    """One episode for each key, side by side; `kept` has a row for each, or none at all."""
    episode = np.arange(len(key))
    state = _begin(tables, key)
    played.last[:] = state
    if len(kept.states):
        kept.states[:, 0] = state
    weight = 1.0
    for step in range(steps):
        acting = tables.first_pair[state] < tables.first_pair[state + 1]
        if not acting.all():
            episode, key, state = episode[acting], key[acting], state[acting]
        if not len(episode):
            break
        pair, place = _step(tables, key, state, step)
        np.add.at(played.visits, pair, 1)
        reward, state = tables.reward[place], tables.next[place].astype(np.int64)
        played.total[episode] += reward
        played.discounted[episode] += weight * reward
        played.length[episode] += 1
        played.last[episode] = state
        weight *= discount
        if len(kept.states):
            kept.states[episode, step + 1] = state
            kept.pairs[episode, step] = pair
            kept.rewards[episode, step] = reward
