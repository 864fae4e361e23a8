"""A game as a video file: H.264 in .mp4, or .gif with a palette of its own.

It is written under a temporary name and renamed when it is whole, so that no half file ever stands under the final one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image

from rltrain.core import Array
from rltrain.errors import MissingError
from rltrain.outputs import check_output
from rltrain.whole_files import refused, replacing_name

SUFFIXES = (".mp4", ".gif")
QUALITY = "18"  # of H.264, its constant rate factor: no difference is seen
GIF_TICKS = 100  # a second; players take a shorter pause than two ticks for a long one
GIF_LEAST = 2
RED_GREEN_BLUE = np.array([1, 1 << 8, 1 << 16], np.uint32)  # where they are in the number of a colour


def check(path: Path) -> None:
    """Raise before anything is played, see `outputs`: InputError, MissingError, DiskError."""
    check_output(path, "a film", SUFFIXES)
    if path.suffix.lower() != ".gif":
        _av()


class Recording:
    """Takes pictures one by one. `close` keeps what was taken so far; `discard` keeps nothing."""

    def __init__(self, path: Path, fps: float) -> None:
        check(path)
        self.path, self.fps, self.frames = path, fps, 0
        self._stack = ExitStack()  # closes what is written aside: to keep it, or with an error to leave no trace
        self._file: Mp4 | Gif | None = None

    def add(self, picture: Array) -> None:
        """uint8 [H, W, 3], the same even size every time. DiskError."""
        with _writing(self):
            if self._file is None:
                kind = Gif if self.path.suffix.lower() == ".gif" else Mp4
                part = self._stack.enter_context(replacing_name(self.path))
                self._file = kind(part, self.fps, picture.shape[0], picture.shape[1])
            self._file.add(picture)
        self.frames += 1

    def close(self) -> None:
        """The file stands under its name, if there was anything to see. DiskError."""
        if self._file is None:
            return
        with _writing(self):
            self._file.close()
            self._stack.close()

    def discard(self) -> None:
        """Leave no trace."""
        with suppress(_Discarded), self._stack:
            raise _Discarded


class _Discarded(Exception):
    """Ends the writing of a file that nobody wants."""


class Mp4:
    """H.264, yuv420p: what every player plays."""

    def __init__(self, path: Path, fps: float, height: int, width: int) -> None:
        self._av = _av()
        rate = Fraction(fps).limit_denominator(1000)
        self._container = self._av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        self._stream = self._container.add_stream("libx264", rate=rate, options={"crf": QUALITY, "preset": "medium"})
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"

    def add(self, picture: Array) -> None:
        self._container.mux(self._stream.encode(self._av.VideoFrame.from_ndarray(picture, format="rgb24")))

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()


class Gif:
    """A palette fits only what is known, so the pictures wait in memory, compressed, until the last is there."""

    def __init__(self, path: Path, fps: float, height: int, width: int) -> None:
        self._path, self._fps, self._shape = path, fps, (height, width, 3)
        self._waiting: list[tuple[int, bytes]] = []  # tick and picture
        self._colours = np.zeros(0, np.uint32)  # all that are seen, as 0xBBGGRR
        self._count = 0

    def add(self, picture: Array) -> None:
        tick = round(self._count * GIF_TICKS / self._fps)
        self._count += 1
        if not self._waiting or tick - self._waiting[-1][0] >= GIF_LEAST:
            self._waiting.append((tick, zlib.compress(picture.tobytes(), 1)))
            self._colours = np.union1d(self._colours, picture.astype(np.uint32) @ RED_GREEN_BLUE)

    def close(self) -> None:
        palette = self._palette()
        ticks = [tick for tick, _ in self._waiting]
        ends = [*ticks[1:], max(ticks[-1] + GIF_LEAST, round(self._count * GIF_TICKS / self._fps))]
        first, *others = (self._coloured(packed, palette) for _, packed in self._waiting)
        shown = [10 * (end - tick) for tick, end in zip(ticks, ends, strict=True)]  # milliseconds
        first.save(self._path, "GIF", save_all=True, append_images=others, duration=shown, loop=0)

    def _palette(self) -> Image.Image:
        """The 256 colours that fit all that are seen best, or these themselves."""
        seen = np.ascontiguousarray(self._colours).astype("<u4").view(np.uint8).reshape(1, -1, 4)[..., :3]
        return Image.fromarray(np.ascontiguousarray(seen)).quantize(256)

    def _coloured(self, packed: bytes, palette: Image.Image) -> Image.Image:
        pixels = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(self._shape)
        return Image.fromarray(pixels).quantize(palette=palette, dither=Image.Dither.NONE)


@contextmanager
def _writing(recording: Recording) -> Iterator[None]:
    """What the disk refuses is a DiskError; whatever goes wrong, no part of a file stays."""
    try:
        yield
    except OSError as error:  # PyAV's own errors of files are among them
        recording.discard()
        raise refused(recording.path, error) from error
    except BaseException:
        recording.discard()
        raise


def _av() -> ModuleType:
    """PyAV. MissingError, naming the command, if it is not installed."""
    try:
        import av
    except ImportError as error:
        raise MissingError(f'--record needs PyAV: pip install "rltrain[watch]" ({error})') from error
    return av
