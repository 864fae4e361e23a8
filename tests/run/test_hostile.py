"""Files made to harm: each is refused with a CheckpointError, within two seconds and 300 MB, and nothing is run."""

import gc
import hashlib
import io
import json
import os
import pickle
import random
import resource
import signal
import socket
import sys
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from rltrain.errors import CheckpointError
from rltrain.run import state_codec
from rltrain.run.checkpoint import Checkpoints
from rltrain.run.disk import Damaged
from rltrain.run.reading import load_path

NAME = "ckpt-000000000001"
ARRAYS = state_codec.pack_arrays({"/w": np.arange(3)})
STATE = b'{"w":{"$array":"/w"},"replay":{"$blob":"r"}}'
RAW = state_codec.pack_arrays({"obs": np.zeros(4, np.uint8)})


class Canary:
    """An object whose unpickling makes a file."""

    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, (f"touch {CANARY}",))


CANARY = os.path.join(tempfile.gettempdir(), f"rltrain-canary-{os.getpid()}")
PICKLE = pickle.dumps(Canary())


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def forge(
    folder: Path,
    state: bytes = STATE,
    arrays: bytes = ARRAYS,
    blob: bytes = zlib.compress(RAW, 1),
    raw_size: int = len(RAW),
    change: Callable[[dict[str, object]], object] = lambda body: None,
    body_text: bytes | None = None,
) -> Path:
    """A run whose every hash holds, as an attacker makes it; `change` edits the manifest. Returns the checkpoint."""
    home = folder / "checkpoints" / NAME
    home.mkdir(parents=True)
    (folder / "chunks").mkdir()
    (home / "state.json").write_bytes(state)
    (home / "arrays.safetensors").write_bytes(arrays)
    (folder / "chunks" / f"r-{sha(blob)[:16]}.bin").write_bytes(blob)
    body = {
        "format": 1,
        "versions": {},
        "meta": {},
        "step": 1,
        "files": {"state.json": [len(state), sha(state)], "arrays.safetensors": [len(arrays), sha(arrays)]},
        "blobs": {"r": [f"r-{sha(blob)[:16]}.bin", len(blob), sha(blob), raw_size]},
    }
    change(body)
    text = json.dumps(body).encode() if body_text is None else body_text
    (home / "MANIFEST.json").write_bytes(b'{"sha256":"%b","manifest":%b}\n' % (sha(text).encode(), text))
    return home


def replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def npz_of_objects() -> bytes:
    file = io.BytesIO()
    np.savez(file, w=np.array([Canary()], dtype=object))
    return file.getvalue()


