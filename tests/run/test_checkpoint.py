"""Checkpoints: what goes in comes out to the bit, what is old goes, what is damaged is noticed and passed over."""

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rltrain.core import Blob
from rltrain.errors import CheckpointError, DiskError
from rltrain.run import state_codec
from rltrain.run.checkpoint import Checkpoints
from rltrain.run.disk import Damaged
from rltrain.run.manifest import versions
from rltrain.run.reading import load_path


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory where there is one: nothing here needs a disk to wait for."""
    shm = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=shm) as folder:
        yield Path(folder)


def blob(name: str, value: int = 0) -> Blob:
    return Blob(name, lambda: {"obs": np.full((3, 4), value, np.uint8), "action": np.arange(value)})


def state(step: int) -> dict[str, object]:
    """A state that is a function of the step; blobs are shared with the step before."""
    chunks = [blob(f"replay-{step - 1}", step - 1), blob(f"replay-{step}", step)]
    return {"step": step, "weights": np.full(5, step, np.float32), "replay": {"chunks": chunks}}


def assert_is(found: object, step: int) -> None:
    """The loaded state is that of this step, blobs too."""
    assert found["step"] == step
    assert found["weights"].dtype == np.float32 and (found["weights"] == step).all()
    for part, value in zip(found["replay"]["chunks"], (step - 1, step), strict=True):
        arrays = part.read()
        assert arrays["obs"].dtype == np.uint8 and (arrays["obs"] == value).all()
        assert (arrays["action"] == np.arange(value)).all()


def chunk_files(folder: Path) -> list[str]:
    return sorted(path.name.rsplit("-", 1)[0] for path in (folder / "chunks").iterdir())


def flip(path: Path, offset: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


# Round trip

leaves = st.none() | st.booleans() | st.integers(-(2**130), 2**130) | st.floats() | st.text()
leaves |= hnp.arrays(st.sampled_from(state_codec.DTYPES), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
keys = st.text().filter(lambda key: not key.startswith("$"))
trees = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))


def assert_same(left: object, right: object) -> None:
    assert type(left) is type(right)
    if isinstance(left, dict):
        assert list(left) == list(right)
        for key in left:
            assert_same(left[key], right[key])
    elif isinstance(left, list):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    elif isinstance(left, np.ndarray):
        assert (left.dtype, left.shape, left.tobytes()) == (right.dtype, right.shape, right.tobytes())
        assert right.flags.writeable
    elif isinstance(left, float):
        assert (math.isnan(left) and math.isnan(right)) or left.hex() == right.hex()
    else:
        assert left == right


@settings(max_examples=examples(60), deadline=None)
@given(st.dictionaries(keys, trees, max_size=4))
def test_any_state_comes_back_to_the_bit(tree: dict[str, object]) -> None:
    text, arrays, _ = state_codec.split(tree)
    assert_same(tree, state_codec.join(text, state_codec.unpack_arrays(arrays), lambda name: blob(name)))


def test_arrays_that_are_not_in_a_row_are_saved_by_value() -> None:
    tree = {"transposed": np.arange(6).reshape(2, 3).T, "strided": np.arange(10)[::2], "scalar": np.array(3.0)}
    text, arrays, _ = state_codec.split(tree)
    found = state_codec.join(text, state_codec.unpack_arrays(arrays), lambda name: blob(name))
    assert (found["transposed"] == tree["transposed"]).all()
    assert (found["strided"] == [0, 2, 4, 6, 8]).all()
    assert found["scalar"].shape == ()


@pytest.mark.parametrize(
    "leaf",
    [(1, 2), np.float64(1), np.int64(1), {1: 2}, {"$a": 1}, b"bytes", object(), np.array([object()])],
    ids=lambda leaf: type(leaf).__name__,
)
def test_what_would_come_back_different_is_refused_with_its_place(leaf: object) -> None:
    with pytest.raises(TypeError, match="/deep/0"):
        state_codec.split({"deep": [leaf]})


def test_meta_and_versions_come_back(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    meta = {"best": float("-inf"), "counters": {"env_steps": 12}, "name": "Pac-Man ᗧ"}
    name = store.save(12, state(12), meta)
    found = store.load()
    assert (found.name, found.step, found.meta, found.versions) == (name, 12, meta, versions())
    assert name == "ckpt-000000000012"
    assert found.versions["numpy"] == np.__version__


# Keeping and removing


def test_the_newest_are_kept_and_their_chunks(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path, keep=2)
    for step in (1, 2, 9, 10, 11):
        store.save(step, state(step), {})
    assert store.names() == ["ckpt-000000000010", "ckpt-000000000011"]
    assert chunk_files(tmp_path) == ["replay-10", "replay-11", "replay-9"]
    for name, step in zip(store.names(), (10, 11), strict=True):
        assert_is(load_path(tmp_path / "checkpoints" / name).state, step)
        assert store.verify(name) == []


def test_protected_checkpoints_stay_whole(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path, keep=1)
    best = store.save(1, state(1), {})
    for step in (5, 6):
        store.save(step, state(step), {}, protect=[best])
    assert store.names() == [best, "ckpt-000000000006"]
    assert store.verify(best) == []
    store.save(7, state(7), {})
    assert store.names() == ["ckpt-000000000007"]
    assert chunk_files(tmp_path) == ["replay-6", "replay-7"]


def test_a_blob_is_written_once(tmp_path: Path) -> None:
    reads = []

    def read() -> dict[str, np.ndarray]:
        reads.append(1)
        return {"obs": np.zeros(4)}

    tree = {"replay": Blob("replay-0", read)}
    store = Checkpoints(tmp_path)
    store.save(1, tree, {})
    store.save(2, tree, {})
    assert len(reads) == 1
    again = Checkpoints(tmp_path)  # a new process
    loaded = again.load().state
    (chunk,) = (tmp_path / "chunks").iterdir()
    before = chunk.stat()
    again.save(3, loaded, {})
    assert chunk.stat().st_ino == before.st_ino and chunk.stat().st_mtime_ns == before.st_mtime_ns
    chunk.unlink()
    store.save(4, tree, {})  # a chunk that went missing is written again
    assert len(reads) == 2
    assert (store.load().state["replay"].read()["obs"] == 0).all()


def test_size_counts_every_file(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    store.save(1, state(1), {})
    assert store.size(store.names()[-1]) == sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())


def test_a_step_saved_twice(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path, keep=2)
    first = store.save(7, state(7), {"best": 1.0})
    assert store.save(7, state(7), {"best": 1.0}) == first
    assert store.names() == [first]
    assert store.save(7, state(7), {"best": 2.0}) == "ckpt-000000000007-2"
    assert store.save(7, state(7), {"best": 3.0}) == "ckpt-000000000007-3"
    assert store.save(7, state(7), {"best": 4.0}) == "ckpt-000000000007-4"
    assert store.names() == ["ckpt-000000000007-3", "ckpt-000000000007-4"]
    assert store.load().meta == {"best": 4.0}


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    store.save(1, state(1), {})
    (tmp_path / "checkpoints" / "tmp-ckpt-000000000002").mkdir()
    (tmp_path / "checkpoints" / "tmp-ckpt-000000000002" / "state.json").write_text("{")
    (tmp_path / "chunks" / "tmp-replay-5-0123456789abcdef.bin").write_text("x")
    store.save(2, state(2), {})
    assert not list(tmp_path.rglob("tmp-*"))
    assert store.names() == ["ckpt-000000000001", "ckpt-000000000002"]


# Damage


@pytest.fixture
def three(tmp_path: Path) -> Checkpoints:
    store = Checkpoints(tmp_path, keep=3)
    for step in (1, 2, 3):
        store.save(step, state(step), {})
    return Checkpoints(tmp_path, keep=3)


@pytest.mark.parametrize("file", ["MANIFEST.json", "state.json", "arrays.safetensors"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_newest_is_named_and_the_one_before_used(
    three: Checkpoints, tmp_path: Path, file: str, damage: str
) -> None:
    path = tmp_path / "checkpoints" / "ckpt-000000000003" / file
    if damage == "flip":
        flip(path, 20)
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    found = three.load()
    assert found.name == "ckpt-000000000002"
    assert_is(found.state, 2)
    (warning,) = found.warnings
    assert "ckpt-000000000003 is damaged" in warning and file in warning and "bad-ckpt-000000000003" in warning
    assert three.names() == ["ckpt-000000000001", "ckpt-000000000002"]
    assert (tmp_path / "checkpoints" / "bad-ckpt-000000000003").is_dir()
    three.save(3, state(3), {})  # the run comes by again
    assert_is(Checkpoints(tmp_path).load().state, 3)


def test_a_damaged_chunk_is_damage_of_its_checkpoints(three: Checkpoints, tmp_path: Path) -> None:
    (chunk,) = (tmp_path / "chunks").glob("replay-2-*")  # of steps 2 and 3
    flip(chunk)
    found = three.load()
    assert found.name == "ckpt-000000000001"
    assert len(found.warnings) == 2 and all(chunk.name in warning for warning in found.warnings)
    for step in (2, 3):  # retrained: written anew over the damaged file
        three.save(step, state(step), {})
        assert_is(three.load().state, step)
        assert not three.load().warnings


def test_all_faults_are_told(three: Checkpoints, tmp_path: Path) -> None:
    name = "ckpt-000000000003"
    flip(tmp_path / "checkpoints" / name / "state.json")
    (tmp_path / "checkpoints" / name / "arrays.safetensors").unlink()
    next((tmp_path / "chunks").glob("replay-3-*")).unlink()
    faults = three.verify(name)
    for fault, file in zip(faults, ("state.json", "arrays.safetensors", "chunks/replay-3-"), strict=True):
        assert fault.startswith(file)


def test_if_none_is_whole_none_is_renamed(three: Checkpoints, tmp_path: Path) -> None:
    shutil.move(tmp_path / "chunks", tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match="no usable checkpoint") as caught:
        three.load()
    assert str(caught.value).count("\n") == 3
    shutil.rmtree(tmp_path / "chunks", ignore_errors=True)
    shutil.move(tmp_path / "elsewhere", tmp_path / "chunks")
    assert_is(three.load().state, 3)


def test_no_checkpoint_yet(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="before its first save"):
        Checkpoints(tmp_path).load()


def test_a_second_bad_one_of_the_same_step_gets_a_name_too(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    store.save(1, state(1), {})
    for _ in range(2):
        flip(tmp_path / "checkpoints" / store.save(2, state(2), {}) / "state.json")
        assert store.load().step == 1
    bad = sorted(path.name for path in (tmp_path / "checkpoints").glob("bad-*"))
    assert bad == ["bad-ckpt-000000000002", "bad-ckpt-000000000002-2"]


def test_a_later_format_is_no_damage(three: Checkpoints, tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "ckpt-000000000003" / "MANIFEST.json"
    body = path.read_bytes()[88:-2].replace(b'"format":1', b'"format":2')
    digest = hashlib.sha256(body).hexdigest().encode()
    path.write_bytes(b'{"sha256":"%b","manifest":%b}\n' % (digest, body))
    with pytest.raises(CheckpointError, match=r"format 2.*update rltrain"):
        three.load()
    assert "ckpt-000000000003" in three.names()


def test_a_blob_that_rots_after_the_load_is_noticed_when_read(three: Checkpoints, tmp_path: Path) -> None:
    found = three.load()
    (chunk,) = (tmp_path / "chunks").glob("replay-3-*")
    flip(chunk)
    with pytest.raises(CheckpointError, match=chunk.name):
        found.state["replay"]["chunks"][1].read()


# Bit rot: every byte


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with one checkpoint, small enough to harm every byte of it."""
    folder = tmp_path_factory.mktemp("small")
    tree = {"w": np.arange(12, dtype=np.float32), "n": 3, "replay": blob("replay-0", 3)}
    Checkpoints(folder).save(5, tree, {})
    return folder


