"""A model in the language of the model checker PRISM (prismmodelchecker.org): one module, one variable `s`.

    [walk] s=0 -> 9/10:(s'=1) + 1/10:(s'=0);          rewards "reward"  [walk] s=0 : 9;  endrewards

A reward that depends on the successor is written as its mean, which is all that an expected sum can see. PRISM has no
discount and no distribution of first states: the one is a comment, the other a state of its own, left at once. Written
only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np

from rltrain.mdp.model import Exact, Model, Names
from rltrain.spelling import shown

_RESERVED = re.compile(
    "A|bool|clock|const|ctmc|C|deadlock|double|dtmc|E|endinit|endinvariant|endmodule|endobservables|endrewards|"
    "endsystem|false|filter|formula|func|F|global|G|init|invariant|I|int|label|max|mdp|min|module|nondeterministic|"
    "observables?|of|Pmax|Pmin|P|pomdp|popta|probabilistic|prob|pta|rate|rewards|Rmax|Rmin|R|s|stochastic|system|S|"
    "true|U|W|X"
)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def write(model: Model, file: IO[bytes], path: Path) -> None:
    """The model as a program."""
    for line in lines(model):
        file.write(line.encode() + b"\n")


def lines(model: Model) -> Iterator[str]:
    """The text."""
    count = model.num_states
    begins = np.flatnonzero(model.start_distribution())
    drawn = len(begins) > 1
    actions = identifiers(model.actions, "a")
    if model.name:
        yield f"// {shown(model.name)}"
    if model.discount is not None:
        yield f"// The model's discount is {model.discount!r}; PRISM has none."
    if model.num_pairs and model.reward.min() < 0:
        yield "// Some rewards are negative: not every engine and property of PRISM takes them."
    yield "mdp"
    yield ""
    yield "module model"
    yield f"  s : [0..{count if drawn else count - 1}] init {count if drawn else int(begins[0])};"
    if drawn:
        yield f"  // s={count} draws the first state"
        start = model.start_distribution()
        yield _command("", count, [f"{float(start[state])!r}:(s'={state})" for state in begins.tolist()])
    for state in range(count):
        name = model.states[state]
        yield f"  // {shown(name)}" if name != str(state) else ""
        if model.terminal[state]:
            yield _command("", state, [f"1:(s'={state})"])
        for pair in model.pairs(state):
            span = model.successors(pair)
            chances = [
                f"{_probability(model.exact, i, float(model.prob[i]))}:(s'={int(model.next[i])})"
                for i in range(span.start, span.stop)
            ]
            yield _command(actions[int(model.action[pair])], state, chances)
    yield "endmodule"
    yield ""
    yield 'rewards "reward"'
    for pair in np.flatnonzero(model.reward).tolist():
        reward = _number(model.exact.reward[pair]) if model.exact else repr(float(model.reward[pair]))
        yield f"  [{actions[int(model.action[pair])]}] s={int(model.pair_state[pair])} : {reward};"
    yield "endrewards"
    yield ""
    ends = np.flatnonzero(model.terminal).tolist()
    yield f'label "terminal" = {" | ".join(f"s={state}" for state in ends) or "false"};'
    if not isinstance(model.states, tuple):
        return
    for state, label in enumerate(identifiers(model.states, "state_", frozenset({"terminal"}))):
        yield f'label "{label}" = s={state};'


def identifiers(names: Names, prefix: str, taken: frozenset[str] = frozenset()) -> list[str]:
    """A different identifier for each name, as like it as the language allows."""
    found: dict[str, None] = {}
    for number, name in enumerate(names):
        word = re.sub(r"[^A-Za-z0-9_]", "_", name)
        if not _IDENTIFIER.fullmatch(word) or _RESERVED.fullmatch(word) or word in taken:
            word = prefix + word
        found[word if word not in found else f"{word}_{number}"] = None
        while len(found) <= number:
            word += "_"
            found[word] = None
    return list(found)


def _command(action: str, state: int, chances: list[str]) -> str:
    return f"  [{action}] s={state} -> {' + '.join(chances)};"


def _probability(exact: Exact | None, number: int, value: float) -> str:
    return repr(value) if exact is None else _number(exact.prob[number])


def _number(value: Fraction) -> str:
    """A fraction as `9/10`: a quotient of two whole numbers is a real number there."""
    return str(value)
