"""A config before it is checked: YAML text and overrides as one tree that knows where each value came from.

Faults are gathered, so that a person sees all of them at once, one a line:
`configs/x.yaml:7: algorithm.gamma: must be at most 1, got 2`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from rltrain.errors import InputError
from rltrain.spelling import shown
from rltrain.yaml_subset import MAX_BYTES, MAX_DEPTH, MAX_FAULTS, KeyPath, read


@dataclass(frozen=True)
class Place:
    """Where a value was written, for messages and their order."""

    order: int  # of the messages: lines, then overrides
    text: str  # "configs/x.yaml:7" or "command line: algorithm.gamma=2"
    key: str = ""  # the key that `text` names already


class Draft:
    """One config as it was written: `tree`, its blocks before any check, and where each value stands.

    text        YAML, whose faults are noted
    source      what messages call it
    blocks      their names
    shorthand   {block: key}: the key that a bare word in the place of the block stands for
    flat        a block whose keys are dotted themselves, such as `algorithm.gamma`
    """

    def __init__(
        self, text: str, source: str, blocks: Sequence[str], shorthand: Mapping[str, str], flat: str | None = None
    ) -> None:
        self.shorthand, self.flat = shorthand, flat
        self.tree: dict[str, Any] = {}
        self.places: dict[KeyPath, Place] = {}
        self.faults: list[tuple[int, str]] = []
        self._overrides = 0
        self._broken: list[KeyPath] = []  # one fault a place: what follows from it would be noise

        document = read(text)
        self.places = {path: Place(line, f"{shown(source)}:{line}") for path, line in document.lines.items()}
        self.places.setdefault((), Place(1, f"{shown(source)}:1"))
        for path, line, rule in document.faults:
            self._fault(path, Place(line, f"{shown(source)}:{line}"), rule)
        if isinstance(document.value, dict):
            self.tree = document.value
        elif not document.faults:
            self.fault((), "empty" if document.value is None else f"expected the blocks {', '.join(blocks)}")
        for block, key in shorthand.items():
            if isinstance(self.tree.get(block), str):
                self.tree[block] = {key: self.tree[block]}

    def override(self, text: str, typed: str | None = None) -> None:
        """Apply `key.sub=value`; the value is YAML. Settings beside it stay; a block as a value replaces the block.

        `typed` is what messages show in its place: the word of the command line that it came from.
        """
        key, equals, written = text.partition("=")
        path = self._path(key)
        self._overrides += 1
        order = MAX_BYTES + self._overrides  # after every line
        place = Place(order, f"command line: {shown(text if typed is None else typed)}", key)
        if not equals or "" in path or len(path) > MAX_DEPTH:
            return self._fault((), place, "expected key.sub=value", hides=False)
        document = read(written)
        for inner, _, rule in document.faults:
            self._fault(path + inner, place, rule)
        if len(path) == 1 and key in self.shorthand and isinstance(document.value, str):
            path = (key, self.shorthand[key])
        block = self.tree
        for depth in range(1, len(path)):
            name = str(path[depth - 1])
            if block.get(name) is None:
                block[name] = {}
                self.places[path[:depth]] = place
            block = block[name]
            if not isinstance(block, dict):
                return self._fault(path, place, f"{dotted(path[:depth])} is a value, not a block of settings")
        block[str(path[-1])] = document.value
        for old in [old for old in self.places if old[: len(path)] == path]:
            del self.places[old]
        self.places |= {path + inner: place for inner in ((), *document.lines)}

    def _path(self, key: str) -> KeyPath:
        """Where a dotted key belongs. In the flat block it is one key, or a setting of one that is there already."""
        block, *rest = key.split(".")
        if block != self.flat or not rest:
            return (block, *rest)
        there = self.tree.get(block)
        *outer, last = rest
        inside = isinstance(there, dict) and isinstance(there.get(".".join(outer)), dict)
        return (block, ".".join(outer), last) if inside else (block, ".".join(rest))

    def where(self, path: KeyPath) -> Place:
        """Where this value was written, or else the block that it belongs in."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]

    def was_typed(self, path: KeyPath) -> bool:
        """Whether this value comes from an override, not from the text."""
        return self.where(path).order > MAX_BYTES

    def fault(self, path: KeyPath, rule: str) -> None:
        """Note which rule the value at this path breaks. InputError, with all faults, once there are MAX_FAULTS."""
        self._fault(path, self.where(path), rule)

    def raise_faults(self) -> NoReturn:
        """All faults as one InputError, in the order of the text."""
        lines = [line for _, line in sorted(self.faults, key=lambda fault: fault[0])]
        raise InputError("\n".join(lines))

    def _fault(self, path: KeyPath, place: Place, rule: str, hides: bool = True) -> None:
        if any(broken == path[: len(broken)] for broken in self._broken):
            return
        if hides:
            self._broken.append(path)
        key = dotted(path)
        named = [] if key in ("", place.key) else [shown(key if len(key) <= 200 else f"{key[:197]}...")]
        self.faults.append((place.order, ": ".join([place.text, *named, rule])))
        if len(self.faults) == MAX_FAULTS:
            self.raise_faults()


def dotted(path: KeyPath) -> str:
    """`algorithm.hidden[1]` for ("algorithm", "hidden", 1)."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")
