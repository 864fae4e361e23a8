"""The statements of Cassandra's text, one after the other, as `cassandra` wants them: names, rows of T, rules of R.

A row of T is a dict from next states to numbers as they were written, so a file of zeros takes no room. Rewards stay
rules until the transitions are known. What O: says is read where rewards depend on it, and else passed over.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple, NoReturn

import numpy as np

from rltrain.errors import InputError
from rltrain.mdp.checks import TOLERANCE, Faults, check_start, quoted
from rltrain.mdp.files.cassandra_out import MARK
from rltrain.mdp.files.numerals import fraction
from rltrain.mdp.model import Names, Numbered
from rltrain.spelling import did_you_mean

HEADS = ("discount", "values", "states", "actions", "observations", "start", "T", "O", "R")
COUNTED = ("states", "actions", "observations")
ALL = "*"
MAX_LINE = 20_000_000  # characters
MAX_WORDS = 50_000_000  # of a file, colons and zeros among them
MAX_ENTRIES = 5_000_000  # transitions; more belong in an .npz
TOO_LARGE = f"more than {MAX_ENTRIES:,} transitions; a model that large belongs in an .npz file"
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_TOKEN = re.compile(r":|[^\s:]+")


class Token(NamedTuple):
    text: str
    line: int


class Rule(NamedTuple):
    """An R statement: which transitions (None: all), and where its numbers begin, one for each value of `by`."""

    action: int | None
    state: int | None
    next: int | None
    seen: int | None  # the observation
    first: int
    by: str  # "": one number; "next": one a next state; "both": one a state and next state
    wide: bool  # one a (state, next state and) observation


class Reader:
    """What a text says, once `statements` has gone over it."""

    def __init__(self, lines: Iterable[str], source: str, strict: bool = False) -> None:
        self.source, self.strict = source, strict
        self.faults = Faults()
        self.warnings: list[str] = []
        self.marks: list[Token] = []
        self.texts: list[str] = []
        self.where = array("i")  # the line of each
        for number, line in enumerate(lines, 1):
            said, _, comment = line.partition("#")
            found = [sys.intern(token) for token in _TOKEN.findall(said)]
            if found and not self.texts and found[0] not in HEADS:
                self.fail(number, f"expected a statement, got {quoted(found[0][:60])}{did_you_mean(found[0], HEADS)}")
            if len(self.texts) + len(found) > MAX_WORDS:
                self.fail(number, f"more than {MAX_WORDS:,} words; a model that large belongs in an .npz file")
            self.texts += found
            self.where.extend([number] * len(found))
            if comment.startswith(MARK[1:]):
                self.marks.append(Token(comment[len(MARK) - 1 :].strip(), number))
        self.at = 0
        self.names: dict[str, Names] = {}
        self.numbers: dict[str, dict[str, int]] = {}
        self.known: dict[str, dict[str, int]] = {"states": {}, "actions": {}}  # words that were found, and are right
        self.given: dict[str, int] = {}  # what is said once -> its line
        self.discount: Fraction | None = None
        self.sign = 1
        self.start: list[Fraction] | None = None
        self.rows: dict[tuple[int, int], dict[int, str]] = {}  # (action, state) -> next -> probability
        self.lines: dict[tuple[int, int], int] = {}
        self.entries = 0
        self.rules: list[Rule] = []
        self.pays: list[str] = []  # the numbers of all rules
        self.seen: list[tuple[int, int]] = []  # where the statements O: begin, and their lines
        self.by_observation = False  # some reward may depend on what is seen

    # what goes wrong

    def fail(self, line: int, rule: str) -> NoReturn:
        self.fault(line, rule)
        self.faults.stop()

    def fault(self, line: int, rule: str) -> None:
        self.faults.add(f"{self.source}:{line}: {rule}")

    # tokens

    def peek(self) -> str:
        return self.texts[self.at] if self.at < len(self.texts) else ""

    def line(self) -> int:
        return self.where[min(self.at, len(self.where) - 1)] if self.where else 1

    def take(self, what: str) -> Token:
        if self.at == len(self.texts):
            self.fail(self.line(), f"the file ends where {what} is expected")
        self.at += 1
        return Token(self.texts[self.at - 1], self.where[self.at - 1])

    def expect_colon(self, after: str) -> None:
        token = self.take("a colon")
        if token.text != ":":
            self.fail(token.line, f"expected ':' after {after}, got {quoted(token.text)}")

    def at_head(self) -> bool:
        """The next statement begins here."""
        if self.at == len(self.texts):
            return True
        head = self.peek()
        if head not in HEADS:
            return False
        following = self.texts[self.at + 1] if self.at + 1 < len(self.texts) else ""
        return following == ":" or (head == "start" and following in ("include", "exclude"))

    def words(self) -> list[Token]:
        """Everything up to the next statement."""
        first = self.at
        while not self.at_head():
            if self.peek() == ":":
                before = self.texts[self.at - 1]
                unknown = f"no statement is called {quoted(before)}{did_you_mean(before, HEADS)}"
                self.fail(self.line(), unknown if self.at > first else "a colon where none is expected")
            self.at += 1
        return [Token(*pair) for pair in zip(self.texts[first : self.at], self.where[first : self.at], strict=True)]

    # statements

    def statements(self) -> None:
        """Read everything. InputError with the faults so far."""
        if not self.texts:
            raise InputError(f"{self.source}:1: empty; expected states:, actions:, T: and R:")
        while self.at < len(self.texts):
            head = self.take("a statement")
            if head.text not in HEADS:
                near = did_you_mean(head.text, HEADS)
                self.fail(head.line, f"expected a statement, got {quoted(head.text)}{near}")
            if head.text in "TOR":
                self.expect_colon(head.text)
                if head.text == "T" and self._plain_transition(head.line):
                    continue
                self._preamble_is_whole(head)
                {"T": self._transition, "O": self._observation, "R": self._reward}[head.text](head.line)
                continue
            if head.text in self.given:
                self.fail(head.line, f"'{head.text}' is given twice, first in line {self.given[head.text]}")
            self.given[head.text] = head.line
            if head.text == "start":
                self._start(head.line)
            else:
                self.expect_colon(head.text)
                self._preamble(head)
        self._preamble_is_whole(Token("", self.line()))
        self.faults.stop_if_any()

    def _preamble(self, head: Token) -> None:
        words = self.words()
        if not words:
            self.fail(head.line, f"nothing after '{head.text}:'")
        first = words[0]
        if head.text in COUNTED:
            self._names(head, words)
        elif len(words) > 1:
            self.fail(words[1].line, f"expected one word after '{head.text}:', then the next statement")
        elif head.text == "discount":
            self.discount = fraction(first.text)
            if self.discount is None or not 0 <= self.discount <= 1:
                self.fault(first.line, f"discount: must be a number from 0 to 1, got {quoted(first.text)}")
        elif first.text == "cost":
            self.sign = -1
            self.warnings.append("values: cost: each cost is read as a negative reward")
        elif first.text != "reward":
            self.fault(first.line, f"values: must be reward or cost, got {quoted(first.text)}")

    def _names(self, head: Token, words: list[Token]) -> None:
        if len(words) == 1 and words[0].text.isascii() and words[0].text.isdecimal():
            count = int(words[0].text[:12])
            if not 0 < count <= MAX_ENTRIES:
                self.fail(words[0].line, f"{head.text}: must be from 1 to {MAX_ENTRIES:,}, got {words[0].text}")
            self.names[head.text] = Numbered(count)
            self.numbers[head.text] = {}
            return
        found: dict[str, int] = {}
        for word in words:
            if word.text in found:
                self.fault(word.line, f"two {head.text} are called {quoted(word.text)}")
            elif word.text[0].isdigit() or word.text == ALL:
                self.fault(word.line, f"{head.text}: a name begins with a letter, got {quoted(word.text)}")
            found.setdefault(word.text, len(found))
        self.names[head.text], self.numbers[head.text] = tuple(found), found

    def _preamble_is_whole(self, head: Token) -> None:
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
        found = self.numbers[what].get(token.text)
        if found is None and token.text.isascii() and token.text.isdecimal():
            found = int(token.text[:12])
            if found >= len(self.names[what]):
                self.fault(token.line, f"{what}: {token.text} is not from 0 to {len(self.names[what]) - 1}")
                return None
        if found is None:
            near = did_you_mean(token.text, self.names[what]) if self.numbers[what] else ""
            self.fault(token.line, f"no {what[:-1]} is called {quoted(token.text)}{near}")
        elif what in self.known:
            self.known[what][token.text] = found
        return found

    def _start(self, line: int) -> None:
        self._preamble_is_whole(Token("start", line))
        how = self.take("a start").text if self.peek() in ("include", "exclude") else ""
        self.expect_colon("start")
        words = self.words()
        count = len(self.names["states"])
        if not words:
            self.fail(line, "nothing after 'start:'")
        named = count > 1 or words[0].text in self.numbers["states"] or words[0].text == "0"
        single = len(words) == 1 and named  # the 1 of a file with one state is a probability, its 0 the state's number
        if how or (single and words[0].text != "uniform"):
            chosen = {self.find("states", word) for word in words} - {None}
            kept = [state for state in range(count) if (state in chosen) != (how == "exclude")]
            if not kept and not self.faults.count:
                self.fault(line, "start: no state is left")
            share = Fraction(1, max(len(kept), 1))
            self.start = [Fraction(0)] * count
            for state in kept:
                self.start[state] = share
        elif single or words[0].text == "uniform":
            self.start = [Fraction(1, count)] * count
        else:
            self._shares(self._numbers(words, (count,), line, "start"), line)

    def mixed_start(self, words: list[Token], line: int) -> None:
        """The probabilities of all states, which a comment of ours says where the format has no place for them."""
        if self.start is None:
            self._shares(self._numbers(words, (len(self.names["states"]),), line, "start"), line)

    def _shares(self, texts: list[str], line: int) -> None:
        """The probabilities of all states to be the first."""
        if any(not 0 <= float(text) <= 1 + TOLERANCE for text in texts):
            self.fault(line, "start: a probability is not from 0 to 1")
        elif texts:
            try:
                check_start(np.array([float(text) for text in texts]), f"{self.source}:{line}: ", self.strict)
            except InputError as error:
                self.faults.add(str(error))
            self.start = [Fraction(text) for text in texts]

    def _place(self, kinds: tuple[str, ...]) -> list[int | None]:
        """`action : state : …` after the head, as many as there are."""
        found: list[int | None] = []
        for kind in kinds:
            if found:
                if self.peek() != ":":
                    break
                self.at += 1
            found.append(self.find(kind, self.take(f"a name of {kind}")))
        return found

    def _numbers(self, words: list[Token], lengths: tuple[int, ...], line: int, what: str) -> list[str]:
        """As they were written. One of `lengths` must be how many there are; [] where that is not so."""
        words = _signed(words)
        for word in words:
            if not _NUMBER.fullmatch(word.text):
                self.fault(word.line, f"{what}: expected a number, got {quoted(word.text)}")
                return []
        if len(words) not in lengths:
            self.fault(line, f"{what}: {len(words)} numbers, expected {' or '.join(map(str, lengths))}")
            return []
        return [word.text for word in words]

    def _plain_transition(self, line: int) -> bool:
        """`action : state : next probability`, nearly all of a large file, without detours. False: it is not that."""
        window = self.texts[self.at : self.at + 7]
        if len(window) < 6 or window[1] != ":" or window[3] != ":" or (len(window) == 7 and window[6] not in HEADS):
            return False
        action, state = self.known["actions"].get(window[0]), self.known["states"].get(window[2])
        following, text = self.known["states"].get(window[4]), window[5]
        if action is None or state is None or following is None or not _NUMBER.fullmatch(text) or not float(text):
            return False
        row = self.rows.setdefault((action, state), {})
        self.entries += following not in row
        row[following] = text
        self.lines[action, state] = line
        self.at += 6
        if self.entries > MAX_ENTRIES:
            self.fail(line, TOO_LARGE)
        return True

    def _transition(self, line: int) -> None:
        self._table("T", "states", self.rows, self.lines, line)

    def _table(
        self,
        head: str,
        kind: str,
        rows: dict[tuple[int, int], dict[int, str]],
        lines: dict[tuple[int, int], int],
        line: int,
    ) -> None:
        """The numbers of T: or O:, which are those of an action, a state, and each of `kind`."""
        place = self._place(("actions", "states", kind))
        words, states, width = self.words(), len(self.names["states"]), len(self.names[kind])
        special = words[0].text if len(words) == 1 else ""
        table: list[str] = []
        ways = (
            {1: ("identity", "uniform", "reset"), 2: ("uniform", "reset")}
            if head == "T"
            else {1: ("uniform",), 2: ("uniform",)}
        )
        if special not in ways.get(len(place), ()):
            table = self._numbers(words, (states ** (2 - len(place)) * width if len(place) < 3 else 1,), line, head)
            special = ""
        if self.faults.count:
            return
        every = range(states)
        full: dict[int, str] = {}
        if special == "uniform" or (special == "reset" and self.start is None):
            full = dict.fromkeys(range(width), f"1/{width}")
        elif special == "reset" and self.start is not None:
            full = {state: str(share) for state, share in enumerate(self.start) if share}
        elif len(place) == 2:
            full = _sparse(table, 0, width)
        for action in range(len(self.names["actions"])) if place[0] is None else (place[0],):
            for state in every if len(place) == 1 or place[1] is None else (place[1],):
                row = rows.setdefault((action, state), {})
                self.entries -= len(row)
                if len(place) == 3:
                    _put(row, range(width) if place[2] is None else (place[2],), table[0])
                elif special == "identity":
                    row = {state: "1"}
                elif len(place) == 1 and not special:
                    row = _sparse(table, state * width, width)
                else:
                    row = dict(full)
                rows[action, state] = row
                lines[action, state] = line
                self.entries += len(row)
                if self.entries > MAX_ENTRIES:
                    self.fail(line, TOO_LARGE)

    def sights(self) -> dict[tuple[int, int], dict[int, str]]:
        """What O: says: (action, next state) -> observation -> probability as it was written. Read where it counts."""
        rows: dict[tuple[int, int], dict[int, str]] = {}
        for at, line in self.seen:
            self.at = at
            self._table("O", "observations", rows, {}, line)
        self.faults.stop_if_any()
        return rows

    def _observation(self, line: int) -> None:
        """Passed over for now: the state is seen."""
        self.seen.append((self.at, line))
        while not self.at_head():
            self.at += 1

    def _reward(self, line: int) -> None:
        seen = "observations" not in self.names
        if seen:
            self.names["observations"], self.numbers["observations"] = Numbered(1), {}
        place = self._place(("actions", "states", "states", "observations"))
        watched = len(self.names["observations"])
        if seen:
            del self.names["observations"]
        states = len(self.names["states"])
        given = len(place)
        shapes = {4: (1,), 3: (1, watched), 2: (states, states * watched), 1: (states**2, states**2 * watched)}
        texts = self._numbers(self.words(), shapes[given] if seen else shapes[given][-1:], line, "R")
        if self.faults.count:
            return
        wide = len(texts) > shapes[given][0]
        action, state, following, observation = [*place, None, None, None][:4]
        by = {1: "both", 2: "next"}.get(given, "")
        self.by_observation |= watched > 1 and (wide or observation is not None)
        self.rules.append(Rule(action, state, following, observation, len(self.pays), by, wide))
        self.pays += texts


def _signed(words: list[Token]) -> list[Token]:
    """`- 4` is one number: the grammar has a sign, and then a number."""
    if not any(word.text in ("+", "-") for word in words):
        return words
    found: list[Token] = []
    for word in words:
        if found and found[-1].text in ("+", "-") and word.text[0] not in "+-":
            word = Token(found.pop().text + word.text, word.line)
        found.append(word)
    return found


def _put(row: dict[int, str], keys: range | tuple[int, ...], text: str) -> None:
    """One number at some places of a row; a zero takes no room, and overrides too."""
    if float(text):
        row.update(dict.fromkeys(keys, text))
    else:
        for key in keys if len(keys) < len(row) else list(row):
            if key in keys:
                row.pop(key, None)


def _sparse(table: list[str], first: int, length: int) -> dict[int, str]:
    return {i: text for i, text in enumerate(table[first : first + length]) if float(text)}
