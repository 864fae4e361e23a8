"""A state as JSON text and raw arrays, and back, to the bit. Reading it runs nothing, whatever the bytes are.

JSON holds the tree; in it an array is {"$array": "/its/path"}, a blob {"$blob": "its-name"}, and a float that JSON
lacks {"$float": "nan" | "inf" | "-inf"}. The arrays lie in one safetensors file under their paths (JSON pointers, RFC
6901). A blob is a safetensors file of its own, compressed by zlib at level 1: 30 to 68 times smaller on Atari frames.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from rltrain.core import Array, Blob, State
from rltrain.plain_files import open_plain
from rltrain.run.disk import Damaged

MAX_JSON = 2 << 20  # bytes; a hostile text of this size, all empty lists, costs about 100 MB
MAX_ARRAYS = 2 << 30  # that are no blobs: of networks of a hundred million parameters, with targets and moments
MAX_HEADER = 4 << 20  # of a safetensors file: about 40,000 arrays
MAX_BLOB = 512 << 20  # decompressed
_BY_NAME = {  # as safetensors calls them
    "BOOL": np.bool_,
    "I8": np.int8,
    "I16": np.int16,
    "I32": np.int32,
    "I64": np.int64,
    "U8": np.uint8,
    "U16": np.uint16,
    "U32": np.uint32,
    "U64": np.uint64,
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
}
DTYPES = tuple(np.dtype(kind) for kind in _BY_NAME.values())  # that are kept


def split(state: State) -> tuple[bytes, bytes, dict[str, Blob]]:
    """A state as (JSON, safetensors, blobs by name). Raises TypeError or ValueError on what cannot be kept exactly."""
    arrays: dict[str, Array] = {}
    blobs: dict[str, Blob] = {}

    def keep(leaf: Any, path: str) -> Any:
        if isinstance(leaf, np.ndarray):
            arrays[path] = leaf
            return {"$array": path}
        if isinstance(leaf, Blob):
            if blobs.setdefault(leaf.name, leaf) is not leaf:
                raise ValueError(f"state at {path}: the blob name {leaf.name!r} is used twice")
            return {"$blob": leaf.name}
        raise TypeError(f"state at {path}: {type(leaf).__qualname__} cannot be saved; use int, float, list or an array")

    text = dump_json(_encode(state, "", keep))
    if len(text) > MAX_JSON:
        raise ValueError(f"state: {len(text):,} bytes of JSON, at most {MAX_JSON:,}; put long lists into arrays")
    packed = pack_arrays(arrays)
    if len(packed) > MAX_ARRAYS:
        raise ValueError(f"state: {len(packed):,} bytes of arrays, at most {MAX_ARRAYS:,}; put large ones into blobs")
    return text, packed, blobs


def join(text: bytes, arrays: Mapping[str, Array], blob: Callable[[str], Blob]) -> dict[str, Any]:
    """The state behind a JSON text and its arrays, as `split` made them; `blob` finds one by name. Raises Damaged."""

    def find(tag: str, value: Any) -> Any:
        if tag == "$array" and isinstance(value, str) and value in arrays:
            return arrays[value]
        if tag == "$blob" and isinstance(value, str):
            return blob(value)
        raise Damaged(f"state.json: unknown reference {tag[:100]!r} {str(value)[:100]!r}")

    state = decode(parse_json(text, "state.json"), find)
    if not isinstance(state, dict):
        raise Damaged("state.json: not a mapping")
    return state


def encode(value: Any) -> Any:
    """A tree of dicts, lists and plain values as JSON values, floats exact. TypeError for arrays and blobs."""

    def refuse(leaf: Any, path: str) -> Any:
        raise TypeError(f"at {path}: {type(leaf).__qualname__} cannot be saved here")

    return _encode(value, "", refuse)


def _encode(value: Any, path: str, leaf: Callable[[Any, str], Any]) -> Any:
    # Exact types: a numpy scalar or a tuple would come back as something else.
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if type(value) is list:
        return [_encode(item, f"{path}/{index}", leaf) for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if type(key) is not str or key.startswith("$"):
                raise TypeError(f"at {path or '/'}: the key {key!r} must be a string that does not begin with '$'")
        return {key: _encode(item, f"{path}/{_escaped(key)}", leaf) for key, item in value.items()}
    return leaf(value, path)


def decode(value: Any, reference: Callable[[str, Any], Any] | None = None) -> Any:
    """The tree behind JSON values; `reference` gives what a {"$tag": value} stands for. Raises Damaged."""
    try:
        return _decode(value, reference)
    except RecursionError as error:
        raise Damaged("JSON nested too deeply") from error


def _decode(value: Any, reference: Callable[[str, Any], Any] | None) -> Any:
    if isinstance(value, list):
        return [_decode(item, reference) for item in value]
    if isinstance(value, dict):
        tag = next((key for key in value if key.startswith("$")), None)
        if tag is None:
            return {key: _decode(item, reference) for key, item in value.items()}
        if len(value) == 1 and tag == "$float" and value[tag] in ("nan", "inf", "-inf"):
            return float(value[tag])
        if len(value) == 1 and reference is not None:
            return reference(tag, value[tag])
        raise Damaged(f"unknown tag {tag[:100]!r}")
    return value


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def dump_json(value: Any) -> bytes:
    """A JSON value as compact ASCII text; equal values, in one order of keys, give equal bytes."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")


