"""A model written as YAML, in the words that `yaml_text` reads: small, named, and exact where its numbers are known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np

from rltrain import yaml_subset
from rltrain.errors import InputError
from rltrain.mdp.model import Model
from rltrain.mdp.pairs import outcomes
from rltrain.spelling import shown
from rltrain.yaml_subset import resolve, word

TERMINAL, REWARD = "terminal", "reward"  # words; a state or an action of such a name is quoted
STEP = "step"  # the action of a chain
_WITH_REWARD = re.compile(rf"(.*?)\s+{REWARD}\s+(\S.*)", re.DOTALL)
_BARE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_ .+/-]*[A-Za-z0-9_.+/-])?")


def split(text: str) -> tuple[str, str | None]:
    """`0.7 reward 10` -> ("0.7", "10")"""
    found = _WITH_REWARD.fullmatch(text)
    return (found[1], found[2]) if found else (text, None)


def write(model: Model, file: IO[bytes], path: Path) -> None:
    """The model as YAML that `read` turns into it again."""
    if model.num_next > yaml_subset.MAX_BYTES // 5:
        raise InputError(
            f"{shown(str(path))}: {model.num_next:,} transitions are too many for YAML; write an .npz file"
        )
    data = text(model).encode()
    if len(data) > yaml_subset.MAX_BYTES:
        raise InputError(
            f"{shown(str(path))}: as YAML the model has {len(data):,} bytes, and {yaml_subset.MAX_BYTES:,} can be "
            "read; write an .npz file"
        )
    file.write(data)


def text(model: Model) -> str:
    """The model as YAML."""
    return "\n".join(_lines(model)) + "\n"


def _lines(model: Model) -> Iterator[str]:
    states, actions = list(map(_plain, model.states)), list(map(_plain, model.actions))
    if model.name:
        yield f"name: {word(model.name)}"
    if model.discount is not None:
        yield f"discount: {_exactly(model.exact.discount if model.exact else None, model.discount)}"
    if model.start is not None:
        yield f"start: {_start_text(model, states)}"
    chain = tuple(model.actions) == (STEP,)
    seen = list(dict.fromkeys(model.action.tolist()))
    if not chain and seen != list(range(model.num_actions)):
        yield f"actions: [{', '.join(actions)}]"
    yield ""
    yield "chain:" if chain else "states:"
    for state, name in enumerate(states):
        pairs = model.pairs(state)
        if not pairs:
            yield f"  {name}: {TERMINAL}"
        elif chain:
            yield f"  {name}: {_successors_text(model, pairs[0], states)}"
        else:
            yield f"  {name}:"
            for pair in pairs:
                action = actions[model.action[pair]]
                yield f"    {action}: {_successors_text(model, pair, states, block=action == _in_quotes(REWARD))}"


def _successors_text(model: Model, pair: int, states: list[str], block: bool = False) -> str:
    """Where a pair leads; as a `block` where a name alone could be taken for the reward of a state."""
    found = outcomes(model, pair)
    own, rewards = 0.0, [reward for _, _, reward in found]
    if len(set(rewards)) == 1:
        own, rewards = float(model.reward[pair]), [0.0] * len(found)
    if own and any(model.states[state] == REWARD for state, _, _ in found):
        own, rewards = 0.0, [own] * len(found)  # a key stands once, in quotes or not
    exact = model.exact.prob[model.successors(pair)] if model.exact else [None] * len(found)
    parts = []
    for (state, prob, _), reward, written in zip(found, rewards, exact, strict=True):
        paid = f" {REWARD} {_reward_text(model, reward)}" if reward else ""
        parts.append((states[state], _exactly(written, prob) + paid))
    if len(parts) == 1 and parts[0][1] == "1" and not block and not parts[0][0].startswith('"'):
        return parts[0][0] + (f" {REWARD} {_reward_text(model, own)}" if own else "")
    if own:
        parts.append((REWARD, _reward_text(model, own)))
    return "{" + ", ".join(f"{name}: {value}" for name, value in parts) + "}"


def _plain(name: str) -> str:
    """A name without quotes where that is the same: here keys and states are text, `0` included."""
    plain = _BARE.fullmatch(name) and not isinstance(resolve(name), bool | None)
    meant = name in (TERMINAL, REWARD) or split(name)[1] is not None
    return name if plain and not meant else _in_quotes(name)


def _in_quotes(name: str) -> str:
    """A name in quotes: words are names there."""
    written = word(name)
    return written if written.startswith('"') else f'"{written}"'


def _start_text(model: Model, states: list[str]) -> str:
    assert model.start is not None
    shares = [(states[int(s)], float(model.start[s])) for s in np.flatnonzero(model.start)]
    if len(shares) == 1 and shares[0][1] == 1:
        return shares[0][0]
    return "{" + ", ".join(f"{name}: {_simple(share)}" for name, share in shares) + "}"


def _reward_text(model: Model, value: float) -> str:
    return _simple(value) if model.exact else _decimal(value)


def _simple(value: float) -> str:
    """1/3 for what is the nearest number to it; else the shortest decimal."""
    close = Fraction(value).limit_denominator(1000)
    decimal = _decimal(value)
    return _exactly(close, value) if float(close) == value and len(decimal) > 12 else decimal


def _exactly(written: Fraction | None, value: float) -> str:
    """The number as it was written: a decimal where that says the same, else a fraction."""
    decimal = _decimal(value)
    if written is None or Fraction(decimal) == written:
        return decimal
    return f"{written.numerator}/{written.denominator}"


def _decimal(value: float) -> str:
    whole = value == int(value) and abs(value) < 2**53
    return str(int(value)) if whole else repr(value)
