"""Named random streams. Each purpose draws from its own generator, derived from (seed, name) alone.

A new consumer never shifts an old one, and no global generator is touched. `save` and `load` carry every stream that
was used.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from rltrain.core import State

if TYPE_CHECKING:
    import torch


def derive(seed: int, *keys: int | str) -> int:
    """A 31-bit seed from a seed and keys; the same on every machine."""
    words = [zlib.crc32(key.encode()) if isinstance(key, str) else key for key in keys]
    return int(np.random.SeedSequence([seed, *words]).generate_state(1, np.uint64)[0] >> np.uint64(33))


class Streams:
    """One random generator a name."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._numpy: dict[str, np.random.Generator] = {}
        self._torch: dict[str, torch.Generator] = {}

    def numpy(self, name: str) -> np.random.Generator:
        """The numpy stream of this name; every call returns the same generator."""
        if name not in self._numpy:
            self._numpy[name] = np.random.default_rng(np.random.SeedSequence([self.seed, zlib.crc32(name.encode())]))
        return self._numpy[name]

    def torch(self, name: str) -> torch.Generator:
        """The torch CPU stream of this name; every call returns the same generator."""
        if name not in self._torch:
            import torch

            self._torch[name] = torch.Generator().manual_seed(derive(self.seed, "torch", name))
        return self._torch[name]

    def save(self) -> State:
        return {
            "seed": self.seed,
            "numpy": {name: plain(stream.bit_generator.state) for name, stream in self._numpy.items()},
            "torch": {name: stream.get_state().numpy().copy() for name, stream in self._torch.items()},
        }

    def load(self, state: State) -> None:
        self.seed = state["seed"]
        for name, saved in state["numpy"].items():
            self.numpy(name).bit_generator.state = saved
        for name, saved in state["torch"].items():
            import torch

            self.torch(name).set_state(torch.from_numpy(np.ascontiguousarray(saved)))


def plain(value: Any) -> Any:
    """Generator states as plain ints and strings, which JSON keeps exactly."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return int(value) if isinstance(value, np.integer) else value
