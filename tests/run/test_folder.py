"""Run folders: names, finding them, and the lock that lets one process in."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rltrain.errors import BusyError, CheckpointError, DiskError, InputError
from rltrain.run import folder as folders
from rltrain.run import group as groups
from rltrain.run import reserve
from rltrain.run.lock import Lock, is_locked


def run(runs_dir: Path, name: str) -> Path:
    made = folders.create(runs_dir, name, "unused")
    (made / folders.MARKER).write_text("algorithm: basic\n")
    return made


# Names


def test_names_count_up_and_are_never_used_again(tmp_path: Path) -> None:
    runs = tmp_path / "deep" / "runs"
    made = [folders.create(runs, None, "dqn-ALE/Pacman v5") for _ in range(11)]
    assert [path.name for path in made] == [f"dqn-ALE-Pacman-v5-{number}" for number in range(1, 12)]
    made[2].rmdir()
    assert folders.create(runs, None, "dqn-ALE/Pacman v5").name == "dqn-ALE-Pacman-v5-12"
    assert folders.create(runs, None, "../..").name == "run-1"


def test_a_given_name_is_taken_once(tmp_path: Path) -> None:
    assert folders.create(tmp_path, "first", "dqn") == tmp_path / "first"
    (tmp_path / "first" / folders.MARKER).touch()
    with pytest.raises(InputError, match=r"exists; choose another --name, or go on with it: rltrain resume .*first"):
        folders.create(tmp_path, "first", "dqn")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/x", "a/b", "-x", ".x", "a b", "a\0", "a\n", "é", "x" * 101])
def test_a_name_that_could_be_a_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="a run's name is letters"):
        folders.create(tmp_path / "runs", name, "dqn")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_disk_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in (None, "x"):
        with pytest.raises(DiskError, match="cannot make a run folder"):
            folders.create(tmp_path / "file" / "runs", name, "dqn")


# Finding


def test_a_run_is_found_by_name_and_by_path(tmp_path: Path) -> None:
    made = run(tmp_path / "runs", "dqn-1")
    assert folders.find(tmp_path / "runs", "dqn-1") == made
    assert folders.find(tmp_path / "elsewhere", str(made)) == made
    assert folders.find(tmp_path / "elsewhere", made) == made


def test_a_miss_names_the_nearest(tmp_path: Path) -> None:
    for name in ("dqn-pacman-1", "basic-cartpole-1"):
        run(tmp_path, name)
    with pytest.raises(InputError, match=r"no run 'dqn-pcman-1' .*did you mean dqn-pacman-1\?"):
        folders.find(tmp_path, "dqn-pcman-1")
    with pytest.raises(InputError, match=r"no run 'zzz' .*; it has basic-cartpole-1, dqn-pacman-1$"):
        folders.find(tmp_path, "zzz")
    with pytest.raises(InputError, match="there are none yet"):
        folders.find(tmp_path / "nowhere", "x")


def test_what_is_no_run_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    with pytest.raises(InputError, match=r"notes is not a run: it holds no config\.yaml"):
        folders.find(tmp_path, "notes")
    for given in ("", "\0", "x" * 5_000, "../" * 2_000, "\ud800"):
        with pytest.raises(InputError) as caught:
            folders.find(tmp_path, given)
        assert len(str(caught.value).encode()) < 1_000


def test_names_are_sorted_as_a_person_counts(tmp_path: Path) -> None:
    for name in ("dqn-10", "dqn-9", "basic-2", "7"):
        run(tmp_path, name)
    (tmp_path / "notes").mkdir()
    assert folders.names(tmp_path) == ["7", "basic-2", "dqn-9", "dqn-10"]
    assert folders.names(tmp_path / "nowhere") == []


# The lock, with real processes

HOLDER = """
import sys
from pathlib import Path
from rltrain.errors import BusyError, CheckpointError, DiskError, InputError
from rltrain.run.lock import Lock

lock = None
for command in sys.stdin:
    if command == "take\\n":
        try:
            lock = Lock(Path(sys.argv[1]))
            print("won", flush=True)
        except BusyError:
            print("busy", flush=True)
    else:
        if lock is not None:
            lock.release()
        print("released", flush=True)
