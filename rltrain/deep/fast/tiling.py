"""Images and the squares that tile them: numbers moved by compiled loops, on the processor, without Python's lock.

Numbers are moved as they are, as words of their size: a float is positive where its bits, as an integer, are.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

BYTES = 256  # different ones
WORD = 4  # bytes of pixels that are moved as one number
WORDS = {torch.float32: torch.int32, torch.bfloat16: torch.int16}


# Pixels


def channels_last(obs: Tensor) -> Tensor:
    """uint8 [M, C, H, W], the same pixels with their channels side by side in memory. Four channels go at once."""
    if obs.is_cuda or obs.shape[1] != WORD or not obs.is_contiguous() or sys.byteorder != "little":
        return obs.contiguous(memory_format=torch.channels_last)
    m, c, h, w = obs.shape
    words = np.empty((m, h * w), np.uint32)
    _weave(obs.numpy().reshape(m, c, h * w), words)
    return torch.from_numpy(words).view(torch.uint8).view(m, h, w, c).permute(0, 3, 1, 2)


def table_of(planes: np.ndarray[Any, Any]) -> Tensor:
    """Planes [V, P] uint8 of values as [256, P], for every byte: 0 from V on."""
    return torch.from_numpy(np.pad(planes, ((0, BYTES - len(planes)), (0, 0))))


def in_planes(obs: Tensor, table: Tensor) -> Tensor:
    """uint8 [M, C, H, W] -> [M, C P, H, W]: for each channel the planes of its values, by their `table_of` them.

    The table lies where the observations do: on a GPU nothing may go there while an update is recorded.
    """
    m, c, h, w = obs.shape
    if obs.is_cuda:
        found = table[obs.long()]
        return found.permute(0, 1, 4, 2, 3).reshape(m, -1, h, w)
    out = np.empty((m, c, table.shape[1], h * w), np.uint8)
    _in_planes(obs.contiguous().numpy().reshape(m, c, h * w), np.ascontiguousarray(table.numpy().T), out)
    return torch.from_numpy(out).view(m, c * table.shape[1], h, w)


def pixel_tiles(obs: Tensor, k: int) -> Tensor:
    """uint8 [M, C, H, W] -> [M, h, w, C k k]: squares of k x k pixels. What no square reaches is left out."""
    m, c, height, width = obs.shape
    h, w = height // k, width // k
    if obs.is_cuda or not obs.is_contiguous():
        squares = obs[:, :, : h * k, : w * k].reshape(m, c, h, k, w, k)
        return squares.permute(0, 2, 4, 1, 3, 5).reshape(m, h, w, c * k * k)
    planes = obs.numpy().reshape(m, c, height, width)
    if k == WORD and width % WORD == 0:
        words = np.empty((m, h, w, c, k), np.uint32)
        _tile_words(planes.view(np.uint32), words)
        return torch.from_numpy(words).view(torch.uint8).view(m, h, w, c * k * k)
    tiles = np.empty((m, h, w, c * k * k), np.uint8)
    _tile_bytes(planes, k, tiles)
    return torch.from_numpy(tiles)


# What a layer gives, channels last


def tiles(x: Tensor, k: int) -> Tensor:
    """[M, H, W, C] -> [M, h, w, k k C]. Rows and columns that no square reaches are left out."""
    m, height, width, c = x.shape
    h, w = height // k, width // k
    if not _plain(x):
        rows = x[:, : h * k, : w * k]
        return rows.reshape(m, h, k, w, k * c).transpose(2, 3).reshape(m, h, w, k * k * c)
    out = torch.empty((m, h, w, k * k * c), dtype=x.dtype)
    _tile(_words(x).reshape(m, height, width * c), _words(out).reshape(m, h, w, k, k * c))
    return out


def untiled(tiles: Tensor, output: Tensor, k: int) -> Tensor:
    """The way back of `tiles` and of the ReLU before it: [M, h, w, k k C] -> [M, H, W, C].

    Zeros where `output` [M, H, W, C], what the ReLU gave, is not positive, and where no square reaches.
    """
    m, height, width, c = output.shape
    h, w = height // k, width // k
    if not (_plain(tiles) and _plain(output)):
        rows = tiles.view(m, h, w, k, k * c).transpose(2, 3).reshape(m, h * k, w * k, c)
        rows = torch.nn.functional.pad(rows, (0, 0, 0, width - w * k, 0, height - h * k))
        passed: Tensor = torch.ops.aten.threshold_backward(rows, output, 0)
        return passed
    out = torch.empty_like(output)
    words = [_words(x).reshape(m, height, width * c) for x in (output, out)]
    _untile(_words(tiles).reshape(m, h, w, k, k * c), *words)
    return out


def _plain(x: Tensor) -> bool:
    """Whether a compiled loop may read it: nothing to differentiate, and here in order."""
    return not (x.is_cuda or x.requires_grad) and x.is_contiguous() and x.dtype in WORDS


def _words(x: Tensor) -> Any:
    return x.detach().view(WORDS[x.dtype]).numpy()


# The loops


@njit(cache=True, nogil=True)
def _weave(planes: Any, words: Any) -> None:
    """planes [M, 4, P] uint8 -> words [M, P], the first plane's byte the lowest."""
    for m in range(words.shape[0]):
        a, b, c, d, out = planes[m, 0], planes[m, 1], planes[m, 2], planes[m, 3], words[m]
        for p in range(words.shape[1]):
            low = np.uint32(a[p]) | np.uint32(b[p]) << np.uint32(8)
            out[p] = low | np.uint32(c[p]) << np.uint32(16) | np.uint32(d[p]) << np.uint32(24)


