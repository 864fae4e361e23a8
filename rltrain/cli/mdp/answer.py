"""What a verb of `rltrain mdp` says, once as text of 80 columns and once as a JSON object; nothing else prints here.

Both are made as they are printed: a million states need not stand in memory as text, and what is not asked for costs
nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rltrain.cli.mdp import text
from rltrain.cli.output import Output, complain, out, say
from rltrain.errors import UncertifiedError
from rltrain.mdp.files import json_stream
from rltrain.mdp.model import Model
from rltrain.spelling import shown


class AnswerTable(NamedTuple):
    """Rows under a heading, and a line below about those that are left out."""

    rows: Sequence[Sequence[str]]  # the first is the heading
    left: Sequence[str]  # headings of the columns of words; numbers stand to the right
    rest: str = ""


class FactLines(NamedTuple):
    """Lines of `name  text`, the text folded; one without a text is left out."""

    lines: Sequence[tuple[str, str]]


Part = str | AnswerTable | FactLines  # a string is a line


class Answer(NamedTuple):
    """What a verb says."""

    fields: Mapping[str, Any]  # the JSON object; a value that is an iterator yields its own text
    parts: Iterator[Part]  # for a person, from top to bottom
    warnings: Sequence[str] = ()  # beside the text; the JSON has them in its fields
    unproven: str = ""  # what was not proven that should be: the message of exit code 9


def by_state(
    model: Model, limit: int | None, columns: Iterable[tuple[str, Iterable[str]]], words: Sequence[str] = ()
) -> AnswerTable:
    """The first states by name, beside columns of a heading and a cell a state; `words`: headings of words."""
    count = text.rows_shown(model, limit)
    headings, cells = zip(*columns, strict=True)
    names = [text.state(model, number) for number in range(count)]
    rows = [("state", *headings), *zip(names, *cells, strict=False)]
    return AnswerTable(rows, ("state", *words), text.rest_of_rows(model, count))


def framed(
    model: Model, titles: Sequence[str], table: AnswerTable | None, facts: Sequence[tuple[str, str]], policy: str = ""
) -> Iterator[Part]:
    """The text of most answers: titles and the policy's name, a table, facts, with an empty line between them."""
    yield text.title(model, *titles)
    if policy:
        yield f"policy {shown(policy)}"
    yield ""
    if table is not None:
        yield table
        yield ""
    yield FactLines(facts)


def show(answer: Answer, as_json: bool, saved: str = "") -> None:
    """Print an answer and where it was saved. UncertifiedError, after that, where something was not proven."""
    if as_json:
        _show_json(json_stream.of_object(dict(answer.fields)))
    else:
        for warning in answer.warnings:
            complain(f"warning: {warning}")
        for part in answer.parts:
            _show_part(part)
        _show_part(FactLines([("saved", saved)]))
    if answer.unproven:
        raise UncertifiedError(answer.unproven)


def width_of(rows: Sequence[Sequence[str]]) -> int:
    """Columns of the terminal that a table takes."""
    from rich.cells import cell_len

    return sum(max(map(cell_len, column)) + 2 for column in zip(*rows, strict=True)) - 2


def room() -> int:
    """Columns of the terminal; 80 where there is none."""
    return out().width


def _show_part(part: Part) -> None:
    from rltrain.cli import columns
    from rltrain.cli.columns import Column

    match part:
        case AnswerTable(rows, left, rest):
            made = [
                Column(heading, cells, number, words=heading in left)
                for number, (heading, *cells) in enumerate(zip(*rows, strict=True))
            ]
            columns.show(out(), made)  # where it is too wide, the last columns go first
            if rest:
                say(rest)
        case FactLines(lines):
            for line in columns.named([fact for fact in lines if fact[1]], 10, columns.reading()):
                say(line)
        case _:
            say(part)


def _show_json(pieces: Iterable[str]) -> None:
    """One line. A character that the terminal cannot print, or would obey, is written as JSON's escape of it."""
    output = Output(sys.stdout)
    unicode = output.encoding.lower().replace("-", "").startswith("utf")
    for piece in pieces:
        if not (piece.isprintable() and (unicode or piece.isascii())):
            piece = "".join(c if c.isprintable() and (unicode or c.isascii()) else json.dumps(c)[1:-1] for c in piece)
        output.write(piece)
    output.write("\n")
    output.flush()
