"""Named random streams. Each purpose draws from its own generator, derived from (seed, name) alone.

A new consumer never shifts an old one, and no global generator is touched. `save` and `load` carry every stream that
was used.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from rltrain.core import Array, State
from rltrain.saved import MAX_SEED, Saved

if TYPE_CHECKING:
    import torch

TWISTER = 624  # words of torch's Mersenne twister


def derive(seed: int, *keys: int | str) -> int:
    """A 31-bit seed from a seed and keys; the same on every machine."""
    words = [zlib.crc32(key.encode()) if isinstance(key, str) else key for key in keys]
    return int(np.random.SeedSequence([seed, *words]).generate_state(1, np.uint64)[0] >> np.uint64(33))


def derive_run(seed: int, key: int, first: int, count: int) -> list[int]:
    """[derive(seed, key, number) for number from `first` on], many at once in a twentieth of the time.

    The arithmetic is numpy's SeedSequence, of O'Neill 2015, "Developing a seed_seq alternative". All below 2^32.
    """
    if max(seed, key, first + count) >= 1 << 32:
        return [derive(seed, key, number) for number in range(first, first + count)]
    number = np.arange(first, first + count, dtype=np.uint32)
    pool: list[Array] = [
        np.full(count, seed, np.uint32),
        np.full(count, key, np.uint32),
        number,
        np.zeros(count, np.uint32),
    ]
    constant = 0x43B0D7E5

    def hashed(value: Array) -> Array:
        nonlocal constant
        value = value ^ np.uint32(constant)
        constant = constant * 0x931E8875 & 0xFFFFFFFF
        value = value * np.uint32(constant)
        return np.asarray(value ^ value >> np.uint32(16))

    pool = [hashed(word) for word in pool]
    for source in range(4):
        for target in range(4):
            if source != target:
                mixed: Array = pool[target] * np.uint32(0xCA01F9DD) - hashed(pool[source]) * np.uint32(0x4973F715)
                pool[target] = mixed ^ mixed >> np.uint32(16)
    word = (pool[1] ^ np.uint32(0x8B51F9DD * 0x58F38DED & 0xFFFFFFFF)) * np.uint32(
        0x8B51F9DD * 0x58F38DED * 0x58F38DED & 0xFFFFFFFF
    )
    high = word ^ word >> np.uint32(16)  # of the 64 bits that `derive` takes 31 of
    return [int(each) for each in (high >> np.uint32(1)).tolist()]


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
        """A stream that the state lacks is of a purpose that was added since it was saved, and stays as it began."""
        saved = Saved.of(state)
        self.seed = saved.integer("seed", 0, MAX_SEED)
        of_numpy, of_torch = saved.part("numpy"), saved.part("torch")
        for name in of_numpy:
            restore(self.numpy(name), of_numpy.part(name))
        for name in of_torch:
            import torch

            stream = self.torch(name)
            numbers = of_torch.array(name, "uint8", tuple(stream.get_state().shape))
            if not _is_twister(numbers):
                of_torch.refuse(name, "is no state of torch's generator")
            stream.set_state(torch.from_numpy(numbers))


def restore(stream: np.random.Generator, saved: Saved) -> None:
    """Set a stream to the state that `plain` made of its own. CheckpointError for what is no state of a PCG64."""
    inner = saved.part("state")
    stream.bit_generator.state = {
        "bit_generator": saved.text("bit_generator", among=("PCG64",)),
        "state": {key: inner.integer(key, 0, 2**128 - 1) for key in ("state", "inc")},
        "has_uint32": saved.integer("has_uint32", 0, 1),
        "uinteger": saved.integer("uinteger", 0, 2**32 - 1),
    }


def _is_twister(numbers: Array) -> bool:
    """Whether torch may go on from these bytes: it reads its next word without asking whether there is one.

    They begin with seed (8 bytes), words left (4), whether seeded (4), and the place of the next word (8).
    """
    left, seeded = numbers[8:16].view(np.int32).tolist()
    place = int(numbers[16:24].view(np.uint64)[0])
    return seeded == 1 and 1 <= left <= TWISTER and (place + left == TWISTER + 1 or (left, place) == (1, 0))


def plain(value: Any) -> Any:
    """Generator states as plain ints and strings, which JSON keeps exactly."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return int(value) if isinstance(value, np.integer) else value
