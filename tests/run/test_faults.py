"""Every fault a disk can show while a checkpoint is saved, loaded or removed: a right one always remains.

Source: SQLite's method (sqlite.org/testing.html, 3.2 and 3.3): fail the k-th call for k = 1, 2, … until none is hit;
then lose what was never synced. Each harness is shown to see the losses of a saver that does it the usual way.
"""

import errno
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from rltrain.core import Blob
from rltrain.errors import CheckpointError, DiskError
from rltrain.experiment import config
from rltrain.run import begin, facts
from rltrain.run import folder as folders
from rltrain.run.checkpoint import Checkpoints
from rltrain.run.disk import REAL, Disk, remove_tree


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory where there is one: thousands are made here, and a disk would be waited for."""
    shm = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=shm) as folder:
        yield Path(folder)


class Killed(BaseException):
    """The process is gone: no handler of it may run, so it is no Exception."""


class FaultyDisk:
    """Fails the k-th call: with an error number, once or from then on, or by the end of the process."""

    def __init__(self, k: int = 0, number: int | None = None, lasting: bool = False) -> None:
        self.k, self.number, self.lasting = k, number, lasting
        self.armed = True
        self.calls = 0

    def fails(self) -> bool:
        self.calls += self.armed
        if not self.armed:
            return False
        return self.calls == self.k or (self.calls > self.k > 0 and (self.lasting or self.number is None))

    def fault(self) -> BaseException:
        return Killed() if self.number is None else OSError(self.number, os.strerror(self.number))

    def door(self) -> None:
        if self.fails():
            raise self.fault()

    def make_folder(self, path: Path) -> None:
        self.door()
        REAL.make_folder(path)

    def create(self, path: Path) -> int:
        self.door()
        return REAL.create(path)

    def append(self, path: Path) -> int:
        self.door()
        return REAL.append(path)

    def truncate(self, descriptor: int, size: int) -> None:
        self.door()
        REAL.truncate(descriptor, size)

    def write(self, descriptor: int, data: memoryview) -> int:
        if self.fails():
            os.write(descriptor, data[: len(data) // 2])  # what fills a disk writes a part
            raise self.fault()
        return os.write(descriptor, data[: max(1, len(data) - 7)])  # a short write is no fault

    def sync(self, descriptor: int) -> None:
        self.door()  # and nothing else: these tests do not wait for the disk

    def close(self, descriptor: int) -> None:
        os.close(descriptor)
        self.door()

    def sync_folder(self, path: Path) -> None:
        self.door()

    def rename(self, old: Path, new: Path) -> None:
        self.door()
        REAL.rename(old, new)

    def link(self, old: Path, new: Path) -> None:
        self.door()
        REAL.link(old, new)

    def remove(self, path: Path) -> None:
        self.door()
        REAL.remove(path)

    def remove_folder(self, path: Path) -> None:
        self.door()
        REAL.remove_folder(path)

    def open(self, path: Path) -> int:
        self.door()
        return REAL.open(path)

    def read(self, descriptor: int, count: int) -> bytes:
        self.door()
        return REAL.read(descriptor, count)


def state(step: int) -> dict[str, object]:
    """A state that is a function of the step: weights, a blob shared with the step before and one of its own."""
    blobs = [Blob(f"replay-{part}", lambda part=part: {"obs": np.full(6, part)}) for part in (step - 1, step)]
    return {"step": step, "weights": np.full(4, step, np.float32), "replay": blobs}


def right(step: int, found: object) -> bool:
    """Whether this is the state of that step, blobs too."""
    return (
        found["step"] == step
        and found["weights"].tolist() == [step] * 4
        and [blob.read()["obs"].tolist() for blob in found["replay"]] == [[step - 1] * 6, [step] * 6]
    )


def newest(folder: Path) -> int:
    """The step that a new process finds, after proof that its state is right."""
    found = Checkpoints(folder, disk=FaultyDisk()).load()
    assert right(found.step, found.state)
    return found.step


def damage(folder: Path, step: int) -> None:
    path = folder / "checkpoints" / f"ckpt-{step:012d}" / "state.json"
    path.write_bytes(path.read_bytes()[:-1])


MODES = {
    "killed": (None, True),
    "full once": (errno.ENOSPC, False),
    "full": (errno.ENOSPC, True),
    "I/O error once": (errno.EIO, False),
    "I/O error": (errno.EIO, True),
}


def every_fault(folder: Path, prepared: Path, mode: str) -> Iterator[FaultyDisk]:
    """For k = 1, 2, … a disk that fails there and a fresh copy of the prepared folder, until no call is hit."""
    number, lasting = MODES[mode]
    for k in range(1, 1000):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(prepared, folder)
        disk = FaultyDisk(k, number, lasting)
        yield disk
        if disk.calls < k:
            assert k > 8  # the faults did hit something
            return
    raise AssertionError("more calls than a save has")


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A run with checkpoints 1 and 2, where the next save removes 1."""
    folder = tmp_path / "prepared"
    folder.mkdir()
    store = Checkpoints(folder, disk=FaultyDisk())
    for step in (1, 2):
        store.save(step, state(step), {})
    return folder


