"""A model as CSV rows: state, action, next, probability, reward. Names or numbers; the columns in any order.

    # discount: 0.95
    state,action,next,probability,reward
    s0,walk,goal,0.9,10
    s0,walk,s0,0.1,0
    goal,,,,

A row with a state alone says that it is terminal; with a reward in it, V of that state is the reward. `cost` in place
of `reward` is minimised: each cost is a negative reward. `done` (true, false, 1, 0) ends the episode with a transition,
as in Gymnasium's env.P. A transition that stands in several rows has their probabilities together, and the mean of
their rewards. Remarks before the header hold what rows cannot: see `mdp.files.csv_remarks`. A file without actions is
a Markov chain.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from rltrain.cells import unguarded
from rltrain.core import Array
from rltrain.mdp import build
from rltrain.mdp.checks import MOST_REWARD, SHOWN, quoted
from rltrain.mdp.files.csv_out import write as write
from rltrain.mdp.files.csv_remarks import Remarks
from rltrain.mdp.files.csv_table import CsvTable, whole_numbers
from rltrain.mdp.files.header import COLUMNS
from rltrain.mdp.files.loaded import KEPT_AS_WRITTEN, LoadedModel, TransitionRows, loaded_model
from rltrain.mdp.files.numerals import fraction
from rltrain.mdp.files.source import Source
from rltrain.mdp.files.yaml_out import STEP
from rltrain.mdp.model import Names
from rltrain.spelling import nearest, shown

TRUTH = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
COST = "cost: each cost is read as a negative reward"
KNOWN = 20_000  # states that have a row, among which a lost one is looked for
_FLOAT = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def read(source: Source, strict: bool = False) -> LoadedModel:
    """The model of a CSV file, row by row."""
    return _Reader(source, strict).model()


class _Reader:
    """One pass over the rows, in which names get numbers as they come."""

    def __init__(self, source: Source, strict: bool) -> None:
        self.source, self.strict = source, strict
        self.table = CsvTable(source, COLUMNS)
        self.fail, self.fault = self.table.fail, self.table.fault
        self.warnings: list[str] = []
        self.states: dict[str, int] = {}  # the cells of the column, in their order
        self.targets: dict[str, int] = {}
        self.actions: dict[str, int] = {}
        self.ends: dict[str, tuple[int, Fraction]] = {}  # rows with a state alone: their line, and what they pay
        self.columns: list[array[Any]] = [array("q"), array("q"), array("q"), array("d"), array("d")]
        self.done = array("b")
        self.lines = array("q")
        self.written: tuple[list[Fraction], list[Fraction]] | None = ([], [])
        self.sign = -1 if "cost" in self.table.place else 1
        self.pay = "cost" if self.sign < 0 else "reward"  # what messages call it

    def model(self) -> LoadedModel:
        table = self.table
        self.remarks = Remarks(table)
        for column in ("state", "next", "probability"):
            table.require(column)
        table.refuse_unknown()
        self._check_pay()
        for line, cells in table:
            self._row(line, cells)
        table.faults.stop_if_any()
        if not len(self.lines):
            self.fail(table.line, "no transition follows the header")
        return self._build()

    def _check_pay(self) -> None:
        """Rewards or costs; a Markov chain may do without."""
        place = self.table.place
        if "reward" in place and "cost" in place:
            self.fail(self.table.line, "both a column 'reward' and a column 'cost': which is it?")
        if "reward" in place or "cost" in place:
            self.warnings += [COST] if self.sign < 0 else []
        elif "action" in place:
            self.table.require("reward", "; where all are 0, say so in such a column")
        else:
            self.warnings.append("no column 'reward': a Markov chain without rewards")

    def _row(self, line: int, cells: list[str | None]) -> None:
        state, action, following, chance, reward, cost, done = cells
        pay = cost if reward is None else reward
        if not state:
            return self.fault(line, "no state")
        if not action and not following and not chance:
            return self._end(line, state, pay, done)
        where = f"state {quoted(state)}, action {quoted(action)}" if action else f"state {quoted(state)}"
        if action == "":
            return self.fault(line, f"{where}: no action; a terminal state has its name alone in its row")
        if not following:
            return self.fault(line, f"{where}: no next state")
        where = f"{where}, next {quoted(following)}"
        prob = _number(chance or "")
        if prob is None:
            return self.fault(line, f"{where}: the probability {_got(chance)} is no number")
        value = 0.0 if pay is None else _number(pay)
        if value is None:
            return self.fault(line, f"{where}: the {self.pay} {_got(pay)} is no number")
        if done is not None:
            if done.casefold() not in TRUTH:
                return self.fault(line, f"{where}: done is {_got(done)}, expected true or false")
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
                self.written[0].append(exact[0])
                self.written[1].append(self.sign * exact[1])

    def _end(self, line: int, state: str, pay: str | None, done: str | None) -> None:
        """A row that declares a state terminal."""
        value = fraction(pay) if pay else Fraction(0)
        if value is None or abs(value) > MOST_REWARD:
            rule = "no number" if value is None else f"beyond {MOST_REWARD:g} either way"
            said = f"the {self.pay} {_got(pay)} of a terminal state is {rule}"
            return self.fault(line, f"state {quoted(state)}: {said}")
        if done and done.casefold() not in TRUTH:
            return self.fault(line, f"state {quoted(state)}: done is {_got(done)}, expected true or false")
        self.states.setdefault(state, len(self.states))
        before = self.ends.setdefault(state, (line, self.sign * value))
        if before[1] != self.sign * value:
            self.fault(line, f"state {quoted(state)}: another {self.pay} than in line {before[0]}")

    def _build(self) -> LoadedModel:
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
        self._check_ends(states, s, ends)
        self._check_targets(states, s, target, done, ends)
        paid = {state: pay for state, (_, pay) in ends.items() if pay}
        loaded = loaded_model(
            self.source.text,
            states,
            actions,
            TransitionRows(s, a, target, prob, reward),
            place=lambda row: f"{self.source.text}:{self.lines[row]}",
            paid=paid,
            written=self.written,
            discount=self.remarks.discount(),
            start=self.remarks.start(states),
            name=self.remarks.name(self.source.stem),
            done=done,
            costs=self.sign < 0,
            warnings=self.warnings,
            strict=self.strict,
        )
        for state in set() if done is None else paid.keys() & set(target[done].tolist()):
            rule = f"pays {float(paid[state]):g} and is entered by a row with done, after which nothing is paid"
            self.fail(ends[state][0], f"state {quoted(states[state])}: {rule}; which is it?")
        if not paid:
            return loaded
        state, more = next(iter(paid)), f", and so in {len(paid) - 1:,} more" if len(paid) > 1 else ""
        said = (
            f"{self.source.text}: a {self.pay} in the row of a terminal state is paid there: V of "
            f"{quoted(states[state])} is {float(paid[state]):g}{more}"
        )
        return loaded._replace(warnings=(*loaded.warnings, said))

    def _check_ends(self, states: Names, s: Array, ends: dict[int, tuple[int, Fraction]]) -> None:
        """InputError for a state that is declared terminal and acts."""
        acts = np.zeros(len(states), dtype=bool)
        acts[s] = True
        for state in ends:
            if acts[state]:
                first = int(np.flatnonzero(s == state)[0])
                rule = "declared terminal by a row of its own, and acts"
                self.fail(self.lines[first], f"state {quoted(states[state])}: {rule}")

    def _check_targets(
        self, states: Names, s: Array, following: Array, done: Array | None, ends: dict[int, tuple[int, Fraction]]
    ) -> None:
        """InputError for a next state that no row is about: it may be a slip, and `NAME,,,,` is soon written."""
        known = np.zeros(len(states), dtype=bool)
        known[s] = True
        known[list(ends)] = True
        lost = ~known[following] if done is None else ~known[following] & ~done
        names = [states[int(state)] for state in np.flatnonzero(known)[:KNOWN]]
        for state in np.unique(following[lost])[: 2 * SHOWN].tolist():
            line = self.lines[int(np.flatnonzero(lost & (following == state))[0])]
            near = nearest(states[state], names)
            self.fault(
                line,
                f"next state {quoted(states[state])}: no row is about it; "
                + (f"did you mean {quoted(near)}? Else " if near else "")
                + f"the row `{shown(states[state])}{self.table.delimiter * (len(self.table.cells) - 1)}` "
                + "declares it terminal",
            )
        self.table.faults.stop_if_any()

    def _named(self, key: str, cells: list[str], more: list[str]) -> tuple[Names, dict[str, int]]:
        """The names in order, and the number of each cell: as remarked, else ascending where all are numbers."""
        found = list(dict.fromkeys([*cells, *more]))
        if key in self.remarks:
            names = self.remarks.listed(key)
            place = {name: number for number, name in enumerate(names)}
            for cell in found:
                if unguarded(cell) not in place:
                    self.remarks.fail(key, f"{quoted(unguarded(cell))} is in the rows and not in the remark '{key}'")
            if len(place) < len(names):
                self.remarks.fail(key, f"the remark '{key}' has a name twice")
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
                self.fail(self.table.line, rule)
        if whole:
            some = next(iter(whole))
            self.warnings.append(f"{key}: whole numbers written as {some} are read as {whole[some]}")
        return whole


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
