"""TensorBoard's event file: records of (length, its masked CRC-32C, data, its masked CRC-32C), data being an `Event`.

Written here, on the caller's thread, because the writers at hand give their rows to a thread that dies of a full disk
and leaves the caller waiting for ever. Sources: tensorboard/compat/proto/event.proto and summary.proto,
tensorflow/core/lib/io/record_writer.h, RFC 3720 appendix B.4 for CRC-32C.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

_SESSION_START = 1  # SessionLog.SessionStatus


def version(wall_time: float) -> bytes:
    """The first record of every event file."""
    return _record(_event(wall_time, 0) + _bytes(3, b"brain.Event:2"))


def session_start(wall_time: float, step: int) -> bytes:
    """Tells TensorBoard to drop what earlier files say about this step and later ones."""
    return _record(_event(wall_time, step) + _bytes(7, _int(1, _SESSION_START)))


def scalars(wall_time: float, step: int, values: Mapping[str, float]) -> bytes:
    """One number a tag, all at one step."""
    summary = b"".join(
        _bytes(1, _bytes(1, tag.encode()) + b"\x15" + struct.pack("<f", _single(value)))
        for tag, value in values.items()
    )
    return _record(_event(wall_time, step) + _bytes(5, summary))


def crc32c(data: bytes) -> int:
    """CRC-32 with Castagnoli's polynomial."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _event(wall_time: float, step: int) -> bytes:
    return b"\x09" + struct.pack("<d", wall_time) + _int(2, step)


def _int(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _single(value: float) -> float:
    """A value that `struct` can pack into 32 bits: beyond their range it becomes infinite, as it does in numpy."""
    largest = 3.4028234663852886e38
    return value if -largest <= value <= largest or value != value else float("inf" if value > 0 else "-inf")


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + _masked_crc(length) + data + _masked_crc(data)


def _masked_crc(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_CRC_TABLE = _crc_table()
