"""Models as folders of arrays: written in a stream, whole or not at all; read without harm, whoever made them."""

import errno
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rltrain
from rltrain.errors import DiskError, InputError
from rltrain.mdp import build, files, problems
from rltrain.mdp.files import folder, folder_writer
from rltrain.mdp.files.folder_tables import write_table
from rltrain.mdp.model import Numbered
from rltrain.mdp.solvers.compiled import Compiled
from rltrain.mdp.solvers.solve import solve
from rltrain.verbs.mdp.generate import generate

BOOK = files.read(files.BOOK).model
ARRAYS = ("first_pair", "action", "first_next", "next", "prob", "reward", "next_reward", "start")
GARNET = problems.garnet(3_000, 4, 8, 1, 0.9)
REACHABLE = problems.garnet(60, 3, 3, 2)


def same(one, other):
    """Whether two models are identical, bit for bit."""
    for key in ARRAYS:
        mine, theirs = getattr(one, key), getattr(other, key)
        assert (mine is None) == (theirs is None), key
        assert mine is None or (mine.dtype == theirs.dtype and np.array_equal(mine, theirs)), key
    return (one.states, one.actions, one.discount) == (other.states, other.actions, other.discount)


def facts(path):
    return json.loads((path / "model.json").read_text())


def write_facts(path, **changes):
    (path / "model.json").write_text(json.dumps(facts(path) | changes))


# written and read


@pytest.mark.parametrize("mapped", [0, folder.MAPPED], ids=["mapped", "in memory"])
@pytest.mark.parametrize("model", [BOOK, GARNET, problems.gambler(30), problems.grid(9)], ids=lambda model: model.name)
def test_a_folder_holds_the_same_model(tmp_path, model, mapped):
    files.write(model, tmp_path / "m.mdpd")
    found = folder.read(tmp_path / "m.mdpd", mapped).model
    assert same(found, model) and found.name == model.name
    assert (found.mapped is not None) == (mapped == 0)


def test_numpy_alone_reads_the_arrays_and_sha256_is_that_of_the_files(tmp_path):
    files.write(GARNET, tmp_path / "m.mdpd")
    for name in ("first_pair", "action", "first_next", "next", "prob", "reward"):
        array = np.load(tmp_path / f"m.mdpd/{name}.npy", allow_pickle=False)
        assert np.array_equal(array, getattr(GARNET, name))
        np.save(tmp_path / f"{name}.npy", array)
        assert (tmp_path / f"{name}.npy").read_bytes() == (tmp_path / f"m.mdpd/{name}.npy").read_bytes()
    listed = {name: each["sha256"] for name, each in facts(tmp_path / "m.mdpd")["files"].items()}
    said = subprocess.run(["sha256sum", *listed], cwd=tmp_path / "m.mdpd", capture_output=True, text=True, check=True)
    assert dict(reversed(line.split()) for line in said.stdout.splitlines()) == listed


@pytest.mark.parametrize(
    ("family", "given"),
    [
        ("garnet", {"states": 150_000, "actions": 2, "branching": 2, "seed": 3}),
        ("garnet", {"states": 1}),
        ("garnet", {"states": 3, "branching": 5}),
        ("grid", {"side": 300}),
        ("grid", {"side": 5, "slip": 0.0}),
        ("grid", {"side": 2, "slip": 1.0}),
        ("forest", {"states": 7}),
    ],
)
def test_what_is_generated_in_a_stream_is_what_is_generated_in_memory(tmp_path, family, given):
    made = problems.PROBLEMS[family].make(**given, discount=0.9)
    sizes = generate(family, tmp_path / "m.mdpd", given, 0.9)
    assert same(files.read(tmp_path / "m.mdpd").model, made)
    assert (sizes.num_states, sizes.num_pairs, sizes.num_next) == (made.num_states, made.num_pairs, made.num_next)


