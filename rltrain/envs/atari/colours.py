"""What a game shows in colour, a byte a pixel: the console's own number of it, at the size that a policy sees.

An Atari 2600 has 128 colours, 16 hues of 8 brightnesses, and a game shows about ten of them; in grey some are the same.
An emulator hands out the greatest red, green and blue of its last two frames, since games draw some things in every
other frame alone (Mnih et al. 2015). From these the two colours are found again, and of two the rarer one stands. A
pixel of the small picture has the colour that is the rarest on the screen among those it covers: what is small and
moves is rarer than walls, and is not averaged away.

How it is seen by networks (`EnvSpec.planes`): `rgb`, as red, green and blue, or `palette`, a plane for each hue, with
the brightness as its value.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numba import njit

from rltrain import side_by_side
from rltrain.core import Array
from rltrain.envs.atari.emulators import Advance, Apart, Together

HUES, BRIGHTNESSES = 16, 8
# Red, green and blue of each colour as the emulator gives it, a hue a line (a television of NTSC).
NTSC = (
    "000000 4a4a4a 6f6f6f 8e8e8e aaaaaa c0c0c0 d6d6d6 ececec",
    "484800 69690f 86861d a2a22a bbbb35 d2d240 e8e84a fcfc54",
    "7c2c00 904811 a26221 b47a30 c3903d d2a44a dfb755 ecc860",
    "901c00 a33915 b55328 c66c3a d5824a e39759 f0aa67 fcbc74",
    "940000 a71a1a b83232 c84848 d65c5c e46f6f f08080 fc9090",
    "840064 97197a a8308f b846a2 c659b3 d46cc3 e07cd2 ec8ce0",
    "500084 68199a 7d30ad 9246c0 a459d0 b56ce0 c57cee d48cfc",
    "140090 331aa3 4e32b5 6848c6 7f5cd5 956fe3 a980f0 bc90fc",
    "000094 181aa7 2d32b8 4248c8 545cd6 656fe4 7580f0 8490fc",
    "001c88 183b9d 2d57b0 4272c2 548ad2 65a0e1 75b5ef 84c8fc",
    "003064 185080 2d6d98 4288b0 54a0c5 65b7d9 75cceb 84e0fc",
    "004030 18624e 2d8169 429e82 54b899 65d1ae 75e7c2 84fcd4",
    "004400 1a661a 328432 48a048 5cba5c 6fd26f 80e880 90fc90",
    "143c00 355f18 527e2d 6e9c42 87b754 9ed065 b4e775 c8fc84",
    "303800 505916 6d762b 88923e a0ab4f b7c25f ccd86e e0ec7c",
    "482c00 694d14 866a26 a28638 bb9f47 d2b656 e8cc63 fce070",
)
RGB = np.array([[tuple(bytes.fromhex(colour)) for colour in line.split()] for line in NTSC], np.uint8).reshape(-1, 3)
MOST = 256  # different values on one screen, mixtures of two colours among them
SLOTS = 1024  # of a table of them


def planes(how: Literal["rgb", "palette"]) -> Array:
    """What a network sees of each colour, [128, P] uint8: red, green and blue, or its brightness in its hue's plane.

    Black is nothing in all planes.
    """
    if how == "rgb":
        return RGB
    found = np.zeros((len(RGB), HUES), np.uint8)
    for colour in range(1, len(RGB)):
        hue, brightness = divmod(colour, BRIGHTNESSES)
        found[colour, hue] = round(255 * (brightness + (hue > 0)) / BRIGHTNESSES)
    return found


class Coloured:
    """Emulators that show stacks of small pictures [N, k, size, size], each pixel the number of a colour."""

    def __init__(self, emulators: Together | Apart, num_envs: int, stack: int, size: int, threads: int) -> None:
        """`emulators` show their screens as they are, [N, 1, height, width, 3]."""
        self._emulators, self.names = emulators, emulators.names
        self._obs = np.zeros((num_envs, stack, size, size), np.uint8)
        self._over, self._open = np.zeros(num_envs, bool), np.ones(num_envs, bool)
        self._threads = max(1, min(threads, num_envs))

    def reset(self, seeds: Array, which: Array) -> tuple[Array, Array]:
        screens, lives = self._emulators.reset(seeds, which)
        obs = self._obs.copy()
        obs[which, :-1] = 0
        self._see(screens, np.flatnonzero(which), obs)
        self._obs, self._over = obs, self._over & ~which
        return obs, lives

    def step(self, action: Array) -> Advance:
        said = self._emulators.step(action)
        obs = np.empty_like(self._obs)
        obs[:, :-1] = self._obs[:, 1:]
        obs[self._over, :-1] = 0  # a game has just opened here
        obs[~self._open] = self._obs[~self._open]
        self._see(said.obs, np.flatnonzero(self._open), obs)
        self._obs, self._over = obs, said.terminated | said.truncated
        return said._replace(obs=obs)

    def _see(self, screens: Array, which: Array, obs: Array) -> None:
        """The newest pictures of these environments, from their screens."""
        shares = np.array_split(which, self._threads)
        side_by_side.each(lambda i: _look(screens, shares[i], RGB, obs), range(self._threads), self._threads)

    def retire(self, which: Array) -> None:
        """RuntimeError if they were not made `apart`."""
        if not isinstance(self._emulators, Apart):
            raise RuntimeError("these emulators are one vector, and step together")
        self._emulators.retire(which)
        self._open &= ~which

    def close(self) -> None:
        self._emulators.close()


@njit(cache=True, nogil=True)
def _look(screens: Any, which: Any, rgb: Any, obs: Any) -> None:
    """screens [N, 1, H, W, 3] -> the last picture of obs [N, k, h, w], of the environments in `which`."""
    height, width = screens.shape[2], screens.shape[3]
    seen = np.empty((height, width), np.uint8)  # numbers of values, in the order of their first pixel
    rank = np.empty(MOST, np.uint8)  # of values, the rarer the higher
    of_rank = np.empty(MOST, np.uint8)
    again = np.empty(height, np.bool_)  # rows that are as the one above: half of a screen and more
    for n in which:
        _repeated(screens[n, 0].reshape(height, -1), again)
        _values(screens[n, 0].reshape(height, -1), seen, again, rgb, rank, of_rank)
        _shrink(seen, again, rank, of_rank, obs[n, -1])


@njit(cache=True, nogil=True)
def _repeated(screen: Any, again: Any) -> None:
    """Which rows of a screen [H, 3 W] are as the one above."""
    again[0] = False
    for y in range(1, len(screen)):
        row, above, apart = screen[y], screen[y - 1], np.uint8(0)
        for x in range(len(row)):
            apart |= row[x] ^ above[x]
        again[y] = apart == 0


@njit(cache=True, nogil=True)
def _values(screen: Any, seen: Any, again: Any, rgb: Any, rank: Any, of_rank: Any) -> None:
    """Number the values of a screen [H, 3 W] in seen [H, W], and rank them by how rare their colours are.

    again    rows that are as the one above; they are not written
    rank     of a value, by its number
    of_rank  the colour of a rank
    """
    slots, number = np.full(SLOTS, -1, np.int64), np.empty(SLOTS, np.int64)
    values, pixels = np.empty(MOST, np.int64), np.zeros(MOST, np.int64)
    count, before, now = 0, np.uint32(0xFF000000), np.uint8(0)
    for y in range(len(screen)):
        if again[y]:
            continue
        row, line, since, rows = screen[y], seen[y], 0, 1
        while y + rows < len(screen) and again[y + rows]:
            rows += 1
        for at in range(len(line)):
            value = np.uint32(row[3 * at]) << np.uint32(16) | np.uint32(row[3 * at + 1]) << np.uint32(8)
            value |= np.uint32(row[3 * at + 2])
            if value != before:
                pixels[now] += rows * (at - since)
                slot = np.int64(value) * 2654435761 >> 8 & SLOTS - 1
                while slots[slot] != value and slots[slot] >= 0:
                    slot = slot + 1 & SLOTS - 1
                if slots[slot] < 0 and count < MOST:
                    slots[slot], number[slot], values[count] = value, count, value
                    count += 1
                now, before, since = np.uint8(number[slot] if slots[slot] == value else 0), value, at
            line[at] = now
        pixels[now] += rows * (len(line) - since)
    colours, of_value = np.zeros(len(rgb), np.int64), np.full(MOST, -1, np.int64)
    for i in range(count):
        for c in range(len(rgb)):
            if values[i] == np.int64(rgb[c, 0]) << 16 | np.int64(rgb[c, 1]) << 8 | np.int64(rgb[c, 2]):
                of_value[i] = c
                colours[c] += pixels[i]
                break
    everything = np.arange(len(rgb))
    for part in range(4):  # a mixture of two mixed ones is known once they are; then of any two; then what is nearest
        shown, known = everything if part == 2 else np.flatnonzero(colours), colours.copy()
        for i in range(count):
            if of_value[i] < 0:
                of_value[i] = _of_two(values[i], rgb, shown, known, part == 3)
                if of_value[i] >= 0:
                    colours[of_value[i]] += pixels[i]
    order = np.argsort(-colours, kind="mergesort")  # the most common first
    place = np.empty(len(rgb), np.int64)
    for i in range(len(rgb)):
        place[order[i]] = i
        of_rank[i] = order[i]
    for i in range(count):
        rank[i] = place[of_value[i]]


@njit(cache=True, nogil=True)
def _of_two(value: Any, rgb: Any, shown: Any, colours: Any, nearest: Any) -> Any:
    """The colour that mixes to this value with one of those `shown` that is no rarer; of several the nearest to it.

    Where none does: -1, or the one that is the `nearest` of all.
    """
    red, green, blue = value >> 16, value >> 8 & 255, value & 255
    best, least = -1, np.int64(0)
    for b in range(len(rgb)):
        r, g, b_ = np.int64(rgb[b, 0]), np.int64(rgb[b, 1]), np.int64(rgb[b, 2])
        fits = nearest
        if not nearest and r <= red and g <= green and b_ <= blue:
            for a in shown:
                fits |= (
                    colours[a] >= colours[b]
                    and max(rgb[a, 0], r) == red
                    and max(rgb[a, 1], g) == green
                    and max(rgb[a, 2], b_) == blue
                )
        away = (r - red) ** 2 + (g - green) ** 2 + (b_ - blue) ** 2
        if fits and (best < 0 or away < least):
            best, least = b, away
    return best


@njit(cache=True, nogil=True)
def _shrink(seen: Any, again: Any, rank: Any, of_rank: Any, picture: Any) -> None:
    """Each pixel of the picture [h, w] has the rarest colour of its part of the screen; the parts cover it once."""
    height, width = seen.shape
    h, w = picture.shape
    row, ranked, written = np.empty(width, np.uint8), np.empty(width, np.uint8), -1
    first, last = np.empty(w, np.uint32), np.empty(w, np.uint32)  # columns that each pixel covers
    for x in range(w):
        first[x], last[x] = x * width // w, max((x + 1) * width // w, x * width // w + 1) - 1
    for y in range(h):
        top, bottom = y * height // h, max((y + 1) * height // h, y * height // h + 1)
        for line in range(top, bottom):
            if line > written and not again[line]:
                for x in range(width):
                    ranked[x] = rank[seen[line, x]]
            written = line
            if line == top:
                row[:] = ranked
            elif not again[line]:
                for x in range(width):
                    row[x] = max(row[x], ranked[x])
        for x in range(w):
            highest = row[first[x]]
            for at in range(first[x] + np.uint32(1), last[x] + np.uint32(1)):
                highest = max(highest, row[at])
            picture[y, x] = of_rank[highest]
