"""Cassandra's text, `.mdp` and `.pomdp`, read as a model whose state is seen (pomdp.org, "POMDP file format").

    discount: 0.95                values: reward            # or cost, which is read as a negative reward
    states: s0 s1                 actions: stay go          # or how many
    start: s0                     # or probabilities, uniform, `start include: …`, `start exclude: …`
    T: go : s0 : s1 0.9           # `T: go : s0` and a row, `T: go` and a matrix; identity, uniform, reset; * is all
    R: go : s0 : s1 : * 5.0       # the same shapes; a later line overrides an earlier one

The states are taken as seen. A reward that depends on the observation is its mean over what is seen, for O: (a, s', o):

    r(s, a, s') = sum_o O(a, s', o) R(s, a, s', o)

Where none does, observations and O: are passed over. Here every action is possible in every state. So `cassandra_out`
writes what the format cannot say in comments that begin with `#!`, and they are read back; to others they are comments.
"""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import build
from rltrain.mdp.checks import MOST_TOLERANCE, quoted
from rltrain.mdp.files import cassandra_out
from rltrain.mdp.files.cassandra_in import MAX_LINE, Reader, Rule, Token
from rltrain.mdp.files.loaded import LoadedModel
from rltrain.mdp.files.source import Source
from rltrain.mdp.model import Model, Names
from rltrain.spelling import shown

KEPT_AS_WRITTEN = 20_000  # transitions; more are not for rational arithmetic
SEEN = "observations are passed over: the model is solved as if its states were seen"
MAX_PAYS = 50_000_000  # transitions times observations


def read(source: Source, strict: bool = False) -> LoadedModel:
    """The model of a file, as if its states were seen."""
    reader = Reader(source.lines(MAX_LINE), source.text, strict)
    reader.statements()
    return _loaded(reader, source.stem)


def write(model: Model, file: IO[bytes], path: Path) -> None:
    """The model as text. What the format lacks stands in comments that `read` understands."""
    if model.discount is None:
        raise InputError(
            f"{shown(str(path))}: this format has to say a discount, and the model states none; add, for example: "
            "--discount 0.95"
        )
    for line in cassandra_out.lines(model, observed=path.suffix.lower() == ".pomdp"):
        file.write(line.encode() + b"\n")


def parse(text: str, source: str, name: str = "", strict: bool = False) -> LoadedModel:
    """The model in a text. `source` is what messages call it."""
    reader = Reader(io.StringIO(text), source, strict)
    reader.statements()
    return _loaded(reader, name)


def _loaded(said: Reader, name: str) -> LoadedModel:
    states, actions, name, hidden, terminal = _marked(said, name)
    if said.seen or "observations" in said.names:
        said.warnings.append(SEEN)
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
    pays = _Pays(said, s, a, following, count)
    reward = pays.floats()
    if len(pays.mixed):
        said.warnings.append("rewards that depend on the observation are their mean over what O: says is seen")
    written = None
    if len(rows) <= KEPT_AS_WRITTEN:
        values = {text: Fraction(text) for text in {*texts}}
        written = build.Written([values[text] for text in texts], pays.fractions(), said.discount)
    found: list[str] = []
    model = build.from_transitions(
        states,
        actions,
        s,
        a,
        following,
        [_float(text) for text in texts],
        reward,
        start=None if said.start is None else [float(share) for share in said.start],
        discount=None if said.discount is None else float(said.discount),
        name=name,
        place=lambda row: f"{said.source}:{said.lines[int(a[row]), int(s[row])]}",
        terminal=[state in terminal for state in range(len(states))],
        exact=written,
        warnings=found,
        strict=said.strict,
    )
    if said.discount is None:
        found.append("no discount: is given")
    return LoadedModel(model, tuple(f"{said.source}: {line}" for line in said.warnings + found), said.sign < 0)


