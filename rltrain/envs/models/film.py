"""A walk through a known model, told in words: the names of its states. It has no picture."""

from __future__ import annotations

from rltrain.core import Array, Env, Step
from rltrain.mdp.model import Model


class FilmedModel:
    """An `Env` of one walk through this model, as `core.Filmed`."""

    fps = 4.0

    def __init__(self, env: Env, model: Model) -> None:
        self.spec = env.spec
        self._env, self._model = env, model
        self._state = ""

    def reset(self, seed: int) -> Step:
        return self._named(self._env.reset(seed))

    def step(self, action: Array) -> Step:
        return self._named(self._env.step(action))

    def frame(self) -> None:
        return None

    def state(self) -> str:
        return self._state

    def close(self) -> None:
        self._env.close()

    def _named(self, step: Step) -> Step:
        obs = step.obs[0]
        self._state = self._model.states[int(obs.argmax() if len(obs) > 1 else obs[0])]
        return step
