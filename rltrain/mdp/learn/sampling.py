"""Samples of a known model, in compiled code: alias tables, and streams of random numbers that are one integer each.

    a stream     z <- z + 0x9e3779b97f4a7c15, mixed        SplitMix64 (Steele, Lea and Flood 2014)
    a successor  column u k, taken if the rest of u k is below the column's threshold, else the column's alias

so that a draw costs one random number and two look-ups, whatever the number k of successors (Walker 1977, Vose 1991).
One number gives both: of u with `bits` bits, the product u k has the column above those bits and the rest below.
Probabilities are exact to 2^-bits; bits is 53, or less where a pair has more than 2,048 successors.

Compiled functions do the same with NUMBA_DISABLE_JIT=1, only slower. They borrow their arrays (`borrowed`): else every
touch of an array in a tuple is counted by an atomic instruction, 300 ns a step of Q-learning in place of 30. Indices
are unsigned, which spares a test for negative ones.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numba import njit

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import splitmix
from rltrain.mdp.mapped import check_room
from rltrain.mdp.model import Model
from rltrain.mdp.splitmix import GOLDEN, S32

LOW = np.uint64(0xFFFFFFFF)
ZERO, ONE = np.uint64(0), np.uint64(1)
UNIT = 2.0**-32

NO_COUNTS: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False}  # the last is not in numba's types
Function = TypeVar("Function", bound=Callable[..., Any])


def borrowed(function: Function) -> Function:
    """Compile without reference counts: for functions that make no array and return none, as numba's own on text do."""
    compiled: Function = njit(**NO_COUNTS)(function)
    return compiled


def inlined(function: Function) -> Function:
    """Compile without reference counts and into whatever calls it: for small functions on borrowed arrays."""
    compiled: Function = njit(**NO_COUNTS, forceinline=True)(function)
    return compiled


class Sampler(NamedTuple):
    """What a draw needs of a model; `first_pair[s] == first_pair[s + 1]` where s is terminal."""

    first_pair: Array  # [S + 1] int64
    first_next: Array  # [P + 1] int64
    threshold: Array  # [N] uint64
    alias: Array  # [N] int32, a column of the same pair
    next: Array  # [N] int32
    reward: Array  # [N] float64
    start: Array  # [K] int32, the states that an episode can begin in
    start_threshold: Array  # [K] uint64
    start_alias: Array  # [K] int32
    shift: np.uint64  # 64 - bits
    bits: np.uint64


mix = inlined(splitmix.mix)


@inlined
def column(draw: Any, first: Any, count: Any, threshold: Any, alias: Any, shift: Any, bits: Any) -> Any:
    """Where in the table the draw falls: a place from `first` on, of `count`. All but the tables are uint64."""
    product = (np.uint64(draw) >> shift) * count
    place = product >> bits
    other = first + np.uint64(alias[first + place])
    rest = product - (place << bits)
    return other if rest >= threshold[first + place] else first + place


@inlined
def first_state(draw: Any, sampler: Any) -> Any:
    """The state that an episode begins in, int64."""
    count = np.uint64(len(sampler.start))
    place = column(draw, ZERO, count, sampler.start_threshold, sampler.start_alias, sampler.shift, sampler.bits)
    return np.int64(sampler.start[place])


@inlined
def successor(draw: Any, pair: Any, sampler: Any) -> Any:
    """Where a draw leads from a pair: a place in `next` and `reward`, uint64."""
    pair = np.uint64(pair)
    first = np.uint64(sampler.first_next[pair])
    count = np.uint64(sampler.first_next[pair + ONE]) - first
    return column(draw, first, count, sampler.threshold, sampler.alias, sampler.shift, sampler.bits)


@njit(cache=True, nogil=True)
def vose(first: Any, prob: Any, bits: Any, threshold: Any, alias: Any) -> None:
    """Fill threshold [N] and alias [N] for the distributions prob[first[i] : first[i + 1]]. Each sums to 1."""
    longest = 0
    for i in range(len(first) - 1):
        longest = max(longest, first[i + 1] - first[i])
    small = np.empty(longest, np.int64)
    large = np.empty(longest, np.int64)
    left = np.empty(longest, np.float64)
    one = 2.0 ** np.float64(bits)
    for i in range(len(first) - 1):
        begin, count = first[i], first[i + 1] - first[i]
        few = many = 0
        for j in range(count):
            left[j] = prob[begin + j] * count
            if left[j] < 1.0:
                small[few] = j
                few += 1
            else:
                large[many] = j
                many += 1
        while few > 0 and many > 0:
            few -= 1
            low, high = small[few], large[many - 1]
            threshold[begin + low] = np.uint64(left[low] * one + 0.5)
            alias[begin + low] = high
            left[high] -= 1.0 - left[low]
            if left[high] < 1.0:
                many -= 1
                small[few] = high
                few += 1
        for j in range(many):  # what is left is 1 but for rounding
            threshold[begin + large[j]] = np.uint64(one)
            alias[begin + large[j]] = large[j]
        for j in range(few):
            threshold[begin + small[j]] = np.uint64(one)
            alias[begin + small[j]] = small[j]


