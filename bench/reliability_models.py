"""Model and policy files as somebody may send them, each made to harm. For R7."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from reliability_folders import Canary, hole

RIGHT = {0, 2, 9}  # solved, refused, or not proven
GOOD = """\
discount: 0.9
states:
  s0: {go: s1, stay: s0}
  s1: {go: {s0: 0.5 reward 1, end: 0.5}, stay: s1}
  end: terminal
"""
ROWS = "state,action,next,prob,reward\ns0,go,s1,1,0\ns1,go,s0,1,1\n"
CASSANDRA = "discount: 0.9\nvalues: reward\nstates: a b\nactions: go\nT: go\n0 1\n1 0\nR: go : a : * : * 1\n"
ESCAPE, MARKUP, FORMULA = "\x1b]0;owned\x07\x1b[31m", "[red]x[/red][link=file:///]", "=cmd|' /C calc'!A0"


@dataclass(frozen=True)
class Model:
    """A file's name, how it is made, and the exit codes that are right. A policy is held against a good model."""

    name: str
    file: str
    make: Callable[[Path], object]
    codes: frozenset[int] = frozenset(RIGHT)
    policy: bool = False


def commands(case: Model, good: Path, there: Path) -> list[list[str]]:
    """What is typed with it."""
    if case.policy:
        return [["mdp", verb, str(good), "--policy", str(there)] for verb in ("evaluate", "verify")]
    return [
        ["mdp", "info", str(there)],
        ["mdp", "solve", str(there)],
        ["mdp", "convert", str(there), str(there.parent / "written.yaml")],
    ]


def text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content)


