"""Files that a stranger may have made: what is not regular, too large, or no JSON is refused and never waited for."""

import os
import socket
from pathlib import Path

import pytest

from rltrain.plain_files import (
    MAX_LINE,
    json_lines,
    last_json_line,
    open_plain,
    parse_json,
    read_json,
    read_object,
    read_plain,
    reason,
)


def socket_at(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path may be 100 bytes at most
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path.name)
    os.chdir(here)


SPECIAL = {
    "a symbolic link": lambda path: path.symlink_to("/dev/zero"),
    "a FIFO": os.mkfifo,
    "a folder": os.mkdir,
    "No such device or address": socket_at,  # a socket: the system's own words
}


@pytest.mark.parametrize("words", SPECIAL)
@pytest.mark.parametrize(
    "reader", [lambda path: read_plain(path, 100), read_json, lambda path: list(json_lines(path)), last_json_line]
)
def test_only_a_regular_file_is_read(tmp_path, words, reader):
    SPECIAL[words](tmp_path / "x")
    with pytest.raises(OSError) as caught:
        reader(tmp_path / "x")
    assert words in caught.value.strerror


def test_a_device_behind_a_link_that_may_be_followed_is_refused(tmp_path):
    (tmp_path / "x").symlink_to("/dev/zero")
    with pytest.raises(OSError, match="a device, where a regular file belongs"):
        open_plain(tmp_path / "x", follow=True)


def test_a_link_to_a_file_is_followed_on_request_alone(tmp_path):
    (tmp_path / "file").write_text("text")
    (tmp_path / "x").symlink_to("file")
    with open_plain(tmp_path / "x", follow=True) as file:
        assert file.read() == b"text"
    with pytest.raises(OSError, match="a symbolic link"):
        read_plain(tmp_path / "x", 100)


def test_a_file_that_is_too_large_costs_no_memory(tmp_path):
    with open(tmp_path / "x", "wb") as file:
        file.truncate(1 << 40)
    for reader in (lambda path: read_plain(path, 100), read_json):
        with pytest.raises(OSError, match="larger than"):
            reader(tmp_path / "x")
    assert list(json_lines(tmp_path / "x")) == []
    assert last_json_line(tmp_path / "x", most=1 << 16) == {}


def test_a_file_of_exactly_the_limit_is_read(tmp_path):
    (tmp_path / "x").write_bytes(b"12345")
    assert read_plain(tmp_path / "x", 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_plain(tmp_path / "x", 4)


@pytest.mark.parametrize("text", [b"[" * 100_000, b"", b"{", b"\xff", b'{"a":' * 100_000])
def test_what_is_not_json_is_a_value_error(text):
    with pytest.raises(ValueError):
        parse_json(text)


def test_torn_and_foreign_lines_are_left_out(tmp_path):
    (tmp_path / "x").write_bytes(b'{"a":1}\n[1]\n{"a":\n' + b"[" * 50_000 + b'\n\xff\n{"a":2}\n{"a":3')
    assert list(json_lines(tmp_path / "x")) == [{"a": 1}, {"a": 2}]
    assert last_json_line(tmp_path / "x") == {"a": 2}


def test_a_line_without_an_end_ends_the_reading(tmp_path):
    (tmp_path / "x").write_bytes(b'{"a":1}\n{"b":"' + b"x" * MAX_LINE + b'"}\n{"a":2}\n')
    assert list(json_lines(tmp_path / "x")) == [{"a": 1}]


def test_the_last_line_of_a_long_file_is_found_from_its_end(tmp_path):
    (tmp_path / "x").write_bytes(b'{"a":1}\n' * 2_000 + b'{"b":"' + b"y" * 20_000 + b'"}\n')
    assert last_json_line(tmp_path / "x") == {"b": "y" * 20_000}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[1]", "expected an object, found a list"),
        (b"null", "expected an object, found nothing"),
        (b"\xff", "not text in UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"x" * 200_001, "larger than 200,000 bytes"),
        (None, "No such file or directory"),
    ],
)
def test_what_is_no_object_is_refused_with_its_reason(tmp_path, content, words):
    if content is not None:
        (tmp_path / "x").write_bytes(content)
    with pytest.raises((OSError, ValueError)) as caught:
        read_object(tmp_path / "x", 200_000)
    assert reason(caught.value) == words