def make(model: Model) -> Sampler:
    """The tables of a model, 20 bytes a successor, or 12 where the model itself has a reward of each."""
    longest = max(int(np.diff(model.first_next).max(initial=1)), model.num_states)
    bits = min(53, 64 - longest.bit_length())
    size = 20 if model.next_reward is None else 12
    check_room(model.mapped, model.num_next, size, "tables to draw from")
    threshold = np.empty(model.num_next, np.uint64)
    alias = np.empty(model.num_next, np.int32)
    vose(model.first_next, model.prob, bits, threshold, alias)
    reward = model.next_reward
    if reward is None:
        reward = np.repeat(model.reward, np.diff(model.first_next))
    distribution = np.where(model.terminal, 0.0, model.start_distribution())  # an episode has at least one step
    if not distribution.any():
        raise InputError(f"{model.name or 'the model'}: every start is terminal, so there is nothing to sample")
    distribution /= distribution.sum()
    start = np.flatnonzero(distribution > 0).astype(np.int32)
    start_threshold = np.empty(len(start), np.uint64)
    start_alias = np.empty(len(start), np.int32)
    vose(np.array([0, len(start)]), distribution[start], bits, start_threshold, start_alias)
    return Sampler(
        np.ascontiguousarray(model.first_pair, np.int64),
        np.ascontiguousarray(model.first_next, np.int64),
        threshold,
        alias,
        np.ascontiguousarray(model.next, np.int32),
        np.ascontiguousarray(reward, np.float64),
        start,
        start_threshold,
        start_alias,
        np.uint64(64 - bits),
        np.uint64(bits),
    )


class Chooser(NamedTuple):
    """What a draw needs of a policy."""

    first_pair: Array  # [S + 1] int64
    threshold: Array  # [P] uint64
    alias: Array  # [P] int32
    shift: np.uint64
    bits: np.uint64


def chooser(first_pair: Array, taken: Array) -> Chooser:
    """The tables of a policy, taken [P]: the probability of each pair in its state."""
    bits = min(53, 64 - int(np.diff(first_pair).max(initial=1)).bit_length())
    threshold, alias = np.empty(len(taken), np.uint64), np.empty(len(taken), np.int32)
    vose(first_pair, taken, bits, threshold, alias)
    return Chooser(first_pair, threshold, alias, np.uint64(64 - bits), np.uint64(bits))


def streams(seed: int, purpose: str, count: int) -> Array:
    """[count] uint64: the integers at which `count` independent streams of a purpose begin."""
    sequence = np.random.SeedSequence([seed, zlib.crc32(purpose.encode())])
    return sequence.generate_state(count, np.uint64)


@njit(cache=True, nogil=True)
def walk(sampler: Any, pair_action: Any, limit: Any, walks: Any, action: Any, reward: Any, discount: Any) -> Any:
    """One step of every walk of `Walks`; action, reward and discount are [N]. Gives `first` [N] bool.

    After a `last` a walk begins an episode and its action is ignored. An action that is impossible where the walk
    stands is replaced by a possible one, each as likely.
    """
    first = walks.last.copy()
    for number in range(len(walks.state)):
        reward[number], discount[number] = 0.0, 1.0
        if first[number]:
            walks.stream[number] += GOLDEN
            walks.state[number] = first_state(mix(walks.stream[number]), sampler)
            walks.last[number], walks.age[number] = False, 0
            continue
        begin, end = sampler.first_pair[walks.state[number]], sampler.first_pair[walks.state[number] + 1]
        chosen: Any = np.int64(-1)
        for pair in range(begin, end):
            if pair_action[pair] == action[number]:
                chosen = pair
        if chosen < 0:
            walks.stream[number] += GOLDEN
            drawn = mix(walks.stream[number])
            chosen = begin + np.int64(((drawn >> S32) * np.uint64(end - begin)) >> S32)
        walks.stream[number] += GOLDEN
        place = successor(mix(walks.stream[number]), chosen, sampler)
        after = np.int64(sampler.next[place])
        reward[number] = sampler.reward[place]
        walks.state[number] = after
        walks.age[number] += 1
        ended = sampler.first_pair[after] == sampler.first_pair[after + 1]
        if ended:
            discount[number] = 0.0
        walks.last[number] = ended or walks.age[number] == limit
    return first


class Walks(NamedTuple):
    """N walks through a model: all that changes in them."""

    stream: Array  # [N] uint64
    state: Array  # [N] int64
    age: Array  # [N] int64, steps since the episode began
    last: Array  # [N] bool, the next step begins an episode