@pytest.mark.parametrize("mode", MODES)
def test_a_fault_anywhere_in_a_save(tmp_path: Path, prepared: Path, mode: str) -> None:
    folder = tmp_path / "run"
    for disk in every_fault(folder, prepared, mode):
        store, saved = Checkpoints(folder, disk=disk), False
        disk.armed = False
        store.load()
        disk.armed = True
        try:
            store.save(3, state(3), {})
            saved = True
        except (DiskError, Killed) as error:
            assert isinstance(error, Killed) == (mode == "killed")
        assert newest(folder) in ((3,) if saved else (2, 3))
        disk.armed = False  # the disk is well again, the run goes on
        if mode == "killed":
            store = Checkpoints(folder, disk=FaultyDisk())
            store.load()
        store.save(4, state(4), {})
        assert newest(folder) == 4
        assert all(store.verify(name) == [] for name in store.names())
        assert len(store.names()) == 2
        assert not list(folder.rglob("tmp-*"))
        assert len(list((folder / "chunks").iterdir())) == (3 if "ckpt-000000000003" in store.names() else 4)


@pytest.mark.parametrize("mode", MODES)
def test_a_fault_anywhere_in_the_first_save(tmp_path: Path, mode: str) -> None:
    empty, folder = tmp_path / "empty", tmp_path / "run"
    empty.mkdir()
    for disk in every_fault(folder, empty, mode):
        try:
            Checkpoints(folder, disk=disk).save(1, state(1), {})
            assert newest(folder) == 1
        except (DiskError, Killed):
            store = Checkpoints(folder, disk=FaultyDisk())
            if store.names():
                assert newest(folder) == 1
            store.save(1, state(1), {})
            assert newest(folder) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_fault_anywhere_in_recovery(tmp_path: Path, prepared: Path, mode: str) -> None:
    """The newest is damaged, a killed save lies about; then loading, setting aside and the next save fail too."""
    store = Checkpoints(prepared, disk=FaultyDisk())
    store.load()
    store.save(3, state(3), {})
    damage(prepared, 3)
    (prepared / "checkpoints" / "tmp-ckpt-000000000004").mkdir()
    (prepared / "checkpoints" / "tmp-ckpt-000000000004" / "state.json").write_text("{")
    folder = tmp_path / "run"
    for disk in every_fault(folder, prepared, mode):
        expected = {2, 3}
        try:
            store = Checkpoints(folder, disk=disk)
            found = store.load()
            assert found.step == 2
            store.save(3, state(3), {})
            expected = {3}
        except (DiskError, Killed):
            pass
        except CheckpointError:
            assert "I/O" in mode and disk.calls >= disk.k  # nothing could be read; then nothing was renamed
            assert len(Checkpoints(folder).names()) == 2
        assert newest(folder) in expected


def test_one_read_error_costs_one_checkpoint_at_most(tmp_path: Path, prepared: Path) -> None:
    folder = tmp_path / "run"
    for disk in every_fault(folder, prepared, "I/O error once"):
        found = Checkpoints(folder, disk=disk).load()
        disk.armed = False
        assert right(found.step, found.state)
        assert found.step == (1 if found.warnings else 2)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE])
