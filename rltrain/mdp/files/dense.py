"""Dense arrays of a model in an .npz file, as np.savez writes those of a notebook or of another tool.

    T  [S, A, S] or [A, S, S]: the probability of each next state; every number NaN where an action is impossible
    R  [S, A], or the shape of T, or [S] for rewards of states; -inf where an action is impossible
    C  the same as costs, which are minimised

`axes`, a text, says which is which: "sas" or "ass". Without it the shape does, where it allows one reading. Where there
are as many actions as states, the name does: T is [S, A, S] (Gymnasium, the textbook), P is [A, S, S] (pymdptoolbox);
any other name needs `axes`. R [S] of a terminal state, or `terminal_reward` [S], is what it pays.

Arrays are read in blocks and become rows at once, so that a file of zeros takes no room.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.mdp.checks import MOST_TOLERANCE, Faults, quoted
from rltrain.mdp.files.archive import Arrays, terminal_rewards
from rltrain.mdp.files.loaded import LoadedModel, TransitionRows, loaded_model
from rltrain.mdp.files.source import Source
from rltrain.mdp.model import Names
from rltrain.spelling import did_you_mean, shown

CHANCES = ("T", "P", "transitions", "transition_probabilities")
REWARDS = ("R", "rewards", "reward")
COSTS = ("C", "costs", "cost")
MAYBE = ("discount", "gamma", "start", "name", "states", "actions", "axes", "terminal_reward")
KNOWN = frozenset(CHANCES + REWARDS + COSTS)
BY_NAME = {"T": "sas", "P": "ass"}
MAX_FAULTS = 1_000


class ArrayRoles(NamedTuple):
    """Which array is which, and along which axes."""

    chance: str  # the name of the probabilities
    reward: str  # the name of the rewards, or costs
    axes: str  # "sas" or "ass"
    num_states: int
    num_actions: int


def model(arrays: Arrays, source: Source, strict: bool) -> LoadedModel:
    """The model of dense arrays T and R, of which each state-action pair that is possible becomes rows."""
    roles, warnings = _roles(arrays)
    arrays.refuse_what_does_not_fit((roles.chance, roles.reward))
    states = arrays.names("states", roles.num_states)
    actions = arrays.names("actions", roles.num_actions)
    reader = _Reader(arrays, roles, states, actions)
    rows = reader.rows()
    discount, gamma = arrays.number("discount"), arrays.number("gamma")
    if discount is not None and gamma is not None and discount != gamma:
        arrays.fail(f"'discount' is {discount:g} and 'gamma' {gamma:g}: which is it?")
    ends = ~np.any(reader.possible, axis=1)
    if ends.any():
        warnings.append(f"terminal, since no action is possible there: {_some(states, np.flatnonzero(ends))}")
    return loaded_model(
        source.text,
        states,
        actions,
        rows,
        place=lambda row: source.text,
        paid=_terminal_rewards(arrays, reader, ends),
        start=arrays.read_if_there("start"),
        discount=gamma if discount is None else discount,
        name=arrays.one_line("name", source.stem),
        costs=roles.reward in COSTS,
        warnings=warnings,
        strict=strict,
    )


def _roles(arrays: Arrays) -> tuple[ArrayRoles, list[str]]:
    """Which array is which, and along which axes. InputError where two readings fit."""
    chance, reward = _one_of(arrays, CHANCES, "probabilities"), _one_of(arrays, REWARDS + COSTS, "rewards")
    arrays.refuse_unknown((chance, reward, *MAYBE), (*CHANCES[:2], *REWARDS[:1], *MAYBE))
    shape = arrays.shape(chance)
    readings = []
    if len(shape) == 3 and min(shape) > 0:
        readings += ["sas"] if shape[0] == shape[2] else []
        readings += ["ass"] if shape[1] == shape[2] else []
    if not readings:
        arrays.fail(f"'{chance}' has the shape {shape}, expected (states, actions, states)")
    said = arrays.word("axes").casefold() if "axes" in arrays else None
    warnings: list[str] = []
    if said is not None and said not in readings:
        fits = " or ".join(f"'{reading}'" for reading in readings)
        arrays.fail(f"axes: got '{shown(said[:20])}'; the shape {shape} of '{chance}' allows {fits}")
    if said is None and len(readings) == 1:
        said = readings[0]
        if BY_NAME.get(chance, said) != said and chance == "T":
            arrays.fail(
                f"'T' has the shape {shape}, expected (states, actions, states); move the actions into the middle: "
                "np.moveaxis(T, 0, 1), or add axes='ass'"
            )
    if said is None:
        said = BY_NAME.get(chance)
        if said is None:
            arrays.fail(
                f"'{chance}' has the shape {shape}, and as many states as actions: which axis is which? Add axes='sas' "
                "for (states, actions, states) or axes='ass' for (actions, states, states)"
            )
        form = "[s, a, s']" if said == "sas" else "[a, s, s']"
        warnings.append(f"as many states as actions: '{chance}' is read as {chance}{form} by its name (axes='{said}')")
    num_states, num_actions = (shape[0], shape[1]) if said == "sas" else (shape[1], shape[0])
    return ArrayRoles(chance, reward, said, num_states, num_actions), warnings


def _one_of(arrays: Arrays, names: tuple[str, ...], what: str) -> str:
    there = [name for name in names if name in arrays]
    if len(there) > 1:
        arrays.fail(f"holds '{there[0]}' and '{there[1]}': which are the {what}?")
    if not there:
        unknown = [name for name in arrays.members if name not in KNOWN | set(MAYBE)]
        near = did_you_mean(names[0], unknown) if unknown else ""
        also = ", where all are 0 as an array of zeros" if what == "rewards" else ""
        arrays.fail(f"no array of {what}; expected '{names[0]}'{also}{near if 'mean' in near else ''}")
    return there[0]


class _Reader:
    """One pass over the arrays."""

    def __init__(self, arrays: Arrays, roles: ArrayRoles, states: Names, actions: Names) -> None:
        self.arrays, self.roles, self.states, self.actions = arrays, roles, states, actions
        self.sign = -1.0 if roles.reward in COSTS else 1.0
        self.possible = np.zeros((roles.num_states, roles.num_actions), dtype=bool)
        self.lost = np.zeros((roles.num_states, roles.num_actions), dtype=bool)  # a reward of an impossible action
        self.flat: Array | None = None  # [S] or [S, A] rewards
        shape, full = arrays.shape(roles.reward), arrays.shape(roles.chance)
        flats = ((roles.num_states, roles.num_actions), (roles.num_states,))
        if shape in flats:
            self.flat = self.sign * arrays.read(roles.reward, "fiu", None).astype(np.float64)
        elif shape != full:
            arrays.fail(f"'{roles.reward}' has the shape {shape}, expected {full}, {flats[0]} or {flats[1]}")
        self.faults = Faults()

    def rows(self) -> TransitionRows:
        """All transitions that are possible."""
        rewards = self.arrays.blocks(self.roles.reward, "fiu") if self.flat is None else None
        found: list[TransitionRows] = []
        first = 0
        for chance in self.arrays.blocks(self.roles.chance, "fiu"):
            reward = None if rewards is None else self.sign * next(rewards).astype(np.float64)
            found.append(self._block(first, chance.astype(np.float64), reward))
            first += len(chance)
            if self.faults.count >= MAX_FAULTS:
                break
        self.faults.stop_if_any()
        if not self.possible.any():
            self.arrays.fail(f"'{self.roles.chance}' has no possible action at all")
        if rewards is not None and next(rewards, None) is not None:
            self.arrays.fail(f"'{self.roles.reward}' is longer than '{self.roles.chance}'")
        return TransitionRows(*(np.concatenate(column) for column in zip(*found, strict=True)))

    def _block(self, first: int, chance: Array, reward: Array | None) -> TransitionRows:
        """The transitions of `chance` [block, M, S], whose pairs are (first + i, m)."""
        outer: Array = np.arange(first, first + len(chance))[:, None] + np.zeros_like(chance[0, :, 0], dtype=np.int64)
        inner: Array = np.arange(chance.shape[1]) + np.zeros_like(outer)
        s, a = (outer, inner) if self.roles.axes == "sas" else (inner, outer)  # [block, M]
        nothing = np.isnan(chance)
        none = np.all(nothing, axis=2)
        some = np.any(nothing, axis=2) & ~none
        self._fault(s, a, some, "NaN for some next states; an impossible action has NaN for all")
        chance = np.where(nothing, 0.0, chance)
        if reward is not None:
            never = (reward == -np.inf) & ((chance != 0) | ~np.any(chance, axis=2)[:, :, None])
            barred = np.any(never, axis=2)
            mixed = barred & np.any((chance != 0) & (reward != -np.inf), axis=2)
            self._fault(s, a, mixed, "the reward is -inf for some next states; an impossible action has it for all")
            lost = np.any(np.isfinite(reward) & (reward != 0), axis=2)
        else:
            assert self.flat is not None
            of_pair = self.flat[s] if self.flat.ndim == 1 else self.flat[s, a]
            barred = of_pair == -np.inf
            lost = np.isfinite(of_pair) & (of_pair != 0) & (self.flat.ndim == 2)
        possible = ~none & ~barred
        empty = possible & ~some & ~np.any(chance, axis=2)
        self._fault(s, a, empty, "the probabilities sum to 0; an impossible action has NaN, or a reward of -inf")
        total = chance.sum(axis=2)
        off = possible & ~some & ~empty & ~(np.abs(total - 1) <= MOST_TOLERANCE)
        self._fault(s, a, off, "the probabilities do not sum to 1")
        self.possible[s, a] = possible
        self.lost[s, a] = lost & ~possible
        i, m, following = np.nonzero(np.where(possible[:, :, None], chance, 0))
        pays = reward[i, m, following] if reward is not None else of_pair[i, m]
        return TransitionRows(s[i, m], a[i, m], following, chance[i, m, following], pays)

    def _fault(self, s: Array, a: Array, wrong: Array, rule: str) -> None:
        pairs = np.argwhere(wrong)

        def line(number: int) -> str:
            state, action = s[tuple(pairs[number])], a[tuple(pairs[number])]
            pair = f"state {quoted(self.states[int(state)])}, action {quoted(self.actions[int(action)])}"
            return f"{self.arrays.text}: {pair}: {rule}"

        self.faults.add_all(np.arange(len(pairs)), line)


def _terminal_rewards(arrays: Arrays, reader: _Reader, ends: Array) -> dict[int, Fraction]:
    """R [S] of terminal states, or `terminal_reward`. InputError for one that would be lost."""
    states, actions, name = reader.states, reader.actions, reader.roles.reward
    paid = terminal_rewards(arrays, states, ends)
    if reader.flat is not None and reader.flat.ndim == 1:
        own = np.where(ends & np.isfinite(reader.flat), reader.flat, 0.0)
        if paid and own.any():
            arrays.fail(f"both 'terminal_reward' and '{name}' [S] pay in terminal states: which is it?")
        paid = paid or {state: Fraction(float(own[state])) for state in np.flatnonzero(own).tolist()}
    lost = np.argwhere(reader.lost & ends[:, None])
    if len(lost):
        state, action = lost[0].tolist()
        arrays.fail(
            f"'{name}' has a reward for state {quoted(states[state])}, action {quoted(actions[action])}, and no action "
            "is possible in that state: put NaN there, or what the state pays into 'terminal_reward' [S]"
        )
    return paid


def _some(states: Names, numbers: Array) -> str:
    more = f" and {len(numbers) - 5:,} more" if len(numbers) > 5 else ""
    return ", ".join(quoted(states[int(number)]) for number in numbers[:5]) + more
