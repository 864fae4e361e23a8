"""A model as a person writes it: YAML with named states and actions, and numbers kept as they are written.

    discount: 0.95
    start: s0                                     # or {s0: 1/2, s1: 1/2}
    states:
      s0:
        stay: s0                                  # leads to s0 for certain
        walk: s1 reward -1                        # the same, for a reward
        jump: {s0: 1/3, s1: 1/3, end: 1/3 reward 5, reward: -1}
      s1: …
      end: terminal                               # no action, value 0
      goal: terminal reward 5                     # no action, value 5: paid in it

A successor has a probability (`0.7`, `7/10`) and, after it, a reward. `reward` beside the successors is the action's
own: it comes on top of theirs. Beside the actions of a state it is the state's: R(s), on top of all that is paid there.
What a state does not list is impossible there. `chain` in place of `states` is a Markov chain: each state has its
successors at once, as if it had one action, `step`. `values: cost` reads all rewards as costs, which are minimised.
`reward` and `terminal` are words; a state or an action of that name stands in quotes wherever it is named.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import numpy as np

from rltrain import yaml_subset
from rltrain.errors import InputError
from rltrain.mdp import build, terminal
from rltrain.mdp.checks import MAX_NAME, MOST_REWARD, Faults, check_start, quoted
from rltrain.mdp.files import Loaded
from rltrain.mdp.files.source import Source
from rltrain.mdp.files.yaml_out import REWARD, STEP, TERMINAL, split
from rltrain.mdp.files.yaml_out import write as write
from rltrain.spelling import described, did_you_mean, shown

KEYS = ("name", "discount", "values", "start", "actions", "states", "chain")
_MOST_REWARD = Fraction(f"{MOST_REWARD:g}")  # as it is printed: the float is a little less
_NUMBER = re.compile(r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_FRACTION = re.compile(r"([-+]?\d{1,100})\s*/\s*(\d{1,100})")
Path_ = yaml_subset.Path


def read(source: Source, strict: bool = False) -> Loaded:
    """The model of a YAML file."""
    return parse(source.whole(), source.text, source.stem, strict)


def parse(text: str, source: str, name: str = "", strict: bool = False) -> Loaded:
    """The model in a text. `source` is what messages call it."""
    return _Reader(text, source).model(name, strict)


def fraction(text: str) -> Fraction | None:
    """The exact value of `0.7`, `-3`, `1e-3` or `1/3`; None for anything else, `nan` and `1/0` included."""
    text = text.strip()
    if len(text) > 250:
        return None
    if over := _FRACTION.fullmatch(text):
        return Fraction(int(over[1]), int(over[2])) if int(over[2]) else None
    return Fraction(text.replace("_", "")) if _NUMBER.fullmatch(text) else None


class _Reader:
    """One pass over the tree, which gathers the rows and every fault with its line."""

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        self.document = yaml_subset.read(text)
        self.found: list[tuple[int, str]] = []  # faults: line, text
        for path, line, rule in self.document.faults:
            self._add(line, path, rule)
        tree = self.document.value
        if not isinstance(tree, dict):
            if not self.found:
                self._add(1, (), "empty" if tree is None else "expected the keys discount, start and states")
            self._stop()
        self.tree: dict[str, Any] = tree
        if self.found:
            self._stop()
        self.rows: list[tuple[int, int, int, Fraction, Fraction, int]] = []  # s, a, next, p, r, line
        self.actions: dict[str, int] = {}
        self.states: dict[str, int] = {}
        self.paid: dict[int, Fraction] = {}  # what terminal states pay
        self.sign = 1

    def model(self, name: str, strict: bool) -> Loaded:
        for key in self.tree:
            if key not in KEYS:
                self.fault((key,), f"unknown key{did_you_mean(key, KEYS)}")
        self._values()
        block = self._block()
        self.states = {state: number for number, state in enumerate(self.tree[block])}
        self._names_are_free(block)
        if "actions" in self.tree:
            self._declare_actions()
        ends = np.zeros(len(self.states), dtype=bool)
        for state, said in self.tree[block].items():
            ends[self.states[state]] = self._state((block, state), said, chain=block == "chain")
        self._actions_are_used()
        discount = self._discount()
        start = self._start(strict)
        if self.found:
            self._stop()
        name = self._name(name)
        if not self.actions:
            raise InputError(f"{self.source}: every state is terminal; a model has at least one action")
        s, a, following, p, r, lines = zip(*self.rows, strict=True)
        r = tuple(self.sign * reward for reward in r)
        warnings: list[str] = ["values: cost: each cost is read as a negative reward"] if self.sign < 0 else []
        model = build.from_transitions(
            tuple(self.states),
            tuple(self.actions),
            s,
            a,
            following,
            [float(number) for number in p],
            [float(number) for number in r],
            start=start,
            discount=None if discount is None else float(discount),
            name=name,
            place=lambda row: f"{self.source}:{lines[row]}",
            terminal=ends,
            exact=build.Written(p, r, discount),
            warnings=warnings,
            strict=strict,
        )
        model = terminal.paid(model, {state: self.sign * reward for state, reward in self.paid.items()})
        return Loaded(model, tuple(f"{self.source}: {warning}" for warning in warnings), self.sign < 0)

    # the parts of the text

    def _block(self) -> str:
        given = [key for key in ("states", "chain") if key in self.tree]
        if len(given) != 1:
            rule = "'states' and 'chain' exclude each other" if given else "no 'states': a block with one key a state"
            self._add(self._line(tuple(given[1:])), (), rule)
            self._stop()
        block = self.tree[given[0]]
        if not isinstance(block, dict) or not block:
            got = "an empty one" if block == {} else described(block)
            self.fault((given[0],), f"expected a block with one key a state, got {got}")
            self._stop()
        return given[0]

    def _values(self) -> None:
        if "values" not in self.tree:
            return
        said = self.tree["values"]
        if said not in ("reward", "cost"):
            self.fault(("values",), f"expected reward or cost, got {self._said(('values',))}")
        self.sign = -1 if said == "cost" else 1

    def _names_are_free(self, block: str) -> None:
        for state in self.states:
            if state in (TERMINAL, REWARD) and (block, state) not in self.document.quoted_keys:
                rule = f'the word {state} has a meaning; a state of that name is written "{state}", with the quotes'
                self._add(self._line((block, state)), (), rule)
            elif not state or not state.isprintable() or state != state.strip() or len(state) > MAX_NAME:
                self.fault((block, state), f"a name has 1 to {MAX_NAME} printable characters, no blank at either end")

    def _declare_actions(self) -> None:
        given = self.tree["actions"]
        if not isinstance(given, list):
            return self.fault(("actions",), f"expected a list of names, got {described(given)}")
        for place in range(len(given)):
            name = self.document.texts.get(("actions", place), "")
            if name in self.actions:
                self.fault(("actions", place), f"{quoted(name)} is listed twice")
            self.actions.setdefault(name, len(self.actions))

    def _state(self, path: Path_, said: Any, chain: bool) -> bool:
        """The rows of a state; whether it is terminal."""
        state = self.states[str(path[-1])]
        if isinstance(said, str) and self._is_terminal(path, state):
            return True
        if said is None or said == {}:
            self.fault(path, "no action; a state without any is written `NAME: terminal`")
        elif chain:
            self.actions.setdefault(STEP, 0)
            self._successors(path, state, self.actions[STEP], said, Fraction(0))
        elif not isinstance(said, dict):
            self.fault(path, f"expected a block with one key an action, or 'terminal', got {described(said)}")
        else:
            own = Fraction(0)
            names = list(said)
            if REWARD in said and self._is_own_reward((*path, REWARD), said[REWARD]):
                own = self._reward((*path, REWARD), self.document.texts.get((*path, REWARD), ""))
                names.remove(REWARD)
                if not names:
                    self.fault(path, "no action; a terminal state that pays is written `NAME: terminal reward NUMBER`")
            for action in names:
                if "actions" in self.tree and action not in self.actions:
                    self.fault((*path, action), f"not in the list 'actions'{did_you_mean(action, self.actions)}")
                    continue
                number = self.actions.setdefault(action, len(self.actions))
                self._successors((*path, action), state, number, said[action], own)
        return False

    def _is_terminal(self, path: Path_, state: int) -> bool:
        """Whether a state's text says `terminal`, with a reward or not; the reward is kept."""
        text = self.document.texts.get(path, "")
        word, reward = (text, None) if text in self.states else split(text)
        if word != TERMINAL or (path in self.document.quoted and TERMINAL in self.states):
            return False
        if reward is not None:
            self.paid[state] = self._reward(path, reward)
        return True

    def _is_own_reward(self, path: Path_, said: Any) -> bool:
        """Whether the key `reward` of a state is R(s), and no action of that name."""
        text = self.document.texts.get(path, "")
        if isinstance(said, dict):
            if path not in self.document.quoted_keys:
                self.fault(path, f'expected a number; an action of that name is written "{REWARD}", with the quotes')
            return False
        if path not in self.document.quoted_keys:
            return True
        if text in self.states and fraction(text) is not None:
            self.fault(path, f"a number, and a state of that name: write {REWARD} without quotes, or {{{text}: 1}}")
        return text not in self.states and fraction(text) is not None

    def _successors(self, path: Path_, state: int, action: int, said: Any, own: Fraction) -> None:
        """The rows of a state and an action: a name, or a block of names and probabilities. `own`: R(s)."""
        if not isinstance(said, dict):
            text = self.document.texts.get(path, "")
            if isinstance(said, list) or not text.strip():
                return self.fault(path, f"expected a state, or {{STATE: PROBABILITY, …}}, got {described(said)}")
            target, reward = self._target(path, text)
            return self._row(path, state, action, target, Fraction(1), own + self._reward(path, reward))
        names = list(said)
        if REWARD in said and not self._is_name((*path, REWARD)):
            own += self._reward((*path, REWARD), self.document.texts.get((*path, REWARD), ""))
            names.remove(REWARD)
        if not names:
            self.fault(path, "no successor; write {STATE: PROBABILITY, …}")
        for name in names:
            place = (*path, name)
            if isinstance(said[name], dict | list):
                self.fault(place, f"expected a probability, or PROBABILITY reward NUMBER, got {described(said[name])}")
                continue
            written, reward = split(self.document.texts.get(place, ""))
            prob = fraction(written)
            if prob is None or not 0 <= prob <= 1:
                self.fault(place, f"expected a probability from 0 to 1, such as 0.7 or 1/3, got {_got(written)}")
                continue
            self._row(place, state, action, name, prob, own + self._reward(place, reward))

    def _is_name(self, path: Path_) -> bool:
        """Whether a key that is a word is a state's name here: in quotes, where there is such a state."""
        return path in self.document.quoted_keys and str(path[-1]) in self.states

    def _target(self, path: Path_, text: str) -> tuple[str, str | None]:
        """The state that a text leads to, and the reward written behind it."""
        if path in self.document.quoted and text in self.states:
            return text, None
        target, reward = split(text)
        if reward is None or text not in self.states:
            if reward is None and text in (TERMINAL, REWARD) and text in self.states:
                self.fault(path, f'the word {text} has a meaning; the state of that name is written "{text}"')
            return target, reward
        if target in self.states:
            self.fault(path, f"may be the state {quoted(text)}, or {quoted(target)} and a reward; put names in quotes")
        return text, None

    def _row(self, path: Path_, state: int, action: int, target: str, prob: Fraction, reward: Fraction) -> None:
        number = self.states.get(target)
        if number is None:
            return self.fault(path, f"unknown state {quoted(target)}{did_you_mean(target, self.states)}")
        self.rows.append((state, action, number, prob, reward, self._line(path)))

    def _reward(self, path: Path_, text: str | None) -> Fraction:
        if text is None:
            return Fraction(0)
        value = fraction(text)
        if value is None or abs(value) > _MOST_REWARD:
            rule = "a finite number" if value is None else f"at most {MOST_REWARD:g} either way"
            self.fault(path, f"expected {rule} as the reward, got {_got(text) if text else self._said(path)}")
            return Fraction(0)
        return value

    def _actions_are_used(self) -> None:
        for action in self.actions:
            if not action or not action.isprintable() or action != action.strip() or len(action) > MAX_NAME:
                self._add(1, (), f"the action's name {quoted(action[:60])} must be printable, no blank at either end")

    def _discount(self) -> Fraction | None:
        if "discount" not in self.tree:
            return None
        text = self.document.texts.get(("discount",), "")
        value = fraction(text)
        if value is None or not 0 <= value <= 1:
            self.fault(("discount",), f"expected a number from 0 to 1, such as 0.95, got {self._said(('discount',))}")
        return value

    def _said(self, path: Path_) -> str:
        """What stands at a place, for a message."""
        if path in self.document.texts:
            return _got(self.document.texts[path])
        value: Any = self.tree
        for key in path:
            value = value[key]
        return described(value)

    def _start(self, strict: bool) -> Any:
        if "start" not in self.tree:
            return None
        said = self.tree["start"]
        chances = [Fraction(0)] * len(self.states)
        if isinstance(said, dict):
            shares = {name: self.document.texts.get(("start", name), "") for name in said}
        elif isinstance(said, list):
            shares = {self.document.texts.get(("start", n), ""): f"1/{len(said)}" for n in range(len(said))}
            if len(shares) < len(said):
                self.fault(("start",), "a state is listed twice")
        else:
            shares = {self.document.texts.get(("start",), ""): "1"}
        for name, text in shares.items():
            path: Path_ = ("start", name) if isinstance(said, dict) else ("start",)
            value = fraction(text)
            if name not in self.states:
                self.fault(path, f"unknown state {quoted(name)}{did_you_mean(name, self.states)}")
            elif value is None or not 0 <= value <= 1:
                self.fault(path, f"expected a probability from 0 to 1, got {_got(text)}")
            else:
                chances[self.states[name]] = value
        start = np.array([float(chance) for chance in chances])
        if not self.found:
            check_start(start, f"{self.source}:{self._line(('start',))}: ", strict)
        return start

    def _name(self, otherwise: str) -> str:
        said = self.document.texts.get(("name",), otherwise)
        if not said.isprintable() or len(said) > MAX_NAME or isinstance(self.tree.get("name"), dict | list):
            raise InputError(f"{self.source}:{self._line(('name',))}: name: expected one line of text")
        return said

    # faults

    def fault(self, path: Path_, rule: str) -> None:
        self._add(self._line(path), path, rule)

    def _line(self, path: Path_) -> int:
        while path not in self.document.lines and path:
            path = path[:-1]
        return self.document.lines.get(path, 1)

    def _add(self, line: int, path: Path_, rule: str) -> None:
        self.found.append((line, f"{self.source}:{line}: {_where(path)}{rule}"))

    def _stop(self) -> None:
        faults = Faults()
        for _, line in sorted(self.found, key=lambda found: found[0]):
            faults.add(line)
        faults.stop()


def _got(text: str) -> str:
    return f"'{shown(text if len(text) <= 60 else text[:57] + '...')}'" if text else "nothing"


def _where(path: Path_) -> str:
    """`state 's0', action 'a0', next 's1': ` of a path into `states`; the key itself of any other."""
    if not path:
        return ""
    if path[0] not in ("states", "chain") or len(path) == 1:
        return "".join(f"[{key}]" if isinstance(key, int) else f".{shown(key)}" for key in path).lstrip(".") + ": "
    words = ("state", "action", "next") if path[0] == "states" else ("state", "next")
    named = [f"{what} {quoted(str(key))}" for what, key in zip(words, path[1:], strict=False) if key != REWARD]
    return ", ".join(named) + (", reward: " if REWARD in path[3 if path[0] == "states" else 2 :] else ": ")
