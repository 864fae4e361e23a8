"""One rollout and its updates beside those of Stable-Baselines3, which bench/ppo_equal.py wrote down.

The same first weights, the same tape of two environments, the same actions drawn and the same order of minibatches.
Both compute in float32, so weights are held together to 1e-5: after up to 12 updates they are a few 1e-7 apart.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rltrain.algos._ppo_config import PpoConfig
from rltrain.algos.ppo import PPO
from rltrain.core import Array, EnvSpec, Hardware, State, Step
from rltrain.rng import Streams
from rltrain.spaces import Actions, Continuous, Discrete, MultiDiscrete

ROWS = np.load(Path(__file__).with_name("ppo_peer.npz"), allow_pickle=False)
HEAD = json.loads(str(ROWS["head"]))
SPACES: dict[str, Actions] = {
    "discrete": Discrete(3),
    "pictures": Discrete(3),
    "multi_discrete": MultiDiscrete((3, 2)),
    "continuous": Continuous((-1.0, -1.0), (1.0, 1.0)),
}
CLOSE = 1e-5


class Tape:
    """Environments that say what was written down, whatever is done."""

    def __init__(self, case: str) -> None:
        self.steps = [Step(*row) for row in zip(*(ROWS[f"{case}/{field}"] for field in Step._fields[:5]), strict=True)]
        obs, space = self.steps[0].obs, SPACES[HEAD["cases"][case]["form"]]
        self.spec = EnvSpec("Tape-v0", obs.shape[1:], obs.dtype.name, 1, space, len(obs), 1, None, None)
        self.at = 0

    def reset(self, seed: int) -> Step:
        return self.steps[0]

    def step(self, action: Array) -> Step:
        self.at += 1
        return self.steps[self.at]

    def close(self) -> None: ...

    def save(self) -> State:
        return {}

    def load(self, state: State) -> None: ...


class Noted:
    """Stands for a stream: gives what was written down, one after the other."""

    def __init__(self, values: Array) -> None:
        self.values = iter(values)

    def permutation(self, rows: Array) -> Array:
        order = next(self.values)
        assert sorted(order) == sorted(rows)
        return np.asarray(order)

    def draw(self, *_: object) -> Array:
        return np.asarray(next(self.values))


def weights(case: str, when: str) -> dict[str, Array]:
    """By name."""
    shapes = HEAD["cases"][case]["shapes"]
    parts = np.split(ROWS[f"{case}/{when}"], np.cumsum([math.prod(shape) for shape in shapes.values()])[:-1])
    return {name: part.reshape(shape) for part, (name, shape) in zip(parts, shapes.items(), strict=True)}


def own_weights(algorithm: PPO) -> dict[str, Array]:
    """As the network has them: arrays that can be written into."""
    network: Any = algorithm.network
    if algorithm.spec.has_image:
        return {name: part.detach().numpy() for name, part in network.network.named_parameters()}
    lists = {"policy": network.policy, "value": network.value, "free": network.free}
    return {f"{role}.{place}": part for role, parts in lists.items() for place, part in enumerate(parts)}


def beginning(case: str, monkeypatch: pytest.MonkeyPatch) -> PPO:
    """With the weights, the draws and the orders that were written down."""
    own, tape = HEAD["cases"][case], Tape(case)
    pictures = own["form"] == "pictures"
    settings = {**own["settings"], "hidden": tuple(HEAD["hidden"]["pictures" if pictures else "vectors"])}
    if pictures:
        settings["convolutions"] = tuple(tuple(conv) for conv in HEAD["convolutions"])
    config = PpoConfig(n_steps=len(tape.steps) - 1, **settings)
    algorithm = PPO(config, tape, Streams(0), Hardware("cpu", 1))
    before, here = weights(case, "before"), own_weights(algorithm)
    assert {name: part.shape for name, part in before.items()} == {name: part.shape for name, part in here.items()}
    for name, part in here.items():
        part[...] = before[name]
    monkeypatch.setattr(algorithm, "_order", Noted(ROWS[f"{case}/order"]))
    monkeypatch.setattr(algorithm.distribution, "draw", Noted(ROWS[f"{case}/drawn"]).draw)
    return algorithm


@pytest.mark.parametrize("case", HEAD["cases"])
def test_advantages_and_targets_are_those_of_stable_baselines3(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where episodes end, where a time limit cuts them, in the midst of a rollout and at its end."""
    algorithm = beginning(case, monkeypatch)
    assert algorithm._collect()
    batch, taken = algorithm._batch(), ROWS[f"{case}/taken"]
    rows = taken * len(taken) + np.arange(len(taken))[:, None]  # [N, T] -> rows of the rollout laid out flat
    assert sorted(rows.ravel()) == np.flatnonzero(algorithm._rollout.played).tolist()
    np.testing.assert_allclose(batch.log_prob[rows], ROWS[f"{case}/log_prob"], atol=CLOSE, rtol=0)
    np.testing.assert_allclose(batch.score[rows], ROWS[f"{case}/score"], atol=CLOSE, rtol=0)
    np.testing.assert_allclose(batch.target[rows], ROWS[f"{case}/target"], atol=CLOSE, rtol=0)


@pytest.mark.parametrize("case", HEAD["cases"])
def test_weights_after_the_updates_are_those_of_stable_baselines3(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    algorithm = beginning(case, monkeypatch)
    algorithm.step()
    before, after = weights(case, "before"), weights(case, "after")
    apart = {}
    for name, part in own_weights(algorithm).items():
        assert np.abs(after[name] - before[name]).max() > 100 * CLOSE, f"{name} has hardly moved"
        apart[name] = float(np.abs(part - after[name]).max())
    assert max(apart.values()) < CLOSE, apart
