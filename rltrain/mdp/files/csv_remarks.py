"""The remarks above the header of a CSV file of transitions, each `# KEY: YAML`: what its rows cannot say.

    # name: walk                   # discount: 0.95              # start: {s0: 0.5, s1: 0.5}
    # states: [s1, s0]             # actions: [go, stay]         their order, where it is not that of the rows

Comments that begin otherwise are passed over.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np

from rltrain import yaml_subset
from rltrain.core import Array
from rltrain.mdp.checks import MAX_NAME
from rltrain.mdp.files.csv_table import CsvTable
from rltrain.mdp.files.numerals import probability
from rltrain.mdp.files.start import start_shares
from rltrain.mdp.model import Names
from rltrain.yaml_subset import KeyPath

_REMARK = re.compile(r"#\s*(name|discount|start|states|actions)\s*:")
NEAR = 1_000  # states among which the one that was meant is looked for


class Remarks:
    """What a file's remarks say. InputError, with its line, for what is wrong in one."""

    def __init__(self, table: CsvTable) -> None:
        self.table = table
        texts = [text[1:].strip() if _REMARK.match(text) else "" for text in table.above]
        self.document = yaml_subset.read("\n".join(texts))
        for fault in self.document.faults:
            table.fail(fault.line, f"the remark above the header: {fault.rule}")
        self.value: dict[str, Any] = self.document.value or {}

    def __contains__(self, key: str) -> bool:
        return (key,) in self.document.lines

    def fail(self, key: str, rule: str) -> NoReturn:
        self.table.fail(self.document.lines.get((key,), 1), rule)

    def listed(self, key: str) -> list[str]:
        """The items of a remark, as they were written."""
        return [text for path, text in self.document.texts.items() if len(path) == 2 and path[0] == key]

    def name(self, otherwise: str) -> str:
        """The model's name."""
        name = self.document.texts.get(("name",), otherwise)
        if not name.isprintable() or len(name) > MAX_NAME or isinstance(self.value.get("name"), dict | list):
            self.fail("name", "name: expected one line of text")
        return name

    def discount(self) -> Fraction | None:
        """The discount; None where it is not said."""
        if "discount" not in self:
            return None
        value = probability(self.document.texts.get(("discount",), ""))
        if value is None:
            self.fail("discount", "discount: expected a number from 0 to 1")
        return value

    def start(self, states: Names) -> Array | None:
        """[S] the probability of each state to be the first; None where it is not said."""
        if "start" not in self:
            return None

        def fail(path: KeyPath, rule: str) -> NoReturn:
            self.fail("start", f"start: {rule}")

        numbers = {name: number for number, name in enumerate(states)}
        shares = start_shares(self.document, self.value.get("start"), numbers, states[:NEAR], fail)
        return np.array([float(share) for share in shares])