def test_convert_goes_both_ways_and_replaces_nothing_unasked(tmp_path):
    files.write(BOOK, tmp_path / "m.mdpd")
    files.write(files.read(tmp_path / "m.mdpd").model, tmp_path / "m.npz")
    assert same(files.read(tmp_path / "m.npz").model, BOOK)
    with pytest.raises(InputError, match="exists; --overwrite replaces it"):
        files.write(GARNET, tmp_path / "m.mdpd")
    files.write(GARNET, tmp_path / "m.mdpd", overwrite=True)
    assert same(files.read(tmp_path / "m.mdpd").model, GARNET)
    assert sorted(os.listdir(tmp_path)) == ["m.mdpd", "m.npz"]


def test_only_a_models_folder_is_replaced(tmp_path):
    (tmp_path / "m.mdpd").mkdir()
    (tmp_path / "m.mdpd/thesis.tex").write_text("years")
    with pytest.raises(InputError, match=r"'thesis\.tex' in it is no part of a model"):
        files.write(BOOK, tmp_path / "m.mdpd", overwrite=True)
    (tmp_path / "n.mdpd").symlink_to(tmp_path / "m.mdpd")
    with pytest.raises(InputError, match="is no folder"):
        files.write(BOOK, tmp_path / "n.mdpd", overwrite=True)
    assert (tmp_path / "m.mdpd/thesis.tex").read_text() == "years"


# from a function


def table_of(model, k):
    """A model as a function of some states: rows turned round, padded by what cannot happen."""

    def rows(asked):
        shape = (len(asked), model.num_actions, k)
        following, prob, reward = np.full(shape, -7), np.zeros(shape), np.full(shape, np.nan)
        for n, state in enumerate(asked):
            for pair in model.pairs(int(state)):
                span, action = model.successors(pair), model.action[pair]
                count = span.stop - span.start
                following[n, action, :count] = model.next[span][::-1]
                prob[n, action, :count] = model.prob[span][::-1]
                paid = model.reward[pair] if model.next_reward is None else model.next_reward[span][::-1]
                reward[n, action, :count] = paid
        return following, prob, reward if model.next_reward is not None else reward[:, :, 0]

    return rows


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_a_model_from_a_function_is_the_model(tmp_path_factory, seed):
    path = tmp_path_factory.mktemp("m") / "m.mdpd"
    rng = np.random.default_rng(seed)
    model = problems.garnet(int(rng.integers(1, 60)), int(rng.integers(1, 4)), int(rng.integers(1, 6)), seed, 0.5)
    of_next = rng.normal(size=model.num_next) if seed % 2 else None
    reward = model.reward if of_next is None else build.expected_rewards(model.prob, of_next, model.first_next)[0]
    start = build.whole(rng.dirichlet(np.ones(model.num_states)))
    model = replace(model, reward=reward, next_reward=of_next, start=start)
    sizes = {"states": model.num_states, "actions": model.num_actions}
    rltrain.write_model(path, **sizes, rows=table_of(model, 6), discount=0.5, start=start)
    assert same(files.read(path).model, model)


