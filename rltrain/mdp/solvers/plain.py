"""The sweeps of `mdp.compiled` for small models, in numpy and plain Python: nothing to compile, nothing to import."""

from __future__ import annotations

import numpy as np

from rltrain.core import Array
from rltrain.mdp.model import Model
from rltrain.mdp.solvers import bellman


class Plain:
    """Sweeps over one model at one discount."""

    def __init__(self, model: Model, discount: float) -> None:
        self.model, self.discount = model, discount
        self._lists: list[list[tuple[int, float, float, list[tuple[int, float]]]]] | None = None

    def close(self) -> None:
        """Nothing is held."""

    def sweep(self, value: Array, backed_up: Array, choice: Array, rows: Array | None = None) -> tuple[float, float]:
        """One Bellman backup, of the whole model or of some `rows` of it: the least and the greatest change."""
        q = self.backup(value)
        if rows is not None:
            q[~rows] = -np.inf
        backed_up[:] = bellman.best(self.model, q)
        choice[:] = bellman.greedy(self.model, q)
        return _ends(backed_up - value)

    def backup(self, value: Array) -> Array:
        """Q [P]."""
        return bellman.backup(self.model, value, self.discount)

    def greedy(self, q: Array) -> tuple[Array, Array]:
        """V [S] and the first best pair [S] of Q [P]."""
        return bellman.best(self.model, q), bellman.greedy(self.model, q)

    def near_best(self, q: Array, value: Array, width: float) -> Array:
        """[P] bool: the pairs whose Q is within `width` of their state's value [S]."""
        return np.asarray(q >= value[self.model.pair_state] - width)

    def improve(self, value: Array, choice: Array, backwards: bool) -> float:
        """One Gauss-Seidel sweep, in place: the greatest change. A state's loop to itself is solved."""
        if self._lists is None:
            self._lists = [self._pairs_of(s) for s in range(self.model.num_states)]
        change = 0.0
        v = value.tolist()
        for s in range(len(v) - 1, -1, -1) if backwards else range(len(v)):
            best, chosen = -np.inf, -1
            for pair, reward, leaves, successors in self._lists[s]:
                q = (reward + self.discount * sum(p * v[u] for u, p in successors)) / leaves
                if q > best:
                    best, chosen = q, pair
            if chosen >= 0:
                change = max(change, abs(best - v[s]))
                v[s], choice[s] = best, chosen
        value[:] = v
        return change

    def _pairs_of(self, state: int) -> list[tuple[int, float, float, list[tuple[int, float]]]]:
        """(pair, reward, 1 - gamma of staying, the other successors) of a state."""
        found = []
        for pair in self.model.pairs(state):
            where = self.model.successors(pair)
            successors = list(zip(self.model.next[where].tolist(), self.model.prob[where].tolist(), strict=True))
            stays = sum(p for u, p in successors if u == state)
            others = [(u, p) for u, p in successors if u != state]
            found.append((pair, float(self.model.reward[pair]), 1.0 - self.discount * stays, others))
        return found


def _ends(change: Array) -> tuple[float, float]:
    return float(change.min()), float(change.max())
