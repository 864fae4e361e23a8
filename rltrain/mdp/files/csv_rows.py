"""A model as CSV rows: state, action, next, probability, reward. Names or numbers; the columns in any order.

    # discount: 0.95
    state,action,next,probability,reward
    s0,walk,goal,0.9,10
    s0,walk,s0,0.1,0
    goal,,,,

A row with a state alone says that it is terminal; with a reward in it, V of that state is the reward. `cost` in place
of `reward` is minimised: each cost is a negative reward. `done` (true, false, 1, 0) ends the episode with a transition,
as in Gymnasium's env.P. A transition that stands in several rows has their probabilities together, and the mean of
their rewards. Comments before the header, each `# KEY: YAML`, hold what rows cannot: name, discount, start, and the
order of states and actions where it is not that of the rows. Other comments there are passed over. A file without
actions is a Markov chain.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from rltrain import yaml_subset
from rltrain.cells import unguarded
from rltrain.core import Array
from rltrain.mdp import build, terminal
from rltrain.mdp.checks import MOST_REWARD, SHOWN, quoted
from rltrain.mdp.files import Loaded
from rltrain.mdp.files.csv_out import write as write
from rltrain.mdp.files.rows import Rows, folded, whole_numbers
from rltrain.mdp.files.source import Source
from rltrain.mdp.files.yaml_out import STEP
from rltrain.mdp.files.yaml_text import fraction
from rltrain.mdp.model import Names
from rltrain.spelling import did_you_mean, nearest, shown

COLUMNS = {
    "state": ("state", "s", "from", "source", "from_state", "current_state", "idstatefrom"),
    "action": ("action", "a", "idaction"),
    "next": ("next", "next_state", "nextstate", "s'", "s2", "s_next", "to", "target", "to_state", "idstateto"),
    "probability": ("probability", "prob", "p", "pr", "transition_probability"),
    "reward": ("reward", "rewards", "r"),
    "cost": ("cost", "costs"),
    "done": ("done", "terminated"),
}
TRUTH = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
KEPT_AS_WRITTEN = 20_000  # rows; more are not for rational arithmetic
COST = "cost: each cost is read as a negative reward"
_REMARK = re.compile(r"#\s*(name|discount|start|states|actions)\s*:")
_FLOAT = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def read(source: Source, strict: bool = False) -> Loaded:
    """The model of a CSV file, row by row."""
    return _Reader(source, strict).model()


def begins_as_rows(text: str) -> bool:
    """Whether a text begins as such a file does: a header that names a state and a next state."""
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        cells = [folded(cell) for cell in re.split("[,;\t]", line)]
        return all(any(alias in cells for alias in COLUMNS[column]) for column in ("state", "next"))
    return False


class _Reader:
    """One pass over the rows, in which names get numbers as they come."""

    def __init__(self, source: Source, strict: bool) -> None:
        self.source, self.strict = source, strict
        self.rows = Rows(source, COLUMNS)
        self.warnings: list[str] = []
        self.states: dict[str, int] = {}  # the cells of the column, in their order
        self.targets: dict[str, int] = {}
        self.actions: dict[str, int] = {}
        self.ends: dict[str, tuple[int, Fraction]] = {}  # rows with a state alone: their line, and what they pay
        self.columns: list[array[Any]] = [array("q"), array("q"), array("q"), array("d"), array("d")]
        self.done = array("b")
        self.lines = array("q")
        self.written: list[tuple[Fraction, Fraction]] | None = []
        self.sign = -1 if "cost" in self.rows.place else 1

    def model(self) -> Loaded:
        rows = self.rows
        self._remarks()
        for column in ("state", "next", "probability"):
            rows.require(column)
        rows.refuse_unknown()
        self._pays()
        for line, cells in rows:
            self._row(line, cells)
        rows.faults.stop_if_any()
        if not len(self.lines):
            rows.fail(rows.line, "no transition follows the header")
        return self._build()

    def _remarks(self) -> None:
        """What the comments above the header say."""
        texts = [text[1:].strip() if _REMARK.match(text) else "" for text in self.rows.above]
        document = yaml_subset.read("\n".join(texts))
        for fault in document.faults:
            self.rows.fail(fault.line, f"the remark above the header: {fault.rule}")
        self.texts, self.remark_lines = document.texts, document.lines
        self.remarks: dict[str, Any] = document.value or {}

    def _pays(self) -> None:
        """Rewards or costs; a Markov chain may do without."""
        place = self.rows.place
        if "reward" in place and "cost" in place:
            self.rows.fail(self.rows.line, "both a column 'reward' and a column 'cost': which is it?")
        if "reward" in place or "cost" in place:
            self.warnings += [COST] if self.sign < 0 else []
        elif "action" in place:
            self.rows.require("reward", "; where all are 0, say so in such a column")
        else:
            self.warnings.append("no column 'reward': a Markov chain without rewards")

    def _row(self, line: int, cells: list[str | None]) -> None:
        state, action, following, chance, reward, cost, done = cells
        pay = cost if reward is None else reward
        if not state:
            return self.rows.fault(line, "no state")
        if not action and not following and not chance:
            return self._end(line, state, pay, done)
        where = f"state {quoted(state)}, action {quoted(action)}" if action else f"state {quoted(state)}"
        if action == "":
            return self.rows.fault(line, f"{where}: no action; a terminal state has its name alone in its row")
        if not following:
            return self.rows.fault(line, f"{where}: no next state")
        where = f"{where}, next {quoted(following)}"
        prob = _number(chance or "")
        if prob is None:
            return self.rows.fault(line, f"{where}: the probability {_got(chance)} is no number")
        value = 0.0 if pay is None else _number(pay)
        if value is None:
            return self.rows.fault(line, f"{where}: the {self._pay()} {_got(pay)} is no number")
        if done is not None:
            if done.casefold() not in TRUTH:
                return self.rows.fault(line, f"{where}: done is {_got(done)}, expected true or false")
            self.done.append(TRUTH[done.casefold()])
        numbers = (
            self.states.setdefault(state, len(self.states)),
            self.actions.setdefault(STEP if action is None else action, len(self.actions)),
            self.targets.setdefault(following, len(self.targets)),
        )
        for column, number in zip(self.columns, (*numbers, prob, self.sign * value), strict=True):
            column.append(number)
        self.lines.append(line)
        if self.written is not None:
            exact = fraction(chance or ""), Fraction(0) if pay is None else fraction(pay)
            if exact[0] is None or exact[1] is None or len(self.lines) > KEPT_AS_WRITTEN:
                self.written = None  # and the faults are found later, as for any number
            else:
                self.written.append((exact[0], self.sign * exact[1]))

    def _end(self, line: int, state: str, pay: str | None, done: str | None) -> None:
        """A row that declares a state terminal."""
        value = fraction(pay) if pay else Fraction(0)
        if value is None or abs(value) > MOST_REWARD:
            rule = "no number" if value is None else f"beyond {MOST_REWARD:g} either way"
            said = f"the {self._pay()} {_got(pay)} of a terminal state is {rule}"
            return self.rows.fault(line, f"state {quoted(state)}: {said}")
        if done and done.casefold() not in TRUTH:
            return self.rows.fault(line, f"state {quoted(state)}: done is {_got(done)}, expected true or false")
        self.states.setdefault(state, len(self.states))
        before = self.ends.setdefault(state, (line, self.sign * value))
        if before[1] != self.sign * value:
            self.rows.fault(line, f"state {quoted(state)}: another {self._pay()} than in line {before[0]}")

    def _pay(self) -> str:
        return "cost" if self.sign < 0 else "reward"

    def _build(self) -> Loaded:
        states, state_of = self._named("states", list(self.states), list(self.targets))
        actions, action_of = self._named("actions", list(self.actions), [])
        of_row, of_target, of_action = (
            np.array([place[cell] for cell in cells], dtype=np.int64)
            for place, cells in ((state_of, self.states), (state_of, self.targets), (action_of, self.actions))
        )
        s, a, target, prob, reward = (np.frombuffer(column, dtype=column.typecode) for column in self.columns)
        s, a, target = of_row[s], of_action[a], of_target[target]
        done = np.frombuffer(self.done, dtype=np.bool_) if len(self.done) else None
        ends = {state_of[cell]: (line, pay) for cell, (line, pay) in self.ends.items()}
        self._ends_do_not_act(states, s, ends)
        self._all_have_a_row(states, s, target, done, ends)
        discount = self._discount()
        model = build.from_transitions(
            states,
            actions,
            s,
            a,
            target,
            prob,
            reward,
            done=done,
            start=self._start(states),
            discount=None if discount is None else float(discount),
            name=self._name(),
            place=lambda row: f"{self.source.text}:{self.lines[row]}",
            exact=self._exact(discount),
            warnings=self.warnings,
            strict=self.strict,
        )
        end = len(states) if model.num_states > len(states) else None
        model = terminal.paid(model, self._paid(states, target, done, ends), end)
        return Loaded(model, tuple(f"{self.source.text}: {warning}" for warning in self.warnings), self.sign < 0)

    def _exact(self, discount: Fraction | None) -> build.Written | None:
        if self.written is None:
            return None
        return build.Written([p for p, _ in self.written], [r for _, r in self.written], discount)

    def _paid(
        self, states: Names, following: Array, done: Array | None, ends: dict[int, tuple[int, Fraction]]
    ) -> dict[int, Fraction]:
        """The rewards of terminal states, which are said."""
        found = {state: pay for state, (_, pay) in ends.items() if pay}
        left = set() if done is None else found.keys() & set(following[done].tolist())
        for state in left:
            rule = f"pays {float(found[state]):g} and is entered by a row with done, after which nothing is paid"
            self.rows.fail(ends[state][0], f"state {quoted(states[state])}: {rule}; which is it?")
        if found:
            state = next(iter(found))
            more = f", and so in {len(found) - 1:,} more" if len(found) > 1 else ""
            self.warnings.append(
                f"a {self._pay()} in the row of a terminal state is paid there: V of {quoted(states[state])} is "
                f"{float(found[state]):g}{more}"
            )
        return found

    def _ends_do_not_act(self, states: Names, s: Array, ends: dict[int, tuple[int, Fraction]]) -> None:
        acts = np.zeros(len(states), dtype=bool)
        acts[s] = True
        for state in ends:
            if acts[state]:
                first = int(np.flatnonzero(s == state)[0])
                rule = "declared terminal by a row of its own, and acts"
                self.rows.fail(self.lines[first], f"state {quoted(states[state])}: {rule}")

    def _all_have_a_row(
        self, states: Names, s: Array, following: Array, done: Array | None, ends: dict[int, tuple[int, Fraction]]
    ) -> None:
        """InputError for a next state that no row is about: it may be a slip, and `NAME,,,,` is soon written."""
        known = np.zeros(len(states), dtype=bool)
        known[s] = True
        known[list(ends)] = True
        lost = ~known[following] if done is None else ~known[following] & ~done
        names = [states[int(state)] for state in np.flatnonzero(known)[:20_000]]
        for state in np.unique(following[lost])[: 2 * SHOWN].tolist():
            line = self.lines[int(np.flatnonzero(lost & (following == state))[0])]
            near = nearest(states[state], names)
            width = len(self.rows.cells)
            self.rows.fault(
                line,
                f"next state {quoted(states[state])}: no row is about it; "
                + (f"did you mean {quoted(near)}? Else " if near else "")
                + f"the row `{shown(states[state])}{self.rows.delimiter * (width - 1)}` declares it terminal",
            )
        self.rows.faults.stop_if_any()

    def _named(self, key: str, cells: list[str], more: list[str]) -> tuple[Names, dict[str, int]]:
        """The names in order, and the number of each cell: as remarked, else ascending where all are numbers."""
        found = list(dict.fromkeys([*cells, *more]))
        if (key,) in self.remark_lines:
            line = self.remark_lines[key,]
            names = [text for path, text in self.texts.items() if len(path) == 2 and path[0] == key]
            place = {name: number for number, name in enumerate(names)}
            for cell in found:
                if unguarded(cell) not in place:
                    self.rows.fail(line, f"{quoted(unguarded(cell))} is in the rows and not in the remark '{key}'")
            if len(place) < len(names):
                self.rows.fail(line, f"the remark '{key}' has a name twice")
            return build.names_of(names), {cell: place[unguarded(cell)] for cell in found}
        whole = self._as_whole(key, cells, more)
        meant = {cell: whole.get(cell, unguarded(cell)) for cell in found}
        names = list(dict.fromkeys(meant.values()))
        if all(name.isascii() and name.isdecimal() and (name == "0" or name[0] != "0") for name in names):
            names.sort(key=lambda name: (len(name), name))
        place = {name: number for number, name in enumerate(names)}
        return build.names_of(names), {cell: place[name] for cell, name in meant.items()}

    def _as_whole(self, key: str, cells: Sequence[str], more: Sequence[str]) -> dict[str, str]:
        """{"1.0": "1"} where a column of whole numbers was written as floats, which pandas does beside empty cells."""
        whole = whole_numbers([*cells, *more])
        for column in (cells, more):
            both = next((cell for cell in column if cell in whole and whole[cell] in column), None)
            if both is not None:
                rule = f"both {quoted(both)} and {quoted(whole[both])} stand in one column: are they the same?"
                self.rows.fail(self.rows.line, rule)
        if whole:
            some = next(iter(whole))
            self.warnings.append(f"{key}: whole numbers written as {some} are read as {whole[some]}")
        return whole

    def _discount(self) -> Fraction | None:
        if ("discount",) not in self.remark_lines:
            return None
        value = fraction(self.texts.get(("discount",), ""))
        if value is None or not 0 <= value <= 1:
            self.rows.fail(self.remark_lines["discount",], "discount: expected a number from 0 to 1")
        return value

    def _start(self, states: Names) -> Array | None:
        if ("start",) not in self.remark_lines:
            return None
        line, said = self.remark_lines["start",], self.remarks.get("start")
        shares = (
            {name: self.texts.get(("start", name), "") for name in said}
            if isinstance(said, dict)
            else {self.texts.get(("start",), ""): "1"}
        )
        start = np.zeros(len(states))
        for name, text in shares.items():
            value = fraction(text)
            if name not in states:
                self.rows.fail(line, f"start: unknown state {quoted(name)}{did_you_mean(name, states[:1000])}")
            if value is None or not 0 <= value <= 1:
                self.rows.fail(line, f"start: expected a probability from 0 to 1, got {_got(text)}")
            start[states.index(name)] = float(value)
        return start

    def _name(self) -> str:
        name = self.texts.get(("name",), self.source.stem)
        if not name.isprintable() or len(name) > 200 or isinstance(self.remarks.get("name"), dict | list):
            self.rows.fail(self.remark_lines.get(("name",), 1), "name: expected one line of text")
        return name


def _number(text: str) -> float | None:
    """A float, `nan` and `inf` included, which are refused where the row is checked; or None."""
    if _FLOAT.fullmatch(text) and len(text) < 400:
        return float(text)
    exact = fraction(text)
    if exact is not None:
        return float(exact) if abs(exact) < 10**300 else float("inf")
    return float(text) if text.casefold().lstrip("+-") in ("nan", "inf", "infinity") else None


def _got(text: str | None) -> str:
    return f"'{shown(text[:60])}'" if text else "(nothing)"
