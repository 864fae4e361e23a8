"""Tiles of pictures, each of which is computed with once: games show the same few hundred wherever one looks.

Of the 112,896 tiles of 4 x 4 pixels in 64 stacks of Ms. Pac-Man 1,358 are different (bench/pacman_colours.py). What a
layer makes of these is then added up where they stand; the way back adds up gradients by tile. On the processor, by
compiled loops, without Python's lock.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor

WORD = 8  # bytes that are compared at once, where they divide a tile


class Distinct(NamedTuple):
    """Tiles without repetition."""

    tiles: Tensor  # [D, S] uint8, in the order in which they are met
    number: Tensor  # [T, C] int32, which of them stands in a place and a channel


def distinct(tiles: Tensor, channels: int) -> Distinct:
    """Of tiles [M, h, w, C S] uint8, which lie in order; T = M h w."""
    places = tiles.reshape(-1, channels, tiles.shape[-1] // channels)
    every = places.flatten(0, 1).numpy()  # [T C, S]
    words = every.view(np.uint64) if every.shape[1] % WORD == 0 else every
    number, first = np.empty(len(words), np.int32), np.empty(len(words), np.int32)
    count = _number(words, np.full(2 << len(words).bit_length(), -1, np.int32), number, first)
    return Distinct(torch.from_numpy(every[first[:count]]), torch.from_numpy(number).view(-1, channels))


def placed(parts: Tensor, number: Tensor, bias: Tensor) -> Tensor:
    """Sums [T, F] of what the tiles in a place are worth, one a channel. parts [D, C, F] float32, number [T, C].

    It is differentiable, for parts and for bias [F].
    """
    found: Tensor = _Placed.apply(parts, number, bias)  # type: ignore[no-untyped-call]
    return found


def by_tile(rows: Tensor, number: Tensor, count: int) -> Tensor:
    """The way back of `placed`: rows [T, F] added up by tile and channel, [D, C, F] float32, of `count` tiles."""
    sums = np.zeros((count, number.shape[1], rows.shape[1]), np.float32)
    _add_up(rows.detach().float().contiguous().numpy(), number.numpy(), sums)
    return torch.from_numpy(sums)


class _Placed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, parts: Tensor, number: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(number)
        ctx.count = len(parts)
        sums = np.empty((len(number), parts.shape[2]), np.float32)
        _place(parts.detach().contiguous().numpy(), number.numpy(), bias.detach().float().numpy(), sums)
        return torch.from_numpy(sums)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, Tensor]:
        (number,), (rows,) = ctx.saved_tensors, gradients
        return by_tile(rows, number, ctx.count), None, rows.sum(0)


# The loops


@njit(cache=True, nogil=True)
def _number(words: Any, slots: Any, number: Any, first: Any) -> Any:
    """Number the rows of words [N, L] by what they are; `first`: where each number is met first. How many there are.

    slots  a power of two, more than N of them, all -1
    """
    count, last = 0, np.uint64(len(slots) - 1)
    for n in range(len(words)):
        row = words[n]
        mixed = np.uint64(0)
        for i in range(len(row)):
            mixed = (mixed ^ np.uint64(row[i])) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        slot = mixed & last
        while True:
            known = slots[slot]
            if known < 0:
                slots[slot], first[count], number[n] = count, n, count
                count += 1
                break
            other, same = words[first[known]], True
            for i in range(len(row)):
                same &= row[i] == other[i]
            if same:
                number[n] = known
                break
            slot = slot + np.uint64(1) & last
    return count


@njit(cache=True, nogil=True)
def _place(parts: Any, number: Any, bias: Any, sums: Any) -> None:
    """parts [D, C, F], number [T, C], bias [F] -> sums [T, F]."""
    for t in range(len(sums)):
        out = sums[t]
        for j in range(len(out)):
            out[j] = bias[j]
        for c in range(number.shape[1]):
            part = parts[np.uint32(number[t, c]), np.uint32(c)]
            for j in range(len(out)):
                out[j] += part[j]


@njit(cache=True, nogil=True)
def _add_up(rows: Any, number: Any, sums: Any) -> None:
    """rows [T, F], number [T, C] -> added to sums [D, C, F]."""
    for t in range(len(rows)):
        row = rows[t]
        for c in range(number.shape[1]):
            out = sums[np.uint32(number[t, c]), np.uint32(c)]
            for j in range(len(row)):
                out[j] += row[j]
