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
import itertools
from fractions import Fraction
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp.checks import MOST_TOLERANCE, quoted
from rltrain.mdp.files import cassandra_out
from rltrain.mdp.files.cassandra_in import RewardRule, Statements
from rltrain.mdp.files.cassandra_words import MAX_LINE, Token
from rltrain.mdp.files.loaded import KEPT_AS_WRITTEN, LoadedModel, TransitionRows, loaded_model
from rltrain.mdp.files.source import Source
from rltrain.mdp.model import Model
from rltrain.spelling import shown

SEEN = "observations are passed over: the model is solved as if its states were seen"
MIXED = "rewards that depend on the observation are their mean over what O: says is seen"
MAX_PAYS = 50_000_000  # transitions times observations


def read(source: Source, strict: bool = False) -> LoadedModel:
    """The model of a file, as if its states were seen."""
    return _loaded(Statements(source.lines(MAX_LINE), source.text, strict), source.stem)


def parse(text: str, source: str, name: str = "", strict: bool = False) -> LoadedModel:
    """The model in a text. `source` is what messages call it."""
    return _loaded(Statements(io.StringIO(text), source, strict), name)


def write(model: Model, file: IO[bytes], path: Path) -> None:
    """The model as text. What the format lacks stands in comments that `read` understands."""
    if model.discount is None:
        raise InputError(
            f"{shown(str(path))}: this format has to say a discount, and the model states none; add, for example: "
            "--discount 0.95"
        )
    for line in cassandra_out.lines(model, observed=path.suffix.lower() == ".pomdp"):
        file.write(line.encode() + b"\n")


class Marks(NamedTuple):
    """What the comments that begin with `#!` say, which `cassandra_out` writes."""

    name: str
    impossible: set[tuple[int, int]]  # (action, state)
    terminal: set[int]


def _loaded(said: Statements, name: str) -> LoadedModel:
    said.read()
    marks = _marks(said, name)
    states, actions = said.names["states"], said.names["actions"]
    if said.seen or "observations" in said.given:
        said.warnings.append(SEEN)
    for state, action in itertools.product(range(len(states)), range(len(actions))):
        if not said.rows.get((action, state)):
            said.faults.add(
                f"{said.source}: state {quoted(states[state])}, action {quoted(actions[action])}: no T: says where it "
                "leads, and every action is possible everywhere in this format"
            )
    said.faults.stop_if_any()
    rows = [
        (s, a, to, text)
        for s, a in itertools.product(range(len(states)), range(len(actions)))
        if s not in marks.terminal and (a, s) not in marks.impossible
        for to, text in sorted(said.rows[a, s].items())
    ]
    if not rows:
        raise InputError(f"{said.source}: no state has an action")
    s, a, following = (np.array(column, dtype=np.int64) for column in list(zip(*rows, strict=True))[:3])
    texts = [row[3] for row in rows]
    pays = _Pays(said, s, a, following)
    written = None
    if len(rows) <= KEPT_AS_WRITTEN:
        values = {text: Fraction(text) for text in {*texts}}
        written = [values[text] for text in texts], pays.fractions()
    loaded = loaded_model(
        said.source,
        states,
        actions,
        TransitionRows(s, a, following, [_float(text) for text in texts], pays.floats()),
        place=lambda row: f"{said.source}:{said.lines[int(a[row]), int(s[row])]}",
        paid={},
        written=written,
        discount=said.discount,
        start=None if said.start is None else [float(share) for share in said.start],
        name=marks.name,
        ends=[state in marks.terminal for state in range(len(states))],
        costs=said.sign < 0,
        warnings=said.warnings + ([MIXED] if len(pays.mixed) else []),
        strict=said.strict,
    )
    if said.discount is not None:
        return loaded
    return loaded._replace(warnings=(*loaded.warnings, f"{said.source}: no discount: is given"))


def _marks(said: Statements, name: str) -> Marks:
    """The comments of ours. States and actions take the names that these give them."""
    renamed: dict[str, dict[int, str]] = {"states": {}, "actions": {}}
    marks = Marks(name, set(), set())
    for mark, line in said.words.marks:
        what, _, rest = mark.partition(" ")
        if what == "name":
            marks = marks._replace(name=rest)
        elif what == "start" and said.start is None:
            said.read_shares([Token(text, line) for text in rest.split()], line)
        elif what in ("state", "action"):
            number, _, called = rest.partition(" ")
            found = said.find(f"{what}s", Token(number, line))
            if found is not None and called:
                renamed[f"{what}s"][found] = called
        elif what == "terminal":
            found = said.find("states", Token(rest, line))
            if found is not None:
                marks.terminal.add(found)
        elif what == "impossible":
            first, _, second = rest.partition(" : ")
            action, state = said.find("actions", Token(first, line)), said.find("states", Token(second, line))
            if action is not None and state is not None:
                marks.impossible.add((action, state))
    for state in {state for _, state in marks.impossible} - marks.terminal:
        if all((action, state) in marks.impossible for action in range(len(said.names["actions"]))):
            said.faults.add(f"{said.source}: state {quoted(said.names['states'][state])}: every action impossible")
    for what, changes in renamed.items():
        if changes:
            said.names[what] = tuple(changes.get(i, was) for i, was in enumerate(said.names[what]))
    return marks


def _float(text: str) -> float:
    return float(Fraction(text)) if "/" in text else float(text)


class _Pays:
    """The reward of each transition, which rules say for it, and for what is seen then."""

    def __init__(self, said: Statements, s: Array, a: Array, following: Array) -> None:
        self.said = said
        seen = any(rule.wide or rule.seen is not None for rule in said.rules)  # what they pay may depend on it
        watched = len(said.names["observations"]) if seen else 1
        if len(s) * watched > MAX_PAYS:
            raise InputError(f"{said.source}: {len(s):,} transitions by {watched:,} observations are too many rewards")
        sizes = len(said.names["states"]), len(said.names["actions"]), watched
        self.pay = _apply(said.rules, s, a, following, *sizes)  # [rows, O]
        self.numbers = np.array([0.0, *map(float, said.pays)])
        each = self.numbers[self.pay + 1]
        self.mixed = np.flatnonzero((each != each[:, :1]).any(axis=1))  # rows whose reward depends on what is seen
        self.places = list(zip(a[self.mixed].tolist(), following[self.mixed].tolist(), strict=True))
        self.sights = said.observations() if len(self.mixed) else {}
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
    rules: list[RewardRule], s: Array, a: Array, following: Array, num_states: int, num_actions: int, watched: int
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
