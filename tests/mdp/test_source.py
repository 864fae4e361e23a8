"""Where models come from: regular files, packed ones, standard input; and what is refused before it takes memory."""

import gzip
import io
import os
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest

from rltrain.errors import InputError
from rltrain.mdp import files
from rltrain.mdp.files import policy_files, source

BOOK = files.read(files.BOOK).model
KINDS = (".yaml", ".csv", ".npz", ".mdp", ".pomdp")


def given(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(data)))


def same(one, other):
    return (one.states, one.actions, one.discount) == (other.states, other.actions, other.discount) and all(
        np.array_equal(getattr(one, key), getattr(other, key)) for key in ("first_pair", "next", "prob", "reward")
    )


@pytest.mark.parametrize("suffix", KINDS)
def test_a_model_comes_packed_or_through_standard_input(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"book{suffix}"
    files.write(BOOK, path)
    given(monkeypatch, path.read_bytes())
    assert same(files.read("-").model, BOOK)
    given(monkeypatch, gzip.compress(path.read_bytes()))
    assert same(files.read("-").model, BOOK)
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert same(files.read(packed).model, BOOK) and files.is_model_file(str(packed)) and files.is_model_file("-")
    if suffix == ".npz":
        with pytest.raises(InputError, match="is not packed again"):
            files.write(BOOK, packed, overwrite=True)
    else:
        files.write(BOOK, packed, overwrite=True)
        assert gzip.decompress(packed.read_bytes()) == path.read_bytes()


def test_costs_in_yaml_from_standard_input_are_no_text_of_cassandra(monkeypatch):
    given(monkeypatch, b"discount: 0.5\nvalues: cost\nstates:\n  a: {go: a reward 3}\n")
    loaded = files.read("-")
    assert loaded.costs and loaded.model.reward.tolist() == [-3]


def test_a_policy_comes_packed_too(tmp_path):
    (tmp_path / "p.csv.gz").write_bytes(gzip.compress(b"state,action\ns0,a0\ns1,a2\ns2,a1\n"))
    assert policy_files.read(tmp_path / "p.csv.gz", BOOK).tolist() == [1, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "standard input: empty"),
        (b"\0" * 100, "standard input: neither an .npz file nor text: it has bytes that are 0"),
        (b"name: \xe9", "standard input: neither an .npz file nor text in UTF-8: the byte 0xe9"),
        (b"y\n" * 600_000, "standard input: holds more than 1,000,000 bytes"),
        (b"PK\3\4", "standard input: damaged, or no .npz file"),
        (b"\x1f\x8bxxx", "standard input: damaged, or no .gz file"),
        (b"states: {a: {go: b}}\n", "standard input:1: state 'a', action 'go': unknown state 'b'"),
        (b"state,next,prob\na,b,1\n", "standard input:2: next state 'b': no row is about it"),
        (b"states: 1\nactions: 1\nT: 0 : 0 : 0 0.5\n", "standard input:3: state '0', action '0': the one probability"),
    ],
)
def test_what_standard_input_is_is_told_by_how_it_begins(monkeypatch, data, said):
    given(monkeypatch, data)
    with pytest.raises(InputError) as caught:
        files.read("-")
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("suffix", [*KINDS, ".csv.gz"])
def test_only_regular_files_are_read(tmp_path, suffix):
    pipe, device, link = (tmp_path / f"{name}{suffix}" for name in ("pipe", "device", "link"))
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    files.write(BOOK, tmp_path / "book.yaml", overwrite=True)
    for path, what in ((pipe, "a FIFO"), (device, "a device"), (tmp_path, "a folder")):
        named = path if path != tmp_path else tmp_path / f"folder{suffix}"
        named.mkdir() if path == tmp_path else None
        with pytest.raises(InputError, match=f"cannot be read: {what}, where a regular file belongs"):
            files.read(named)
    link.symlink_to(tmp_path / "book.yaml")
    if suffix == ".yaml":
        assert same(files.read(link).model, BOOK)


