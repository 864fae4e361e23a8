"""A model from a Python function: the states that can be reached from the first ones, breadth first, and their rows.

    step(state) = {action: [(probability, next state, reward), ...]}        {}: terminal, an episode ends

This is Gymnasium's P[state] without its `terminated`. A state is any value that can be a key of a dict; states that are
equal there are one, so 1, True and 1.0 are. They are numbered in the order in which they are met, which depends on
nothing but `step` and the first states: the same function gives the same model. What is found goes through the checks
of a file, while it is found and whole at the end.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rltrain.errors import InputError, OutOfMemoryError, RltrainError
from rltrain.guard import said
from rltrain.mdp import build, checks
from rltrain.mdp.model import Model, Names, Numbered, Objects
from rltrain.progress import Progress, Silent
from rltrain.spelling import brief

Outcomes = Iterable[tuple[Any, Any, Any]]  # (probability, next state, reward); numbers of any kind
Step = Callable[[Any], Mapping[Any, Outcomes]]

MOST = 1_000_000  # states, unless a person says more: two gigabytes with 8 million rows
NAMED = 100_000  # states up to which each is named by its text: half a second
LOOK_EVERY = 8_192  # states after which what was found is looked at, so that a slip is not found in an hour
MOST_TEXT = 80  # characters of a state in a message
NOTHING = object()  # no outcome was looked at yet


def explore(
    step: Step,
    initial: Any,
    *,
    most: int = MOST,
    names: bool | None = None,
    discount: float | None = None,
    name: str = "",
    warnings: list[str] | None = None,
    progress: Progress | None = None,
) -> Model:
    """The checked model of all states that can be reached from `initial`, a state or a dict {state: probability}.

    `most` states may be found. `names`: states are called by their texts, else by their numbers; None: where they are
    few. `model.objects` has the states and actions themselves. What rounding explains is mended, and said in
    `warnings`. InputError for more states, and for whatever `step` raises or returns that is none, with the state.
    """
    first = _first(initial)
    progress = progress or Silent()
    try:
        with progress.phase("exploring the states"):
            reached = _reached(step, list(first), most, progress)
        return _model(reached, first, names, discount, name, [] if warnings is None else warnings)
    except MemoryError as error:
        raise OutOfMemoryError("memory ran out while the states were explored") from error


@dataclass
class _Reached:
    """What is known so far, in the order in which it was met."""

    number: dict[Hashable, int]  # of each state
    states: list[Hashable]
    actions: dict[Hashable, int] = field(default_factory=dict)
    pairs: array[int] = field(default_factory=lambda: array("i"))  # of each state that was explored
    action: array[int] = field(default_factory=lambda: array("i"))  # of each pair
    rows: array[int] = field(default_factory=lambda: array("i"))  # of each pair
    next: array[int] = field(default_factory=lambda: array("i"))  # of each row
    prob: array[float] = field(default_factory=lambda: array("d"))
    reward: array[float] = field(default_factory=lambda: array("d"))


def _first(initial: Any) -> dict[Hashable, Any]:
    """Each first state and its probability."""
    if isinstance(initial, Mapping):
        if not initial:
            raise InputError("initial: {} has no state; expected a state, or {state: probability}")
        return dict(initial)
    try:
        return {initial: 1.0}
    except TypeError as error:
        raise InputError(f"initial: {_unhashable(initial)}") from error


def _reached(step: Step, first: list[Hashable], most: int, progress: Progress) -> _Reached:
    """All that can be reached; less, where what was found so far holds a number that is none."""
    found = _Reached({state: number for number, state in enumerate(first)}, first)
    states, number_of, action_of = found.states, found.number.setdefault, found.actions.setdefault
    add_state, add_next, add_prob, add_reward = states.append, found.next.append, found.prob.append, found.reward.append
    count, looked = len(states), (0, 0)  # pairs and rows that were looked at
    if count > most:
        raise InputError(_too_many(first[0], 0, most, states[-1]))
    for state in states:  # which grows
        explored = len(found.pairs)
        if explored % LOOK_EVERY == 0:
            progress.at(explored, count, explored, "states")
            if _wrong(found, *looked):
                break
            looked = (len(found.rows), len(found.next))
        try:
            actions = step(state)
        except Exception as error:
            raise InputError(f"{_called(state)}: {said(error)}") from error
        if not isinstance(actions, Mapping):
            raise InputError(f"{_called(state)} returned {_text(actions)}; {_expected(actions)}")
        action = outcomes = outcome = NOTHING
        try:
            for action, outcomes in actions.items():
                outcome, before = NOTHING, len(found.next)
                for outcome in outcomes:
                    prob, successor, reward = outcome
                    if prob == 0:
                        continue
                    place = number_of(successor, count)
                    if place == count:
                        count += 1
                        if count > most:
                            raise InputError(_too_many(first[0], explored, most, successor))
                        add_state(successor)
                    add_next(place)
                    add_prob(prob)
                    add_reward(reward)
                if len(found.next) == before:
                    rule = "nothing can happen after it; leave an action out that is impossible here"
                    raise InputError(f"{_called(state)}, action {_text(action)}: {rule}")
                found.action.append(action_of(action, len(found.actions)))
                found.rows.append(len(found.next) - before)
        except RltrainError:
            raise
        except Exception as error:
            raise InputError(f"{_called(state)}, action {_text(action)}: {_rule(outcomes, outcome, error)}") from error
        found.pairs.append(len(actions))
    return found


def _wrong(found: _Reached, pairs: int, rows: int) -> bool:
    """Whether the pairs and rows from these on hold what no model can have. `mdp.build` says what it is."""
    if len(found.rows) == pairs:
        return False
    prob, reward = np.frombuffer(found.prob)[rows:], np.frombuffer(found.reward)[rows:]
    counts = np.frombuffer(found.rows, dtype=np.intc)[pairs:]
    sums = np.add.reduceat(prob, np.cumsum(counts) - counts)
    return not bool(
        (np.abs(sums - 1) <= np.maximum(checks.MOST_TOLERANCE, checks.TOLERANCE * counts)).all()
        and (prob >= -checks.TOLERANCE).all()
        and ((np.abs(reward) <= checks.MOST_REWARD) | (prob <= 0)).all()
    )


def _model(
    found: _Reached,
    first: Mapping[Hashable, Any],
    names: bool | None,
    discount: float | None,
    name: str,
    said: list[str],
) -> Model:
    states, actions = found.states, tuple(found.actions)
    if not actions:
        raise InputError(f"{_called(states[0])} returned {{}}: no state has an action, so there is nothing to choose")
    of_pairs = np.repeat(np.arange(len(found.pairs)), np.frombuffer(found.pairs, dtype=np.intc))
    rows = np.frombuffer(found.rows, dtype=np.intc)
    state = np.repeat(of_pairs, rows)
    start = np.zeros(len(states))
    try:
        start[: len(first)] = [float(share) for share in first.values()]
    except (TypeError, ValueError) as error:
        raise InputError(f"initial: {error}; expected {{state: probability}}") from error
    if names is None:
        names = len(states) <= NAMED
    model = build.from_transitions(
        _names(states, "state") if names else Numbered(len(states)),
        _names(actions, "action"),
        state,
        np.repeat(np.frombuffer(found.action, dtype=np.intc), rows),
        np.frombuffer(found.next, dtype=np.intc),
        np.frombuffer(found.prob),
        np.frombuffer(found.reward),
        start=start,
        discount=discount,
        name=name,
        place=lambda row: _called(states[int(state[row])]),
        warnings=said,
        repeats=True,
    )
    assert len(found.pairs) == len(states)  # what `_wrong` finds, the checks refuse
    return replace(model, objects=Objects(tuple(states), actions))


def _names(objects: Sequence[Hashable], what: str) -> Names:
    """Each by its text; by that of a program, `'1'` beside `1`, where texts are equal or none; by numbers at last."""
    if any(type(one).__repr__ is object.__repr__ for one in objects):
        return Numbered(len(objects))  # an address in memory, another each time
    for text in (str, repr):
        try:
            names = tuple(map(text, objects))
            checks.check_names(names, what)
        except Exception:  # of texts that are no names, or of somebody else's class
            continue
        return names
    return Numbered(len(objects))


# Messages


def _called(state: Any) -> str:
    return f"step({_text(state)})"


def _text(value: Any) -> str:
    try:
        return brief(repr(value), MOST_TEXT)
    except Exception:  # of somebody else's class, in a message about another fault
        return f"a {type(value).__name__}"


def _unhashable(state: Any) -> str:
    return f"{_text(state)} is no key of a dict, which a state must be: a tuple, a text, a number or a frozen dataclass"


def _expected(returned: Any) -> str:
    rule = "expected {action: [(probability, next_state, reward), ...]}"
    return rule + (", and {} for a state in which an episode ends" if returned is None else "")


def _too_many(first: Any, explored: int, most: int, newest: Any) -> str:
    return (
        f"more than {most:,} states can be reached from {_text(first)}: {explored:,} were explored, and the newest "
        f"found is {_text(newest)}; if they have an end, raise the limit, as with most={10 * most:_}"
    )


def _rule(outcomes: Any, outcome: Any, error: Exception) -> str:
    """What is wrong with an action's outcomes, or with the last of them that was looked at."""
    rule = "(probability, next_state, reward)"
    if outcome is NOTHING:
        if isinstance(outcomes, Iterable):
            return said(error)
        return f"expected a list of {rule}, got {_text(outcomes)}"
    try:
        prob, successor, reward = outcome
    except Exception:
        return f"expected a list of {rule}, and one of them is {_text(outcome)}"
    for what, number in (("probability", prob), ("reward", reward)):
        try:
            array("d").append(number)
        except Exception:
            return f"outcome {_text(outcome)}: the {what} {_text(number)} is no number"
    try:
        hash(successor)
    except Exception:
        return f"outcome {_text(outcome)}: the next state {_unhashable(successor)}"
    return said(error)