def torch_file() -> bytes:
    """The layout of a torch.save file: a zip with a pickle in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model/data.pkl", PICKLE)
    return file.getvalue()


def safetensors_of(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def tensor(dtype: str = "F32", shape: object = (1,), offsets: object = (0, 4)) -> dict[str, object]:
    return {"/w": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def endless_zeros(megabytes: int) -> bytes:
    """A zlib stream that goes on for so long, made without compressing all of it: one piece, repeated."""
    packer = zlib.compressobj(9, wbits=-15)
    piece = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x78\x9c" + piece * megabytes


def sparse(path: Path, size: int) -> None:
    with open(path, "wb") as file:
        file.truncate(size)


def socket_at(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        os.chdir(path.parent)  # a socket's path may be 100 bytes at most
        door.bind(path.name)


def set_file(name: str, value: object) -> Callable[[dict[str, dict[str, object]]], object]:
    return lambda body: body["files"].__setitem__(name, value)


def set_blob(name: str, value: object) -> Callable[[dict[str, dict[str, object]]], object]:
    return lambda body: body["blobs"].__setitem__(name, value)


H = "0" * 64
MANIFEST, STATE_JSON, ARRAY_FILE = "MANIFEST.json", "state.json", "arrays.safetensors"
BOMB = zlib.compress(bytes(100 << 20), 9)
LYING_BOMB = endless_zeros(1000)
FORGED: dict[str, dict[str, object]] = {
    # code
    "state is a pickle": {"state": PICKLE},
    "arrays are a pickle": {"arrays": PICKLE},
    "arrays are an npz of objects": {"arrays": npz_of_objects()},
    "arrays are a torch file": {"arrays": torch_file()},
    "blob is a pickle": {"blob": PICKLE},
    "blob is a packed pickle": {"blob": zlib.compress(PICKLE), "raw_size": len(PICKLE)},
    "manifest is a pickle": {"body_text": PICKLE},
    "state names a class": {"state": b'{"$class":"os.system","arguments":["true"]}'},
    "state names an import": {"state": b'{"$import":"antigravity"}'},
    # bombs
    "blob is a bomb that lies": {"blob": LYING_BOMB},
    "blob is a bomb that says so": {"blob": BOMB, "raw_size": 100 << 20},
    "blob claims to be huge": {"raw_size": 1 << 60},
    "state is too deep": {"state": b"[" * 100_000},
    "state is deep": {"state": b'{"a":' * 900 + b"1" + b"}" * 900},
    "state is too many lists": {"state": b"[" + b"[]," * 3_000_000 + b"[]]"},
    "state is as many lists as fit": {"state": b"[" + b"[]," * ((state_codec.MAX_JSON - 4) // 3) + b"[]]"},
    "state has a huge number": {"state": b'{"a":' + b"9" * 1_000_000 + b"}"},
    "manifest is too deep": {"body_text": b'{"meta":' + b"[" * 100_000},
    "arrays claim a huge header": {"arrays": (1 << 62).to_bytes(8, "little") + b"{}"},
    "arrays have a long header": {"arrays": safetensors_of(json.dumps(tensor()).encode() + b" " * (8 << 20), bytes(4))},
    "arrays have a deep header": {"arrays": safetensors_of(b'{"a":' * 100_000)},
    "arrays claim a huge shape": {"arrays": safetensors_of(tensor(shape=[1 << 62], offsets=[0, 1 << 62]))},
    "arrays overflow a shape": {"arrays": safetensors_of(tensor(shape=[1 << 33, 1 << 33], offsets=[0, 4]), bytes(4))},
    # arrays that are none
    "arrays are empty": {"arrays": b""},
    "arrays are seven bytes": {"arrays": bytes(7)},
    "array is negative": {"arrays": safetensors_of(tensor(shape=[-1]), bytes(4))},
    "array is outside": {"arrays": safetensors_of(tensor(offsets=[4, 8]), bytes(4))},
    "array is backwards": {"arrays": safetensors_of(tensor(offsets=[4, 0]), bytes(4))},
    "array has an unknown type": {"arrays": safetensors_of(tensor("OBJECT"), bytes(4))},
    "array has a type that numpy lacks": {"arrays": safetensors_of(tensor("BF16", shape=[2]), bytes(4))},
    # states that are none
    "state is empty": {"state": b""},
    "state is a list": {"state": b"[]"},
    "state is not ASCII": {"state": b'{"a":"\xff"}'},
    "state has NaN": {"state": b'{"a":NaN}'},
    "state lacks an array": {"state": b'{"w":{"$array":"/v"}}'},
    "state lacks a blob": {"state": b'{"w":{"$blob":"../../x"}}'},
    "state has an array that is a list": {"state": b'{"w":{"$array":["/w"]}}'},
    "state has a strange float": {"state": b'{"w":{"$float":"1e999999999"}}'},
    "state has two tags": {"state": b'{"w":{"$array":"/w","$blob":"r"}}'},
    "state has a surrogate": {"state": b'{"w":{"$\\ud800":"\\ud800"}}'},
    # manifests that are none
    "manifest is empty": {"body_text": b""},
    "manifest is a list": {"body_text": b"[]"},
    "manifest is null": {"body_text": b"null"},
    "manifest has no format": {"change": lambda body: body.pop("format")},
    "manifest has format true": {"change": lambda body: body.update(format="1")},
    "manifest has no files": {"change": lambda body: body.update(files={})},
    "manifest has files as a list": {"change": lambda body: body.update(files=[STATE_JSON, ARRAY_FILE])},
    "manifest has a file above": {"change": set_file("../../x", [0, H])},
    "manifest has an absolute file": {"change": set_file("/etc/passwd", [0, H])},
    "manifest has a negative size": {"change": set_file(STATE_JSON, [-1, H])},
    "manifest has a size true": {"change": set_file(STATE_JSON, [True, H])},
    "manifest has a huge size": {"change": set_file(STATE_JSON, [1 << 80, H])},
    "manifest has a short entry": {"change": set_file(STATE_JSON, [3])},
    "manifest has an entry that is null": {"change": set_file(STATE_JSON, None)},
    "manifest has a wrong hash": {"change": set_file(STATE_JSON, [len(STATE), H])},
    "manifest has no hash": {"change": set_file(STATE_JSON, [len(STATE), None])},
    "blob is above": {"change": set_blob("r", ["../checkpoints/x", 1, H, 1])},
    "blob is absolute": {"change": set_blob("r", ["/dev/zero", 1, H, 1])},
    "blob has a name above": {"change": set_blob("../r", [f"../r-{H[:16]}.bin", 1, H, 1])},
    "blob has a name with NUL": {"change": set_blob("r\0", [f"r\0-{H[:16]}.bin", 1, H, 1])},
    "blob has a long name": {"change": set_blob("r" * 300, [f"{'r' * 300}-{H[:16]}.bin", 1, H, 1])},
    "blob is missing": {"change": set_blob("q", [f"q-{H[:16]}.bin", 1, H, 1])},
    "meta is a list": {"change": lambda body: body.update(meta=[])},
    "meta has an array": {"change": lambda body: body.update(meta={"a": {"$array": "/w"}})},
    "versions are a number": {"change": lambda body: body.update(versions=3)},
    "step is negative": {"change": lambda body: body.update(step=-1)},
    "step is a text": {"change": lambda body: body.update(step="1")},
    "step is too large": {"change": lambda body: body.update(step=10**12)},
    "surrogates": {"change": lambda body: body.update(step="\ud800")},
}
LINKS = {
    "a link to a file": lambda path: path.symlink_to("/etc/passwd"),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a FIFO": os.mkfifo,
    "a folder": os.mkdir,
    "a socket": socket_at,
    "1 TB of nothing": lambda path: sparse(path, 1 << 40),
    "missing": lambda path: None,
}


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


watched: list[str] = []
watching = 0  # the thread that is guarded; others, such as the test runner's, do what they like
ALARMING = ("exec", "compile", "import", "pickle", "subprocess", "os.system", "os.exec", "os.fork", "socket", "ctypes")


def watch(event: str, arguments: tuple[object, ...]) -> None:
    if watching == threading.get_ident() and event.startswith(ALARMING):
        watched.append(f"{event} {str(arguments)[:100]}")


sys.addaudithook(watch)


def open_all(folder: Path) -> dict[str, object]:
    """Loads the newest checkpoint and reads its blob."""
    state = dict(Checkpoints(folder).load().state)
    state["replay"] = state["replay"].read()
    return state


@pytest.fixture(scope="module", autouse=True)
def imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever is imported at the first use is imported before the hook listens."""
    forge(folder := tmp_path_factory.mktemp("good"))
    open_all(folder)


