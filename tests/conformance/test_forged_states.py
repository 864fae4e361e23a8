"""A saved state may come from a stranger: whatever is put in the place of any of its values, nothing is read or written
out of bounds and nothing is called a bug. Every algorithm by discovery, every leaf of its state, in worlds that differ.

A value of another type, dtype or shape, and a key that is missing, is a CheckpointError that names the key. So is a
whole number that no index or count can be. Any other number is refused likewise, or loads and is played with.

Of the states that take seconds a sample is forged, which has each kind of forgery; the slow tests forge all of them.
"""

import json
import math
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from out_of_tree import PLUGINS

from rltrain.core import Blob, Hardware
from rltrain.errors import CheckpointError, DivergedError
from rltrain.experiment import config
from rltrain.policies.asking import Planning
from rltrain.rng import Streams
from rltrain.run import build
from rltrain.saved import Saved

BOOK = Path(__file__).parents[2] / "configs" / "mdp" / "book.yaml"
WORLDS = {"env": "CartPole-v1", "tabular": str(BOOK), "mdp": str(BOOK)}
SMALL = {  # what makes a step short; settings that an algorithm does not have are left out
    "learning_starts": 64,
    "buffer_size": 320,
    "batch_size": 32,
    "hidden": [4],
    "report_every": 50,
    "population": 4,
    "survivors": 2,
    "batch": 3,
    "games": 1,
    "recheck": 2,
    "train_freq": 64,
    "games_per_update": 2,
    "rollout_steps": 4,
    "n_steps": 4,
    "n_epochs": 2,
    "simulations": 20,
}
DQN = "learning_starts: 64, train_freq: 64, buffer_size: 320, batch_size: 32, hidden: [4]"
OTHERS = {  # options and worlds that the algorithms above do not meet
    "sarsa": ("{name: qlearn, method: sarsa, trace_decay: 0.9, report_every: 50}", f"{{id: {BOOK}}}"),
    "double": (
        "{name: qlearn, method: double, exploration: bonus, learning_rate_schedule: count, report_every: 50}",
        f"{{id: {BOOK}, max_episode_steps: 9}}",
    ),
    "softmax": ("{name: qlearn, exploration: softmax, learners: 2, report_every: 50}", f"{{id: {BOOK}}}"),
    "traces": ("{name: td, trace_decay: 0.9, report_every: 50}", f"{{id: {BOOK}}}"),
    "sampled": ("{name: qlearn, method: sarsa, report_every: 50}", "{id: Blackjack-v1}"),
    "sampled values": ("{name: td, report_every: 50}", "{id: Blackjack-v1}"),
    "one-hot": (f"{{name: dqn, {DQN}}}", f"{{id: {BOOK}, max_episode_steps: 20, num_envs: 32}}"),
    "priorities": (
        f"{{name: dqn, {DQN}, prioritized: true, optimizer: rmsprop, dueling: true}}",
        "{id: CartPole-v1, num_envs: 32}",
    ),
    "one search": ("{name: uct, play: false, report_every: 50}", f"{{id: {BOOK}}}"),
    "games set back": ("{name: uct, simulations: 5, depth: 9, report_every: 4}", "{id: CartPole-v1, num_envs: 2}"),
    "lanes": ("{name: basic, policy: angle}", "{id: CartPole-v1, num_envs: 16}"),
    "vacuum": ("{name: basic, policy: bounce}", "{id: RobotVacuum-v0, num_envs: 2, max_episode_steps: 40}"),
    "atari": (
        "{name: basic}",
        "{id: ALE/MsPacman-v5, num_envs: 2, max_episode_steps: 60, repeat_action_probability: 0.25}",
    ),
}
PAUSED = {  # in the middle of a unit
    "paused": (f"{{name: dqn, {DQN}, collect_steps: 5}}", "{id: CartPole-v1, num_envs: 8}"),
    "paused, overlapping": (f"{{name: dqn, {DQN}, overlap: true, collect_steps: 9}}", "{id: CartPole-v1, num_envs: 8}"),
    "paused rollout": ("{name: pqn, rollout_steps: 6, hidden: [4]}", "{id: CartPole-v1, num_envs: 8}"),
    "paused table": ("{name: qlearn, report_every: 50}", f"{{id: {BOOK}}}"),
    "paused values": ("{name: td, report_every: 50}", f"{{id: {BOOK}}}"),
    "paused game": ("{name: basic}", "{id: CartPole-v1, max_episode_steps: 30}"),
}
OTHERS |= PAUSED
ABSENT = {
    "auto_scale",
    "features",
    "unit",
    "begun",
    "played",
}  # checkpoints of earlier versions, or of whole units, lack them
STREAMS = {("rng", "numpy"), ("rng", "torch")}  # one of a purpose that was added since begins anew
INDICES = {"action", "actions", "age", "pairs", "choice"}  # small unsigned numbers that are places in tables
EMPTY = {"wide", "others", "waiting"}  # optimisers before the first step, games that have ended
IGNORED = {"features"}  # it says something of images alone