@pytest.mark.parametrize("suffix", policy_files.SUFFIXES)
def test_a_policy_is_read_from_regular_files_only(tmp_path, suffix):
    os.mkfifo(tmp_path / f"p{suffix}")
    with pytest.raises(InputError, match="cannot be read: a FIFO, where a regular file belongs"):
        policy_files.read(tmp_path / f"p{suffix}", BOOK)
    with pytest.raises(InputError, match="no such file"):
        policy_files.read(tmp_path / f"q{suffix}", BOOK)


@pytest.mark.parametrize("suffix", [".yaml", ".csv", ".mdp"])
def test_what_unpacks_without_end_is_not_unpacked(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(source, "SMALL", 100_000)
    path = tmp_path / f"bomb{suffix}.gz"
    path.write_bytes(gzip.compress(b"# 0,0,0,1,0\n" * 500_000))
    with pytest.raises(InputError, match=r"unpacks to more than 200 times its|holds more than 1,000,000 bytes"):
        files.read(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"unpacks to more|holds more|damaged"):
        files.read(path)


@pytest.mark.parametrize("suffix", sorted(source.LIMITS))
def test_every_text_has_a_limit_that_is_known_before_it_is_read(tmp_path, monkeypatch, suffix):
    monkeypatch.setitem(source.LIMITS, suffix, 50)
    (tmp_path / f"m{suffix}").write_text("#" * 51)
    read = files.read if suffix in files.READABLE else lambda path: policy_files.read(path, BOOK)
    monkeypatch.setattr(source.Source, "whole", None)
    monkeypatch.setattr(source.Source, "lines", None)
    with pytest.raises(InputError, match="larger than 50 bytes"):
        read(tmp_path / f"m{suffix}")


def test_a_text_about_a_small_model_is_small(tmp_path):
    (tmp_path / "p.json").write_text("[" * 2_000_000)
    with pytest.raises(InputError, match=r"p\.json: larger than 1,0\d\d,\d\d\d bytes"):
        policy_files.read(tmp_path / "p.json", BOOK)
    (tmp_path / "p.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="not JSON"):
        policy_files.read(tmp_path / "p.json", BOOK)


def test_an_archives_directory_is_not_read_whole_if_it_claims_to_be_long(tmp_path, monkeypatch):
    monkeypatch.setattr("rltrain.mdp.files.archive.LONGEST_READ", 100_000)
    path = tmp_path / "m.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(3000):
            archive.writestr(f"{number:0100}.npy", b"")
    with pytest.raises(InputError, match="it claims a part of more than 100,000 bytes"):
        files.read(path)


@pytest.mark.slow
def test_a_refusal_takes_little_memory(tmp_path):
    """Each in a process of its own, whose greatest memory is asked for: at most 300 MB, Python's with it."""
    import resource
    import subprocess

    zeros = np.zeros(40_000_000)
    np.savez_compressed(tmp_path / "bomb.npz", T=zeros.reshape(4000, 1, -1)[:, :, :4000], R=np.zeros((4000, 1)))
    with (tmp_path / "hole.csv").open("wb") as file:
        file.truncate(1_900_000_000)
    with (tmp_path / "hole.mdp").open("wb") as file:
        file.write(b"states: ")
        file.truncate(480_000_000)
    with gzip.open(tmp_path / "bomb.csv.gz", "wb", compresslevel=1) as file:
        for _ in range(40):
            file.write(b"0,0,0,1,0\n" * 500_000)
    (tmp_path / "pipe.npz").symlink_to("/dev/zero")
    for path in sorted(tmp_path.iterdir()):
        command = [sys.executable, "-m", "rltrain", "mdp", "info", str(path)]
        found = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
        assert found.returncode == 2 and str(path) in found.stderr, found.stderr
        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 300_000, path