def parse_json(text: bytes, what: str) -> Any:
    """The value of a JSON text that anyone may have made; `what` names it in the message. Raises Damaged."""
    try:
        return json.loads(text.decode("ascii"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # ValueError: also bad ASCII and numbers of over 4,300 digits
        raise Damaged(f"{what} is not JSON of ours: {str(error)[:200]}") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def pack_arrays(arrays: Mapping[str, Array]) -> bytes:
    """Arrays as a safetensors file. Raises TypeError on a dtype that it does not keep."""
    for path, array in arrays.items():
        if array.dtype not in DTYPES:
            raise TypeError(
                f"array {path}: dtype {array.dtype.str} cannot be saved; only {' '.join(map(str, DTYPES))} can"
            )
    # asarray, since safetensors reads memory in a row, and ascontiguousarray would turn shape () into (1,).
    return safetensors.numpy.save({path: np.asarray(array, order="C") for path, array in arrays.items()})


def unpack_arrays(packed: bytes) -> dict[str, Array]:
    """The arrays of a safetensors file, writable. Raises Damaged."""
    _check_header(len(packed), packed[:8])
    try:
        return dict(safetensors.numpy.load(packed))
    except MemoryError:
        raise
    except Exception as error:  # a foreign parser on bytes that may be hostile: whatever it dislikes is damage
        raise Damaged(f"safetensors: {str(error)[:200]}") from error


def map_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a safetensors file, writable, in memory only once they are looked at. Raises Damaged, OSError.

    So the size of an array can be refused before it is paid for. The file is never changed by what is written to them.
    """
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        _check_header(size, file.read(8))
        memory = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
    try:
        with safetensors.safe_open(path, "numpy"):  # proves names, shapes and places, without reading an array
            pass
        length = int.from_bytes(memory[:8], "little")
        header = json.loads(memory[8 : 8 + length])
        return {
            name: np.frombuffer(
                memory, _BY_NAME[part["dtype"]], math.prod(part["shape"]), 8 + length + part["data_offsets"][0]
            ).reshape(part["shape"])
            for name, part in header.items()
            if name != "__metadata__"
        }
    except MemoryError:
        raise
    except Exception as error:  # as in `unpack_arrays`
        raise Damaged(f"{path.name}: {str(error)[:200]}") from error


def _check_header(size: int, first: bytes) -> None:
    length = int.from_bytes(first, "little")
    if len(first) < 8 or length > min(MAX_HEADER, size - 8):
        raise Damaged(f"safetensors: impossible header of {length:,} bytes")


def most_packed(raw_size: int) -> int:
    """The most bytes that `raw_size` bytes take when compressed: zlib lengthens what it cannot shrink, by 0.03 %."""
    return min(raw_size, MAX_BLOB) + (1 << 20)


def pack_blob(blob: Blob) -> tuple[bytes, int]:
    """A blob's file and its size when decompressed. Raises ValueError on one that is too large to be read again."""
    raw = pack_arrays(blob.read())
    if len(raw) > MAX_BLOB:
        raise ValueError(f"blob {blob.name}: {len(raw):,} bytes, at most {MAX_BLOB:,}; make smaller blobs")
    return zlib.compress(raw, 1), len(raw)


def unpack_blob(data: bytes, raw_size: int) -> dict[str, Array]:
    """The arrays of a blob's file that holds `raw_size` bytes, never allocating more than one above. Raises Damaged."""
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(data, min(raw_size, MAX_BLOB) + 1)
    except zlib.error as error:
        raise Damaged(f"zlib: {error}") from error
    if len(raw) != raw_size or not stream.eof or stream.unused_data:
        raise Damaged(f"zlib: not the {raw_size:,} bytes that the manifest says")
    return unpack_arrays(raw)
