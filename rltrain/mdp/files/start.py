"""The first state as a YAML value says it: `s0`, `[s0, s1]` for equal shares, or `{s0: 1/2, s1: 1/2}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from rltrain.mdp.checks import quoted
from rltrain.mdp.files.numerals import got, probability
from rltrain.spelling import did_you_mean
from rltrain.yaml_subset import Document, KeyPath

KEY = "start"


def start_shares(
    document: Document,
    said: Any,
    states: Mapping[str, int],
    near: Sequence[str],
    fault: Callable[[KeyPath, str], None],
) -> list[Fraction]:
    """[S] the probability of each state to be the first; `said` is the document's value of `start`.

    `states` maps names to numbers, `near` are names that a wrong one may have meant. What is wrong goes to `fault`
    with the path where it stands.
    """
    texts = document.texts
    if isinstance(said, dict):
        shares = {name: texts.get((KEY, name), "") for name in said}
    elif isinstance(said, list):
        shares = {texts.get((KEY, number), ""): f"1/{len(said)}" for number in range(len(said))}
        if len(shares) < len(said):
            fault((KEY,), "a state is listed twice")
    else:
        shares = {texts.get((KEY,), ""): "1"}
    found = [Fraction(0)] * len(states)
    for name, text in shares.items():
        path = (KEY, name) if isinstance(said, dict) else (KEY,)
        value = probability(text)
        if name not in states:
            fault(path, f"unknown state {quoted(name)}{did_you_mean(name, near)}")
        elif value is None:
            fault(path, f"expected a probability from 0 to 1, got {got(text)}")
        else:
            found[states[name]] = value
    return found
