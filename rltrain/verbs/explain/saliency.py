"""Where a policy looks: how much its answer falls where a patch of the picture is blurred (Greydanus et al. 2018).

    S(i, j) = m(I) - m(I (1 - M_ij) + A M_ij)

I is what is seen, A the same blurred by a Gaussian of 3 pixels, M_ij a Gaussian of 5 pixels around (i, j), as in the
paper for 84 x 84; other sizes in proportion, every 4 pixels. All patches are one batch, so a map takes one pass. In a
picture of few cells, such as a grid, a patch is a cell, and takes the commonest value of its channel; so does a patch
of numbers of colours, between which there is nothing. A stack of frames is blurred through all of them. The paper
squares the change of all outputs; here it keeps its sign, and is of one number: positive where what is there speaks for
what was done.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np

from rltrain.core import Array, EnvSpec

SIDE = 84  # pixels, of the paper's pictures
BLUR, PATCH, APART = 3.0, 5.0, 4.0  # pixels of such a picture: two standard deviations, and between patches
FEW = 40  # pixels of a side, below which a patch is a cell
FOR, AGAINST = np.array([60, 255, 120]), np.array([255, 60, 230])  # green, magenta: apart in brightness too
STRONGEST = 0.8  # share of the colour over the picture


def saliency(measure: Callable[[Array], Array], picture: Array, numbered: bool = False) -> Array:
    """[H, W] float64 of a picture [C, H, W]; `measure` takes pictures [N, C, H, W] of its dtype and gives [N].

    `numbered`: its values are numbers of colours.
    """
    height, width = picture.shape[1:]
    image = picture.astype(np.float32)
    if min(height, width) < FEW:
        rows, columns, other, mask = _cells(image)
    else:
        scale = min(height, width) / SIDE
        rows, columns = _centres(height, APART * scale), _centres(width, APART * scale)
        other = _commonest(image) if numbered else blurred(image, BLUR * scale)
        mask = _bumps(height, rows, PATCH * scale)[:, None, :, None] * _bumps(width, columns, PATCH * scale)[:, None, :]
    mask = mask.reshape(len(rows) * len(columns), 1, height, width)
    if numbered:
        mask = (mask > 0.5).astype(np.float32)
    patched = image + (other - image) * mask
    if picture.dtype == np.uint8:
        patched = np.rint(patched)
    found = measure(np.concatenate([picture[None], patched.astype(picture.dtype)]))
    drop = (found[0] - found[1:]).reshape(len(rows), len(columns))
    return resized(drop, height, width)


def _cells(image: Array) -> tuple[Array, Array, Array, Array]:
    """Patches that are single cells: rows, columns, what stands in their place, and masks [cells, 1, H, W]."""
    _, height, width = image.shape
    return np.arange(height), np.arange(width), _commonest(image), np.eye(height * width, dtype=np.float32)


def _commonest(image: Array) -> Array:
    """[C, H, W] the commonest value of each channel."""
    other = np.empty_like(image)
    for channel in range(len(image)):
        values, counts = np.unique(image[channel], return_counts=True)
        other[channel] = values[counts.argmax()]
    return other


def _centres(length: int, apart: float) -> Array:
    """Where patches stand along a side: about so many pixels apart, the same distance from both ends."""
    count = max(1, round(length / apart))
    return (np.arange(count) + 0.5) * length / count - 0.5


def _bumps(length: int, centres: Array, width: float) -> Array:
    """[centres, length] float32, a Gaussian of height 1 around each."""
    away = np.arange(length)[None] - centres[:, None]
    return np.exp(-(away**2) / (2 * width**2)).astype(np.float32)


def blurred(image: Array, width: float) -> Array:
    """A picture [C, H, W] float32 through a Gaussian of this standard deviation; edges go on as they end."""
    reach = max(1, round(3 * width))
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * width**2)).astype(np.float32)
    kernel /= kernel.sum()
    found = image
    for axis in (1, 2):
        around = [(0, 0), (0, 0), (0, 0)]
        around[axis] = (reach, reach)
        padded, size = np.pad(found, around, mode="edge"), image.shape[axis]
        found = sum(weight * np.take(padded, range(at, at + size), axis=axis) for at, weight in enumerate(kernel))
    return np.asarray(found, np.float32)


def resized(values: Array, height: int, width: int) -> Array:
    """Numbers [h, w] as [height, width]: straight lines between the middles of what they stand for."""

    def along(old: int, new: int) -> Array:
        at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        low = np.minimum(at.astype(np.int64), max(0, old - 2))
        weights = np.zeros((new, old))
        weights[np.arange(new), low] = 1 - (at - low)
        weights[np.arange(new), np.minimum(low + 1, old - 1)] += at - low
        return weights

    return np.asarray(along(values.shape[0], height) @ values @ along(values.shape[1], width).T)


def drawn(frame: Array, found: Array, strongest: float, window: tuple[slice, slice] | None = None) -> Array:
    """A map [h, w] over a frame uint8 [H, W, 3]: green speaks for what was done, magenta against it.

    `strongest` is the absolute value that is drawn in full; `window` is the part of the frame that the map is of.
    """
    canvas = frame.astype(np.float64)
    rows, columns = window or (slice(None), slice(None))
    part = canvas[rows.start : rows.stop, columns.start : columns.stop]
    share = resized(found, *part.shape[:2]) / strongest if strongest > 0 else np.zeros(part.shape[:2])
    strength = STRONGEST * np.clip(np.abs(share), 0, 1)[..., None]
    colour = np.where(share[..., None] > 0, FOR, AGAINST)
    part[:] = part * (1 - strength) + colour * strength
    return np.rint(canvas).astype(np.uint8)


def picture_of(spec: EnvSpec, obs: Array) -> Array | None:
    """The picture [C, H, W] in one observation [*obs]: all of it or its first part that is one; None: there is none."""
    if spec.is_image:
        return obs
    part = next((part for part in spec.parts if part.is_image), None)
    return None if part is None else part.of(obs[None])[0]


def with_pictures(spec: EnvSpec, obs: Array, pictures: Array) -> Array:
    """Observations [N, *obs] that are as `obs` but for their pictures [N, C, H, W]."""
    if spec.is_image:
        return pictures
    part = next(part for part in spec.parts if part.is_image)
    found = obs[None].repeat(len(pictures), axis=0)
    found[:, part.start : part.stop] = np.ascontiguousarray(pictures).reshape(len(pictures), -1).view(found.dtype)
    return found


def coloured(spec: EnvSpec, picture: Array) -> Array:
    """What is seen, [C, H, W], as colours uint8 [H, W, 3]: the newest frame of a stack, three channels, or grey."""
    if spec.planes:
        return np.asarray(_in_colours(spec.planes)[picture[-1]])
    values = picture.astype(np.float64)
    if spec.is_image and spec.obs_dtype == "uint8":
        values = values * (255 / max(1, spec.obs_high))
    elif picture.dtype.kind == "f":
        values = values * 255
    elif spec.parts:
        high = next(part.high for part in spec.parts if part.is_image)
        values = values * (255 / max(1, high))
    if len(values) == 3 and spec.frame_stack == 1:
        found = values.transpose(1, 2, 0)
    else:
        found = values[-1][..., None].repeat(3, axis=2)
    return np.clip(np.rint(found), 0, 255).astype(np.uint8)


def _in_colours(planes: tuple[tuple[int, ...], ...]) -> Array:
    """[V, 3] uint8: red, green and blue of each value, where these are its planes; else a hue for each plane."""
    seen = np.array(planes, np.float64)
    if seen.shape[1] != 3:
        hues = [colorsys.hsv_to_rgb(plane / seen.shape[1], plane > 0, 1) for plane in range(seen.shape[1])]
        seen = seen @ np.array(hues)
    return np.clip(np.rint(seen), 0, 255).astype(np.uint8)