def test_terminal_states_impossible_actions_and_successors_that_stand_twice(tmp_path):
    def rows(states):
        following = np.array([[[2, 1, 1], [0, 0, 0]], [[0, 1, 2], [2, 0, 0]], [[0, 0, 0], [0, 0, 0]]])
        prob = np.array([[[0.5, 0.25, 0.25], [0, 0, 0]], [[0, 0, 1.0], [1.0, 0, 0]], [[0, 0, 0], [0, 0, 0]]])
        reward = np.array([[[1.0, 2.0, 4.0], [9, 9, 9]], [[9, 9, 5.0], [6.0, 9, 9]], [[9, 9, 9], [9, 9, 9]]])
        return following[states], prob[states], reward[states]

    rltrain.write_model(tmp_path / "m.mdpd", states=["a", "b", "end"], actions=["go", "stay"], rows=rows)
    model = files.read(tmp_path / "m.mdpd").model
    assert model.terminal.tolist() == [False, False, True] and model.action.tolist() == [0, 0, 1]
    assert model.next.tolist() == [1, 2, 2, 2] and model.prob.tolist() == [0.5, 0.5, 1, 1]
    assert model.next_reward.tolist() == [3, 1, 5, 6] and model.reward.tolist() == [2, 5, 6]
    assert (model.states, model.actions, model.name) == (("a", "b", "end"), ("go", "stay"), "m")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda n, p, r: (n, p * 0.9, r), r"state '0', action '0': the 2 probabilities sum to 0\.9"),
        (lambda n, p, r: (n + 5, p, r), r"state '0', action '0': next is 5; expected 0 to 4"),
        (lambda n, p, r: (n - 1, p, r), r"state '0', action '0': next is -1; expected 0 to 4"),
        (lambda n, p, r: (n, -p, r), r"state '0', action '0': the probability -0\.5 is below 0 or no number"),
        (lambda n, p, r: (n, p * np.nan, r), "the probability nan is below 0 or no number"),
        (lambda n, p, r: (n, p, r + np.inf), "state '0', action '0': the reward inf is not a finite number"),
        (lambda n, p, r: (n, p, r + 1e200), r"the reward 1e\+200 is beyond 1e\+150"),
        (lambda n, p, r: (n * 1.0, p, r), r"next has the shape \(5, 2, 2\) of float64"),
        (lambda n, p, r: (n, p[:, :1], r), r"prob has the shape \(5, 1, 2\)"),
        (lambda n, p, r: (n, p, r[:, :, None]), r"reward has the shape \(5, 2, 1\)"),
        (lambda n, p, r: (n[:4], p[:4], r[:4]), "5 states were asked for, and next has 4"),
        (lambda n, p, r: (n, p), r"expected \(next, prob, reward\)"),
    ],
)
def test_rows_that_no_model_has_are_named_and_leave_nothing(tmp_path, change, said):
    def rows(states):
        shape = (len(states), 2, 2)
        return change(np.zeros(shape, dtype=int) + [0, 1], np.full(shape, 0.5), np.zeros(shape[:2]))

    with pytest.raises(InputError, match=said):
        rltrain.write_model(tmp_path / "m.mdpd", states=5, actions=2, rows=rows)
    assert os.listdir(tmp_path) == []


def test_a_start_that_is_none_is_refused(tmp_path):
    def rows(states):
        return np.zeros((len(states), 1, 1), dtype=int), np.ones((len(states), 1, 1)), np.zeros((len(states), 1))

    for start, said in (([1.0], "shape"), ([0.5, 0.4], "sum to 0.9"), ([2.0, -1.0], "state '1'")):
        with pytest.raises(InputError, match=said):
            rltrain.write_model(tmp_path / "m.mdpd", states=2, actions=1, rows=rows, start=start)
    assert os.listdir(tmp_path) == []


# whole or not at all


