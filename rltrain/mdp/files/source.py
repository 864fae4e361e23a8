"""Where a model or a policy is read from: a regular file or standard input (`-`), unpacked where it is gzip's.

    kind of file         at most, once unpacked
    .yaml .yml           1 MB
    .csv .json           2 GB
    .mdp .pomdp          500 MB
    .npz                 what the disk holds; 4 GB from standard input or within .gz

Only regular files are opened: a pipe would wait for ever, and /dev/zero has no end. What is packed is unpacked into a
temporary file before anything is made of it, and not beyond 200 times its size: models do not pack so well.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import sys
import tempfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from rltrain import yaml_subset
from rltrain.errors import InputError
from rltrain.mdp.files.header import begins_as_rows
from rltrain.plain_files import open_plain, reason
from rltrain.spelling import nearest, shown

STANDARD_INPUT = "-"
PACKED = ".gz"
LIMITS = {  # suffix -> bytes of a text
    ".yaml": yaml_subset.MAX_BYTES,
    ".yml": yaml_subset.MAX_BYTES,
    ".csv": 2_000_000_000,
    ".json": 2_000_000_000,
    ".mdp": 500_000_000,
    ".pomdp": 500_000_000,
}
MOST_UNPACKED = 4_000_000_000  # bytes of arrays that come packed, or from standard input
RATIO = 200  # the most that a byte of a packed text stands for
SMALL = 10_000_000  # bytes up to which the ratio is nobody's concern
HELD = 16 << 20  # bytes of a temporary file that stay in memory
BLOCK = 1 << 20
_CASSANDRA = re.compile(r"^(?:[TRO]\s*:|actions\s*:[ \t]*[^\s\[])", re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """A file to read from its start, as often as one likes."""

    file: IO[bytes]  # seekable
    size: int  # bytes
    text: str  # what messages call it
    suffix: str  # of its format: ".csv" of "model.csv.gz"
    stem: str  # what a model without a name is called

    def whole(self, most: int | None = None) -> str:
        """All of it as UTF-8. InputError where it is longer than its kind may be or than `most`, or is no text."""
        limit = LIMITS[self.suffix] if most is None else min(most, LIMITS[self.suffix])
        data = self.file.read(limit + 1) if self.size <= limit else None
        if data is None or len(data) > limit:
            raise InputError(f"{self.text}: larger than {limit:,} bytes{too_large(self.suffix)}")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            wrong = data[error.start]
        raise InputError(f"{self.text}:{line}: not text in UTF-8: the byte 0x{wrong:02x}")

    def lines(self, longest: int) -> Iterator[str]:
        """Its lines, with their ends. InputError for one of more characters, before more of it is read."""
        number = 0
        try:
            with io.TextIOWrapper(self.file, encoding="utf-8-sig", newline="") as text:
                while line := text.readline(longest + 1):
                    number += 1
                    if len(line) > longest:
                        raise InputError(f"{self.text}:{number}: a line of more than {longest:,} characters")
                    yield line
        except UnicodeDecodeError as error:
            raise InputError(f"{self.text}:{number + 1}: not text in UTF-8: {error.reason}") from None


def too_large(suffix: str) -> str:
    """The end of a sentence about a file that is: what to take in its place."""
    return "; a model that large belongs in an .npz file" if suffix != ".json" else "; take an .npz file"


def suffix_of(path: Path) -> str:
    """The suffix that says the format: `.csv` of `model.csv` and of `model.csv.gz`; empty for standard input."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix == PACKED else suffix


@contextmanager
def opened(path: Path, suffixes: Collection[str]) -> Iterator[Source]:
    """The file, open. `suffixes` are those of the formats that it may have. InputError for what cannot be read."""
    if str(path) == STANDARD_INPUT:
        with _standard_input() as source:
            yield source
        return
    text, suffix = shown(str(path)), suffix_of(path)
    if suffix not in suffixes:
        raise InputError(f"{text}: cannot read '{shown(suffix)}'; its name must end in {' '.join(suffixes)}")
    with _regular(path, suffixes) as file:
        size = os.fstat(file.fileno()).st_size
        if size > LIMITS.get(suffix, size):
            raise InputError(f"{text}: larger than {LIMITS[suffix]:,} bytes{too_large(suffix)}")
        if path.suffix.lower() != PACKED:
            yield Source(file, size, text, suffix, path.stem)
            return
        with _unpacked(file, text, suffix, size, Path(path.stem).stem) as source:
            yield source


