"""How a network's outputs are a probability of every action: what is drawn, what is likeliest, and gradients by hand.

    Categorical    one of some: softmax of the outputs
    Categoricals   several choices at once, independent of each other: log pi(a) = sum_k log pi_k(a_k)
    Gaussian       numbers: N(mean, exp(log_std)²), the outputs being the mean; the log deviation is a parameter that no
                   observation changes (Schulman et al. 2015, TRPO, appendix D)

A mask of what is possible takes the rest out of the softmax: its logit is minus infinity, its gradient 0 (Huang and
Ontañón 2022). Numbers are drawn in halves of their bounds' width from the middle, so that no bound needs a setting, and
clipped for the environment alone: the probability is that of the number before. Clipping then belongs to the world, and
the gradient is unbiased; a squashed sample (tanh) has no entropy in closed form, and ends at a bound only in the limit.
Arrays are float64 of rows, but for actions (int64) and masks (bool).
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np

from rltrain.core import Array
from rltrain.policies.asking import ActionSpread
from rltrain.spaces import Actions, Continuous, Discrete, MultiDiscrete, possible


class Slopes(NamedTuple):
    """The gradient of the loss -mean(score log pi(action)) - ent_coef entropy, and the mean entropy, in nats."""

    out: Array  # [rows, outputs]
    free: list[Array]  # in the parameters that no observation changes
    entropy: float


class Distribution(Protocol):
    """pi(action | out) for out [rows, outputs] of a network, and `free`, parameters that no observation changes."""

    outputs: int

    def initial(self) -> list[Array]: ...  # `free` at the beginning
    def draw(self, out: Array, free: list[Array], mask: Array | None, stream: np.random.Generator) -> Array: ...
    def mode(self, out: Array, mask: Array | None) -> Array: ...  # the likeliest: actions [rows, *action]
    def taken(self, drawn: Array) -> Array: ...  # what was drawn, as the environment takes it
    def log_prob(self, out: Array, free: list[Array], drawn: Array, mask: Array | None) -> Array: ...  # [rows]
    def spread(self, out: Array, free: list[Array], mask: Array | None) -> ActionSpread | None: ...  # None: see scores
    def slopes(
        self, out: Array, free: list[Array], drawn: Array, score: Array, mask: Array | None, ent_coef: float
    ) -> Slopes: ...  # of what was drawn, with its score [rows]


class Categorical:
    """One of n actions. A single output z for two is the logit of action 0 against 1: softmax of (z, 0) is sigmoid."""

    def __init__(self, num_actions: int, outputs: int | None = None) -> None:
        self._num_actions, self.outputs = num_actions, outputs or num_actions

    def logits(self, out: Array) -> Array:
        """Logits of all actions [rows, A]."""
        return out if out.shape[1] == self._num_actions else np.concatenate([out, np.zeros_like(out)], axis=1)

    def initial(self) -> list[Array]:
        return []

    def draw(self, out: Array, free: list[Array], mask: Array | None, stream: np.random.Generator) -> Array:
        return draw(weights(masked(self.logits(out), mask)), stream)

    def mode(self, out: Array, mask: Array | None) -> Array:
        return np.asarray(masked(self.logits(out), mask).argmax(axis=1))

    def taken(self, drawn: Array) -> Array:
        return drawn

    def log_prob(self, out: Array, free: list[Array], drawn: Array, mask: Array | None) -> Array:
        return of_row(log_policy(masked(self.logits(out), mask)), drawn)

    def spread(self, out: Array, free: list[Array], mask: Array | None) -> None:
        """One of some has a probability for each, which is its score."""

    def slopes(
        self, out: Array, free: list[Array], drawn: Array, score: Array, mask: Array | None, ent_coef: float
    ) -> Slopes:
        d, entropy = softmax_slopes(masked(self.logits(out), mask), drawn, score, ent_coef)
        d /= len(d)
        return Slopes(d[:, : self.outputs], [], float(entropy.mean()))


class Categoricals:
    """K choices at once, each by a softmax of outputs of its own."""

    def __init__(self, space: MultiDiscrete) -> None:
        self._columns, self.outputs = space.columns, sum(space.sizes)

    def _each(self, out: Array, mask: Array | None) -> list[Array]:
        """Of each choice, its logits [rows, size]."""
        return [masked(out[:, own], None if mask is None else mask[:, own]) for own in self._columns]

    def initial(self) -> list[Array]:
        return []

    def draw(self, out: Array, free: list[Array], mask: Array | None, stream: np.random.Generator) -> Array:
        return np.stack([draw(weights(z), stream) for z in self._each(out, mask)], axis=1)

    def mode(self, out: Array, mask: Array | None) -> Array:
        return np.stack([z.argmax(axis=1) for z in self._each(out, mask)], axis=1)

    def taken(self, drawn: Array) -> Array:
        return drawn

    def log_prob(self, out: Array, free: list[Array], drawn: Array, mask: Array | None) -> Array:
        each = [of_row(log_policy(z), drawn[:, k]) for k, z in enumerate(self._each(out, mask))]
        return np.asarray(np.sum(each, axis=0))

    def spread(self, out: Array, free: list[Array], mask: Array | None) -> ActionSpread:
        return ActionSpread(probability=np.concatenate([np.exp(log_policy(z)) for z in self._each(out, mask)], axis=1))

    def slopes(
        self, out: Array, free: list[Array], drawn: Array, score: Array, mask: Array | None, ent_coef: float
    ) -> Slopes:
        each = [softmax_slopes(z, drawn[:, k], score, ent_coef) for k, z in enumerate(self._each(out, mask))]
        d = np.concatenate([slope for slope, _ in each], axis=1) / len(out)
        return Slopes(d, [], float(sum(entropy.mean() for _, entropy in each)))


class Gaussian:
    """K numbers, drawn independently: `free` is their log deviations [K].

    What is drawn is clipped to the bounds; or squashed between them by tanh, where the density is that of the number
    before: the derivative of tanh divides out of every ratio of two densities of one number, and the entropy is that of
    the Gaussian.
    """

    def __init__(self, space: Continuous, log_std_init: float, squash: bool = False) -> None:
        self.outputs, self._log_std_init, self._squash = len(space.low), log_std_init, squash
        self._low, self._high = np.array(space.low), np.array(space.high)
        self._middle, self._half = middle_and_half(space)

    def initial(self) -> list[Array]:
        return [np.full(self.outputs, self._log_std_init)]

    def draw(self, out: Array, free: list[Array], mask: Array | None, stream: np.random.Generator) -> Array:
        return np.asarray(out + np.exp(free[0]) * stream.standard_normal(out.shape))

    def mode(self, out: Array, mask: Array | None) -> Array:
        return self.taken(out)

    def taken(self, drawn: Array) -> Array:
        drawn = np.tanh(drawn) if self._squash else drawn
        numbers = np.maximum(self._middle + self._half * drawn, self._low)
        return np.asarray(np.minimum(numbers, self._high).astype(np.float32))

    def log_prob(self, out: Array, free: list[Array], drawn: Array, mask: Array | None) -> Array:
        (log_std,) = free
        apart = (drawn - out) / np.exp(log_std)
        return np.asarray(-(apart**2 / 2 + log_std + math.log(2 * math.pi) / 2).sum(axis=1))

    def spread(self, out: Array, free: list[Array], mask: Array | None) -> ActionSpread:
        deviation = self._half * np.exp(free[0])
        return ActionSpread(self.taken(out).astype(np.float64), np.broadcast_to(deviation, out.shape).copy())

    def slopes(
        self, out: Array, free: list[Array], drawn: Array, score: Array, mask: Array | None, ent_coef: float
    ) -> Slopes:
        (log_std,) = free
        apart = (drawn - out) / np.exp(log_std)  # [rows, K], in deviations
        d_out = -score[:, None] * apart / np.exp(log_std) / len(out)
        d_log_std = -(score[:, None] * (apart**2 - 1)).mean(axis=0) - ent_coef
        entropy = float(log_std.sum()) + len(log_std) / 2 * math.log(2 * math.pi * math.e)
        return Slopes(d_out, [d_log_std], entropy)


def of(space: Actions, log_std_init: float = 0.0, single_output: bool = False, squash: bool = False) -> Distribution:
    """The distribution over the actions of a space; `single_output`: of two actions, one output."""
    match space:
        case Discrete():
            return Categorical(space.n, 1 if single_output else None)
        case MultiDiscrete():
            return Categoricals(space)
        case Continuous():
            return Gaussian(space, log_std_init, squash)


def middle_and_half(space: Continuous) -> tuple[Array, Array]:
    """The middle [K] of each number's bounds and half their width [K]; 0 and 1 where one is infinite."""
    low, high = np.array(space.low), np.array(space.high)
    bounded = np.isfinite(low) & np.isfinite(high)
    low, high = np.where(bounded, low, -1.0), np.where(bounded, high, 1.0)
    return (low + high) / 2, (high - low) / 2


