"""What the hard-coded rules and the families with few numbers compute, as a `computation.Computation`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from rltrain.computation import (
    Above,
    Affine,
    ArgMax,
    Bounded,
    Columns,
    Computation,
    Dense,
    Flat,
    Input,
    Lookup,
    Numbers,
    Pairwise,
    Pointwise,
    Possible,
    Seen,
    Selected,
    Shares,
    Stacked,
    Value,
)
from rltrain.core import Array, EnvSpec
from rltrain.errors import InputError
from rltrain.policies import choosing, rules
from rltrain.policies.as_computation import DRAWN, each_greatest, greatest, network, of_two, read
from rltrain.policies.distributions import middle_and_half
from rltrain.policies.mlp import Weights
from rltrain.policies.network import Network
from rltrain.policies.parameters import Family
from rltrain.policies.walk_and_turn import WalkAndTurn
from rltrain.spaces import Continuous, Discrete, MultiDiscrete

DRAWS = "draws its actions and says no probabilities, so there is nothing to hold an export against"


# Rules


def of_rule(name: rules.Name, spec: EnvSpec, seen: Seen, action: rules.Constant) -> Computation:
    """The rule of this name, see `rules.make`. InputError for several choices or numbers at random."""
    if name == "bounce":
        return _by_chance(Lookup(Above(Columns(Numbers(seen.array), 0, 1), 0.0), rules.bounces(spec.num_actions)))
    if name == "random":
        if not isinstance(spec.actions, Discrete):
            raise InputError(f"algorithm.policy: '{name}' {DRAWS}")
        chances = _always(np.full(spec.num_actions, 1 / spec.num_actions), seen)
        return _by_chance(chances if seen.mask is None else Shares(chances, Possible(seen.mask)))
    if name == "constant":
        always = rules.constant(spec, action)
        value = _always(always[0], seen)
        return Computation(value if seen.mask is None else _possible(value, spec, seen))
    value = COMPUTED[name, spec.id](Numbers(seen.array))
    return Computation(value if seen.mask is None else _possible(value, spec, seen))


def _pushed(x: Value, or_equal: bool, otherwise: float, action: float) -> Value:
    """The action [N] where x [N, 1] is above 0, or equal if `or_equal`; else another."""
    return Lookup(Above(x, 0.0, or_equal), np.array([otherwise, action], np.int64))


def _swing_up(obs: Value) -> Value:
    """See `rules.swing_up`; the angle is only asked for where the cosine is above 0.9."""
    cos, sin, velocity = (Columns(obs, at, at + 1) for at in range(3))
    kinetic, potential = Affine(Pairwise(velocity, velocity, "product"), 1 / 6), Affine(cos, 5.0, -5.0)
    energy = Affine(Pairwise(kinetic, potential, "sum"), -4.0)
    pump = Pairwise(energy, Affine(Above(velocity, 0.0, or_equal=True), 2.0, -1.0), "product")
    angle = Pointwise(Pairwise(sin, cos, "quotient"), "arctan")
    hold = Affine(Pairwise(Affine(angle, 10.0), Affine(velocity, 2.0), "sum"), -1.0)
    two = np.array([2.0])
    return Bounded(Selected(Above(cos, 0.9), hold, pump), -two, two)


def _sum_of(obs: Value, weights: list[float]) -> Value:
    return Dense(obs, np.array(weights)[:, None], np.zeros(1))


COMPUTED: dict[tuple[str, str], Callable[[Value], Value]] = {  # (name, environment id), as in `rules.RULES`
    **{("angle", f"CartPole-v{own}"): lambda obs: _pushed(Columns(obs, 2, 3), True, 0, 1) for own in (0, 1)},
    **{
        ("angle_velocity", f"CartPole-v{own}"): lambda obs: _pushed(_sum_of(obs, [0, 0, 1, 0.5]), False, 0, 1)
        for own in (0, 1)
    },
    ("energy", "MountainCar-v0"): lambda obs: _pushed(Columns(obs, 1, 2), True, 0, 2),
    ("energy", "MountainCarContinuous-v0"): lambda obs: Affine(Above(Columns(obs, 1, 2), 0.0, True), 2.0, -1.0),
    ("energy", "Acrobot-v1"): lambda obs: _pushed(Columns(obs, 5, 6), False, 0, 2),
    ("energy", "Pendulum-v1"): _swing_up,
}


def _by_chance(chances: Value) -> Computation:
    """An action drawn with these probabilities [N, A]."""
    return Computation(ArgMax(chances), chances, (chances,), DRAWN["discrete"])


def _always(row: Array, seen: Seen) -> Value:
    """One row [...] for every observation: [N, ...]."""
    return Lookup(Above(_any_column(seen), 0.0), np.repeat(np.asarray(row)[None], 2, axis=0))


def _any_column(seen: Seen) -> Value:
    """One number of each observation, [N, 1]: what is constant needs no other."""
    x = seen.obs if seen.obs is not None else next(iter(seen.parts.values()))
    many = isinstance(x, Input) and len(x.shape) > 1
    return Columns(Flat(Numbers(x)) if many else Numbers(x), 0, 1)


def _possible(action: Value, spec: EnvSpec, seen: Seen) -> Value:
    """The action, or the first possible one where a mask excludes it: of each choice, see `rules.RulePolicy`."""
    assert seen.mask is not None
    match spec.actions:
        case Discrete(n=n):
            return _first_possible(Lookup(action, np.eye(n)), Possible(seen.mask))
        case MultiDiscrete(sizes=sizes, columns=columns):
            chosen = [
                _first_possible(Lookup(Columns(action, k, k + 1), np.eye(size)), Possible(_of(seen.mask, own)))
                for k, (size, own) in enumerate(zip(sizes, columns, strict=True))
            ]
            return Stacked(tuple(chosen))
    return action


def _first_possible(wanted: Value, able: Value) -> Value:
    """The place of the 1 in wanted [N, n] if able [N, n] is 1 there, else of the first 1 of able."""
    return ArgMax(Pairwise(able, Affine(wanted, 1.0, 1.0), "product"))


def _of(mask: Value, columns: slice) -> Value:
    return Columns(mask, columns.start, columns.stop)


# Families


def of_family(settings: choosing.Settings, spec: EnvSpec, family: Family, candidate: Array, seen: Seen) -> Computation:
    """A candidate [P] of a family, see `champion.fixed`. InputError for one that draws and says no probabilities."""
    if isinstance(family, WalkAndTurn):
        return _by_chance(_always(family.chances(candidate), seen))
    if not isinstance(family, Network):
        raise InputError(f"algorithm.policy: '{choosing.rule(settings, spec)}' {DRAWS}")
    weights = _layers(candidate, family.sizes)
    x, space = read(spec, seen), spec.actions
    match space:
        case Discrete(n=2):
            return greatest(network(of_two(weights, place=0), x, settings.activation), seen, scored=False)
        case Discrete():
            return greatest(network(weights, x, settings.activation), seen, scored=False)
        case MultiDiscrete():
            action, ranked = each_greatest(network(weights, x, settings.activation), space, seen)
            return Computation(action, None, ranked)
        case Continuous():
            (middle, half), out = middle_and_half(space), network(weights, x, settings.activation)
            return Computation(Bounded(Affine(out, half, middle), np.array(space.low), np.array(space.high)))


def _layers(candidate: Array, sizes: tuple[int, ...]) -> Weights:
    """The parameters [P] of `Network` as weights [in, out] and biases [out], layer by layer."""
    weights, at = [], 0
    for ins, outs in pairwise(sizes):
        end = at + ins * outs
        weights += [candidate[at:end].reshape(outs, ins).T, candidate[end : end + outs]]
        at = end + outs
    return weights
