"""A solve over several processes of MPI: the bits of one process, one voice, and no rank that waits for ever."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rltrain import ranks
from rltrain.errors import MissingError
from rltrain.mdp import files, problems
from rltrain.mdp.files import folder
from rltrain.mdp.solvers.over_ranks import blocks, own_rows
from rltrain.verbs.mdp.over_ranks import fingerprint

ROOT = Path(__file__).parent.parent.parent
AT_WORK = str(ROOT / "tests" / "fixtures" / "ranks_at_work.py")
MPIRUN = str(Path(sys.executable).parent / "mpirun")
VARIABLES = {name for launcher in ranks.LAUNCHERS for name in launcher}
WAIT_SECONDS = 240  # before a test says that ranks hang


def environment(**more):
    return {**{name: os.environ[name] for name in os.environ if name not in VARIABLES}, "PYTHONPATH": str(ROOT), **more}


def python(*words, count=1, **options):
    """Python with these words, by mpirun where it is wanted several times."""
    launcher = [] if count == 1 else [MPIRUN, "-n", str(count)]
    return subprocess.run(
        [*launcher, sys.executable, *words],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        **options,
    )


def rltrain(*words, count=1, **options):
    return python("-m", "rltrain", *words, count=count, **options)


# What a rank is


def test_a_process_that_was_started_alone_knows_no_ranks(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert ranks.launched() is None
    monkeypatch.setenv("PMI_RANK", "0")
    assert ranks.launched() is None  # a batch of Slurm
    monkeypatch.setenv("PMI_SIZE", "1")
    assert ranks.launched() is None  # one rank is a plain run
    monkeypatch.setenv("PMI_SIZE", "3")
    assert ranks.launched() == (0, 3)


@pytest.mark.parametrize(("rank", "size"), ranks.LAUNCHERS)
def test_each_launcher_is_known_by_its_variables(monkeypatch, rank, size):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(rank, "2")
    monkeypatch.setenv(size, "4")
    assert ranks.launched() == (2, 4)


def test_without_mpi4py_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PMI_RANK", "1")
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    ranks.here.cache_clear()
    try:
        with pytest.raises(MissingError, match=r'pip install "rltrain\[mpi\]"'):
            ranks.here()
    finally:
        ranks.here.cache_clear()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 200])
def test_blocks_cover_all_states_once_and_share_the_pairs(size):
    model = problems.garnet(101, 3, 2, 1)
    edges = blocks(model, size)
    assert len(edges) == size + 1 and edges[0] == 0 and edges[-1] == 101 and edges == sorted(edges)
    if size < 101:
        assert max(b - a for a, b in itertools.pairwise(edges)) <= 101 // size + 2


def test_own_rows_are_the_rows_of_some_states_at_their_places():
    model = problems.garnet(50, 3, 2, 1)
    own = own_rows(model, 20, 30)
    first, last = int(model.first_pair[20]), int(model.first_pair[30])
    span = slice(int(model.first_next[first]), int(model.first_next[last]))
    assert (own.prob[span] == model.prob[span]).all() and own.prob.sum() == pytest.approx(last - first)
    assert (own.reward[first:last] == model.reward[first:last]).all() and not own.reward[:first].any()


def test_fingerprints_tell_models_apart(tmp_path):
    for seed in (1, 2):
        files.write(problems.garnet(50, 3, 2, seed), tmp_path / f"{seed}.mdpd")
    first, second = (fingerprint(folder.read(tmp_path / f"{seed}.mdpd", mapped=0).model) for seed in (1, 2))
    assert first != second and first == fingerprint(folder.read(tmp_path / "1.mdpd", mapped=0).model)
    assert fingerprint(problems.garnet(50, 3, 2, 1)) == fingerprint(problems.garnet(50, 3, 2, 1))
    assert fingerprint(problems.garnet(50, 3, 2, 1)) != fingerprint(problems.garnet(50, 3, 2, 2))


# Under mpirun

slow = pytest.mark.slow


@slow
def test_the_bits_are_those_of_one_process_on_any_number_of_ranks(tmp_path):
    files.write(problems.garnet(3_000, 3, 5, 7), tmp_path / "garnet.mdpd")
    alone = python(AT_WORK, "bits", tmp_path / "garnet.mdpd")
    assert alone.returncode == 0, alone.stderr
    lines = alone.stdout.splitlines()
    assert len(lines) == 15 and len({line.split()[-1] for line in lines if "garnet" in line or "mapped" in line}) == 3
    for count in (2, 3, 4):
        shared = python(AT_WORK, "bits", tmp_path / "garnet.mdpd", count=count)
        assert (shared.returncode, shared.stderr) == (0, "")
        assert shared.stdout == alone.stdout


@slow
def test_the_command_says_once_what_it_says_without_mpirun(tmp_path):
    made = rltrain("mdp", "generate", "garnet", "g.npz", "--states", "1500", "--discount", "0.9", cwd=tmp_path)
    assert made.returncode == 0
    alone = rltrain("mdp", "solve", "g.npz", "--json", "--save", "a.npz", cwd=tmp_path)
    shared = rltrain("mdp", "solve", "g.npz", "--json", "--save", "b.npz", count=3, cwd=tmp_path)
    assert (shared.returncode, shared.stderr) == (0, "")
    here, there = json.loads(alone.stdout), json.loads(shared.stdout)
    assert {key: here[key] for key in here if "seconds" not in key and "saved" not in key} == {
        key: there[key] for key in there if "seconds" not in key and "saved" not in key
    }
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mdp", "solve", "lacks.npz"), "lacks.npz"),
        (("mdp", "solve", "--discount", "0.9", "--method", "pi"), "--method pi: ranks share sweeps"),
        (("mdp", "solve", "--discount", "1"), "--discount 1: ranks share sweeps that contract"),
        (("mdp", "solve", "--average"), "ranks share the sweeps of a discounted sum alone"),
        (("mdp", "solve", "--epsilon", "0"), "--epsilon 0"),
        (("doctor",), "started 2 times by mpirun"),
    ],
)
def test_what_is_refused_is_said_once(words, message, tmp_path):
    found = rltrain(*words, count=2, cwd=tmp_path)
    assert found.returncode == 2 and found.stdout == ""
    assert found.stderr.count(message) == 1 and "rank" not in found.stderr.replace("ranks share", ""), found.stderr


@slow
def test_models_that_differ_are_refused():
    found = python(AT_WORK, "others_differ", count=3)
    assert (found.returncode, found.stderr) == (
        2,
        "rank 2 of 3 has another model than rank 0; give all the same file\n",
    )


@slow
def test_what_one_rank_cannot_read_none_solves():
    found = python(AT_WORK, "one_finds_none", count=3)
    assert (found.returncode, found.stderr) == (2, "rank 1 of 3: garnet.npz: no such file\n")


@slow
def test_an_error_of_one_rank_in_the_middle_ends_all_with_its_message_and_code():
    found = python(AT_WORK, "one_fails", count=3)
    assert (found.returncode, found.stderr) == (2, "rank 1 of 3: the disk of this machine is upside down\n")


def at_work(count):
    """An mpirun whose ranks are in the middle of a solve, and their process ids."""
    process = subprocess.Popen(
        [MPIRUN, "-n", str(count), sys.executable, AT_WORK, "without_end"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    pids = [int(word) for word in process.stdout.readline().split()]
    assert len(pids) == count, process.communicate(timeout=WAIT_SECONDS)
    return process, pids


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_none_runs(pids):
    """The launcher may leave a moment before its processes."""
    end = time.monotonic() + WAIT_SECONDS
    while any(runs(pid) for pid in pids):
        assert time.monotonic() < end, "a rank is left"
        time.sleep(0.02)


@slow
def test_a_rank_that_is_killed_ends_all():
    process, pids = at_work(3)
    os.kill(pids[1], signal.SIGKILL)
    process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 9
    wait_until_none_runs(pids)


@slow
def test_ctrl_c_ends_all_as_it_ends_one():
    process, pids = at_work(2)
    process.send_signal(signal.SIGINT)  # as a terminal does, the launcher hands it on
    out, err = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, err) == (130, "") and "Sending Ctrl-C" in out
    wait_until_none_runs(pids)
