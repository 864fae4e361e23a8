"""A model as CSV rows: state, action, next, probability, reward. Names or numbers; the columns in any order.

    # discount: 0.95
    state,action,next,probability,reward
    s0,walk,goal,0.9,10
    s0,walk,s0,0.1,0
    goal,,,,

A row with a state alone says that it is terminal. Comments before the header, each `# KEY: YAML`, hold what rows
cannot: name, discount, start, and the order of states and actions where it is not that of the rows. Other
comments there are passed over. A file without actions is a Markov chain.
"""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np

from rltrain import yaml_subset
from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import build
from rltrain.mdp.checks import Faults, quoted
from rltrain.mdp.files import Loaded
from rltrain.mdp.files.yaml_text import STEP, fraction
from rltrain.mdp.model import Model, Names, Numbered
from rltrain.spelling import did_you_mean, shown
from rltrain.yaml_subset import word

COLUMNS = ("state", "action", "next", "probability", "reward")
ALIASES = {
    "state": ("state", "s", "from", "source", "from_state", "current_state", "idstatefrom"),
    "action": ("action", "a", "idaction"),
    "next": ("next", "next_state", "nextstate", "s'", "s2", "s_next", "to", "target", "to_state", "idstateto"),
    "probability": ("probability", "prob", "p", "pr", "transition_probability"),
    "reward": ("reward", "r"),
}
KEYS = ("name", "discount", "start", "states", "actions")
KEPT_AS_WRITTEN = 20_000  # rows; more are not for rational arithmetic
MAX_FAULTS = 1_000
_REMARK = re.compile(r"#\s*(name|discount|start|states|actions)\s*:")
_FLOAT = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def read(path: Path) -> Loaded:
    """The model of a CSV file, row by row."""
    source = shown(str(path))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _Reader(source).model(file, path.stem)
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: not text in UTF-8: {error.reason}") from None


