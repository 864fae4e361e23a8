"""A model as a Graphviz drawing, in the DOT language (graphviz.org), as a textbook draws it.

States are circles, terminal ones double; actions are small black points; what follows an action is an arrow with its
probability and reward. Written only: a drawing does not say enough to be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from rltrain.core import Array
from rltrain.mdp.model import Model
from rltrain.mdp.pairs import outcomes
from rltrain.spelling import shown

BEST, BEST_FILL, PLAIN = "#1f5fbf", "#dce8fa", "#444444"  # colours: what the policy takes, and the rest
MINUS = "\u2212"


def write(model: Model, file: IO[bytes], path: Path) -> None:
    """The drawing, without a policy."""
    for line in lines(model):
        file.write(line.encode() + b"\n")


def lines(model: Model, policy: Array | None = None, value: Array | None = None) -> Iterator[str]:
    """The text. `policy` [P] colours what it takes; `value` [S] is written into the states."""
    yield f"digraph {_quoted(model.name or 'model')} {{"
    yield '  graph [rankdir=LR, nodesep=0.4, ranksep=0.6, fontname="Helvetica"];'
    yield '  node [fontname="Helvetica", fontsize=14];'
    yield f'  edge [fontname="Helvetica", fontsize=11, color="{PLAIN}", arrowsize=0.7];'
    for state in range(model.num_states):
        label = model.states[state] + ("" if value is None else f"\n{number(value[state])}")
        shape = "doublecircle" if model.terminal[state] else "circle"
        fill = f', style=filled, fillcolor="{BEST_FILL}"' if policy is not None else ""
        yield f"  s{state} [label={_quoted(label)}, shape={shape}{fill}];"
    if model.start is not None:
        yield '  start [shape=none, label=""];'
        for state in np.flatnonzero(model.start).tolist():
            share = "" if model.start[state] == 1 else number(model.start[state])
            yield f"  start -> s{state} [label={_quoted(share)}, style=dashed];"
    for pair in range(model.num_pairs):
        yield from _pair(model, pair, policy)
    yield "}"


def _pair(model: Model, pair: int, policy: Array | None) -> Iterator[str]:
    share = 0.0 if policy is None else float(policy[pair])
    look = f', color="{BEST}", fontcolor="{BEST}", penwidth=2' if share > 0 else ""
    fill = f', color="{BEST}"' if share > 0 else ""
    name, edges = labels(model, pair)
    if 0 < share < 1:
        name += f" ({number(share)})"
    yield f"  a{pair} [shape=point, width=0.1{fill}];"
    yield f"  s{int(model.pair_state[pair])} -> a{pair} [label={_quoted(name)}, arrowhead=none{look}];"
    for state, label in zip(model.next[model.successors(pair)].tolist(), edges, strict=True):
        yield f"  a{pair} -> s{state} [label={_quoted(label)}{look}];"


def labels(model: Model, pair: int) -> tuple[str, list[str]]:
    """What stands at an action, and at each of its successors: a reward that all have stands at the action."""
    name = model.actions[int(model.action[pair])]
    found = outcomes(model, pair)
    said = ["" if len(found) == 1 else number(prob) for _, prob, _ in found]
    rewards = [f" {signed(reward)}" if reward else "" for _, _, reward in found]
    if len({reward for _, _, reward in found}) == 1:
        return name + rewards[0], said
    return name, [text + reward for text, reward in zip(said, rewards, strict=True)]


def number(value: float) -> str:
    """At most three or four digits, with a true minus sign: 0.7, 0.333, −50, 1.2e+06."""
    text = f"{value:.3g}" if abs(value) < 100 else f"{value:.4g}"
    return text.replace("-", MINUS, 1) if text.startswith("-") and float(text) else text.lstrip("-")


def signed(value: float) -> str:
    """+10, −50"""
    return ("+" if value > 0 else "") + number(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{shown(escaped)}"'
