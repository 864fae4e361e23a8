"""Cassandra's text, `.mdp` and `.pomdp`, read as a model whose state is seen (pomdp.org, "POMDP file format").

    discount: 0.95                values: reward            # or cost, which is read as a negative reward
    states: s0 s1                 actions: stay go          # or how many
    start: s0                     # or probabilities, uniform, `start include: …`, `start exclude: …`
    T: go : s0 : s1 0.9           # `T: go : s0` and a row, `T: go` and a matrix; identity, uniform, reset; * is all
    R: go : s0 : s1 : * 5.0       # the same shapes; a later line overrides an earlier one

Observations and O: are passed over. Here every action is possible in every state. So `cassandra_out` writes what the
format cannot say in comments that begin with `#!`, and they are read back; to others they are comments.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import build
from rltrain.mdp.checks import quoted
from rltrain.mdp.files import Loaded, cassandra_out, text_of
from rltrain.mdp.files.cassandra_in import Reader, Rule, Token
from rltrain.mdp.model import Model, Names
from rltrain.spelling import shown

KEPT_AS_WRITTEN = 20_000  # transitions; more are not for rational arithmetic
MAX_TEXT = 500_000_000  # bytes


def read(path: Path) -> Loaded:
    """The model of a file, as if its states were seen."""
    return parse(text_of(path, MAX_TEXT), shown(str(path)), path.stem)


def write(model: Model, file: IO[bytes], path: Path) -> None:
    """The model as text. What the format lacks stands in comments that `read` understands."""
    for line in cassandra_out.lines(model, observed=path.suffix.lower() == ".pomdp"):
        file.write(line.encode() + b"\n")


def parse(text: str, source: str, name: str = "") -> Loaded:
    """The model in a text. `source` is what messages call it."""
    reader = Reader(text, source)
    reader.statements()
    return _loaded(reader, name)


def _loaded(said: Reader, name: str) -> Loaded:
    states, actions, name, hidden, terminal = _marked(said, name)
    if said.unseen or "observations" in said.names:
        said.warnings.append("observations are passed over: the model is solved as if its states were seen")
    count = len(actions)
    for state in range(len(states)):
        for action in range(count):
            if not said.rows.get((action, state)):
                said.faults.add(
                    f"{said.source}: state {quoted(states[state])}, action {quoted(actions[action])}: no T: says "
                    "where it leads, and every action is possible everywhere in this format"
                )
    said.faults.stop_if_any()
    pairs = [
        (state, action)
        for state in range(len(states))
        for action in range(count)
        if state not in terminal and (action, state) not in hidden
    ]
    rows = [(s, a, to, text) for s, a in pairs for to, text in sorted(said.rows[a, s].items())]
    if not rows:
        raise InputError(f"{said.source}: no state has an action")
    s, a, following = (np.array(column, dtype=np.int64) for column in list(zip(*rows, strict=True))[:3])
    texts = [row[3] for row in rows]
    pay = _apply(said.rules, s, a, following, len(states), count)
    pays = np.array([0.0, *map(float, said.pays)])
    written = None
    if len(rows) <= KEPT_AS_WRITTEN:
        values = {text: Fraction(text) for text in {*texts}}
        rewards = [said.sign * (Fraction(said.pays[i]) if i >= 0 else Fraction(0)) for i in pay.tolist()]
        written = build.Written([values[text] for text in texts], rewards, said.discount)
    found: list[str] = []
    model = build.from_transitions(
        states,
        actions,
        s,
        a,
        following,
        [_float(text) for text in texts],
        said.sign * pays[pay + 1] + 0.0,
        start=None if said.start is None else [float(share) for share in said.start],
        discount=None if said.discount is None else float(said.discount),
        name=name,
        place=lambda row: f"{said.source}:{said.lines[int(a[row]), int(s[row])]}",
        terminal=[state in terminal for state in range(len(states))],
        exact=written,
        warnings=found,
    )
    if said.discount is None:
        found.append("no discount: is given")
    return Loaded(model, tuple(f"{said.source}: {line}" for line in said.warnings + found))


def _marked(said: Reader, name: str) -> tuple[Names, Names, str, set[tuple[int, int]], set[int]]:
    """What the comments that begin with `#!` say: the name, names of states and actions, what is impossible."""
    renamed: dict[str, dict[int, str]] = {"states": {}, "actions": {}}
    hidden: set[tuple[int, int]] = set()
    terminal: set[int] = set()
    for mark, line in said.marks:
        what, _, rest = mark.partition(" ")
        if what == "name":
            name = rest
        elif what in ("state", "action"):
            number, _, called = rest.partition(" ")
            found = said.find(f"{what}s", Token(number, line))
            if found is not None and called:
                renamed[f"{what}s"][found] = called
        elif what == "terminal":
            found = said.find("states", Token(rest, line))
            if found is not None:
                terminal.add(found)
        elif what == "impossible":
            first, _, second = rest.partition(" : ")
            action, state = said.find("actions", Token(first, line)), said.find("states", Token(second, line))
            if action is not None and state is not None:
                hidden.add((action, state))
    for state in {state for _, state in hidden} - terminal:
        if all((action, state) in hidden for action in range(len(said.names["actions"]))):
            said.faults.add(f"{said.source}: state {quoted(said.names['states'][state])}: every action impossible")
    for what, changes in renamed.items():
        if changes:
            said.names[what] = tuple(changes.get(i, was) for i, was in enumerate(said.names[what]))
    return said.names["states"], said.names["actions"], name, hidden, terminal


def _float(text: str) -> float:
    return float(Fraction(text)) if "/" in text else float(text)


def _apply(rules: list[Rule], s: Array, a: Array, following: Array, num_states: int, num_actions: int) -> Array:
    """[rows] which number pays each transition, -1: none. Rows ascend by state, then action, then next."""
    pay = np.full(len(s), -1, dtype=np.int64)
    key = s * num_actions + a
    by_next = np.argsort(following, kind="stable")
    next_sorted = following[by_next]
    for rule in rules:
        if rule.state is not None:
            low = rule.state * num_actions + (rule.action or 0)
            high = low if rule.action is not None else low + num_actions - 1
            rows = np.arange(*np.searchsorted(key, (low, high + 1)))
        elif rule.next is not None:
            rows = by_next[slice(*np.searchsorted(next_sorted, (rule.next, rule.next + 1)))]
        else:
            rows = np.arange(len(s))
        if rule.action is not None:
            rows = rows[a[rows] == rule.action]
        if rule.next is not None:
            rows = rows[following[rows] == rule.next]
        offset: Array = following[rows] if rule.by else np.zeros(len(rows), dtype=np.int64)
        if rule.by == "both":
            offset = offset + s[rows] * num_states
        pay[rows] = rule.first + offset
    return pay