class _Reader:
    """One pass over the rows, in which names get numbers as they come."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.faults = Faults()
        self.warnings: list[str] = []
        self.states: dict[str, int] = {}  # in the order of the state column, then of the others
        self.targets: dict[str, int] = {}  # next states that no row has as its state so far, and their lines
        self.actions: dict[str, int] = {}
        self.ends: set[str] = set()
        self.acts: set[int] = set()
        self.columns: list[array[Any]] = [array("q"), array("q"), array("q"), array("d"), array("d")]
        self.lines = array("q")
        self.written: list[tuple[Fraction, Fraction]] | None = []

    def fail(self, line: int, rule: str) -> NoReturn:
        raise InputError(f"{self.source}:{line}: {rule}")

    def fault(self, line: int, rule: str) -> None:
        self.faults.add(f"{self.source}:{line}: {rule}")
        if self.faults.count == MAX_FAULTS:
            self.faults.stop()

    def model(self, file: Any, name: str) -> Loaded:
        remarks, header, line = self._head(file)
        place, delimiter = self._header(header, line)
        names_of_next: list[str] = []  # a next state may come before its own row
        numbers: dict[str, int] = {}
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        width = len(next(csv.reader([header], delimiter=delimiter)))
        try:
            for row in reader:
                if not any(map(str.strip, row)):
                    continue
                at = line + reader.line_num
                if len(row) != width:
                    self.fault(at, f"{len(row)} cells; the header has {width}")
                    continue
                self._row(
                    at,
                    [row[column].strip() if column is not None else None for column in place],
                    numbers,
                    names_of_next,
                )
        except csv.Error as error:
            self.fail(line + reader.line_num, f"not CSV: {error}")
        self.faults.stop_if_any()
        if not len(self.lines):
            self.fail(line, "no transition follows the header")
        return self._build(remarks, numbers, names_of_next, name)

    def _head(self, file: Any) -> tuple[dict[str, Any], str, int]:
        """The remarks above the header, the header, and its line."""
        texts: list[str] = []
        line = 0
        for text in file:
            line += 1
            if len(text) > yaml_subset.MAX_BYTES:
                self.fail(line, f"a line of {len(text):,} characters")
            if text.startswith("#") or not text.strip():
                texts.append(text[1:].strip() if _REMARK.match(text) else "")
                continue
            document = yaml_subset.read("\n".join(texts))
            for fault in document.faults:
                self.fail(fault.line, f"the remark above the header: {fault.rule}")
            self.texts, self.remark_lines = document.texts, document.lines
            return document.value or {}, text.rstrip("\r\n"), line
        self.fail(max(line, 1), "empty; expected the header " + ",".join(COLUMNS))

    def _header(self, header: str, line: int) -> tuple[list[int | None], str]:
        """Where each of COLUMNS stands, and what is between cells."""
        delimiter = max(",;\t", key=header.count)
        try:
            cells = next(csv.reader([header], delimiter=delimiter, strict=True))
        except (csv.Error, StopIteration):
            self.fail(line, "not CSV; expected the header " + ",".join(COLUMNS))
        known = {alias: column for column, aliases in ALIASES.items() for alias in aliases}
        place: dict[str, int] = {}
        for number, cell in enumerate(cells):
            column = known.get(cell.strip().casefold().replace(" ", "_"))
            if column is None:
                self.warnings.append(f"the column {quoted(cell[:60])} is not used")
            elif column in place:
                self.fail(line, f"two columns for the {column}: {quoted(cells[place[column]])} and {quoted(cell)}")
            else:
                place[column] = number
        for column in ("state", "next", "probability"):
            if column not in place:
                near = did_you_mean(column, [cell for cell in cells if cell])
                self.fail(
                    line,
                    f"no column '{column}' in the header; expected {','.join(COLUMNS)}"
                    + (near if "mean" in near else ""),
                )
        if "reward" not in place:
            self.warnings.append("no column 'reward': every reward is 0")
        return [place.get(column) for column in COLUMNS], delimiter

    def _row(self, line: int, cells: list[str | None], numbers: dict[str, int], names_of_next: list[str]) -> None:
        state, action, following, chance, pay = cells
        if not state:
            return self.fault(line, "no state")
        if not action and not following and not chance:
            self.ends.add(state)
            self.states.setdefault(state, len(self.states))
            return
        where = f"state {quoted(state)}, action {quoted(action)}" if action else f"state {quoted(state)}"
        if action == "":
            return self.fault(line, f"{where}: no action; a terminal state has its name alone in its row")
        if not following:
            return self.fault(line, f"{where}: no next state")
        prob = _number(chance or "")
        if prob is None:
            return self.fault(line, f"{where}, next {quoted(following)}: the probability {_got(chance)} is no number")
        reward = 0.0 if pay is None else _number(pay)
        if reward is None:
            return self.fault(line, f"{where}, next {quoted(following)}: the reward {_got(pay)} is no number")
        self.states.setdefault(state, len(self.states))
        number = self.actions.setdefault(STEP if action is None else action, len(self.actions))
        target = numbers.setdefault(following, len(numbers))
        if target == len(names_of_next):
            names_of_next.append(following)
        for column, value in zip(self.columns, (self.states[state], number, target, prob, reward), strict=True):
            column.append(value)
        self.lines.append(line)
        if self.written is not None:
            exact = fraction(chance or ""), Fraction(0) if pay is None else fraction(pay)
            if exact[0] is None or exact[1] is None or len(self.lines) > KEPT_AS_WRITTEN:
                self.written = None  # and the faults are found later, as for any number
            else:
                self.written.append((exact[0], exact[1]))

    def _build(self, remarks: dict[str, Any], numbers: dict[str, int], names_of_next: list[str], name: str) -> Loaded:
        for following in names_of_next:
            self.states.setdefault(following, len(self.states))
        s, a, target, prob, reward = (np.frombuffer(column, dtype=column.typecode) for column in self.columns)
        old = np.array([self.states[name] for name in names_of_next], dtype=np.int64)
        states, s_order = self._ordered("states", self.states)
        actions, a_order = self._ordered("actions", self.actions)
        following, s, a = s_order[old[target]], s_order[s], a_order[a]
        acts = np.zeros(len(states), dtype=bool)
        acts[s] = True
        for state in self.ends:
            if acts[s_order[self.states[state]]]:
                first = int(np.flatnonzero(s == s_order[self.states[state]])[0])
                self.fail(self.lines[first], f"state {quoted(state)}: declared terminal by a row of its own, and acts")
        silent = [state for state in self.states if not acts[s_order[self.states[state]]] and state not in self.ends]
        if silent:
            some = ", ".join(map(quoted, silent[:5])) + (f" and {len(silent) - 5:,} more" if len(silent) > 5 else "")
            self.warnings.append(f"taken as terminal, since no row starts there: {some} (a row `NAME,,,,` declares it)")
        discount = self._exact_remark("discount")
        model = build.from_transitions(
            states,
            actions,
            s,
            a,
            following,
            prob,
            reward,
            start=self._start(remarks, states),
            discount=None if discount is None else float(discount),
            name=self._name(remarks, name),
            place=lambda row: f"{self.source}:{self.lines[row]}",
            exact=None
            if self.written is None
            else build.Written([p for p, _ in self.written], [r for _, r in self.written], discount),
            warnings=self.warnings,
        )
        return Loaded(model, tuple(f"{self.source}: {warning}" for warning in self.warnings))

    def _ordered(self, key: str, found: dict[str, int]) -> tuple[Names, Array]:
        """The names in order, and the new number of each old one: as remarked, else ascending where all are numbers."""
        if (key,) in self.remark_lines:
            line = self.remark_lines[key,]
            names = [text for path, text in self.texts.items() if len(path) == 2 and path[0] == key]
            place = {name: number for number, name in enumerate(names)}
            for name in found:
                if name not in place:
                    self.fail(line, f"{quoted(name)} is in the rows and not in the remark '{key}'")
            if len(place) < len(names):
                self.fail(line, f"the remark '{key}' has a name twice")
        else:
            names = list(found)
            if all(name.isascii() and name.isdecimal() and (name == "0" or name[0] != "0") for name in names):
                names.sort(key=lambda name: (len(name), name))
            place = {name: number for number, name in enumerate(names)}
        return build.names_of(names), np.array([place[name] for name in found], dtype=np.int64)

    def _exact_remark(self, key: str) -> Fraction | None:
        if (key,) not in self.remark_lines:
            return None
        value = fraction(self.texts.get((key,), ""))
        if value is None or not 0 <= value <= 1:
            self.fail(self.remark_lines[key,], f"{key}: expected a number from 0 to 1")
        return value

    def _start(self, remarks: dict[str, Any], states: Names) -> Array | None:
        if ("start",) not in self.remark_lines:
            return None
        line, said = self.remark_lines["start",], remarks.get("start")
        shares = (
            {name: self.texts.get(("start", name), "") for name in said}
            if isinstance(said, dict)
            else {self.texts.get(("start",), ""): "1"}
        )
        start = np.zeros(len(states))
        for name, text in shares.items():
            value = fraction(text)
            if name not in states:
                self.fail(line, f"start: unknown state {quoted(name)}{did_you_mean(name, states[:1000])}")
            if value is None or not 0 <= value <= 1:
                self.fail(line, f"start: expected a probability from 0 to 1, got {_got(text)}")
            start[states.index(name)] = float(value)
        return start

    def _name(self, remarks: dict[str, Any], otherwise: str) -> str:
        name = self.texts.get(("name",), otherwise)
        if not name.isprintable() or len(name) > 200 or isinstance(remarks.get("name"), dict | list):
            self.fail(self.remark_lines.get(("name",), 1), "name: expected one line of text")
        return name


def _number(text: str) -> float | None:
    """A float, `nan` and `inf` included, which are refused where the row is checked; or None."""
    if _FLOAT.fullmatch(text) and len(text) < 400:
        return float(text)
    exact = fraction(text)
    if exact is not None:
        return float(exact)
    return float(text) if text.casefold().lstrip("+-") in ("nan", "inf", "infinity") else None


def _got(text: str | None) -> str:
    return f"'{shown(text[:60])}'" if text else "(nothing)"


def write(model: Model, file: IO[bytes], path: Path) -> None:
    """The model as rows, in its own order."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    for remark in _remarks(model):
        text.write(f"# {remark}\n")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(_rows(model))
    text.flush()
    text.detach()  # else it closes the file, which is still to be synced