@contextmanager
def guarded() -> Iterator[None]:
    """Two seconds of work, 300 MB more than now, no endless wait, and no event by which code could come to run."""
    global watching
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    handlers = [signal.signal(number, lambda *_: pytest.fail("hangs")) for number in (signal.SIGPROF, signal.SIGALRM)]
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (300 << 20), limits[1]))
    signal.setitimer(signal.ITIMER_PROF, 2)
    signal.setitimer(signal.ITIMER_REAL, 20)
    watched.clear()
    gc.disable()  # what other tests left behind must not be finalised here: its warnings compile and import
    watching = threading.get_ident()
    try:
        yield
    finally:
        watching = 0
        gc.enable()
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        for number, handler in zip((signal.SIGPROF, signal.SIGALRM), handlers, strict=True):
            signal.signal(number, handler)
    assert watched == []
    assert not os.path.exists(CANARY)


def assert_refused(folder: Path, home: Path) -> None:
    for attempt in (lambda: open_all(folder), lambda: load_path(home).state["replay"].read()):
        with guarded(), pytest.raises(CheckpointError) as caught:
            attempt()
        assert len(str(caught.value).encode()) < 2_000  # can be printed, and is no flood


def test_the_forger_can_make_a_good_one(tmp_path: Path) -> None:
    """The control: unaltered, what the tests below alter is accepted."""
    forge(tmp_path / "run")
    with guarded():
        state = open_all(tmp_path / "run")
    assert state["w"].tolist() == [0, 1, 2]
    assert state["replay"]["obs"].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_checkpoint_is_refused(tmp_path: Path, what: str) -> None:
    assert_refused(tmp_path / "run", forge(tmp_path / "run", **FORGED[what]))


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("file", [MANIFEST, STATE_JSON, ARRAY_FILE, "chunk"])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, file: str, kind: str) -> None:
    home = forge(tmp_path / "run")
    path = next((tmp_path / "run" / "chunks").iterdir()) if file == "chunk" else home / file
    replace(path, LINKS[kind])
    assert_refused(tmp_path / "run", home)


