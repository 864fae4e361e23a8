"""The statements of Cassandra's text, one after the other, as `cassandra` wants them: names, rows of T, rules of R.

    head                                    operands                                  then
    discount: values:                                                                 one word
    states: actions: observations:                                                    names, or how many
    start: start include: start exclude:                                              states, or probabilities
    T:                                      action : state : next state               numbers of what no operand says
    O:                                      action : next state : observation         the same, or a word for them
    R:                                      action : state : next state : observation

A row of T is a dict from next states to numbers as they were written, so a file of zeros takes no room. Rewards stay
rules until the transitions are known. What O: says is read where rewards depend on it, and else passed over.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from rltrain.errors import InputError
from rltrain.mdp.checks import TOLERANCE, check_start, quoted
from rltrain.mdp.files.cassandra_words import HEADS, NUMBER, TABLES, Token, Words
from rltrain.mdp.files.numerals import probability
from rltrain.mdp.model import Names, Numbered
from rltrain.spelling import did_you_mean

COUNTED = ("states", "actions", "observations")
OPERANDS = {
    "T": ("actions", "states", "states"),
    "O": ("actions", "states", "observations"),
    "R": ("actions", "states", "states", "observations"),
}
SHORT = {  # (head, operands given) -> words in place of the numbers
    ("T", 1): ("identity", "uniform", "reset"),
    ("T", 2): ("uniform", "reset"),
    ("O", 1): ("uniform",),
    ("O", 2): ("uniform",),
}
ALL = "*"
MAX_ENTRIES = 5_000_000  # transitions; more belong in an .npz
TOO_LARGE = f"more than {MAX_ENTRIES:,} transitions; a model that large belongs in an .npz file"

Rows = dict[tuple[int, int], dict[int, str]]  # (action, state) -> next state or observation -> number as written


class RewardRule(NamedTuple):
    """An R statement: which transitions (None: all), and where its numbers begin, one for each value of `by`."""

    action: int | None
    state: int | None
    next: int | None
    seen: int | None  # the observation
    first: int
    by: str  # "": one number; "next": one a next state; "both": one a state and next state
    wide: bool  # one a (state, next state and) observation


class Statements:
    """What a text says, once `read` has gone over it. `source` is what messages call it."""

    def __init__(self, lines: Iterable[str], source: str, strict: bool = False) -> None:
        self.source, self.strict = source, strict
        self.words = Words(lines, source)
        self.faults, self.fail, self.fault = self.words.faults, self.words.fail, self.words.fault
        self.warnings: list[str] = []
        self.names: dict[str, Names] = {"observations": Numbered(1)}  # of COUNTED
        self.numbers: dict[str, dict[str, int]] = {what: {} for what in COUNTED}  # of words that are right
        self.given: dict[str, int] = {}  # what is said once -> its line
        self.discount: Fraction | None = None
        self.sign = 1
        self.start: list[Fraction] | None = None
        self.rows: Rows = {}
        self.lines: dict[tuple[int, int], int] = {}  # (action, state) -> the line of its row
        self.entries = 0
        self.rules: list[RewardRule] = []
        self.pays: list[str] = []  # the numbers of all rules
        self.seen: list[tuple[int, int]] = []  # where the statements O: begin, and their lines

    def read(self) -> None:
        """Read everything. InputError with the faults so far."""
        while self.words.peek():
            head = self.words.take("a statement")
            if head.text not in HEADS:
                near = did_you_mean(head.text, HEADS)
                self.fail(head.line, f"expected a statement, got {quoted(head.text)}{near}")
            if head.text in TABLES:
                self._read_table(head)
                continue
            if head.text in self.given:
                self.fail(head.line, f"'{head.text}' is given twice, first in line {self.given[head.text]}")
            self.given[head.text] = head.line
            if head.text == "start":
                self._read_start(head.line)
            else:
                self._read_preamble(head)
        self._check_preamble(Token("", self.words.line()))
        self.faults.stop_if_any()

    def _read_preamble(self, head: Token) -> None:
        self.words.take_colon(head.text)
        words = self.words.take_rest()
        if not words:
            self.fail(head.line, f"nothing after '{head.text}:'")
        first = words[0]
        if head.text in COUNTED:
            self._read_names(head.text, words)
        elif len(words) > 1:
            self.fail(words[1].line, f"expected one word after '{head.text}:', then the next statement")
        elif head.text == "discount":
            self.discount = probability(first.text)
            if self.discount is None:
                self.fault(first.line, f"discount: must be a number from 0 to 1, got {quoted(first.text)}")
        elif first.text == "cost":
            self.sign = -1
            self.warnings.append("values: cost: each cost is read as a negative reward")
        elif first.text != "reward":
            self.fault(first.line, f"values: must be reward or cost, got {quoted(first.text)}")

    def _read_names(self, what: str, words: list[Token]) -> None:
        first = words[0]
        if len(words) == 1 and _is_numeral(first.text):
            count = int(first.text[:12])
            if not 0 < count <= MAX_ENTRIES:
                self.fail(first.line, f"{what}: must be from 1 to {MAX_ENTRIES:,}, got {first.text}")
            self.names[what] = Numbered(count)
            return
        found: dict[str, int] = {}
        for word in words:
            if word.text in found:
                self.fault(word.line, f"two {what} are called {quoted(word.text)}")
            elif word.text[0].isdigit() or word.text == ALL:
                self.fault(word.line, f"{what}: a name begins with a letter, got {quoted(word.text)}")
            found.setdefault(word.text, len(found))
        self.names[what], self.numbers[what] = tuple(found), found

    def _check_preamble(self, head: Token) -> None:
        """InputError unless states and actions are known, before T, O and R name them."""
        missing = [f"{what}:" for what in ("states", "actions") if what not in self.names]
        if missing:
            before = f"before {head.text}:" if head.text else "in the file"
            self.fail(head.line, f"no {' and no '.join(missing)} {before}")
        if len(self.names["states"]) * len(self.names["actions"]) > MAX_ENTRIES:
            self.fail(head.line, TOO_LARGE)

    def find(self, what: str, token: Token) -> int | None:
        """The number of a name; None for `*`, and for an unknown one, which is a fault."""
        if token.text == ALL:
            return None
        names = self.names[what]
        found = self.numbers[what].get(token.text)
        if found is None and _is_numeral(token.text):
            found = int(token.text[:12])
            if found >= len(names):
                self.fault(token.line, f"{what}: {token.text} is not from 0 to {len(names) - 1}")
                return None
            self.numbers[what][token.text] = found
        if found is None:
            near = "" if isinstance(names, Numbered) else did_you_mean(token.text, names)
            self.fault(token.line, f"no {what[:-1]} is called {quoted(token.text)}{near}")
        return found

    def _read_start(self, line: int) -> None:
        self._check_preamble(Token("start", line))
        how = self.words.take("a start").text if self.words.peek() in ("include", "exclude") else ""
        self.words.take_colon("start")
        words = self.words.take_rest()
        count = len(self.names["states"])
        if not words:
            self.fail(line, "nothing after 'start:'")
        named = count > 1 or words[0].text in self.numbers["states"] or words[0].text == "0"
        single = len(words) == 1 and named  # the 1 of a file with one state is a probability, its 0 the state's number
        if how or (single and words[0].text != "uniform"):
            chosen = {self.find("states", word) for word in words} - {None}
            kept = [(state in chosen) != (how == "exclude") for state in range(count)]
            if not any(kept) and not self.faults.count:
                self.fault(line, "start: no state is left")
            self.start = [Fraction(int(inside), max(sum(kept), 1)) for inside in kept]
        elif single or words[0].text == "uniform":
            self.start = [Fraction(1, count)] * count
        else:
            self.read_shares(words, line)

    def read_shares(self, words: list[Token], line: int) -> None:
        """The probabilities of all states to be the first, as `start` says them, or a comment of ours."""
        texts = self.words.numbers(words, (len(self.names["states"]),), line, "start")
        if any(not 0 <= float(text) <= 1 + TOLERANCE for text in texts):
            self.fault(line, "start: a probability is not from 0 to 1")
        elif texts:
            try:
                check_start(np.array([float(text) for text in texts]), f"{self.source}:{line}: ", self.strict)
            except InputError as error:
                self.faults.add(str(error))
            self.start = [Fraction(text) for text in texts]

    def _read_table(self, head: Token) -> None:
        self.words.take_colon(head.text)
        self._check_preamble(head)
        if head.text == "R":
            self._read_reward(head.line)
        elif head.text == "T":
            if not self._read_plain_transition(head.line):
                self._read_rows("T", self.rows, self.lines, head.line)
        else:  # passed over for now: the state is seen
            self.seen.append((self.words.at, head.line))
            while not self.words.at_head():
                self.words.at += 1

    def _operands(self, head: str) -> list[int | None]:
        """`action : state : …` after the head, as many as there are."""
        found: list[int | None] = []
        for what in OPERANDS[head]:
            if found:
                if self.words.peek() != ":":
                    break
                self.words.at += 1
            found.append(self.find(what, self.words.take(f"a name of {what}")))
        return found

    def _read_plain_transition(self, line: int) -> bool:
        """`action : state : next probability`, nearly all of a large file, without detours. False: it is not that."""
        window = self.words.texts[self.words.at : self.words.at + 7]
        if len(window) < 6 or window[1] != ":" or window[3] != ":" or (len(window) == 7 and window[6] not in HEADS):
            return False
        states, text = self.numbers["states"], window[5]
        action, state, following = self.numbers["actions"].get(window[0]), states.get(window[2]), states.get(window[4])
        if action is None or state is None or following is None or not NUMBER.fullmatch(text) or not float(text):
            return False
        row = self.rows.setdefault((action, state), {})
        self._count(following not in row, line)
        row[following] = text
        self.lines[action, state] = line
        self.words.at += 6
        return True

    def _count(self, more: int, line: int) -> None:
        """Transitions that are kept; InputError for too many."""
        self.entries += more
        if self.entries > MAX_ENTRIES:
            self.fail(line, TOO_LARGE)

    def _read_rows(self, head: str, rows: Rows, lines: dict[tuple[int, int], int], line: int) -> None:
        """The numbers of T: or O:, which are those of an action, a state, and each next state or observation."""
        place = self._operands(head)
        words, states = self.words.take_rest(), range(len(self.names["states"]))
        given, width = len(place), len(self.names[OPERANDS[head][2]])
        special = words[0].text if len(words) == 1 else ""
        table: list[str] = []
        if special not in SHORT.get((head, given), ()):
            special = ""
            table = self.words.numbers(words, (math.prod((len(states), width)[given - 1 :]),), line, head)
        if self.faults.count:
            return
        alike: dict[int, str] = {}  # the row of every state
        if special == "reset" and self.start is not None:
            alike = {state: str(share) for state, share in enumerate(self.start) if share}
        elif special in ("uniform", "reset"):
            alike = dict.fromkeys(range(width), f"1/{width}")
        elif given == 2:
            alike = _without_zeros(table, 0, width)
        for action in range(len(self.names["actions"])) if place[0] is None else (place[0],):
            for state in states if given == 1 or place[1] is None else (place[1],):
                row = rows.setdefault((action, state), {})
                before = len(row)
                if given == 3:
                    _put(row, range(width) if place[2] is None else (place[2],), table[0])
                elif special == "identity":
                    row = {state: "1"}
                elif given == 1 and not special:
                    row = _without_zeros(table, state * width, width)
                else:
                    row = dict(alike)
                rows[action, state], lines[action, state] = row, line
                self._count(len(row) - before, line)

    def observations(self) -> Rows:
        """What O: says: (action, next state) -> observation -> probability as it was written. Read where it counts."""
        rows: Rows = {}
        for at, line in self.seen:
            self.words.at = at
            self._read_rows("O", rows, {}, line)
        self.faults.stop_if_any()
        return rows

    def _read_reward(self, line: int) -> None:
        place = self._operands("R")
        given, states, watched = len(place), len(self.names["states"]), len(self.names["observations"])
        narrow = states ** max(3 - given, 0)  # numbers, where none depends on what is seen
        whole = narrow * (watched if given < 4 else 1)
        fitting = (whole,) if given == 4 or "observations" in self.given else (narrow, whole)
        texts = self.words.numbers(self.words.take_rest(), fitting, line, "R")
        if self.faults.count:
            return
        action, state, following, observation = [*place, None, None, None][:4]
        by = {1: "both", 2: "next"}.get(given, "")
        wide = len(texts) > narrow
        self.rules.append(RewardRule(action, state, following, observation, len(self.pays), by, wide))
        self.pays += texts


def _is_numeral(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _put(row: dict[int, str], keys: range | tuple[int, ...], text: str) -> None:
    """One number at some places of a row; a zero takes no room, and overrides too."""
    if float(text):
        row.update(dict.fromkeys(keys, text))
        return
    for key in keys if len(keys) < len(row) else list(row):
        if key in keys:
            row.pop(key, None)


def _without_zeros(table: list[str], first: int, length: int) -> dict[int, str]:
    return {i: text for i, text in enumerate(table[first : first + length]) if float(text)}