def test_what_cannot_be_opened_is_not_called_damaged(tmp_path: Path, prepared: Path, number: int) -> None:
    store = Checkpoints(prepared, disk=FaultyDisk(1, number, lasting=True))
    with pytest.raises(DiskError, match="cannot read the checkpoints"):
        store.load()
    assert len(store.names()) == 2
    assert newest(prepared) == 2


def test_what_reads_back_wrong_is_never_given_a_name(tmp_path: Path, prepared: Path) -> None:
    class Lying(FaultyDisk):
        """Says that all is written, and gets a bit of one write wrong."""

        def __init__(self, wrong: int) -> None:
            super().__init__()
            self.wrong = wrong

        def write(self, descriptor: int, data: memoryview) -> int:
            self.wrong -= 1
            return os.write(descriptor, bytes([data[0] ^ (self.wrong == 0)]) + data[1:])

    for wrong in (1, 2, 3, 4):  # a new chunk, state.json, arrays.safetensors, MANIFEST.json
        store = Checkpoints(prepared, disk=Lying(wrong))
        store.load()
        with pytest.raises(DiskError, match="read back"):
            store.save(3, state(3), {})
        assert store.names() == ["ckpt-000000000001", "ckpt-000000000002"]
        assert newest(prepared) == 2
    store.save(3, state(3), {})  # the same object, once the disk is well
    assert newest(prepared) == 3


def save_in_place(disk: Disk, folder: Path, data: bytes) -> None:
    """How a checkpoint is usually written: one name, opened for writing anew. The control."""
    path = folder / "model.zip"
    if path.exists():
        disk.remove(path)
    descriptor = disk.create(path)
    disk.write(descriptor, memoryview(data))
    disk.close(descriptor)


def test_the_injector_sees_what_the_usual_way_loses(tmp_path: Path) -> None:
    lost = 0
    for k in range(2, 5):
        (folder := tmp_path / str(k)).mkdir()
        (folder / "model.zip").write_bytes(b"old")
        with pytest.raises(Killed):
            save_in_place(FaultyDisk(k), folder, b"new")
        lost += not (folder / "model.zip").exists() or (folder / "model.zip").read_bytes() not in (b"old", b"new")
    assert lost >= 2


# Power loss