def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path):
    code = (
        "import resource, signal, sys, rltrain.cli.errors as e\n"
        "from rltrain.errors import DiskError\n"
        "from rltrain.verbs.mdp.generate import generate\n"
        "from pathlib import Path\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "try: generate('garnet', Path('m.mdpd'), {'states': 20_000})\n"
        "except DiskError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "m.mdpd: cannot be written: File too large\n", done.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_space_at_the_last_moment_leaves_the_old_model(tmp_path, monkeypatch, number):
    files.write(BOOK, tmp_path / "m.mdpd")
    real = os.rename

    def rename(old, new):
        if os.fspath(new).endswith("m.mdpd") and "tmp" in os.fspath(old) and not calls:
            calls.append(new)
            raise OSError(number, os.strerror(number))
        real(old, new)

    calls = []
    monkeypatch.setattr(folder_writer.os, "rename", rename)
    with pytest.raises(DiskError, match="free some space"):
        files.write(GARNET, tmp_path / "m.mdpd", overwrite=True)
    assert same(files.read(tmp_path / "m.mdpd").model, BOOK) and os.listdir(tmp_path) == ["m.mdpd"]


class Killed(BaseException):
    """The process is gone."""


def test_killed_before_any_call_of_the_system_there_is_the_old_model_or_the_new_one(tmp_path, monkeypatch):
    """Nothing of the process runs on after the k-th call; what lies there is what a reader finds."""
    place = tmp_path / "m.mdpd"
    found = set()
    for k in range(1, 200):
        for path in tmp_path.iterdir():
            for file in path.iterdir():
                file.unlink()
            path.rmdir()
        files.write(BOOK, place)
        calls = 0

        def count(real):
            def call(*arguments, **named):
                nonlocal calls
                calls += 1
                if calls >= k:  # noqa: B023
                    raise Killed
                return real(*arguments, **named)

            return call

        with monkeypatch.context() as patch:
            for name in ("rename", "fsync", "unlink", "rmdir", "listdir", "lstat"):
                patch.setattr(folder_writer.os, name, count(getattr(os, name)))
            try:
                files.write(REACHABLE, place, overwrite=True)
                ended = True
            except Killed:
                ended = False
        if place.exists():
            model = files.read(place).model
            found.add("old" if model.num_states == 3 else "new")
            assert same(model, BOOK if model.num_states == 3 else REACHABLE)
        else:  # between two renames, where both are whole beside it
            whole = [path for path in tmp_path.iterdir() if (path / "model.json").exists()]
            assert sorted(len(folder.read(path).model.states) for path in whole) == [3, 60]
            found.add("between")
        if ended:
            break
    assert ended and found == {"old", "new", "between"}


@pytest.mark.slow
def test_real_kills_leave_no_half_model(tmp_path):
    code = "import sys; from rltrain.__main__ import main; main()"
    command = [sys.executable, "-c", code, "mdp", "generate", "garnet", "m.mdpd", "--states", "200000", "--overwrite"]
    for number in range(8):
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        moment = ["prob.npy", "model.json"][number % 2]
        while process.poll() is None and not list(tmp_path.glob(f".m.mdpd.*.tmp/{moment}")):
            time.sleep(0.001)
        time.sleep(0.02 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if (tmp_path / "m.mdpd").exists():
            assert files.read(tmp_path / "m.mdpd").model.num_states == 200_000
        for left in tmp_path.glob(".*.tmp"):
            shutil.rmtree(left)
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert files.read(tmp_path / "m.mdpd").model.num_states == 200_000


# read without harm


@pytest.fixture
def made(tmp_path):
    files.write(GARNET, tmp_path / "m.mdpd")
    return tmp_path / "m.mdpd"


def forge(path, name, change):
    """Numbers of an array changed in their place, with the hash of the changed file: only the numbers give it away."""
    import hashlib

    array = np.load(path / f"{name}.npy", allow_pickle=False)
    change(array)
    np.save(path / f"{name}.npy", array)
    listed = facts(path)["files"]
    listed[f"{name}.npy"]["sha256"] = hashlib.sha256((path / f"{name}.npy").read_bytes()).hexdigest()
    write_facts(path, files=listed)


def put(where, value):
    def change(array):
        array[where] = value

    return change


@pytest.mark.parametrize("mapped", [0, folder.MAPPED], ids=["mapped", "in memory"])
@pytest.mark.parametrize("plain", [0, 10**9], ids=["compiled", "numpy"])
@pytest.mark.parametrize(
    ("name", "where", "value", "said"),
    [
        ("next", 17, 3_000, "'next' holds 3000; expected 0 to 2999"),
        ("next", 17, -1, "'next' holds -1"),
        ("next", -1, 2**31 - 1, "'next' holds 2147483647"),
        ("next", slice(0, 2), 5, "given twice|successors must ascend"),
        ("action", 5, 4, "'action' holds 4"),
        ("action", 5, -(2**31), "'action' holds -2147483648"),
        ("action", 5, 3, "actions of a state must ascend"),
        ("first_pair", 0, 1, "does not begin at 0"),
        ("first_pair", 7, 2**62, "first_pair"),
        ("first_pair", 7, -1, "first_pair"),
        ("first_pair", -1, 5, "first_pair"),
        ("first_pair", 1500, 5, "first_pair"),
        ("first_next", 3, 2**63 - 1, "first_next"),
        ("first_next", 3, -(2**63), "first_next"),
        ("first_next", 3, 0, "first_next"),
        ("first_next", -1, 5, "first_next"),
        ("prob", 9, np.nan, "the probability nan must be"),
        ("prob", 9, -0.5, "is negative"),
        ("prob", 9, 0.0, "must be a finite number above 0"),
        ("prob", 9, np.inf, "must be a finite number above 0"),
        ("prob", 9, 1e-3, "sum to"),
        ("reward", 9, np.inf, "not a finite number"),
        ("reward", 9, 1e300, "is beyond"),
    ],
)
def test_a_number_that_no_model_has_is_named(made, monkeypatch, mapped, plain, name, where, value, said):
    monkeypatch.setattr("rltrain.mdp.thresholds.PLAIN_NEXT", plain)
    forge(made, name, put(where, value))
    with pytest.raises(InputError, match=rf"m\.mdpd: .*({said})"):
        folder.read(made, mapped)


def test_a_row_that_is_off_by_its_digits_alone_is_refused(made):
    forge(made, "prob", lambda prob: np.round(prob, 8, out=prob))
    with pytest.raises(InputError, match="each row is divided by its sum before it is written"):
        files.read(made)


def test_any_byte_that_changed_is_found(made):
    rng = np.random.default_rng(0)
    for name in os.listdir(made):
        if name == "model.json":
            continue
        data = bytearray((made / name).read_bytes())
        place = int(rng.integers(len(data)))
        (made / name).write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(InputError, match=r"m\.mdpd: "):
            files.read(made)
        (made / name).write_bytes(data)
    files.read(made)


def test_random_bytes_never_harm(made):
    """Whatever stands in the arrays, with the right hashes: an error of ours or a model, never a crash."""
    rng = np.random.default_rng(1)
    arrays = {path.name: path.read_bytes() for path in made.glob("*.npy")}
    for _ in range(60):
        for name, data in arrays.items():
            (made / name).write_bytes(data)
        for name in rng.choice(list(arrays), 2, replace=False):

            def change(array, rng=rng):
                first = int(rng.integers(len(array)))
                view = array[first : first + int(rng.integers(1, 9))].view(np.uint8)
                view[:] = rng.integers(0, 256, len(view))

            forge(made, name.removesuffix(".npy"), change)
        with pytest.raises(InputError):
            folder.read(made, int(rng.integers(2)) * folder.MAPPED)


@pytest.mark.parametrize("name", ["model.json", "prob.npy"])
@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "missing", "short", "long", "empty"])
def test_what_is_no_plain_file_of_its_size_is_refused(made, tmp_path, name, kind):
    data = (made / name).read_bytes()
    (made / name).unlink()
    if kind == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        (made / name).symlink_to(tmp_path / "elsewhere")
    elif kind == "fifo":
        os.mkfifo(made / name)
    elif kind == "folder":
        (made / name).mkdir()
    elif kind != "missing":
        (made / name).write_bytes({"short": data[:-9], "long": data + b"x", "empty": b""}[kind])
    with pytest.raises(InputError, match=r"m\.mdpd: "):
        files.read(made)


