"""A model in Cassandra's text: what it can say as it says it, what it lacks in comments that begin with `#!`.

    terminal state     leads to itself for no reward; `#! terminal STATE`
    impossible action  a copy of the state's first possible one, so no value changes; `#! impossible ACTION : STATE`
    mixed start        in a .mdp, `#! start 0.25 0.75`
    other names        a name there begins with a letter; else they are numbers, and `#! state 5 0,1` says the name

Another program finds the same V and the same best actions; `cassandra.read` finds the same model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from rltrain.mdp.model import Model, Names, Numbered
from rltrain.mdp.pairs import outcomes

MARK = "#! "
RESERVED = {"discount", "values", "states", "actions", "observations", "start", "include", "exclude", "reset"} | {
    "reward",
    "cost",
    "uniform",
    "identity",
    "T",
    "O",
    "R",
}
WIDTH = 100  # of a line of names
_LEGAL = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def lines(model: Model, observed: bool) -> Iterator[str]:
    """The text. `observed`: as a POMDP whose observation is the state."""
    states, actions = _handles(model.states), _handles(model.actions)
    yield "# A Markov decision process in Cassandra's format. Every action is possible in every state there; a comment"
    yield "# that begins with #! says what is not so here: a terminal state leads to itself for nothing, and an action"
    yield "# that is impossible in a state is a copy of the first possible one. Neither changes any value."
    if model.name:
        yield f"{MARK}name {model.name}"
    yield ""
    assert model.discount is not None  # `cassandra.write` asks for it
    yield f"discount: {_decimal(model.discount)}"
    yield "values: reward"
    yield from _named("states", model.states, states)
    yield from _named("actions", model.actions, actions)
    if observed:
        yield f"observations: {model.num_states}"
    if model.start is not None:
        yield from _start(model, states, observed)
    pay = " : *" if observed else ""
    for state in range(model.num_states):
        yield ""
        if model.terminal[state]:
            yield f"{MARK}terminal {states[state]}"
            yield f"T: * : {states[state]} : {states[state]} 1.0"
            continue
        own = model.pairs(state)
        possible = {int(model.action[pair]): pair for pair in own}
        for action in range(model.num_actions):
            if action not in possible:
                yield f"{MARK}impossible {actions[action]} : {states[state]}"
            yield from _pair(model, possible.get(action, own[0]), f"{actions[action]} : {states[state]}", states, pay)
    if observed:
        yield ""
        for state in range(model.num_states):
            yield f"O: * : {states[state]} : {state} 1.0"


def _pair(model: Model, pair: int, head: str, states: list[str], pay: str) -> Iterator[str]:
    found = outcomes(model, pair)
    for to, prob, _ in found:
        yield f"T: {head} : {states[to]} {_decimal(prob)}"
    same = len({reward for _, _, reward in found}) == 1
    for to, _, reward in found[:1] if same else found:
        if reward:
            yield f"R: {head} : {'*' if same else states[to]}{pay} {_decimal(reward)}"


def _handles(names: Names) -> list[str]:
    """What each is called in the file: its name where the format allows all of them, else its number."""
    if not isinstance(names, Numbered) and all(_LEGAL.fullmatch(name) and name not in RESERVED for name in names):
        return list(names)
    return [str(number) for number in range(len(names))]


def _named(what: str, names: Names, handles: list[str]) -> Iterator[str]:
    if handles[0] == "0":
        yield f"{what}: {len(names)}"
        if not isinstance(names, Numbered):
            yield from (f"{MARK}{what[:-1]} {number} {name}" for number, name in enumerate(names))
        return
    yield from _folded(f"{what}:", handles)


def _folded(line: str, words: list[str]) -> Iterator[str]:
    for word in words:
        if len(line) + len(word) >= WIDTH:
            yield line
            line = " "
        line += f" {word}"
    yield line


def _start(model: Model, states: list[str], observed: bool) -> Iterator[str]:
    """Where it begins. Without observations the format knows a single state; more stand in a comment of ours.

    With them a number alone would be the first of as many probabilities as there are states, so it is `include`d.
    """
    assert model.start is not None
    begins = np.flatnonzero(model.start).tolist()
    names = [states[state] for state in begins]
    alike = len(set(model.start[begins].tolist())) == 1 and model.start[begins[0]] == 1 / len(begins)
    if not observed and len(begins) == 1:
        yield f"start: {names[0]}"
    elif not observed:
        yield "# Without observations this format can begin in one state only. The probabilities of each are:"
        yield f"{MARK}start {' '.join(_decimal(share) for share in model.start.tolist())}"
    elif alike and len(begins) == model.num_states:
        yield "start: uniform"
    elif alike:
        yield from _folded("start include:", names)
    else:
        yield from _folded("start:", [_decimal(share) for share in model.start.tolist()])


def _decimal(number: float) -> str:
    """The shortest decimal that is this float, without an exponent: 0.00001, 1.0."""
    return str(np.format_float_positional(number, unique=True, trim="0"))
