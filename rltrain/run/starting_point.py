"""The run that a new one starts from: what was learned there is part of the new run's first state.

The new run is its own from then on: exact, and resumed without the other. Its run.json says which checkpoint it started
from, by the hash of the manifest, which holds the hash of every byte of it. `rltrain.warm_start` says what is taken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rltrain import registry
from rltrain.core import Algorithm, Env
from rltrain.errors import CheckpointError, InputError, RltrainError
from rltrain.experiment.config import Experiment
from rltrain.run.disk import REAL, Damaged, disk_errors
from rltrain.run.reading import Loaded, read_manifest
from rltrain.saved import Saved, loading
from rltrain.steps import Normalizing
from rltrain.warm_start import Taken, WarmSource

STARTED_FROM = "started_from"  # of run.json
STATISTICS = {"obs": ("observations", "NormalizeObservation"), "returns": ("rewards", "NormalizeReward")}


@dataclass(frozen=True)
class StartingPoint:
    """A checkpoint that a new run starts from."""

    path: Path  # of its folder
    loaded: Loaded
    experiment: Experiment  # that made it

    def give(self, algorithm_name: str, algorithm: Algorithm) -> Taken:
        """Let a new algorithm take over what it can. InputError, which names what cannot be; CheckpointError."""
        plugin = registry.plugin(algorithm_name)
        what = f"cannot start from {self.path}"
        if plugin.warm_start is None:
            raise InputError(f"{what}: {algorithm_name} takes over nothing of another run; {', '.join(_able())} do")
        state = self.loaded.state.part("algorithm")
        source = WarmSource(self.experiment.algorithm_name, self.experiment.algorithm, state)
        try:
            with loading(self.loaded.name):
                taken: Taken = plugin.warm_start(algorithm, source)
        except InputError as error:
            raise InputError(f"{what}: {error}") from error
        return taken

    def give_statistics(self, env: Env) -> Taken:
        """Let the environments of a new run go on from what was seen there, where both normalise. CheckpointError."""
        here = env.statistics.save() if isinstance(env, Normalizing) else {}
        state = self.loaded.state
        there = state.part("world") if "world" in state else state.with_values({})
        begun, taken, left = dict(here), [], []
        with loading(self.loaded.name):
            for key, (what, wrapper) in STATISTICS.items():
                own, saved = here.get(key), there.part(key) if there.get(key) is not None else None
                if saved is None:
                    left += [f"{what} were not normalised there, so {wrapper} begins anew"] if own else []
                elif own is None:
                    left.append(f"the statistics of {what}: there {wrapper} normalised them, here nothing does")
                elif differ := _shapes_apart(own["mean"].shape, saved):
                    left.append(f"the statistics of {what}: {differ}")
                else:
                    moments = {name: saved[name] for name in ("mean", "variance", "count")}
                    begun[key] = saved.with_values({**own, **moments})
                    taken.append(f"the statistics of {round(saved.number('count', 0)):,} {what}")
            if isinstance(env, Normalizing):
                env.statistics.load(there.with_values(begun))
        return Taken(taken, left)

    def facts(self, taken: Taken) -> Mapping[str, Any]:
        """What run.json says of it."""
        where = self.path.parent.parent if self.path.parent.name == "checkpoints" else self.path
        return {
            "run": str(where),
            "checkpoint": self.loaded.name,
            "sha256": manifest_hash(self.path),
            "algorithm": self.experiment.algorithm_name,
            "environment": self.experiment.environment.name,
            "taken": list(taken.taken),
            "not_taken": list(taken.left),
        }


def manifest_hash(checkpoint: Path) -> str:
    """The sha256 of a checkpoint's manifest, which holds those of all its bytes. CheckpointError, DiskError."""
    with disk_errors(f"cannot read {checkpoint}"):
        try:
            _, manifest = read_manifest(REAL, checkpoint)
        except Damaged as fault:
            raise CheckpointError(str(fault)) from fault
    return hashlib.sha256(manifest).hexdigest()


def _shapes_apart(own: tuple[int, ...], saved: Saved) -> str:
    """How the shape of what was seen differs from one's own, in words; "": it does not. CheckpointError."""
    there, here = ("x".join(map(str, shape)) for shape in (saved.any_shape("mean", "float64").shape, own))
    return "" if there == here else f"of {there} numbers there, of {here} here"


def _able() -> list[str]:
    """The algorithms that can start from another run."""
    found = []
    for name in registry.names():
        with suppress(RltrainError):  # one of another package that cannot be loaded
            found += [name] if registry.plugin(name).warm_start is not None else []
    return found