def archive(members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", kind) as file:
            for name, data in members.items():
                file.writestr(name, data)

    return make


def npy(shape: tuple[int, ...], data: bytes = b"", descr: str = "<f8") -> bytes:
    """A .npy file that claims a shape."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": descr, "fortran_order": False, "shape": shape})
    return out.getvalue() + data


def zeros(shape: tuple[int, ...]) -> Callable[[Path], object]:
    """T and R of zeros, which compress a thousandfold."""

    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, own in (("T", shape), ("R", shape[:2])):
                with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                    member.write(npy(own))
                    left = 8 * int(np.prod(own))
                    while left:
                        left -= member.write(bytes(min(left, 1 << 20)))

    return make


def of_objects(path: Path) -> None:
    np.savez(path, T=np.array([Canary()], dtype=object), R=np.array([Canary()], dtype=object))


def zipped(data: bytes, times: int) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        with gzip.open(path, "wb", 9) as file:
            for _ in range(times):
                file.write(data)

    return make


PICKLE = pickle.dumps(Canary())
REFUSED = frozenset({2})
ODD: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "a folder": lambda path: path.mkdir(),
    "3 GB of nothing": hole,
    "a pickle": lambda path: path.write_bytes(PICKLE),
    "bytes": lambda path: path.write_bytes(bytes(range(256)) * 100),
    "empty": lambda path: path.write_bytes(b""),
}


def odd() -> Iterator[Model]:
    for suffix in ("yaml", "csv", "npz", "mdp", "csv.gz"):
        for kind, make in ODD.items():
            yield Model(f".{suffix}: {kind}", f"m.{suffix}", make, REFUSED)


def bombs() -> Iterator[Model]:
    million = "x" * 1_000_000
    yield Model("npz: 3 GB of zeros in 3 MB", "m.npz", zeros((20_000, 1, 20_000)), REFUSED | {8})
    claims = archive({"T.npy": npy((10**6, 4, 10**6)), "R.npy": npy((10**6, 4))})
    yield Model("npz: claims 30 TB", "m.npz", claims, REFUSED | {8})
    yield Model("npz: objects", "m.npz", of_objects, REFUSED)
    yield Model("npz: a pickle for an array", "m.npz", archive({"T.npy": PICKLE, "R.npy": PICKLE}), REFUSED)
    outside = archive({"../../outside/file": b"x", "/tmp/evil": b"x", "T.npy": npy((1, 1, 1), bytes(8))})
    yield Model("npz: names that lead outside", "m.npz", outside, REFUSED)
    many = archive({f"a{n}.npy": b"" for n in range(20_000)}, zipfile.ZIP_STORED)
    yield Model("npz: 20,000 members", "m.npz", many, REFUSED)
    header = b"\x93NUMPY\x01\x00\xf8\xff" + b"{" + b"(" * 60_000
    yield Model("npz: a header of brackets", "m.npz", archive({"T.npy": header, "R.npy": header}), REFUSED)
    code = b"\x93NUMPY\x01\x00\x40\x00" + b"{'descr': __import__('os').system('touch executed')}".ljust(64)
    yield Model("npz: a header that is code", "m.npz", archive({"T.npy": code, "R.npy": code}), REFUSED)
    yield Model("csv: 600 MB without a newline, of nothing", "m.csv", lambda path: hole(path, 600 << 20), REFUSED)
    yield Model("csv: a cell of a million letters", "m.csv", text(ROWS + f"{million},go,s0,1,0\n"))
    yield Model("csv: a row of a million cells", "m.csv", text(ROWS + "," * 1_000_000 + "\n"), REFUSED)
    yield Model("csv: an open quote", "m.csv", text(ROWS + '"' + million), REFUSED)
    yield Model("csv.gz: 2 GB of zeros", "m.csv.gz", zipped(bytes(1 << 20), 2048), REFUSED)
    yield Model("csv.gz: 2 GB of rows", "m.csv.gz", zipped(b"s0,go,s1,1,0\n" * 80_000, 2048), REFUSED | {8})
    yield Model("yaml.gz: 1 GB of letters", "m.yaml.gz", zipped(b"x" * (1 << 20), 1024), REFUSED)
    aliases = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    yield Model("yaml: a bomb of aliases", "m.yaml", text(aliases), REFUSED)
    yield Model(
        "yaml: a tag that runs a command",
        "m.yaml",
        text(f"x: !!python/object/apply:os.system ['touch executed']\n{GOOD}"),
        REFUSED,
    )
    yield Model("yaml: deep", "m.yaml", text("states: " + "{a: " * 50_000), REFUSED)
    yield Model("yaml: deep lists", "m.yaml", text("states: " + "[" * 50_000), REFUSED)
    yield Model(
        "yaml: a number of a million digits",
        "m.yaml",
        text(GOOD.replace("reward 1", "reward 1" + "0" * 1_000_000)),
        REFUSED,
    )
    yield Model(
        "yaml: a fraction of a million digits", "m.yaml", text(GOOD.replace("0.5", "1/" + "9" * 1_000_000)), REFUSED
    )
    yield Model("yaml: 1e999999999", "m.yaml", text(GOOD.replace("reward 1", "reward 1e999999999")), REFUSED)
    yield Model("yaml: a probability of 1e-999999999", "m.yaml", text(GOOD.replace("0.5", "1e-999999999")), REFUSED)
    yield Model(
        "mdp: a million states", "m.mdp", text(CASSANDRA.replace("states: a b", "states: 1000000")), REFUSED | {8}
    )
    yield Model(
        "mdp: 10**18 states",
        "m.mdp",
        text(CASSANDRA.replace("states: a b", "states: " + "1" + "0" * 18)),
        REFUSED | {8},
    )
    yield Model(
        "mdp: uniform of 30,000",
        "m.mdp",
        text("discount: 0.9\nvalues: reward\nstates: 30000\nactions: 1\nT: 0\nuniform\n"),
        REFUSED | {8},
    )


def names() -> Iterator[Model]:
    for kind, name in (
        ("escapes", ESCAPE),
        ("markup", MARKUP),
        ("a formula", FORMULA),
        ("NUL", "\0"),
        ("10 kB", "n" * 10_000),
    ):
        quoted = '"' + "".join(f"\\x{ord(c):02x}" if ord(c) < 32 else c for c in name) + '"'
        yield Model(f"yaml: a state called by {kind}", "m.yaml", text(GOOD.replace("s0", quoted)))
        yield Model(f"csv: a state called by {kind}", "m.csv", text(ROWS.replace("s0", name)))
        yield Model(f"csv: a column called by {kind}", "m.csv", text(ROWS.replace("reward", name)), REFUSED)
        yield Model(f"yaml: a key called by {kind}", "m.yaml", text(f"{quoted}: 1\n{GOOD}"), REFUSED)


def policies() -> Iterator[Model]:
    for suffix in ("csv", "npz", "yaml"):
        for kind in ("a FIFO", "a link to /dev/zero", "3 GB of nothing", "a pickle"):
            yield Model(f"policy .{suffix}: {kind}", f"p.{suffix}", ODD[kind], REFUSED, True)
    yield Model("policy csv: escapes", "p.csv", text(f"state,action\n{ESCAPE},go\n"), REFUSED, True)
    yield Model("policy npz: objects", "p.npz", of_objects, REFUSED, True)
    yield Model("policy npz: 3 GB of zeros", "p.npz", zeros((20_000, 1, 20_000)), REFUSED | {8}, True)


def cases() -> list[Model]:
    """All of them, in a fixed order."""
    return [case for kind in (odd, bombs, names, policies) for case in kind()]
