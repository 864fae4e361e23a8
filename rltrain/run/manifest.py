"""The last file of a checkpoint: what belongs to it, with size and sha256, and the sha256 of itself.

It is one JSON object, {"sha256": S, "manifest": M}, where S is the hash of M's very bytes; no byte of it can change
unseen. A checkpoint without it was never finished.
"""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from rltrain.errors import CheckpointError
from rltrain.run import state_codec
from rltrain.run.disk import Damaged, FileEntry
from rltrain.version import __version__, installed

FORMAT = 1
FILES = ("state.json", "arrays.safetensors")
MAX_MANIFEST = 2 << 20  # bytes: about 10,000 blobs
MAX_STEP = 10**12 - 1  # twelve digits in a name
_WRAPPED = re.compile(rb'\{"sha256":"([0-9a-f]{64})","manifest":(.*)\}\n', re.DOTALL)
_BLOB_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class BlobEntry(NamedTuple):
    """Where a blob lies in chunks/ and what it must be. The file's name holds its hash: its content never changes."""

    file: str
    size: int  # bytes, compressed
    sha256: str
    raw_size: int  # bytes, decompressed

    @classmethod
    def of(cls, name: str, content: FileEntry, raw_size: int) -> BlobEntry:
        """The entry of a blob whose file has this content. ValueError for a name that no file may have."""
        if not _BLOB_NAME.fullmatch(name):
            raise ValueError(f"blob name {name!r}: only a-z, 0-9 and -, at most 80 characters")
        return cls(f"{name}-{content.sha256[:16]}.bin", content.size, content.sha256, raw_size)


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint is made of. Equal checkpoints of the same versions have equal manifests: no clock is read."""

    step: int
    meta: Mapping[str, Any]
    versions: Mapping[str, str]
    files: Mapping[str, FileEntry]
    blobs: Mapping[str, BlobEntry]

    def to_bytes(self) -> bytes:
        """The manifest's file. ValueError if it would be larger than MAX_MANIFEST."""
        body = state_codec.dump_json(
            {
                "format": FORMAT,
                "versions": dict(self.versions),
                "meta": state_codec.encode(self.meta),
                "step": self.step,
                "files": self.files,
                "blobs": self.blobs,
            }
        )
        wrapped = b'{"sha256":"%b","manifest":%b}\n' % (hashlib.sha256(body).hexdigest().encode(), body)
        if len(wrapped) > MAX_MANIFEST:
            raise ValueError(f"manifest: {len(wrapped):,} bytes, at most {MAX_MANIFEST:,}; keep meta small")
        return wrapped

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """The manifest in a file. Damaged if it is not what was written, CheckpointError if of a later format."""
        wrapped = _WRAPPED.fullmatch(data)
        if wrapped is None or hashlib.sha256(wrapped[2]).hexdigest() != wrapped[1].decode():
            raise Damaged("MANIFEST.json is damaged: its own sha256 does not hold")
        body = state_codec.parse_json(wrapped[2], "MANIFEST.json")
        if not isinstance(body, dict):
            raise Damaged("MANIFEST.json is not a mapping")
        if type(body.get("format")) is int and body["format"] > FORMAT:
            raise CheckpointError(
                f"a checkpoint of format {body['format']}; this is rltrain {__version__}, which knows format {FORMAT}: "
                "update rltrain"
            )
        try:
            return cls._from_json(body)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Damaged(f"MANIFEST.json does not hold what it must: {str(error)[:200]}") from error

    @classmethod
    def _from_json(cls, body: dict[str, Any]) -> Manifest:
        if body["format"] != FORMAT or set(body["files"]) != set(FILES):
            raise ValueError("format or files")
        files = {name: FileEntry(_size(size), _hash(sha)) for name, (size, sha) in body["files"].items()}
        blobs = {}
        for name, (file, size, sha, raw_size) in body["blobs"].items():
            blobs[name] = BlobEntry.of(name, FileEntry(_size(size), _hash(sha)), _size(raw_size))
            if blobs[name].file != file:  # so a manifest can name no file but chunks/<name>-<hash>.bin
                raise ValueError(f"blob {name}: file {str(file)[:100]!r}")
        versions = {str(name): str(version) for name, version in body["versions"].items()}
        meta = state_codec.decode(body["meta"])
        if not isinstance(meta, dict):
            raise ValueError("meta")
        if _size(body["step"]) > MAX_STEP:
            raise ValueError("step")
        return cls(step=body["step"], meta=meta, versions=versions, files=files, blobs=blobs)


def _size(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{str(value)[:100]!r} is no size")
    return value


def _hash(value: Any) -> str:
    if type(value) is not str or not _SHA256.fullmatch(value):
        raise ValueError(f"{str(value)[:100]!r} is no sha256")
    return value


@cache
def versions() -> Mapping[str, str]:
    """The versions that may change a result to the bit: of Python, rltrain and the packages found."""
    known = {"python": platform.python_version(), "rltrain": __version__}
    found = {package: installed(package) for package in ("numpy", "torch", "gymnasium", "ale-py", "safetensors")}
    return known | {package: version for package, version in found.items() if version is not None}
