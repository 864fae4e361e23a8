"""The part of YAML 1.2 that configs are written in, read with line numbers and written back.

Scalars follow the core schema of YAML 1.2 (section 10.3.2): `1e-3` is a number; `no`, `1:30` and `2024-01-01` are text.
Two extensions: `1_000_000` is a number, and `1e6`, having no fraction, is a whole one, as it is in JSON Schema.
Anchors, aliases, tags and duplicate keys are refused: the first three can hide a bomb or code, the last hides a slip.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_FAULTS = 50  # a text with more is no config
MAX_DIGITS = 100  # of a whole number

KeyPath = tuple[str | int, ...]  # of a value: keys and list indices from the root


class Fault(NamedTuple):
    """One thing that is wrong with a text: the value, the line and the rule that it breaks."""

    path: KeyPath
    line: int  # from 1
    rule: str


@dataclass
class Document:
    """What a text says (dict, list, str, int, float, bool, None), the line of every path, and what is wrong."""

    value: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    texts: dict[KeyPath, str] = field(default_factory=dict)  # of every scalar, as written: `0.10`, `1/3`, `012`
    faults: list[Fault] = field(default_factory=list)
    quoted: set[KeyPath] = field(default_factory=set)  # scalars in quotes, or in a block of text
    quoted_keys: set[KeyPath] = field(default_factory=set)  # paths whose last key is in quotes


_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_INT = re.compile(rf"[-+]?{_DIGITS}")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_WHOLE = re.compile(r"([-+]?[0-9]+)[eE]\+?([0-9]{1,2})")
_FLOAT = re.compile(rf"[-+]?(?:\.{_DIGITS}|{_DIGITS}(?:\.(?:{_DIGITS})?)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_PLAIN = {  # a part of PyYAML's words -> what to look for
    r"'\t'": "a tab; indent with spaces",
    "mapping values are not allowed here": "a second ': ' in a line, or a line indented too far",
    "could not find expected ':'": "a key without ': ' behind it",
    "expected <block end>": "a line indented unlike its neighbours",
    "'<document start>'": "a line indented unlike its neighbours",
}
_SURROGATE = re.compile("[\ud800-\udfff]")


def read(text: str) -> Document:
    """Read a YAML text, with every fault that it has. After a fault of syntax `value` is None. Raises nothing."""
    document = Document()
    text = text.removeprefix("\ufeff")  # a byte order mark
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        document.faults.append(Fault((), 1, f"larger than {MAX_BYTES:,} bytes"))
        return document
    try:
        document.value = _Walk(document).document(text)
    except _Stop as stop:
        document.faults.append(stop.fault)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        document.faults.append(Fault((), line, f"not text: the character U+{int(error.character):04X}"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "cannot be read"
        problem = next((plain for part, plain in _PLAIN.items() if part in problem), problem)
        document.faults.append(Fault((), mark.line + 1 if mark else 1, f"not YAML: {problem}"))
    except (ValueError, OverflowError):  # PyYAML hands "\UFFFFFFFF" to chr() unchecked
        document.faults.append(Fault((), 1, "not YAML: an escape that is no character"))
    return document


class _Stop(Exception):
    """Reading on makes no sense."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault


