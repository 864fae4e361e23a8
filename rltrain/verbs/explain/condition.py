"""Which steps are meant, in words: a comparison over the columns of an explained game.

    gap < 0.1 and not explored
    chosen == left or td >= 2
    10 <= step < 20

    either  := both ("or" both)*
    both    := single ("and" single)*
    single  := "not" single | "(" either ")" | operand (operator operand)*
    operand := a column | a number | a name of an action, in quotes where it is none of letters

The text is read by hand and becomes columns of truth: nothing of it is ever executed.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.spelling import brief, nearest

OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
}
WORDS = ("and", "or", "not")
TRUTHS = {"true": 1.0, "false": 0.0}
TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<name>[^\W\d]\w*)|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<sign><=|>=|==|!=|[<>=()+-]))"
)
MOST = 500  # characters, and so how deep brackets are
PLACE = "--when"


@dataclass(frozen=True)
class _Operand:
    """What stands on one side of a comparison."""

    value: Array | float  # [T], or a number
    is_action: bool  # its numbers are those of actions
    named: str  # of a word that is no column: the action that it must be
    truth: bool  # [T] of true and false, which may stand alone


class _Reader:
    """Reads one condition from its first to its last word."""

    def __init__(self, text: str, columns: Mapping[str, Array], actions: Sequence[str], of_actions: Sequence[str]):
        self._text, self._columns, self._actions, self._of_actions = text, columns, actions, of_actions
        self._count = len(next(iter(columns.values())))
        if len(text) > MOST:
            raise InputError(f"{PLACE}: {len(text):,} characters; {MOST} at most")
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            found = TOKEN.match(text, at)
            if found is None:
                self._refuse(f"cannot read '{brief(text[at:].strip(), 20)}'")
            kind = str(found.lastgroup)
            self._tokens.append((kind, found[kind]))
            at = found.end()
        self._at = 0

    def truth(self) -> Array:
        """[T] bool."""
        found = self._either()
        if self._at < len(self._tokens):
            self._refuse(f"'{self._tokens[self._at][1]}' is one word too many")
        return found

    def _next(self) -> str:
        """The next word or sign as it stands, without moving on; "" at the end."""
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _took(self, *words: str) -> str:
        """The next word if it is one of these, and moves on; else ""."""
        word = self._next()
        if not word or self._tokens[self._at][0] == "text" or word.lower() not in words:
            return ""
        self._at += 1
        return word.lower()

    def _either(self) -> Array:
        found = self._both()
        while self._took("or"):
            found = found | self._both()
        return found

    def _both(self) -> Array:
        found = self._single()
        while self._took("and"):
            found = found & self._single()
        return found

    def _single(self) -> Array:
        if self._took("not"):
            return np.logical_not(self._single())
        if self._took("("):
            found = self._either()
            if not self._took(")"):
                self._refuse("a bracket is not closed")
            return found
        left = self._operand()
        if self._next() not in OPERATORS:
            if not left.truth:
                self._refuse(f"a comparison is missing after '{self._tokens[self._at - 1][1]}', such as gap < 0.1")
            return np.asarray(np.not_equal(left.value, 0))
        found = np.ones(self._count, bool)
        while self._next() in OPERATORS:
            sign = self._took(*OPERATORS)
            right = self._operand()
            found &= self._compared(left, sign, right)
            left = right
        return found

    def _compared(self, left: _Operand, sign: str, right: _Operand) -> Array:
        """[T] bool; what is not a number compares as false."""
        if left.named and right.named:
            self._unknown(left.named)
        for own, other in ((left, right), (right, left)):
            if own.named and not other.is_action:
                self._unknown(own.named)
        if (left.named or right.named) and sign not in ("==", "=", "!="):
            self._refuse(f"actions are equal or not: == or !=, not {sign}")
        one, two = self._number(left), self._number(right)
        known = ~(np.isnan(one) | np.isnan(two))
        with np.errstate(invalid="ignore"):
            return np.asarray(np.broadcast_to(OPERATORS[sign](one, two) & known, self._count))

    def _number(self, operand: _Operand) -> Array:
        if not operand.named:
            return np.asarray(operand.value, np.float64)
        if operand.named not in self._actions:
            found = nearest(operand.named, self._actions)
            hint = f"did you mean '{found}'?" if found else f"one of {', '.join(self._actions[:20])}"
            self._refuse(f"'{brief(operand.named, 40)}' is no action; {hint}")
        return np.asarray(float(self._actions.index(operand.named)))

    def _operand(self) -> _Operand:
        if self._at >= len(self._tokens):
            self._refuse("it ends too early")
        minus = -1.0 if self._next() == "-" else 1.0
        if self._next() in ("-", "+"):
            self._at += 1
        kind, word = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        self._at += 1
        if kind == "number":
            return _Operand(minus * float(word), False, "", False)
        if kind == "text":
            return _Operand(0.0, False, word[1:-1], False)
        if kind != "name" or word.lower() in WORDS:
            self._refuse(f"a column or a number is missing before '{word}'" if word else "it ends too early")
        if word in self._columns:
            column = self._columns[word]
            return _Operand(minus * column.astype(np.float64), word in self._of_actions, "", column.dtype == bool)
        if word.lower() in TRUTHS:
            return _Operand(TRUTHS[word.lower()], False, "", False)
        return _Operand(0.0, False, word, False)

    def _unknown(self, name: str) -> NoReturn:
        found = nearest(name, self._columns)
        hint = f"did you mean '{found}'?" if found else f"one of {', '.join(self._columns)}"
        self._refuse(f"'{brief(name, 40)}' is no column; {hint}")

    def _refuse(self, why: str) -> NoReturn:
        raise InputError(f"{PLACE} '{brief(self._text, 60)}': {why}")


def holds(text: str, columns: Mapping[str, Array], actions: Sequence[str], of_actions: Sequence[str] = ()) -> Array:
    """Where a condition holds, [T] bool, over columns of [T] numbers or truths.

    `of_actions` names the columns whose numbers are those of `actions`, which may then be named. InputError, with the
    nearest right name, for what cannot be read.
    """
    return _Reader(text, columns, actions, of_actions).truth()