def _marked(said: Reader, name: str) -> tuple[Names, Names, str, set[tuple[int, int]], set[int]]:
    """What the comments that begin with `#!` say: the name, names of states and actions, what is impossible."""
    renamed: dict[str, dict[int, str]] = {"states": {}, "actions": {}}
    hidden: set[tuple[int, int]] = set()
    terminal: set[int] = set()
    for mark, line in said.marks:
        what, _, rest = mark.partition(" ")
        if what == "name":
            name = rest
        elif what == "start":
            said.mixed_start([Token(text, line) for text in rest.split()], line)
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


class _Pays:
    """The reward of each transition, which rules say for it, and for what is seen then."""

    def __init__(self, said: Reader, s: Array, a: Array, following: Array, num_actions: int) -> None:
        self.said = said
        watched = len(said.names["observations"]) if said.by_observation else 1
        if len(s) * watched > MAX_PAYS:
            raise InputError(f"{said.source}: {len(s):,} transitions by {watched:,} observations are too many rewards")
        self.pay = _apply(said.rules, s, a, following, len(said.names["states"]), num_actions, watched)  # [rows, O]
        self.numbers = np.array([0.0, *map(float, said.pays)])
        each = self.numbers[self.pay + 1]
        self.mixed = np.flatnonzero((each != each[:, :1]).any(axis=1))  # rows whose reward depends on what is seen
        self.places = list(zip(a[self.mixed].tolist(), following[self.mixed].tolist(), strict=True))
        self.sights = said.sights() if len(self.mixed) else {}
        for action, state in dict.fromkeys(self.places):
            self._check(action, state)
        said.faults.stop_if_any()

    def floats(self) -> Array:
        """[rows] float64."""
        reward: Array = self.numbers[self.pay[:, 0] + 1]
        for row, place in zip(self.mixed.tolist(), self.places, strict=True):
            seen = self.sights[place]
            shares = [_float(text) for text in seen.values()]
            paid = self.numbers[self.pay[row, list(seen)] + 1].tolist()
            reward[row] = sum(p * r for p, r in zip(shares, paid, strict=True)) / sum(shares)
        return self.said.sign * reward + 0.0

    def fractions(self) -> list[Fraction]:
        """[rows] as they were written."""
        numbers = [Fraction(0), *map(Fraction, self.said.pays)]
        reward = [numbers[number + 1] for number in self.pay[:, 0].tolist()]
        for row, place in zip(self.mixed.tolist(), self.places, strict=True):
            shares = {seen: Fraction(text) for seen, text in self.sights[place].items()}
            paid = sum((p * numbers[int(self.pay[row, seen]) + 1] for seen, p in shares.items()), Fraction(0))
            reward[row] = paid / sum(shares.values())
        return [self.said.sign * pay for pay in reward]

    def _check(self, action: int, state: int) -> None:
        """What is seen after an action in a state is a distribution."""
        said = self.said
        shares = np.array([_float(text) for text in self.sights.get((action, state), {}).values()])
        pair = f"action {quoted(said.names['actions'][action])}, next state {quoted(said.names['states'][state])}"
        if not len(shares):
            said.faults.add(f"{said.source}: {pair}: the reward depends on what is seen, and no O: says what that is")
        elif shares.min() < 0 or abs(shares.sum() - 1) > MOST_TOLERANCE:
            said.faults.add(f"{said.source}: {pair}: the probabilities of O: sum to {shares.sum():.12g}, expected 1")


def _apply(
    rules: list[Rule], s: Array, a: Array, following: Array, num_states: int, num_actions: int, watched: int
) -> Array:
    """[rows, watched] which number pays each transition, -1: none. Rows ascend by state, then action, then next."""
    pay = np.full((len(s), watched), -1, dtype=np.int64)
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
        if rule.wide:
            pay[rows] = rule.first + offset[:, None] * watched + np.arange(watched)
        elif rule.seen is not None and watched > 1:
            pay[rows, rule.seen] = rule.first + offset
        else:
            pay[rows] = (rule.first + offset)[:, None]
    return pay
