"""Run folders as somebody may send them: golden runs of every algorithm, each spoiled in one way. For R7.

Each is built from a good run by a function of its own; the name of a case says what was done.
"""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reliability_common import GOLDEN

NAMES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())
GOOD = {  # exit codes that are right for an input that may be harmful
    "list": {0},
    "check": {0, 2, 3, 7},
    "plot": {0, 2, 3, 7},
    "eval": {0, 2, 3, 4},
    "resume": {0, 2, 3, 7},
}
Codes = Mapping[str, set[int]]


@dataclass(frozen=True)
class Case:
    """A good run folder, what is done to it, and the exit codes that are right then."""

    name: str
    algorithm: str  # of a golden run
    spoil: Callable[[Path, Path], object]  # run folder, a folder outside
    codes: Codes = field(default_factory=lambda: GOOD)


def put(algorithm: str, run: Path) -> None:
    """A good run with one checkpoint."""
    shutil.copytree(GOLDEN / algorithm, run)
    checkpoints = sorted((run / "checkpoints").iterdir())
    for old in checkpoints[:-1]:
        shutil.rmtree(old)


def put_outside(folder: Path) -> None:
    """What a run would delete, write over or add to, were it led here."""
    for name in ("file", "tmp-x", "x.bin", "ckpt-000000000001/state.json", "tmp-y/z", "ckpt-000000009999/a"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("precious\n")


def words(verb: str, run: Path, algorithm: str) -> list[str]:
    """The command of a verb on a run that lies in runs/."""
    if verb == "list":
        return ["list", "runs", "--runs-dir", str(run.parent)]
    if verb == "eval":
        return ["eval", "--checkpoint", str(run), "--episodes", "1"]
    if verb == "resume":
        counters = json.loads((GOLDEN / algorithm / "status.json").read_text())["counters"]
        text = (GOLDEN / algorithm / "config.yaml").read_text().partition("budget:\n")[2].split()[0].strip(":")
        return ["resume", str(run), f"run.budget.{text}={counters[text] + counters[text] // 4 + 1}", "--quiet"]
    return [verb, str(run)]


# Places and things

SMALL = ["config.yaml", "run.json", "status.json", "baselines.json", ".lock", ".ballast", "crash.txt", "curve.png"]
GROWING = ["metrics.jsonl", "metrics.csv", "eval.jsonl", "eval.csv", "timings.jsonl"]
MOMENTS = ["tmp-status.json", ".status.json.part", "tmp-config.yaml", "tmp-curve.png"]
INNER = ["CKPT", "CKPT/state.json", "CKPT/arrays.safetensors", "CKPT/MANIFEST.json", "BLOB"]
FOLDERS = ["events", "checkpoints", "chunks", "model", "checkpoints/tmp-x", "chunks/tmp-x"]
PLACES = [*SMALL, *GROWING, *MOMENTS, *INNER, *FOLDERS]  # CKPT: the newest checkpoint; BLOB: a chunk of the memory


def hole(path: Path, size: int = 3 << 30) -> None:
    """A file that takes no room on the disk and would take `size` bytes of memory."""
    with open(path, "wb") as file:
        file.truncate(size)


THINGS: dict[str, Callable[[Path, Path], object]] = {
    "a link to a file": lambda path, outside: path.symlink_to(outside / "file"),
    "a link to a folder": lambda path, outside: path.symlink_to(outside),
    "a link to nothing": lambda path, outside: path.symlink_to(outside / "new"),
    "a second name of a file": lambda path, outside: path.hardlink_to(outside / "file"),
    "a FIFO": lambda path, outside: os.mkfifo(path),
    "a folder": lambda path, outside: path.mkdir(),
    "a link to /dev/zero": lambda path, outside: path.symlink_to("/dev/zero"),
    "3 GB of nothing": lambda path, outside: hole(path),
}


def place(run: Path, name: str) -> Path:
    """Where a name of PLACES is in this run."""
    checkpoint = next((run / "checkpoints").iterdir())
    if name == "BLOB":
        blobs = sorted((run / "chunks").glob("*.bin")) if (run / "chunks").is_dir() else []
        return blobs[0] if blobs else run / "chunks" / "replay-00000000-0123456789abcdef.bin"
    if name.startswith("CKPT"):
        return checkpoint / name[5:] if name[5:] else checkpoint
    return run / name


def replace(path: Path, make: Callable[[Path], object]) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    make(path)


def things() -> Iterator[Case]:
    """Every place as three of the eight things, algorithms in turn."""
    number = 0
    for index, where in enumerate(PLACES):
        for shift in range(3):
            kind = list(THINGS)[(index + 3 * shift + index // 8) % len(THINGS)]
            algorithm = "dqn_prioritized" if where == "BLOB" else NAMES[number % len(NAMES)]
            number += 1

            def spoil(run: Path, outside: Path, where: str = where, kind: str = kind) -> None:
                replace(place(run, where), lambda path: THINGS[kind](path, outside))

            yield Case(f"{where} is {kind}", algorithm, spoil)


# Contents

TEXTS = {
    "100,000 lists deep": b"[" * 100_000,
    "100,000 objects deep": b'{"a":' * 100_000,
    "a number of a million digits": b'{"counters": ' + b"9" * 1_000_000 + b"}",
    "a list": b"[]",
    "numbers as text": b'{"state": 3, "counters": "many", "score": {}, "best": [1], "updated": "now"}\n',
    "bytes": bytes(range(256)) * 40,
    "NaN": b'{"counters": {"env_steps": NaN}, "score": NaN, "mean": NaN, "seeds": NaN}\n',
    "a pickle": b"",  # see below
    "escapes and markup": json.dumps(
        {
            "state": "\x1b]0;owned\x07[red]x[/red]",
            "counters": {"\x1b[2Jsteps": 7},
            "score": "\x1b[31m9",
            "scored": "\x1b[5m",
            "return/mean": "\x1b[31m",
            "\x1b[1mx": 1.0,
        }
    ).encode()
    + b"\n",
}
FILES = "run.json status.json baselines.json eval.jsonl metrics.jsonl timings.jsonl CKPT/MANIFEST.json CKPT/state.json"


class Canary:
    """An object whose unpickling makes a file in the working directory."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch executed",)


TEXTS["a pickle"] = pickle.dumps(Canary())


def contents() -> Iterator[Case]:
    """Every JSON file as three of the texts, and pickles elsewhere."""
    kinds = list(TEXTS)
    for index, where in enumerate(FILES.split()):
        for shift in range(3):
            kind = kinds[(index + 3 * shift + index // 3) % len(kinds)]
            right = {**GOOD, "resume": {3}, "eval": {3}} if where.startswith("CKPT") else GOOD

            def spoil(run: Path, outside: Path, where: str = where, kind: str = kind) -> None:
                replace(place(run, where), lambda path: path.write_bytes(TEXTS[kind]))

            yield Case(f"{where} is {kind}", NAMES[(index + shift) % len(NAMES)], spoil, right)
    for where in ("CKPT/arrays.safetensors", "BLOB", "config.yaml", "metrics.csv"):

        def spoil(run: Path, outside: Path, where: str = where) -> None:
            replace(place(run, where), lambda path: path.write_bytes(TEXTS["a pickle"]))

        yield Case(f"{where} is a pickle", "dqn_prioritized", spoil)


# Configurations

HEAD = "algorithm: {name: basic, policy: angle}\nenvironment: CartPole-v1\n"
CONFIGS: dict[str, tuple[str, set[int]]] = {
    "a tag that runs a command": ("algorithm: !!python/object/apply:os.system ['touch executed']\n", {2}),
    "a tag within a value": (HEAD + "run: {seed: !!python/name:os.system }\n", {2}),
    "a bomb of aliases": (
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        {2},
    ),
    "deep lists": ("algorithm: " + "[" * 50_000 + "\n", {2}),
    "a module of the folder as environment": (HEAD.replace("CartPole-v1", "evil:Evil-v0"), {2, 3, 4}),
    "a module of the folder as algorithm": (HEAD.replace("basic", "evil"), {2}),
    "a path as algorithm": (HEAD.replace("basic", "../evil"), {2}),
    "a device as model": (HEAD.replace("CartPole-v1", "/dev/zero"), {2, 3, 4}),
    "a file outside as model": (HEAD.replace("CartPole-v1", "../outside/file.yaml"), {2, 3, 4}),
    "a budget of 10**30": (HEAD + "run: {budget: {episodes: 1" + "0" * 30 + "}}\n", {2, 3}),
    "a billion environments": (HEAD.replace("CartPole-v1", "{id: CartPole-v1, num_envs: 1000000000}"), {2, 3, 8}),
    "a network of 10**18 numbers": (
        "algorithm: {name: dqn, hidden: [1000000000, 1000000000]}\nenvironment: CartPole-v1\n",
        {2, 3, 8},
    ),
    "escapes in an id": (HEAD.replace("CartPole-v1", '"\\e]0;owned\\a[red]x-v1"'), {2, 3, 4}),
    "eight million blanks": (HEAD + " " * 8_000_000, {0, 2, 3}),
    "a long line": ("algorithm: " + "x" * 5_000_000 + "\n", {2}),
}


def configs() -> Iterator[Case]:
    for kind, (text, codes) in CONFIGS.items():

        def spoil(run: Path, outside: Path, text: str = text) -> None:
            (run / "config.yaml").write_text(text)
            (run.parent.parent / "evil.py").write_text("open('executed', 'w')\n")

        right = {verb: codes | ({0, 3} if verb in ("list", "check", "plot") else set()) for verb in GOOD}
        yield Case(f"config.yaml: {kind}", "basic", spoil, {**right, "list": {0}})


# States whose every hash is right


def forge(run: Path, change: Callable[[dict[str, Any], Any], object]) -> None:
    """Write the newest checkpoint anew with a state that `change` was given beside its manifest's body."""
    from rltrain.run import reading, state_codec
    from rltrain.run.disk import REAL, entry
    from rltrain.run.manifest import FILES as OF_CHECKPOINT

    home = next((run / "checkpoints").iterdir())
    manifest, state = reading.read(REAL, home, run / "chunks")
    change(state, manifest)
    text, arrays, _ = state_codec.split(state)
    for file, data in zip(OF_CHECKPOINT, (text, arrays), strict=True):
        (home / file).write_bytes(data)
    files = {file: entry((home / file).read_bytes()) for file in OF_CHECKPOINT}
    forged = type(manifest)(manifest.step, manifest.meta, manifest.versions, files, manifest.blobs)
    (home / "MANIFEST.json").write_bytes(forged.to_bytes())


def leaves(state: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the values of a state are."""
    if isinstance(state, Mapping):
        for key, value in state.items():
            yield from leaves(value, (*path, key))
    elif path:
        yield path


def forged_leaf(value: Any, draws: random.Random) -> Any:
    """Another value in the place of one of a state's."""
    import numpy as np

    if isinstance(value, np.ndarray):
        huge = np.full_like(value, np.iinfo(value.dtype).max) if value.dtype.kind in "iu" else np.full_like(value, 1e30)
        return draws.choice(
            [huge, value[:0], value.reshape(-1), np.zeros(3), np.zeros((), value.dtype), value.astype("int8"), "x", -1]
        )
    return draws.choice([-1, 2**40, 2**63 - 1, "x", "\x1b[31mred", None, [], {}, True, 1.5, float("nan")])


def forgeries() -> Iterator[Case]:
    """Four leaves of every algorithm's state, drawn; and numbers that would be places in foreign memory."""
    for name in NAMES:
        for number in range(4):

            def spoil(run: Path, outside: Path, name: str = name, number: int = number) -> None:
                draws = random.Random(f"{name} {number}")

                def change(state: dict[str, Any], manifest: Any) -> None:
                    where = draws.choice(sorted(leaves(state), key=str))
                    holder: Any = state
                    for key in where[:-1]:
                        holder = holder[key]
                    holder[where[-1]] = forged_leaf(holder[where[-1]], draws)

                forge(run, change)

            yield Case(f"forged state {number} of {name}", name, spoil, {**GOOD, "resume": {0, 2, 3, 6}})
    for number in (5, 1000, 2**40):

        def elsewhere(run: Path, outside: Path, number: int = number) -> None:
            def change(state: dict[str, Any], manifest: Any) -> None:
                world = state["algorithm"]["world"]
                world["state"] = world["state"] * 0 + number

            forge(run, change)

        yield Case(f"state {number} of a model of three", "qlearn", elsewhere, {**GOOD, "resume": {3}})


# Bombs


def endless_zeros(megabytes: int) -> bytes:
    """A zlib stream that goes on for so long, made without compressing all of it: one piece, repeated."""
    packer = zlib.compressobj(9, wbits=-15)
    piece = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x78\x9c" + piece * megabytes


def with_blob(run: Path, data: bytes, raw_size: int) -> None:
    """The run's only chunk with other content, named and vouched for by the manifest."""
    import hashlib

    from rltrain.run.manifest import BlobEntry, Manifest

    home = next((run / "checkpoints").iterdir())
    manifest = Manifest.from_bytes((home / "MANIFEST.json").read_bytes())
    (name,) = manifest.blobs
    sha = hashlib.sha256(data).hexdigest()
    blob = BlobEntry(f"{name}-{sha[:16]}.bin", len(data), sha, raw_size)
    (run / "chunks" / blob.file).write_bytes(data)
    forged = Manifest(manifest.step, manifest.meta, manifest.versions, manifest.files, {name: blob})
    (home / "MANIFEST.json").write_bytes(forged.to_bytes())


def with_header(run: Path, header: bytes, tail: bytes = b"") -> None:
    """arrays.safetensors with another header, its hash made right."""
    from rltrain.run.disk import entry
    from rltrain.run.manifest import Manifest

    home = next((run / "checkpoints").iterdir())
    manifest = Manifest.from_bytes((home / "MANIFEST.json").read_bytes())
    data = len(header).to_bytes(8, "little") + header + tail
    (home / "arrays.safetensors").write_bytes(data)
    files = {**manifest.files, "arrays.safetensors": entry(data)}
    forged = Manifest(manifest.step, manifest.meta, manifest.versions, files, manifest.blobs)
    (home / "MANIFEST.json").write_bytes(forged.to_bytes())


SHAPE = b'{"/w":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]}}'


def bombs() -> Iterator[Case]:
    right = {**GOOD, "resume": {3}, "eval": {0, 3}}  # an evaluation need not read the memory
    blobs: dict[str, tuple[bytes, int]] = {
        "1 GB that says 1 MB": (endless_zeros(1024), 1 << 20),
        "1 GB that says so": (endless_zeros(1024), 1 << 30),
        "400 MB that says so": (endless_zeros(400), 400 << 20),
        "one that claims 2**60 bytes": (zlib.compress(b"x"), 1 << 60),
    }
    for kind, (data, raw_size) in blobs.items():

        def spoil(run: Path, outside: Path, data: bytes = data, raw_size: int = raw_size) -> None:
            with_blob(run, data, raw_size)

        yield Case(f"a chunk of {kind}", "dqn_prioritized", spoil, right)
    headers = {
        "a shape of 2**60": (SHAPE % (1 << 60, 1 << 62), b""),
        "100,000 lists deep": (b'{"a":' * 100_000, b""),
        "negative offsets": (b'{"/w":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}', bytes(4)),
        "objects": (b'{"/w":{"dtype":"OBJECT","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
    }
    for kind, (header, tail) in headers.items():

        def spoil_header(run: Path, outside: Path, header: bytes = header, tail: bytes = tail) -> None:
            with_header(run, header, tail)

        yield Case(f"arrays whose header has {kind}", "reinforce", spoil_header, {**GOOD, "resume": {3}, "eval": {3}})


# Groups

SEEDS = {
    "deep": "[" * 100_000,
    "many": json.dumps({"seeds": list(range(100_000))}),
    "negative": json.dumps({"seeds": [-1]}),
    "texts": json.dumps({"seeds": ["../../outside", "0"]}),
    "none": "{}",
    "twice": json.dumps({"seeds": [0, 0]}),
    "results of other types": json.dumps({"seeds": [0, 1], "results": {"seeds": 3, "measure": "\x1b[31m"}}),
}


def as_group(run: Path, seeds: str) -> None:
    """The run folder becomes a group whose seed 0 it was."""
    member = run.parent / "s0"
    run.rename(member)
    run.mkdir()
    member.rename(run / "s0")
    shutil.copy(run / "s0" / "config.yaml", run / "experiment.yaml")
    (run / "seeds.json").write_text(seeds)


def groups() -> Iterator[Case]:
    right = {**GOOD, "check": {0, 2, 3}, "eval": {0, 2, 3}}
    for kind, text in SEEDS.items():
        yield Case(f"a group with seeds: {kind}", "viter", lambda run, outside, text=text: as_group(run, text), right)

    def linked(run: Path, outside: Path) -> None:
        as_group(run, json.dumps({"seeds": [0, 1]}))
        (run / "s1").symlink_to(outside)

    def piped(run: Path, outside: Path) -> None:
        as_group(run, json.dumps({"seeds": [0, 1]}))
        os.mkfifo(run / "s0.log")

    yield Case("a group whose seed 1 is a link", "viter", linked, right)
    yield Case("a group whose log is a FIFO", "viter", piped, right)


def cases() -> list[Case]:
    """All of them, in a fixed order."""
    return [case for kind in (things, contents, configs, forgeries, bombs, groups) for case in kind()]