# Of a softmax


def masked(z: Array, mask: Array | None) -> Array:
    """Logits z [rows, A], minus infinity where mask [rows, A] says that an action is impossible."""
    return z if mask is None else np.where(possible(mask), z, -np.inf)


def log_policy(z: Array) -> Array:
    """Logarithm of the softmax of logits z [rows, A]."""
    z = z - z.max(axis=1, keepdims=True)
    return np.asarray(z - np.log(np.exp(z).sum(axis=1, keepdims=True)))


def of_row(values: Array, action: Array) -> Array:
    """The value [rows] of each row's action, of values [rows, A]."""
    return np.asarray(values[np.arange(len(values)), action])


def weights(z: Array) -> Array:
    """Numbers [rows, A] in proportion to the probabilities of logits z [rows, A]."""
    return np.asarray(np.exp(z - z.max(axis=1, keepdims=True)))


def draw(weight: Array, stream: np.random.Generator) -> Array:
    """An action a row [rows], with probabilities in proportion to weight [rows, A]."""
    mass = weight.cumsum(axis=1)
    return np.asarray((stream.random((len(mass), 1)) * mass[:, -1:] >= mass[:, :-1]).sum(axis=1))


def softmax_slopes(z: Array, action: Array, score: Array, ent_coef: float) -> tuple[Array, Array]:
    """The gradient [rows, A] of each row's -score log pi(action) - ent_coef entropy in its logits; entropies [rows, 1].

    Equal to the gradient of the action's cross-entropy times its score.
    """
    log_p = log_policy(z)
    p = np.exp(log_p)
    log_p = np.maximum(log_p, -1e300)  # of the impossible: 0 times its logarithm is 0
    entropy = -(p * log_p).sum(axis=1, keepdims=True)
    d = p * score[:, None]
    d[np.arange(len(d)), action] -= score
    d += ent_coef * p * (log_p + entropy)
    return d, entropy