@njit(cache=True, nogil=True)
def _in_planes(values: Any, planes: Any, out: Any) -> None:
    """values [M, C, A], planes [P, V] -> out [M, C, P, A]."""
    for m in range(values.shape[0]):
        for c in range(values.shape[1]):
            row = values[m, c]
            for p in range(planes.shape[0]):
                plane, to = planes[p], out[m, c, p]
                for i in range(len(row)):
                    to[i] = plane[row[i]]


@njit(cache=True, nogil=True)
def _tile_words(planes: Any, words: Any) -> None:
    """planes [M, C, H, w], four pixels a number -> words [M, h, w, C, 4]."""
    count, height, width, channels, rows = words.shape
    for m in range(count):
        for y in range(height):
            out = words[m, y]
            for c in range(channels):
                for i in range(rows):
                    row = planes[m, c, y * rows + i]
                    for x in range(width):
                        out[x, c, i] = row[x]


@njit(cache=True, nogil=True)
def _tile_bytes(planes: Any, k: Any, squares: Any) -> None:
    """planes [M, C, H, W] -> squares [M, h, w, C k k]."""
    count, height, width, size = squares.shape
    for m in range(count):
        for y in range(height):
            out = squares[m, y].reshape(width * size)
            for c in range(planes.shape[1]):
                for i in range(k):
                    row, to = planes[m, c, y * k + i], (c * k + i) * k
                    for x in range(width):
                        for j in range(k):
                            out[x * size + to + j] = row[x * k + j]


@njit(cache=True, nogil=True)
def _tile(image: Any, squares: Any) -> None:
    """image [M, H, W C] -> squares [M, h, w, k, k C]."""
    count, height, width, k, run = squares.shape
    for m in range(count):
        for y in range(height):
            for i in range(k):
                row = image[m, y * k + i]
                for x in range(width):
                    out, from_ = squares[m, y, x, i], row[x * run : (x + 1) * run]
                    for j in range(run):
                        out[j] = from_[j]


@njit(cache=True, nogil=True)
def _untile(squares: Any, output: Any, image: Any) -> None:
    """squares [M, h, w, k, k C] -> image [M, H, W C], zeros where `output` is not positive or no square is."""
    count, height, width, k, run = squares.shape
    for m in range(count):
        for row in range(image.shape[1]):
            out, passed = image[m, row], output[m, row]
            y, i = row // k, row % k
            if y >= height:
                out[:] = 0
                continue
            for x in range(width):
                from_, to, open_ = squares[m, y, x, i], out[x * run : (x + 1) * run], passed[x * run : (x + 1) * run]
                for j in range(run):
                    to[j] = from_[j] if open_[j] > 0 else 0
            out[width * run :] = 0