class _Walk:
    """One pass over the parser's events. Events, not nodes: depth is known before anything recurses."""

    def __init__(self, document: Document) -> None:
        self.lines = document.lines
        self.texts = document.texts
        self.faults = document.faults
        self.quoted, self.quoted_keys = document.quoted, document.quoted_keys

    def document(self, text: str) -> Any:
        self.events: Iterator[Any] = iter(yaml.parse(text, Loader=yaml.SafeLoader))
        next(self.events)  # the stream's start
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return None
        value = self._node(next(self.events), ())
        next(self.events)  # the document's end
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise _Stop(Fault((), after.start_mark.line + 1, "a second document; a file holds one"))
        return value

    def _node(self, event: Any, path: KeyPath) -> Any:
        line = event.start_mark.line + 1
        self.lines.setdefault(path, line)
        if len(path) > MAX_DEPTH:
            raise _Stop(Fault((), line, f"nested more than {MAX_DEPTH} deep"))
        if isinstance(event, yaml.AliasEvent):
            self._fault(path, line, f"the alias '*{event.anchor}' is refused; write the value out")
            return None
        if event.anchor is not None:
            self._fault(path, line, f"the anchor '&{event.anchor}' is refused; write the value out where it is needed")
        if event.tag is not None:
            self._fault(path, line, f"the tag '{event.tag}' is refused; write the plain value")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(path)
        return self._scalar(event, path)

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent) or event.anchor is not None or event.tag is not None:
                self._fault(path, line, "a key must be plain text")
            key = event.value if isinstance(event, yaml.ScalarEvent) else ""
            if not isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
                self._node(event, (*path, key))
            if _SURROGATE.search(key):
                self._fault((*path, key), line, "a key with half a character (a lone surrogate)")
            known = key in mapping
            if known:
                self._fault((*path, key), line, f"duplicate key; first given in line {self.lines[*path, key]}")
            self.lines.setdefault((*path, key), line)
            if isinstance(event, yaml.ScalarEvent) and event.style is not None:
                self.quoted_keys.add((*path, key))
            value = self._node(next(self.events), (*path, key))
            if not known:
                mapping[key] = value
        return mapping

    def _list(self, path: KeyPath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _scalar(self, event: Any, path: KeyPath) -> Any:
        text: str = event.value
        line = event.start_mark.line + 1
        if _SURROGATE.search(text):
            self._fault(path, line, "half a character (a lone surrogate)")
            return None
        self.texts.setdefault(path, text)
        if event.style is not None:  # quoted or a block: text
            self.quoted.add(path)
            return text
        return resolve(text)

    def _fault(self, path: KeyPath, line: int, rule: str) -> None:
        self.faults.append(Fault(path, line, rule))
        if len(self.faults) == MAX_FAULTS:
            raise _Stop(Fault((), line, "too many faults; the rest was not read"))


def resolve(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar. Whole numbers longer than MAX_DIGITS become floats: digits cost quadratic time."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if len(text) <= MAX_DIGITS:
        if _INT.fullmatch(text):
            return int(text.replace("_", ""))
        if _BASED.fullmatch(text):
            return int(text, 0)
        if (whole := _WHOLE.fullmatch(text)) and int(whole[2]) <= 18:
            return int(whole[1] + "0" * int(whole[2]))
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    if special := _SPECIAL.fullmatch(text):
        return float((special[1] or "") + text.lstrip("+-.").lower())
    return text


def write(value: Mapping[str, Any]) -> str:
    """YAML text that `read` turns into `value` again; tuples come back as lists."""
    return "".join(_block(value, ""))


def _block(mapping: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in mapping.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{word(key)}:\n"
            yield from _block(value, indent + "  ")
        else:
            yield f"{indent}{word(key)}: {flow(value)}\n"


def flow(value: Any) -> str:
    """A value in one line of YAML: `[a, 1]`, `{k: null}`, `"1e-3"`. TypeError for what has no YAML form."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return _number(value)
        case int():
            return str(value)
        case str():
            return word(value)
        case list() | tuple():
            return f"[{', '.join(map(flow, value))}]"
        case Mapping():
            return f"{{{', '.join(f'{word(key)}: {flow(item)}' for key, item in value.items())}}}"
    raise TypeError(f"{type(value).__name__} has no YAML form")


def _number(value: float) -> str:
    """A float that reads back as a float: `1.0e+16`, for `1e+16` is a whole number."""
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}[repr(value)]
    digits, e, exponent = repr(value).partition("e")
    return f"{digits}{'' if '.' in digits else '.0'}{e}{exponent}"


def word(text: str) -> str:
    """Text, quoted where it would read as something else. Long text is not folded."""
    if re.fullmatch(r"[A-Za-z0-9_./+-]+", text) and text[0].isalnum() and resolve(text) == text:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'