class Recorder(FaultyDisk):
    """Does every call and notes it by inode, so that calls can be dropped afterwards."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.inodes: dict[Path, int] = {root: 0}
        self.folders = {0}
        self.open_files: dict[int, int] = {}
        self.log: list[tuple[object, ...]] = []

    def add(self, path: Path) -> int:
        self.inodes[path] = inode = len(self.log) + 1
        self.log.append(("name", self.inodes[path.parent], {path.name: inode}))
        return inode

    def make_folder(self, path: Path) -> None:
        super().make_folder(path)
        self.folders.add(self.add(path))

    def create(self, path: Path) -> int:
        descriptor = super().create(path)
        self.open_files[descriptor] = self.add(path)
        return descriptor

    def append(self, path: Path) -> int:
        new = not path.exists()
        descriptor = super().append(path)
        self.open_files[descriptor] = self.add(path) if new else self.inodes[path]
        return descriptor

    def truncate(self, descriptor: int, size: int) -> None:
        super().truncate(descriptor, size)
        self.log.append(("cut", self.open_files[descriptor], size))

    def write(self, descriptor: int, data: memoryview) -> int:
        self.log.append(("write", self.open_files[descriptor], bytes(data)))
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self.log.append(("sync", self.open_files[descriptor]))

    def sync_folder(self, path: Path) -> None:
        self.log.append(("sync", self.inodes[path]))

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        assert old.parent == new.parent
        moved = {path: inode for path, inode in self.inodes.items() if path.is_relative_to(old)}
        for path, inode in moved.items():
            del self.inodes[path]
            self.inodes[new / path.relative_to(old)] = inode
        self.log.append(("name", self.inodes[new.parent], {old.name: None, new.name: self.inodes[new]}))

    def remove(self, path: Path) -> None:
        super().remove(path)
        del self.inodes[path]
        self.log.append(("name", self.inodes[path.parent], {path.name: None}))

    def remove_folder(self, path: Path) -> None:
        super().remove_folder(path)
        del self.inodes[path]
        self.log.append(("name", self.inodes[path.parent], {path.name: None}))

    def after_power_loss(self, length: int, kept: Callable[[], float]) -> dict[str, bytes | None]:
        """The tree {path: content, None for a folder} after the first calls, some of the unsynced ones lost.

        `kept` draws from 0 to 1 how much of an unsynced write reached the disk. A change of names does or does not.
        """
        log = self.log[:length]
        synced: dict[object, int] = {}
        for index, (kind, inode, *_) in enumerate(log):
            if kind == "sync":
                synced[inode] = index
        names: dict[int, dict[str, int]] = {}
        files: dict[int, bytes] = {}
        for index, (kind, inode, *rest) in enumerate(log):
            share = 1.0 if index < synced.get(inode, -1) else kept()
            if kind == "write":
                files[inode] = files.get(inode, b"") + rest[0][: round(share * len(rest[0]))]
            if kind == "cut" and share >= 0.5:
                files[inode] = files.get(inode, b"")[: rest[0]]
            if kind == "name" and share >= 0.5:
                folder = names.setdefault(inode, {})
                for name, target in rest[0].items():
                    folder.pop(name, None)
                    if target is not None:
                        folder[name] = target

        def walk(inode: int, path: str) -> Iterator[tuple[str, bytes | None]]:
            for name, target in names.get(inode, {}).items():
                yield f"{path}{name}", None if target in self.folders else files.get(target, b"")
                if target in self.folders:
                    yield from walk(target, f"{path}{name}/")

        return dict(walk(0, ""))


def power_losses(recorder: Recorder, folder: Path, every: int = 1) -> Iterator[tuple[int, Path]]:
    """(how many calls were made, a folder as it is found afterwards), each different state once, or one of `every`."""
    draw = random.Random(0)
    chances: list[Callable[[], float]] = [lambda: 0.0, lambda: 1.0]
    chances += [lambda share=share: float(draw.random() < share) for share in (0.2, 0.5, 0.8) * 4]
    chances += [draw.random] * 18
    number = 0
    for length in range(len(recorder.log) + 1):
        seen = set()
        for kept in chances:
            tree = recorder.after_power_loss(length, kept)
            if (key := frozenset(tree.items())) in seen:
                continue
            seen.add(key)
            number += 1
            if number % every:
                continue
            if folder.exists():
                remove_tree(REAL, folder)
            folder.mkdir()
            for path, content in tree.items():
                if content is None:
                    (folder / path).mkdir()
                else:
                    (folder / path).write_bytes(content)
            yield length, folder


@pytest.mark.parametrize("every", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_a_power_loss_at_any_moment(tmp_path: Path, every: int, record_property) -> None:
    (folder := tmp_path / "run").mkdir()
    disk = Recorder(folder)
    store = Checkpoints(folder, disk=disk)
    promised = [(0, 0)]  # (calls made, the step that was reported as saved)
    for step in range(1, 11):
        store.save(step, state(step), {})
        promised.append((len(disk.log), step))
        if step == 3:
            promised.append((len(disk.log), 2))  # from here on 3 is damaged, and set aside
            damage(folder, 3)
            assert store.load().step == 2
    states = 0
    for length, found in power_losses(disk, tmp_path / "after", every):
        states += 1
        step = [step for calls, step in promised if calls <= length][-1]
        names = [path.name for path in found.glob("checkpoints/ckpt-*")]
        assert names or step == 0
        if names:
            store = Checkpoints(found, disk=FaultyDisk())
            assert [store.verify(name) for name in names] == [[]] * len(names)
            assert newest(found) >= step
    record_property("states", states)
    assert states > 1_000 / every  # different ones


def test_the_power_loss_sees_what_the_usual_way_loses(tmp_path: Path) -> None:
    """Even with a rename, a saver that never syncs is caught with an empty or half file."""
    (folder := tmp_path / "run").mkdir()
    disk = Recorder(folder)
    for data in (b"old data", b"new data"):
        descriptor = disk.create(folder / "tmp")
        disk.write(descriptor, memoryview(data))
        disk.close(descriptor)
        disk.rename(folder / "tmp", folder / "model.zip")
        if data == b"old data":
            disk.log += [("sync", 1), ("sync", 0)]
    found = {path.read_bytes() for _, after in power_losses(disk, tmp_path / "after") for path in after.glob("model*")}
    assert {b"old data", b"new data", b""} < found


RUN = """
algorithm: {name: qlearn}
environment: model.yaml
run: {budget: {env_steps: 400}, evaluate: {every: {env_steps: 200}, episodes: 1}, save: {every: {env_steps: 100}}}
"""
MODEL = "discount: 0.9\nstates:\n  s0: {go: s1, stay: s0}\n  s1: {go: s0 reward 1}\n"


@pytest.mark.parametrize("every", [90, pytest.param(1, marks=pytest.mark.slow)])
def test_a_power_loss_at_any_moment_of_a_run(tmp_path: Path, every: int, record_property) -> None:
    """The whole folder, from its making to its end: what is found is no run yet, or one that ends as the whole one."""
    (tmp_path / "model.yaml").write_text(MODEL)
    (runs := tmp_path / "runs").mkdir()
    disk = Recorder(runs)
    experiment = config.loads(RUN, str(tmp_path / "test.yaml"))
    run = begin.create(experiment, runs, "x", "a test", disk)
    promised = [(0, None), (len(disk.log), 0)]  # (calls made, environment steps reported as saved)
    for event in run.advance():
        if event.kind == "save":
            promised.append((len(disk.log), run.counters["env_steps"]))
    run.close()
    logs = {name: (run.folder / name).read_bytes() for name in ("metrics.jsonl", "metrics.csv", "eval.jsonl")}
    states = resumed = 0
    draw = random.Random(0)
    for length, found in power_losses(disk, tmp_path / "after", every):
        states += 1
        steps = [steps for calls, steps in promised if calls <= length][-1]
        folder = found / "x"
        if not (folder / "config.yaml").exists():
            assert steps is None
            assert not folder.exists() or folders.is_unbegun(folder) or not os.listdir(folder)
            continue
        assert config.load(folder / "config.yaml") == experiment.replace(f"environment.id={folder}/model/model.yaml")
        if steps or draw.random() < 0.02:  # where nothing was saved yet, it begins anew
            again = begin.resume(folder)
            assert again.counters["env_steps"] >= (steps or 0)
            assert facts.read(folder)["exact"] is True
            if draw.random() < 0.1:
                resumed += 1
                for _ in again.advance():
                    pass
                assert {name: (folder / name).read_bytes() for name in logs} == logs
            again.close()
    record_property("states", states)
    assert states > 2_000 / every and resumed > 100 / every


# The real thing


def test_a_real_limit_on_file_size(tmp_path: Path, prepared: Path) -> None:
    store = Checkpoints(prepared)
    store.load()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(DiskError, match="File too large"):
            store.save(3, {**state(3), "large": np.zeros(10_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert newest(prepared) == 2
    assert not list(prepared.rglob("tmp-*"))
    store.save(3, state(3), {})
    assert newest(prepared) == 3


SAVER = """
import sys
from pathlib import Path
import numpy as np
from rltrain.experiment import config
from rltrain.core import Blob
from rltrain.run.checkpoint import Checkpoints

store = Checkpoints(Path(sys.argv[1]))
step = store.load().step if store.names() else 0
while True:
    step += 1
    blobs = [Blob(f"replay-{part}", lambda part=part: {"obs": np.full(6, part)}) for part in (step - 1, step)]
    store.save(step, {"step": step, "weights": np.full(4, step, np.float32), "replay": blobs}, {})
    print(step, flush=True)
"""


def test_real_kills(tmp_path: Path) -> None:
    draw = random.Random(1)
    before = 0
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", SAVER, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        reported = [process.stdout.readline()]
        time.sleep(draw.random() / 10)
        process.kill()
        reported += process.communicate()[0].splitlines(keepends=True)
        promised = int([line for line in reported if line.endswith(b"\n")][-1])
        assert promised > before
        before = newest(tmp_path)
        assert before in (promised, promised + 1)
        assert not list(tmp_path.glob("checkpoints/bad-*"))