def _remarks(model: Model) -> Iterator[str]:
    if model.name:
        yield f"name: {word(model.name)}"
    if model.discount is not None:
        yield f"discount: {model.discount!r}"
    if model.start is not None:
        shares = [(int(s), float(model.start[s])) for s in np.flatnonzero(model.start)]
        yield "start: {" + ", ".join(f"{word(model.states[s])}: {share!r}" for s, share in shares) + "}"
    states = () if isinstance(model.states, Numbered) else model.states
    if states and all(name.isascii() and name.isdecimal() for name in states):
        yield f"states: [{', '.join(map(word, states))}]"
    seen = list(dict.fromkeys(model.action.tolist())) if model.num_pairs < 10**6 else list(range(model.num_actions))
    kept = isinstance(model.actions, Numbered) and len(seen) == model.num_actions
    if not kept and (seen != list(range(model.num_actions)) or any(name.isdecimal() for name in model.actions)):
        yield f"actions: [{', '.join(map(word, model.actions))}]"


def _rows(model: Model) -> Iterator[tuple[Any, ...]]:
    for state in range(model.num_states):
        name = model.states[state]
        pairs = model.pairs(state)
        if not pairs:
            yield name, "", "", "", ""
        for pair in pairs:
            action, span = model.actions[int(model.action[pair])], model.successors(pair)
            own = float(model.reward[pair])
            rewards = (
                [own] * (span.stop - span.start) if model.next_reward is None else model.next_reward[span].tolist()
            )
            for following, prob, reward in zip(
                model.next[span].tolist(), model.prob[span].tolist(), rewards, strict=True
            ):
                yield name, action, model.states[following], repr(prob), repr(reward)