def every_file(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len(found) == 4
    return found


def test_every_flipped_byte_is_detected_and_its_file_named(small: Path) -> None:
    store = Checkpoints(small)
    for path in every_file(small):
        whole = path.read_bytes()
        for offset in range(len(whole)):
            data = bytearray(whole)
            data[offset] ^= 1 << offset % 8
            path.write_bytes(data)
            (fault,) = store.verify("ckpt-000000000005")
            assert path.name in fault
        path.write_bytes(whole)
    assert store.verify("ckpt-000000000005") == []


def test_every_truncation_is_detected_and_its_file_named(small: Path) -> None:
    store = Checkpoints(small)
    for path in every_file(small):
        whole = path.read_bytes()
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            (fault,) = store.verify("ckpt-000000000005")
            assert path.name in fault
        path.write_bytes(whole + b"\n")
        assert len(store.verify("ckpt-000000000005")) == 1
        path.write_bytes(whole)
    assert store.verify("ckpt-000000000005") == []


def test_without_the_hash_a_flip_would_pass() -> None:
    """The control: safetensors alone does not notice, so the tests above test the hashes."""
    packed = bytearray(state_codec.pack_arrays({"/w": np.arange(12, dtype=np.float32)}))
    unnoticed = 0
    for offset in range(len(packed)):
        packed[offset] ^= 1
        try:
            state_codec.unpack_arrays(bytes(packed))
            unnoticed += 1
        except Damaged:
            pass
        packed[offset] ^= 1
    assert unnoticed >= 12 * 4


# Elsewhere


def test_a_copied_run_is_a_run(three: Checkpoints, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for part in ("checkpoints", "chunks"):
        shutil.copytree(tmp_path / part, copy / part)
    shutil.rmtree(tmp_path / "checkpoints")
    assert_is(Checkpoints(copy).load().state, 3)


def test_load_path_reads_a_checkpoint_or_a_run_and_changes_nothing(three: Checkpoints, tmp_path: Path) -> None:
    home = tmp_path / "checkpoints"
    assert_is(load_path(home / "ckpt-000000000002").state, 2)
    flip(home / "ckpt-000000000003" / "state.json")
    before = sorted(tmp_path.rglob("*"))
    found = load_path(tmp_path)
    assert_is(found.state, 2)
    assert "ckpt-000000000003 is damaged" in found.warnings[0]
    with pytest.raises(CheckpointError, match=r"state\.json is damaged"):
        load_path(home / "ckpt-000000000003")
    for missing in (tmp_path / "nowhere", home / "ckpt-000000000003" / "state.json"):
        with pytest.raises(CheckpointError, match="not a folder"):
            load_path(missing)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_cannot_be_made_is_a_disk_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match="cannot save a checkpoint"):
        Checkpoints(tmp_path / "file").save(1, {}, {})


def test_the_manifest_is_json_that_other_tools_read(small: Path) -> None:
    document = json.loads((small / "checkpoints" / "ckpt-000000000005" / "MANIFEST.json").read_text())
    assert set(document) == {"sha256", "manifest"}
    assert document["manifest"]["step"] == 5
    assert set(document["manifest"]["files"]) == {"state.json", "arrays.safetensors"}
    assert set(document["manifest"]["blobs"]) == {"replay-0"}


@pytest.mark.parametrize(("step", "keep"), [(-1, 1), (10**12, 1), (0, 0)])
def test_steps_and_keep_have_bounds(tmp_path: Path, step: int, keep: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        Checkpoints(tmp_path, keep).save(step, {}, {})