def test_headers_of_another_type_or_shape_and_pickles_are_refused(made):
    prob = np.load(made / "prob.npy", allow_pickle=False)
    for array in (
        prob.astype(np.float32),
        prob[: len(prob) // 2],
        prob.reshape(1, -1),
        prob.astype(">f8"),
        prob.astype(object),
    ):
        np.save(made / "prob.npy", array, allow_pickle=True)
        with pytest.raises(InputError, match=r"prob\.npy (has|does not begin)"):
            files.read(made)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": "other"}, "format is 'other'"),
        ({"states": 2**31}, "expected 1 to"),
        ({"states": 0}, "expected 1 to"),
        ({"states": "many"}, "states is 'many'"),
        ({"states": ["a", "a", "b"]}, "two states are called 'a'"),
        ({"states": [1, 2]}, "a name that is no text"),
        ({"states": 10}, "first_pair.npy has"),
        ({"pairs": -1}, "pairs is -1"),
        ({"transitions": 0.5}, "transitions is 0.5"),
        ({"transitions": 2**62}, "next.npy has"),
        ({"discount": 2}, "discount: must be from 0 to 1"),
        ({"discount": "high"}, "discount is 'high'"),
        ({"name": "two\nlines"}, "name is not one line"),
        ({"files": []}, "is damaged"),
        ({"files": {"../x.npy": {}}}, r"unknown file '\.\./x\.npy'"),
        ({"discounts": 1}, "unknown key 'discounts'; did you mean 'discount'"),
    ],
)
def test_a_model_json_that_says_what_is_not_so_is_refused(made, changes, said):
    write_facts(made, **changes)
    with pytest.raises(InputError, match=rf"m\.mdpd: .*{said}"):
        files.read(made)


