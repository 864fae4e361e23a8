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

from fractions import Fraction
from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp.checks import MAX_NAME, MOST_REWARD, check_start, quoted
from rltrain.mdp.files.loaded import LoadedModel, TransitionRows, loaded_model
from rltrain.mdp.files.numerals import fraction, got, probability
from rltrain.mdp.files.source import Source
from rltrain.mdp.files.start import start_shares
from rltrain.mdp.files.yaml_out import REWARD, STEP, TERMINAL, split
from rltrain.mdp.files.yaml_out import write as write
from rltrain.mdp.files.yaml_tree import YamlTree
from rltrain.spelling import described, did_you_mean
from rltrain.yaml_subset import KeyPath

KEYS = ("name", "discount", "values", "start", "actions", "states", "chain")
_MOST_REWARD = Fraction(f"{MOST_REWARD:g}")  # as it is printed: the float is a little less


def read(source: Source, strict: bool = False) -> LoadedModel:
    """The model of a YAML file."""
    return parse(source.whole(), source.text, source.stem, strict)


def parse(text: str, source: str, name: str = "", strict: bool = False) -> LoadedModel:
    """The model in a text. `source` is what messages call it."""
    return _Reader(text, source).model(name, strict)


class _Reader:
    """One pass over the tree, which gathers the rows and every fault with its line."""

    def __init__(self, text: str, source: str) -> None:
        self.tree = YamlTree(text, source)
        self.source, self.text, self.fault = source, self.tree.text, self.tree.fault
        self.said = self.tree.value
        self.rows: list[tuple[int, int, int, Fraction, Fraction, int]] = []  # s, a, next, p, r, line
        self.actions: dict[str, int] = {}
        self.states: dict[str, int] = {}
        self.paid: dict[int, Fraction] = {}  # what terminal states pay
        self.sign = 1

    def model(self, name: str, strict: bool) -> LoadedModel:
        for key in self.said:
            if key not in KEYS:
                self.fault((key,), f"unknown key{did_you_mean(key, KEYS)}")
        self._values()
        block = self._block()
        self.states = {state: number for number, state in enumerate(self.said[block])}
        self._check_state_names(block)
        if "actions" in self.said:
            self._declare_actions()
        ends = [self._state((block, state), said, block == "chain") for state, said in self.said[block].items()]
        for action in self.actions:
            if not _is_name(action):
                self.tree.add(
                    1, (), f"the action's name {quoted(action[:60])} must be printable, no blank at either end"
                )
        discount = self._discount()
        start = self._start(strict) if "start" in self.said else None
        self.tree.stop_if_any()
        name = self._name(name)
        if not self.actions:
            raise InputError(f"{self.source}: every state is terminal; a model has at least one action")
        s, a, following, prob, reward, lines = zip(*self.rows, strict=True)
        reward = tuple(self.sign * number for number in reward)
        return loaded_model(
            self.source,
            tuple(self.states),
            tuple(self.actions),
            TransitionRows(s, a, following, [float(number) for number in prob], [float(number) for number in reward]),
            place=lambda row: f"{self.source}:{lines[row]}",
            paid={state: self.sign * pay for state, pay in self.paid.items()},
            written=(prob, reward),
            discount=discount,
            start=start,
            name=name,
            ends=ends,
            costs=self.sign < 0,
            warnings=["values: cost: each cost is read as a negative reward"] if self.sign < 0 else [],
            strict=strict,
        )

    # the parts of the text

    def _block(self) -> str:
        given = [key for key in ("states", "chain") if key in self.said]
        if len(given) != 1:
            rule = "'states' and 'chain' exclude each other" if given else "no 'states': a block with one key a state"
            self.tree.add(self.tree.line(tuple(given[1:])), (), rule)
            self.tree.stop_if_any()
        block = self.said[given[0]]
        if not isinstance(block, dict) or not block:
            was = "an empty one" if block == {} else described(block)
            self.fault((given[0],), f"expected a block with one key a state, got {was}")
            self.tree.stop_if_any()
        return given[0]

    def _values(self) -> None:
        said = self.said.get("values", "reward")
        if said not in ("reward", "cost"):
            self.fault(("values",), f"expected reward or cost, got {self.tree.said(('values',))}")
        self.sign = -1 if said == "cost" else 1

    def _check_state_names(self, block: str) -> None:
        for state in self.states:
            if state in (TERMINAL, REWARD) and (block, state) not in self.tree.document.quoted_keys:
                rule = f'the word {state} has a meaning; a state of that name is written "{state}", with the quotes'
                self.tree.add(self.tree.line((block, state)), (), rule)
            elif not _is_name(state):
                self.fault((block, state), f"a name has 1 to {MAX_NAME} printable characters, no blank at either end")

    def _declare_actions(self) -> None:
        given = self.said["actions"]
        if not isinstance(given, list):
            return self.fault(("actions",), f"expected a list of names, got {described(given)}")
        for place in range(len(given)):
            name = self.text(("actions", place))
            if name in self.actions:
                self.fault(("actions", place), f"{quoted(name)} is listed twice")
            self.actions.setdefault(name, len(self.actions))

    def _state(self, path: KeyPath, said: Any, chain: bool) -> bool:
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
                own = self._reward((*path, REWARD), self.text((*path, REWARD)))
                names.remove(REWARD)
                if not names:
                    self.fault(path, "no action; a terminal state that pays is written `NAME: terminal reward NUMBER`")
            for action in names:
                if "actions" in self.said and action not in self.actions:
                    self.fault((*path, action), f"not in the list 'actions'{did_you_mean(action, self.actions)}")
                    continue
                number = self.actions.setdefault(action, len(self.actions))
                self._successors((*path, action), state, number, said[action], own)
        return False

    def _is_terminal(self, path: KeyPath, state: int) -> bool:
        """Whether a state's text says `terminal`, with a reward or not; the reward is kept."""
        text = self.text(path)
        word, reward = (text, None) if text in self.states else split(text)
        if word != TERMINAL or (path in self.tree.document.quoted and TERMINAL in self.states):
            return False
        if reward is not None:
            self.paid[state] = self._reward(path, reward)
        return True

    def _is_own_reward(self, path: KeyPath, said: Any) -> bool:
        """Whether the key `reward` of a state is R(s), and no action of that name."""
        text = self.text(path)
        bare = path not in self.tree.document.quoted_keys
        if isinstance(said, dict):
            if bare:
                self.fault(path, f'expected a number; an action of that name is written "{REWARD}", with the quotes')
            return False
        if bare:
            return True
        if text in self.states and fraction(text) is not None:
            self.fault(path, f"a number, and a state of that name: write {REWARD} without quotes, or {{{text}: 1}}")
        return text not in self.states and fraction(text) is not None

    def _successors(self, path: KeyPath, state: int, action: int, said: Any, own: Fraction) -> None:
        """The rows of a state and an action: a name, or a block of names and probabilities. `own`: R(s)."""
        if not isinstance(said, dict):
            text = self.text(path)
            if isinstance(said, list) or not text.strip():
                return self.fault(path, f"expected a state, or {{STATE: PROBABILITY, …}}, got {described(said)}")
            target, reward = self._target(path, text)
            return self._row(path, state, action, target, Fraction(1), own + self._reward(path, reward))
        names = list(said)
        if REWARD in said and not self._is_name_here((*path, REWARD)):
            own += self._reward((*path, REWARD), self.text((*path, REWARD)))
            names.remove(REWARD)
        if not names:
            self.fault(path, "no successor; write {STATE: PROBABILITY, …}")
        for name in names:
            place = (*path, name)
            if isinstance(said[name], dict | list):
                self.fault(place, f"expected a probability, or PROBABILITY reward NUMBER, got {described(said[name])}")
                continue
            written, reward = split(self.text(place))
            prob = probability(written)
            if prob is None:
                self.fault(place, f"expected a probability from 0 to 1, such as 0.7 or 1/3, got {got(written)}")
                continue
            self._row(place, state, action, name, prob, own + self._reward(place, reward))

    def _is_name_here(self, path: KeyPath) -> bool:
        """Whether a key that is a word is a state's name here: in quotes, where there is such a state."""
        return path in self.tree.document.quoted_keys and str(path[-1]) in self.states

    def _target(self, path: KeyPath, text: str) -> tuple[str, str | None]:
        """The state that a text leads to, and the reward written behind it."""
        if path in self.tree.document.quoted and text in self.states:
            return text, None
        target, reward = split(text)
        if reward is None or text not in self.states:
            if reward is None and text in (TERMINAL, REWARD) and text in self.states:
                self.fault(path, f'the word {text} has a meaning; the state of that name is written "{text}"')
            return target, reward
        if target in self.states:
            self.fault(path, f"may be the state {quoted(text)}, or {quoted(target)} and a reward; put names in quotes")
        return text, None

    def _row(self, path: KeyPath, state: int, action: int, target: str, prob: Fraction, reward: Fraction) -> None:
        number = self.states.get(target)
        if number is None:
            return self.fault(path, f"unknown state {quoted(target)}{did_you_mean(target, self.states)}")
        self.rows.append((state, action, number, prob, reward, self.tree.line(path)))

    def _reward(self, path: KeyPath, text: str | None) -> Fraction:
        if text is None:
            return Fraction(0)
        value = fraction(text)
        if value is None or abs(value) > _MOST_REWARD:
            rule = "a finite number" if value is None else f"at most {MOST_REWARD:g} either way"
            self.fault(path, f"expected {rule} as the reward, got {got(text) if text else self.tree.said(path)}")
            return Fraction(0)
        return value

    def _discount(self) -> Fraction | None:
        if "discount" not in self.said:
            return None
        value = probability(self.text(("discount",)))
        if value is None:
            self.fault(
                ("discount",), f"expected a number from 0 to 1, such as 0.95, got {self.tree.said(('discount',))}"
            )
        return value

    def _start(self, strict: bool) -> Array:
        shares = start_shares(self.tree.document, self.said["start"], self.states, tuple(self.states), self.fault)
        start = np.array([float(share) for share in shares])
        if not self.tree.found:
            check_start(start, f"{self.source}:{self.tree.line(('start',))}: ", strict)
        return start

    def _name(self, otherwise: str) -> str:
        said = self.tree.document.texts.get(("name",), otherwise)
        if not said.isprintable() or len(said) > MAX_NAME or isinstance(self.said.get("name"), dict | list):
            raise InputError(f"{self.source}:{self.tree.line(('name',))}: name: expected one line of text")
        return said


def _is_name(text: str) -> bool:
    return bool(text) and text.isprintable() and text == text.strip() and len(text) <= MAX_NAME