def text_of(name: str) -> str:
    """A short run of an algorithm in its usual world, or of one of the others."""
    if name in OTHERS:
        algorithm, environment = OTHERS[name]
        return f"algorithm: {algorithm}\nenvironment: {environment}"
    fields = PLUGINS[name].config.model_fields
    settings = {"name": name, **{key: value for key, value in SMALL.items() if key in fields}}
    # Deep learners play 256 steps at once, which many lanes make faster.
    lanes = {"num_envs": 32 if "optimizer" in fields else 2} if PLUGINS[name].task == "env" else {}
    environment = {"id": WORLDS[PLUGINS[name].task], **lanes}
    return f"algorithm: {json.dumps(settings)}\nenvironment: {json.dumps(environment)}"


class Subject:
    """An algorithm in its world, and the policy that its module makes of a state."""

    def __init__(self, name: str) -> None:
        self.experiment = config.loads(text_of(name), "test.yaml")
        self.rng = Streams(0)
        self.env = build.world(self.experiment)
        hardware = Hardware("cpu", 1)
        self.algorithm = build.algorithm(self.experiment, self.experiment.algorithm, self.env, self.rng, hardware)
        load_policy = PLUGINS[self.experiment.algorithm_name].load_policy
        self._load_policy = load_policy and (
            lambda state: load_policy(self.experiment.algorithm, self.env.spec, state, hardware)
        )
        states = np.arange(self.env.spec.num_states or 0)[:, None]
        spec = self.env.spec
        self.obs = states if spec.num_states else np.ones((4, *spec.obs_shape), spec.obs_dtype)

    def save(self) -> dict[str, Any]:
        return {"algorithm": self.algorithm.save(), "rng": self.rng.save()}

    def load(self, state: Mapping[str, Any]) -> None:
        saved = Saved.of(state)
        self.algorithm.load(saved.part("algorithm"))
        self.rng.load(saved.part("rng"))

    def acts(self, state: Mapping[str, Any]) -> list[int]:
        """What the policy does, which must be possible."""
        load = self._load_policy or (lambda _: self.algorithm.policy())
        policy = load(Saved.of(state).part("algorithm"))
        if isinstance(policy, Planning) and self.env.spec.num_states is None:
            return []  # it acts by what environments are at that moment, not by a state
        actions = policy.act(self.obs)
        assert ((actions >= 0) & (actions < self.env.spec.num_actions)).all()
        return list(actions.tolist())


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value of a state and the way to it, arrays of blobs included."""
    if path:
        yield path, tree
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from places(value, (*path, key))
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from places(value, (*path, number))
    elif isinstance(tree, Blob):
        for key, value in tree.read().items():
            yield from places(value, (*path, "blob", key))


MISSING = object()


def with_value(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of the state with this value in this place."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(tree, Blob):
        arrays = with_value(tree.read(), rest, value)
        return Blob(tree.name, lambda: arrays)
    if isinstance(tree, list):
        changed = list(tree)
        changed[key : key + 1] = [] if value is MISSING and not rest else [with_value(tree[key], rest, value)]
        return changed
    if value is MISSING and not rest:
        return {name: item for name, item in tree.items() if name != key}
    return {**tree, key: with_value(tree[key], rest, value)}


def of_other_kind(value: Any) -> Iterator[tuple[str, Any]]:
    """What can never stand in this place."""
    yield "missing", MISSING
    yield "a text", 5 if isinstance(value, str) else "x"
    if isinstance(value, np.ndarray):
        yield "one number", value.ravel()[0].item() if value.size else 0
        yield "other dtype", value.astype(np.float32 if value.dtype.kind in "iub" else np.int64)
        yield "one more", np.append(value.ravel(), value.ravel()[:1] if value.size else np.zeros(1, value.dtype))
        yield "no dimension", value.ravel()[0] if value.size and value.ndim else np.zeros((1, 1, 1, 1), value.dtype)
        yield "two dimensions more", value[None, None]
    elif isinstance(value, Mapping | list | Blob):
        yield "a number", 5
        yield "none", None
        yield "empty" if value else "filled", type(value)() if value and not isinstance(value, Blob) else [[]]
    else:
        yield "a list", []
        yield "a mapping", {"x": 1}


def of_other_value(value: Any, key: str) -> Iterator[tuple[str, Any, bool]]:
    """Values of the same kind, and whether they can never be right."""
    if isinstance(value, np.ndarray) and value.size:
        kind, last = value.dtype.kind, value.size - 1
        extremes: list[tuple[int, Any, bool]] = [(0, True, False), (last, False, False)]
        if kind in "iu":
            limits, counts = np.iinfo(value.dtype), kind == "i" or key in INDICES
            extremes = [(at, number, counts) for number in (limits.min, limits.max) for at in {0, last} if number]
            extremes += [(0, min(number, limits.max), False) for number in (1, 3, 77, 1 << 40)]
        elif kind == "f":
            extremes = [(0, math.nan, False), (last, -1e30, False), (0, 0.0, False)]
        for at, number, never in extremes:
            changed = value.copy()
            changed.reshape(-1)[at] = number
            yield f"{number} at {at}", changed, never
    elif type(value) is int:
        yield from ((str(number), number, number < 0) for number in (-1, 0, 1, value + 1, 10**12 - 1))
        yield from ((str(number), number, True) for number in (2**200, -(2**63)))
    elif type(value) is float:
        yield from ((str(number), number, False) for number in (math.nan, math.inf, -1e300, 1e300, 0.0))
    elif type(value) is bool:
        yield "the other", not value, False
    elif value is None:
        yield from ((str(number), number, False) for number in (0, 0.5, math.nan, -1.0))


def named(path: tuple[Any, ...], error: CheckpointError) -> bool:
    """Whether the message leads to the place: to a key on the way to it, or below it."""
    keys = str(error).split(": ")[1].split("/")
    return any(str(key) in keys for key in path[1:] or path) or "did not reproduce" in str(error)


class Forgery(NamedTuple):
    """A value in the place of another."""

    path: tuple[Any, ...]
    before: Any
    what: str
    forged: Any
    other_kind: bool  # it can never stand there
    never: bool  # it can never be right


def forgeries(state: Mapping[str, Any]) -> Iterator[Forgery]:
    for path, value in list(places(state)):
        for what, forged in of_other_kind(value):
            if what == "missing" and (path[-1] in ABSENT or path[:-1] in STREAMS):
                continue
            if (what == "none" and value is None) or (what == "empty" and path in STREAMS):
                continue
            yield Forgery(path, value, what, forged, True, True)
        for what, forged, never in of_other_value(value, str(path[-1])):
            yield Forgery(path, value, what, forged, False, never)


def sample(found: Iterator[Forgery], share: float) -> Iterator[Forgery]:
    """This share of them, the same each time, and the first of each kind for each type of value and each key."""
    draw, seen = random.Random(0), set()
    for each in found:
        dtype = each.before.dtype.kind if isinstance(each.before, np.ndarray) else None
        kinds = {(type(each.before), dtype, each.what.split(" at ")[0]), (each.path[-1], each.other_kind)}
        if draw.random() < share or kinds - seen:
            yield each
        seen |= kinds


def tried(call: Callable[[Any], Any], state: Any) -> tuple[CheckpointError | None, Any]:
    """The refusal, or what came of it."""
    try:
        return None, call(state)
    except CheckpointError as error:
        return error, None


SLOW = {"atari"}  # every load resets emulators
LONG = {  # seconds for all that can be forged
    "cmaes",
    "dqn",
    "games set back",
    "one search",
    "one-hot",
    "paused",
    "paused rollout",
    "openai_es",
    "paused, overlapping",
    "ppo",
    "pqn",
    "priorities",
    "reinforce",
    "uct",
    "vacuum",
}
SHARE = 0.03
ALIKE = {"cmaes", "one search", "openai_es", "paused"}  # as genetic, uct and "paused, overlapping" save; all are slow
CASES = [
    *(
        pytest.param(name, SHARE if name in LONG else 1, id=name)
        for name in (*PLUGINS, *OTHERS)
        if name not in SLOW | ALIKE
    ),
    *(pytest.param(name, 1, id=f"{name}, all", marks=pytest.mark.slow) for name in sorted(LONG | SLOW)),
]


@pytest.mark.parametrize(("name", "share"), CASES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numbers that are none
def test_no_value_of_a_state_is_believed(name: str, share: float) -> None:
    subject = Subject(name)
    for _ in range(3):
        subject.algorithm.step()
    if name in PAUSED:
        subject.algorithm.pause_at({"env_steps": subject.algorithm.counters["env_steps"] + 10})
        subject.algorithm.step()
        assert subject.algorithm.paused
        subject.algorithm.pause_at({})
    state = subject.save()
    actions = subject.acts(state)
    following = Subject(name)
    following.load(state)
    row = str(following.algorithm.step())
    for path, _, what, forged, other_kind, never in sample(forgeries(state), share):
        key, changed = "/".join(map(str, path)), with_value(state, path, forged)
        by_load, _ = tried(subject.load, changed)
        by_policy, others = tried(subject.acts, changed) if other_kind or by_load is None else (None, None)
        error = by_load or by_policy
        if other_kind:
            fewer = {"empty": path[-1:], "missing": path[-2:-1]}.get(what, ())
            if error is None and (path[-1] in IGNORED or EMPTY & set(fewer)):
                continue
            assert error is not None, f"{key}: {what} was taken"
            assert named(path, error), f"{key}: {what}: {error}"
            assert by_policy or others == actions, f"{key}: {what}: another policy"
            continue
        assert not never or error is None or named(path, error), f"{key}: {what}: {error}"
        assert error is not None or not never, f"{key}: {what} was taken"
        if error is None:
            try:
                subject.algorithm.step()
            except DivergedError:
                pass
            except Exception as fault:
                raise AssertionError(f"{key}: {what} loads and then fails") from fault
    subject.load(state)
    assert str(subject.algorithm.step()) == row  # all that was forged is forgotten