def _regular(path: Path, suffixes: Collection[str]) -> IO[bytes]:
    """A regular file, or what a link to one leads to. Neither reads a device nor waits for a pipe."""
    try:
        return open_plain(path, follow=True)
    except (FileNotFoundError, NotADirectoryError):
        raise missing(path, suffixes) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(str(path))}: cannot be read: {reason(error)}") from error


def missing(path: Path, suffixes: Collection[str]) -> InputError:
    """No such file; did you mean one that is there?"""
    where = path.parent if path.parent.is_dir() else None
    names: list[str] = []
    if where is not None:
        with suppress(OSError):
            names = [entry.name for entry in where.iterdir() if suffix_of(entry) in suffixes]
    found = nearest(path.name, names) if names else None
    hint = f"; did you mean '{shown(str(path.with_name(found)))}'?" if found else ""
    return InputError(f"{shown(str(path))}: no such file{hint}")


@contextmanager
def _standard_input() -> Iterator[Source]:
    """Standard input in a temporary file. Its format is told by its first bytes."""
    text = "standard input"
    head = _block(sys.stdin.buffer, text)
    packed = head.startswith(b"\x1f\x8b")
    suffix = "" if packed else recognised(head, text)
    with _kept(sys.stdin.buffer, head, suffix, text) as (file, size):
        if not packed:
            yield Source(file, size, text, suffix, "model")
            return
        with _unpacked(file, text, "", size) as source:
            yield source


@contextmanager
def _unpacked(file: IO[bytes], text: str, suffix: str, size: int, stem: str = "model") -> Iterator[Source]:
    """What is in a .gz file of `size` bytes, in a temporary file. Without a suffix the format is told by it."""
    stream = cast(IO[bytes], gzip.GzipFile(fileobj=file, mode="rb"))
    head = _block(stream, text)
    suffix = suffix or recognised(head, text)
    with _kept(stream, head, suffix, text, size) as (whole, unpacked):
        yield Source(whole, unpacked, text, suffix, stem)


def _block(stream: IO[bytes], text: str) -> bytes:
    """The next bytes; none at the end."""
    try:
        return stream.read(BLOCK)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{text}: damaged, or no .gz file: {shown(str(error))}") from error


@contextmanager
def _kept(
    stream: IO[bytes], head: bytes, suffix: str, text: str, packed: int | None = None
) -> Iterator[tuple[IO[bytes], int]]:
    """`head` and the rest of a stream in a temporary file, and how many bytes; `packed`: what they take as .gz."""
    limit = LIMITS.get(suffix, MOST_UNPACKED)
    with tempfile.SpooledTemporaryFile(HELD) as file:
        size, block = 0, head
        while block:
            size += len(block)
            if size > limit:
                raise InputError(f"{text}: holds more than {limit:,} bytes{too_large(suffix)}")
            if packed is not None and size > max(SMALL, RATIO * packed):
                raise InputError(f"{text}: unpacks to more than {RATIO} times its {packed:,} bytes; unpack it first")
            file.write(block)
            block = _block(stream, text)
        file.seek(0)
        yield cast(IO[bytes], file), size


def recognised(head: bytes, text: str) -> str:
    """The suffix that a file with this beginning would have: each format begins as no other does.

    Arrays are a zip. A CSV begins with a header that names a state and a next state. Cassandra's text has statements
    that are no YAML of ours. InputError for what is no text.
    """
    if not head:
        raise InputError(f"{text}: empty; expected a model")
    if head.startswith(b"PK"):
        return ".npz"
    try:
        words = head.decode("utf-8-sig", "strict" if len(head) < BLOCK else "ignore")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{text}: neither an .npz file nor text in UTF-8: the byte 0x{head[error.start]:02x}"
        ) from None
    if "\0" in words:
        raise InputError(f"{text}: neither an .npz file nor text: it has bytes that are 0")
    if begins_as_rows(words):
        return ".csv"
    return ".pomdp" if _CASSANDRA.search(words) else ".yaml"
