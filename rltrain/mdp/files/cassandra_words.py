"""Cassandra's text as words with their lines, a place among them, and the faults that are found; comments cut off."""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterable
from typing import NamedTuple, NoReturn

from rltrain.errors import InputError
from rltrain.mdp.checks import Faults, quoted
from rltrain.mdp.files.cassandra_out import MARK
from rltrain.spelling import did_you_mean

PREAMBLE = ("discount", "values", "states", "actions", "observations", "start")
TABLES = ("T", "O", "R")
HEADS = PREAMBLE + TABLES
MAX_LINE = 20_000_000  # characters
MAX_WORDS = 50_000_000  # of a file, colons and zeros among them
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_WORD = re.compile(r":|[^\s:]+")


class Token(NamedTuple):
    """A word of a text, or a colon, and its line."""

    text: str
    line: int


class Words:
    """The words of a text, read from the first to the last."""

    def __init__(self, lines: Iterable[str], source: str) -> None:
        self.source = source
        self.faults = Faults()
        self.marks: list[Token] = []  # comments that begin with `#!`
        self.texts: list[str] = []
        self.lines = array("i")  # of each
        self.at = 0
        for number, line in enumerate(lines, 1):
            said, _, comment = line.partition("#")
            found = [sys.intern(word) for word in _WORD.findall(said)]
            if found and not self.texts and found[0] not in HEADS:
                self.fail(number, f"expected a statement, got {quoted(found[0][:60])}{did_you_mean(found[0], HEADS)}")
            if len(self.texts) + len(found) > MAX_WORDS:
                self.fail(number, f"more than {MAX_WORDS:,} words; a model that large belongs in an .npz file")
            self.texts += found
            self.lines.extend([number] * len(found))
            if comment.startswith(MARK[1:]):
                self.marks.append(Token(comment[len(MARK) - 1 :].strip(), number))
        if not self.texts:
            raise InputError(f"{source}:1: empty; expected states:, actions:, T: and R:")

    def fail(self, line: int, rule: str) -> NoReturn:
        """InputError with the faults so far and this one."""
        self.fault(line, rule)
        self.faults.stop()

    def fault(self, line: int, rule: str) -> None:
        """Keep what is wrong in a line."""
        self.faults.add(f"{self.source}:{line}: {rule}")

    def peek(self, ahead: int = 0) -> str:
        """The next word, or one farther on; empty behind the last."""
        return self.texts[self.at + ahead] if self.at + ahead < len(self.texts) else ""

    def line(self) -> int:
        """Of the next word."""
        return self.lines[min(self.at, len(self.lines) - 1)]

    def take(self, what: str) -> Token:
        """The next word, which is passed. `what` says in a message what is expected."""
        if self.at == len(self.texts):
            self.fail(self.line(), f"the file ends where {what} is expected")
        self.at += 1
        return Token(self.texts[self.at - 1], self.lines[self.at - 1])

    def take_colon(self, after: str) -> None:
        """InputError unless the next word is a colon."""
        token = self.take("a colon")
        if token.text != ":":
            self.fail(token.line, f"expected ':' after {after}, got {quoted(token.text)}")

    def at_head(self) -> bool:
        """Whether a statement begins here, or the text has ended."""
        head, following = self.peek(), self.peek(1)
        included = head == "start" and following in ("include", "exclude")
        return head == "" or (head in HEADS and (following == ":" or included))

    def take_rest(self) -> list[Token]:
        """Everything up to the next statement."""
        first = self.at
        while not self.at_head():
            if self.peek() == ":":
                before = self.texts[self.at - 1]
                unknown = f"no statement is called {quoted(before)}{did_you_mean(before, HEADS)}"
                self.fail(self.line(), unknown if self.at > first else "a colon where none is expected")
            self.at += 1
        return [Token(*pair) for pair in zip(self.texts[first : self.at], self.lines[first : self.at], strict=True)]

    def numbers(self, words: list[Token], lengths: tuple[int, ...], line: int, what: str) -> list[str]:
        """Numbers as they were written. One of `lengths` must be how many there are; [] where that is not so."""
        words = _signed(words)
        for word in words:
            if not NUMBER.fullmatch(word.text):
                self.fault(word.line, f"{what}: expected a number, got {quoted(word.text)}")
                return []
        if len(words) not in lengths:
            self.fault(line, f"{what}: {len(words)} numbers, expected {' or '.join(map(str, lengths))}")
            return []
        return [word.text for word in words]


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
