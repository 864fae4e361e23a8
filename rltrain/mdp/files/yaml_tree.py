"""A YAML text as a tree of which every part knows its line, and the faults found in it, told in the order of lines."""

from __future__ import annotations

from typing import Any

from rltrain import yaml_subset
from rltrain.mdp.checks import Faults, quoted
from rltrain.mdp.files.numerals import got
from rltrain.mdp.files.yaml_out import REWARD
from rltrain.spelling import described, shown
from rltrain.yaml_subset import KeyPath


class YamlTree:
    """The mapping that a model's YAML text is. InputError where it is none, or no YAML."""

    def __init__(self, text: str, source: str) -> None:
        self.source = source  # what messages call the text
        self.document = yaml_subset.read(text)
        self.found: list[tuple[int, str]] = []  # faults: line, text
        for path, line, rule in self.document.faults:
            self.add(line, path, rule)
        value = self.document.value
        if not isinstance(value, dict) and not self.found:
            self.add(1, (), "empty" if value is None else "expected the keys discount, start and states")
        self.stop_if_any()
        self.value: dict[str, Any] = value

    def text(self, path: KeyPath) -> str:
        """A scalar as it was written; empty where there is none."""
        return self.document.texts.get(path, "")

    def said(self, path: KeyPath) -> str:
        """What stands at a path, for a message."""
        if path in self.document.texts:
            return got(self.text(path))
        value: Any = self.value
        for key in path:
            value = value[key]
        return described(value)

    def line(self, path: KeyPath) -> int:
        """The line of a path, or of the nearest part around it."""
        while path not in self.document.lines and path:
            path = path[:-1]
        return self.document.lines.get(path, 1)

    def fault(self, path: KeyPath, rule: str) -> None:
        """Keep what is wrong at a path."""
        self.add(self.line(path), path, rule)

    def add(self, line: int, path: KeyPath, rule: str) -> None:
        """Keep what is wrong in a line; `path` names it in the message."""
        self.found.append((line, f"{self.source}:{line}: {_where(path)}{rule}"))

    def stop_if_any(self) -> None:
        """InputError with the faults in the order of their lines, if there are any."""
        faults = Faults()
        for _, line in sorted(self.found, key=lambda found: found[0]):
            faults.add(line)
        faults.stop_if_any()


def _where(path: KeyPath) -> str:
    """`state 's0', action 'a0', next 's1': ` of a path into `states`; the key itself of any other."""
    if not path:
        return ""
    if path[0] not in ("states", "chain") or len(path) == 1:
        return "".join(f"[{key}]" if isinstance(key, int) else f".{shown(key)}" for key in path).lstrip(".") + ": "
    words = ("state", "action", "next") if path[0] == "states" else ("state", "next")
    named = [f"{what} {quoted(str(key))}" for what, key in zip(words, path[1:], strict=False) if key != REWARD]
    return ", ".join(named) + (", reward: " if REWARD in path[3 if path[0] == "states" else 2 :] else ": ")