"""


class Holder:
    """A process that takes and releases the lock when told."""

    def __init__(self, folder: Path) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], **pipes)

    def tell(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextmanager
def holders(folder: Path, count: int) -> Iterator[list[Holder]]:
    started = [Holder(folder) for _ in range(count)]
    try:
        yield started
    finally:
        for holder in started:
            holder.process.kill()
            holder.process.communicate()


def test_races_have_one_winner(tmp_path: Path) -> None:
    with holders(tmp_path, 4) as processes:
        for _ in range(8):
            for holder in processes:
                holder.tell("take")
            assert sorted(holder.answer() for holder in processes) == ["busy", "busy", "busy", "won"]
            for holder in processes:
                holder.tell("release")
            assert {holder.answer() for holder in processes} == {"released"}


def test_the_busy_one_is_named_and_its_death_frees_the_lock(tmp_path: Path) -> None:
    with holders(tmp_path, 1) as (holder,):
        holder.tell("take")
        assert holder.answer() == "won"
        assert is_locked(tmp_path)
        with (
            pytest.raises(BusyError, match=rf"in use by process {holder.process.pid} on {os.uname().nodename}"),
            Lock(tmp_path),
        ):
            pass
        holder.process.send_signal(signal.SIGKILL)
        holder.process.wait()
        assert not is_locked(tmp_path)
        with Lock(tmp_path):
            assert (tmp_path / ".lock").read_text().split()[0] == str(os.getpid())


def test_the_lock_holds_within_a_process_and_ends_with_its_block(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    with Lock(tmp_path):
        with pytest.raises(BusyError, match=f"process {os.getpid()} "), Lock(tmp_path):
            pass
        assert is_locked(tmp_path)
    with pytest.raises(ZeroDivisionError), Lock(tmp_path):
        _ = 1 / 0
    with Lock(tmp_path):
        pass
    assert not is_locked(tmp_path)


def test_a_glance_at_the_lock_turns_nobody_away(tmp_path: Path) -> None:
    """`is_locked` takes the lock for an instant; who starts in that instant waits for it."""
    (tmp_path / ".lock").write_text("")
    glance = os.open(tmp_path / ".lock", os.O_RDONLY)
    fcntl.flock(glance, fcntl.LOCK_SH)
    threading.Timer(0.03, os.close, [glance]).start()
    with Lock(tmp_path):
        pass


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/etc/passwd"), os.mkdir])
def test_a_lock_that_is_no_file_is_an_error_and_no_hang(tmp_path: Path, make) -> None:
    make(tmp_path / ".lock")
    with pytest.raises(CheckpointError, match=r"lock is a .*, where a file of the run belongs"), Lock(tmp_path):
        pass
    assert not is_locked(tmp_path)


def test_a_lock_with_a_second_name_is_refused_since_its_content_would_change_there_too(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / ".lock").hardlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match="second name"), Lock(tmp_path):
        pass
    assert (tmp_path / "elsewhere").read_text() == "precious"


def test_a_lock_whose_file_was_cleared_away_locks_the_new_one(tmp_path: Path) -> None:
    """Who waits at a file that another process then removes with its folder has locked nothing."""
    folder = tmp_path / "x"
    folder.mkdir()
    entered = threading.Event()

    def clear() -> None:
        with Lock(folder):
            entered.set()
            waited.wait(60)
            (folder / ".lock").unlink()

    waited = threading.Event()
    clearing = threading.Thread(target=clear)
    clearing.start()
    assert entered.wait(60)
    threading.Timer(0.03, waited.set).start()
    with Lock(folder):
        clearing.join()
        with pytest.raises(BusyError), Lock(folder):
            pass


def test_a_run_that_another_process_began_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    folder = folders.create(tmp_path, "x", "dqn")
    (folder / "config.yaml").write_text("of the quicker one")
    with pytest.raises(InputError, match=r"exists; choose another --name, or go on with it: rltrain resume"):
        folders.lock_new(folder)
    with Lock(folder):
        pass


# Folders in which no run began

BEGINNINGS = {
    "empty": [],
    "locked once": [".lock"],
    "its facts": [".lock", ".ballast", "run.json", "tmp-config.yaml"],
    "its model": [".lock", "run.json", "model/grid.yaml", "model/tmp-grid.yaml"],
    "empty folders": [".lock", "checkpoints/", "chunks/"],
    "a group's": [".lock", "experiment.yaml", "tmp-seeds.json"],
    "a fork's": [".lock", ".forking", "run.json", "checkpoints/ckpt-000000000001/MANIFEST.json", "metrics.jsonl"],
    "an earlier version's": [".lock", ".probe-123-1", ".config.yaml.part"],
}
WORK = {
    "a run": [".lock", "config.yaml"],
    "a group": [".lock", "seeds.json"],
    "checkpoints": [".lock", "run.json", "checkpoints/ckpt-000000000001/MANIFEST.json"],
    "chunks": [".lock", "chunks/replay-0.bin"],
    "notes": [".lock", "notes.txt"],
    "a fork that is done": [".lock", ".forking", "config.yaml", "metrics.jsonl"],
    "somebody's models": ["model/grid.yaml"],
    "numbers": [".lock", "metrics.jsonl"],
}


def lay_out(folder: Path, names: list[str]) -> None:
    folder.mkdir()
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).mkdir() if name.endswith("/") else (folder / name).write_text("x")


@pytest.mark.parametrize("what", BEGINNINGS)
def test_a_folder_in_which_no_run_began_is_taken_over_empty(tmp_path: Path, what: str) -> None:
    lay_out(tmp_path / "x", BEGINNINGS[what])
    assert folders.create(tmp_path, "x", "dqn") == tmp_path / "x"
    assert [path.name for path in (tmp_path / "x").iterdir()] == [".lock"]


@pytest.mark.parametrize("what", WORK)
def test_a_folder_that_may_hold_work_is_never_taken_over(tmp_path: Path, what: str) -> None:
    lay_out(tmp_path / "x", WORK[what])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="exists; choose another --name"):
        folders.create(tmp_path, "x", "dqn")
    folders.forget_unbegun(tmp_path / "x")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_in_which_a_process_is_at_its_beginning_is_busy(tmp_path: Path) -> None:
    lay_out(tmp_path / "x", [])
    with Lock(tmp_path / "x"), pytest.raises(BusyError):
        folders.create(tmp_path, "x", "dqn")


def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    lay_out(tmp_path / "x", BEGINNINGS["its model"])
    folders.forget_unbegun(tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_link_to_a_folder_is_not_emptied(tmp_path: Path) -> None:
    lay_out(tmp_path / "elsewhere", BEGINNINGS["its facts"])
    (tmp_path / "x").symlink_to("elsewhere")
    with pytest.raises(InputError, match="exists"):
        folders.create(tmp_path, "x", "dqn")
    assert (tmp_path / "elsewhere" / "run.json").exists()


# The disk


def test_the_probe_leaves_nothing(tmp_path: Path) -> None:
    assert reserve.probe(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_the_probe_finds_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="cannot save in"):
        reserve.probe(tmp_path / "gone")


def test_the_probe_warns_of_a_disk_without_sync_or_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(os, "fsync", unsupported)
    monkeypatch.setattr(fcntl, "flock", unsupported)
    warnings = reserve.probe(tmp_path)
    assert len(warnings) == 2 and "no fsync" in warnings[0] and "no locks" in warnings[1]
    with Lock(tmp_path):  # and the run goes on all the same
        pass


def test_free_space_is_that_of_the_disk(tmp_path: Path) -> None:
    assert 0 < reserve.free_bytes(tmp_path) < 1 << 60
    with pytest.raises(DiskError):
        reserve.free_bytes(tmp_path / "gone")


def test_the_ballast_takes_space_and_gives_it_back(tmp_path: Path) -> None:
    assert reserve.create_ballast(tmp_path, 1 << 20)
    assert reserve.create_ballast(tmp_path, 1 << 20)  # a resumed run finds it
    found = (tmp_path / ".ballast").stat()
    assert found.st_size == 1 << 20 and found.st_blocks * 512 >= 1 << 20
    assert reserve.release_ballast(tmp_path)
    assert not reserve.release_ballast(tmp_path)
    assert not reserve.create_ballast(tmp_path / "gone")


def test_runs_of_a_sweep_are_named_by_trial_and_seed(tmp_path: Path) -> None:
    for name in ("lr/t0002/s0", "lr/t0010/s0", "lr/t0010/s1", "lr/other/s0", "lr/t12/s0"):
        made_run(tmp_path, name)
    assert folders.sweeps(tmp_path) == [] and folders.names(tmp_path, trials=True) == []
    (tmp_path / "lr" / folders.SWEEP_MARKER).write_text("{}")
    assert folders.sweeps(tmp_path) == ["lr"]
    assert folders.names(tmp_path) == []
    assert folders.names(tmp_path, trials=True) == ["lr/t0002/s0", "lr/t0010/s0", "lr/t0010/s1"]
    assert folders.find(tmp_path, "lr/t0010/s1") == tmp_path / "lr/t0010/s1"
    with pytest.raises(
        InputError, match=r"lr is a sweep; name a run of it, such as .*lr/t0002/s0; `rltrain sweep show"
    ):
        folders.find(tmp_path, "lr")
    with pytest.raises(InputError, match=r"no run 'lr/t0010/s2'.*did you mean lr/t0010/s[01]"):
        folders.find(tmp_path, "lr/t0010/s2")
    with pytest.raises(InputError, match=r"lr exists; .*rltrain sweep resume"):
        folders.create(tmp_path, "lr", "x")


def test_a_trial_of_a_sweep_is_a_group_by_its_name(tmp_path: Path) -> None:
    trial = made_run(tmp_path, "lr/t0002/s0").parent
    (trial / folders.GROUP_MARKER).write_text('{"format": 1, "seeds": [0]}')
    with pytest.raises(
        InputError, match=r"lr/t0002 is the home of runs of several seeds; name one of them, .*t0002/s0"
    ):
        folders.find(tmp_path, "lr/t0002")
    found = groups.find(tmp_path, "lr/t0002")
    assert found is not None and found.folder == trial


def made_run(runs_dir: Path, name: str) -> Path:
    run = runs_dir / name
    run.mkdir(parents=True)
    (run / folders.MARKER).write_text("")
    return run
