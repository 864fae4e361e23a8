"""A file stands whole under its name or not at all, and no other file is touched."""

import os

import pytest

from rltrain.errors import DiskError
from rltrain.whole_files import replacing, replacing_name


def test_a_file_is_replaced_when_it_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["a.txt"]


def test_what_fails_leaves_the_old_file_and_no_trace(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    for error in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(error), replacing(path) as file:
            file.write(b"half")
            raise error
    with (
        pytest.raises(DiskError, match=r"a\.txt: cannot be written: No space left.*; free some space"),
        replacing(path),
    ):
        raise OSError(28, "No space left on device")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_a_link_is_replaced_and_what_it_points_to_left_alone(tmp_path):
    (tmp_path / "mine").write_text("mine")
    path = tmp_path / "a.txt"
    path.symlink_to("mine")
    with replacing_name(path) as aside:
        aside.write_text("new")
    assert (tmp_path / "mine").read_text() == "mine"
    assert path.read_text() == "new" and not path.is_symlink()


def test_a_folder_in_its_place_and_none_around_it_are_errors_of_the_disk(tmp_path):
    (tmp_path / "folder").mkdir()
    for path, why in ((tmp_path / "folder", "Is a directory"), (tmp_path / "none/a.txt", "No such file")):
        with pytest.raises(DiskError, match=why), replacing(path) as file:
            file.write(b"new")
    assert os.listdir(tmp_path) == ["folder"]