@pytest.mark.parametrize("file", [STATE_JSON, ARRAY_FILE])
def test_a_huge_file_of_the_size_that_its_manifest_says(tmp_path: Path, file: str) -> None:
    home = forge(tmp_path / "run", change=set_file(file, [1 << 40, H]))
    sparse(home / file, 1 << 40)
    assert_refused(tmp_path / "run", home)


def test_a_large_array_costs_no_memory_before_it_is_looked_at(tmp_path: Path) -> None:
    """Its hash is right, so only whoever loads it can tell that it does not fit."""
    size = 200 << 20
    header = json.dumps({"/w": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    header += b" " * (-len(header) % 8)
    arrays = len(header).to_bytes(8, "little") + header
    digest = hashlib.sha256(arrays)
    for _ in range(size >> 20):
        digest.update(bytes(1 << 20))
    home = forge(tmp_path / "run", change=set_file(ARRAY_FILE, [len(arrays) + size, digest.hexdigest()]))
    with open(home / ARRAY_FILE, "wb") as file:
        file.write(arrays)
        file.truncate(len(arrays) + size)
    before = int(Path("/proc/self/statm").read_text().split()[1])
    state = Checkpoints(tmp_path / "run").load().state
    after = int(Path("/proc/self/statm").read_text().split()[1])
    assert state["w"].shape == (size // 4,)
    assert (after - before) * resource.getpagesize() < 50 << 20


def test_a_checkpoint_that_is_a_link_is_refused(tmp_path: Path) -> None:
    home = forge(tmp_path / "run")
    home.rename(tmp_path / "elsewhere")
    home.symlink_to(tmp_path / "elsewhere")
    with guarded(), pytest.raises(CheckpointError, match="not a folder"):
        open_all(tmp_path / "run")


def test_strange_names_are_no_checkpoints(tmp_path: Path) -> None:
    home = forge(tmp_path / "run")
    for name in (
        "ckpt-1",
        "ckpt-000000000002\n",
        "ckpt-000000000002-",
        "ckpt-٠٠٠٠٠٠٠٠٠٠٠2",
        "tmp-ckpt-000000000002",
        "x",
    ):
        (home.parent / name).mkdir()
    store = Checkpoints(tmp_path / "run")
    assert store.names() == [NAME]
    for name in ("..", "../..", "/etc", "", "\0", "x" * 5_000):
        for attempt in (store.verify, store.size):
            with pytest.raises(CheckpointError):
                attempt(name)


def test_random_bytes_are_damage_and_never_a_crash() -> None:
    draw = random.Random(0)
    for _ in range(300):
        data = draw.randbytes(draw.randrange(60))
        for attempt in (
            lambda data=data: state_codec.unpack_arrays(data),
            lambda data=data: state_codec.unpack_arrays(safetensors_of(data)),
            lambda data=data: state_codec.unpack_blob(data, 100),
            lambda data=data: state_codec.join(data, {"/w": np.arange(3)}, lambda name: pytest.fail("blob")),
        ):
            with guarded(), pytest.raises(Damaged):
                attempt()


def test_the_guards_would_notice(tmp_path: Path) -> None:
    """The control: the canary does sing, and the hook hears it."""
    global watching
    watched.clear()
    watching = threading.get_ident()
    try:
        pickle.loads(PICKLE)
    finally:
        watching = 0
    assert os.path.exists(CANARY)
    os.unlink(CANARY)
    assert any(event.startswith("os.system") for event in watched)