def test_a_folder_without_model_json_is_no_model(tmp_path):
    (tmp_path / "m.mdpd").mkdir()
    with pytest.raises(InputError, match="was not written to its end"):
        files.read(tmp_path / "m.mdpd")
    with pytest.raises(InputError, match="did you mean"):
        files.read(tmp_path / "mm.mdpd")


def test_write_table_stops_where_states_end(tmp_path):
    """The last block may be shorter than the others."""
    sizes = []

    def rows(states):
        sizes.append(len(states))
        return np.zeros((len(states), 1, 1), dtype=int), np.ones((len(states), 1, 1)), np.zeros((len(states), 1))

    written = write_table(tmp_path / "m.mdpd", Numbered(300_000), Numbered(1), rows)
    assert sizes == [1 << 18, 300_000 - (1 << 18)] and written.num_next == 300_000


# a run learns from it


def test_a_run_has_the_folder_as_its_own_and_goes_on_without_the_original(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files.write(BOOK, tmp_path / "m.mdpd")
    config = {"algorithm": "qlearn", "environment": "m.mdpd", "run": {"budget": {"env_steps": 2_000}}}
    run = rltrain.train(config, runs_dir=tmp_path / "runs", name="one")
    kept = tmp_path / "runs/one/model/m.mdpd"
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "m.mdpd").iterdir()
    }
    files.write(GARNET, tmp_path / "m.mdpd", overwrite=True)
    assert same(files.read(kept).model, BOOK)
    rltrain.resume(run, {"run.budget": {"env_steps": 4_000}}, runs_dir=tmp_path / "runs")
    files.write(BOOK, tmp_path / "m.mdpd", overwrite=True)
    whole = rltrain.train(config, {"run.budget": {"env_steps": 4_000}}, runs_dir=tmp_path / "runs", name="two")
    assert np.array_equal(rltrain.load(run).scores(0), rltrain.load(whole).scores(0))


# solved


LARGE = problems.garnet(60_000, 3, 4, 5, 0.9)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "m.mdpd"
    files.write(LARGE, path)
    return folder.read(path, 0).model


@functools.cache
def in_memory(method):
    return solve(LARGE, 0.9, method, threads=1)


@pytest.mark.parametrize(
    ("threads", "piece"),
    [
        (1, 10_000),
        (3, 1 << 21),
        pytest.param(1, 1 << 21, marks=pytest.mark.slow),
        pytest.param(3, 10_000, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("method", ["vi", "qvi", "mpi", "gs"])
def test_a_mapped_model_has_the_same_answer_to_the_bit(mapped, monkeypatch, method, threads, piece):
    monkeypatch.setattr("rltrain.mdp.solvers.compiled.PIECE", piece)
    one = solve(mapped, 0.9, method, threads=threads)
    other = in_memory(method)
    assert one.bound == other.bound and one.sweeps == other.sweeps and one.converged
    for key in ("value", "q", "choice", "tied", "gaps"):
        assert np.array_equal(getattr(one, key), getattr(other, key)), key


def test_auto_takes_value_iteration_for_a_model_on_the_disk(mapped):
    assert solve(mapped, 0.9).method == "vi" and solve(LARGE, 0.9).method == "mpi"


def test_limits_stop_a_mapped_solve_and_what_it_says_is_still_proven(mapped):
    stopped, best = solve(mapped, 0.9, max_sweeps=3), solve(LARGE, 0.9, epsilon=1e-9)
    assert not stopped.converged and stopped.sweeps <= 4
    assert np.abs(stopped.value - best.value).max() <= stopped.bound + best.bound


def resident(key):
    return int(next(line for line in open("/proc/self/status") if line.startswith(key)).split()[1]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_was_swept_over_is_let_go(mapped):
    on = Compiled(mapped, 0.9, 1)
    value = np.zeros(mapped.num_states)
    try:
        mapped.mapped.let_go(0, mapped.num_states)
        before = resident("RssFile")
        on.sweep(value, np.empty_like(value), np.empty(len(value), np.int64))
        assert (
            resident("RssFile") - before < 2_000_000 < sum(file.array.nbytes for file in mapped.mapped.files.values())
        )
    finally:
        on.close()
