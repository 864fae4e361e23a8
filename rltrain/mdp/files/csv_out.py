"""A model written as CSV rows, with comments above the header for what rows cannot say, as `csv_rows` reads them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from rltrain.cells import guarded
from rltrain.mdp.model import Model, Numbered
from rltrain.mdp.pairs import outcomes
from rltrain.yaml_subset import word

WRITTEN = ("state", "action", "next", "probability", "reward")
_NUMERAL = re.compile(r"[0-9]+(?:\.0)?")  # a name whose order, or whose spelling, the reader would choose itself


def write(model: Model, file: IO[bytes], path: Path) -> None:
    """The model as rows, in its own order."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    for remark in _remarks(model):
        text.write(f"# {remark}\n")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(WRITTEN)
    rows.writerows(_rows(model))
    text.flush()
    text.detach()  # else it closes the file, which is still to be synced


def _remarks(model: Model) -> Iterator[str]:
    if model.name:
        yield f"name: {_word(model.name)}"
    if model.discount is not None:
        yield f"discount: {model.discount!r}"
    if model.start is not None:
        shares = [(int(s), float(model.start[s])) for s in np.flatnonzero(model.start)]
        yield "start: {" + ", ".join(f"{_word(model.states[s])}: {share!r}" for s, share in shares) + "}"
    states = () if isinstance(model.states, Numbered) else model.states
    if states and all(_NUMERAL.fullmatch(name) for name in states):
        yield f"states: [{', '.join(map(_word, states))}]"
    seen = list(dict.fromkeys(model.action.tolist())) if model.num_pairs < 10**6 else list(range(model.num_actions))
    kept = isinstance(model.actions, Numbered) and len(seen) == model.num_actions
    if not kept and (seen != list(range(model.num_actions)) or any(_NUMERAL.fullmatch(name) for name in model.actions)):
        yield f"actions: [{', '.join(map(_word, model.actions))}]"


def _word(name: str) -> str:
    """A name in a remark. A spreadsheet cuts it at commas and semicolons too, and what follows could be a formula."""
    return word(name).replace(",", r"\x2c").replace(";", r"\x3b")


def _rows(model: Model) -> Iterator[tuple[Any, ...]]:
    states = model.states if isinstance(model.states, Numbered) else tuple(map(guarded, model.states))
    actions = model.actions if isinstance(model.actions, Numbered) else tuple(map(guarded, model.actions))
    for state in range(model.num_states):
        pairs = model.pairs(state)
        if not pairs:
            yield states[state], "", "", "", ""
        for pair in pairs:
            for following, prob, reward in outcomes(model, pair):
                yield states[state], actions[int(model.action[pair])], states[following], repr(prob), repr(reward)
