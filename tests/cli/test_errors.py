"""Exit codes, and what is said with them."""

import pytest

from rltrain import errors
from rltrain.cli.errors import exit_code_of, keeping_crashes

CODES = {
    errors.InputError: 2,
    errors.CheckpointError: 3,
    errors.MissingError: 4,
    errors.BusyError: 5,
    errors.DivergedError: 6,
    errors.DiskError: 7,
    errors.OutOfMemoryError: 8,
    errors.UncertifiedError: 9,
    errors.EnvironmentFault: 10,
    MemoryError: 8,
    KeyboardInterrupt: 130,
    ZeroDivisionError: 1,
}


def raising(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_each_error_has_its_code_and_its_message_on_stderr(kind, capsys):
    assert exit_code_of(raising(kind("the reason"))) == CODES[kind]
    said = capsys.readouterr()
    assert said.out == ""
    assert ("Traceback" in said.err) == (CODES[kind] == 1)
    assert "the reason" in said.err or kind is KeyboardInterrupt


def test_the_codes_of_typer_pass_through():
    assert exit_code_of(raising(SystemExit(143))) == 143
    assert exit_code_of(raising(SystemExit(None))) == 0
    assert exit_code_of(lambda: None) == 0


def test_torch_running_out_of_memory_is_no_bug():
    assert exit_code_of(raising(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ..."))) == 8


def test_a_crash_in_a_run_leaves_its_traceback_there_and_two_lines_on_the_screen(tmp_path, capsys):
    def work():
        with keeping_crashes(tmp_path):
            raise ZeroDivisionError("one\ntwo")

    assert exit_code_of(work) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 2 and "ZeroDivisionError: one" in said and f"rltrain resume {tmp_path}" in said
    kept = (tmp_path / "crash.txt").read_text()
    assert "Traceback" in kept and "raise ZeroDivisionError" in kept and "Python" in kept


def test_a_users_error_in_a_run_is_no_crash(tmp_path):
    def work():
        with keeping_crashes(tmp_path):
            raise errors.DivergedError("loss is nan")

    assert exit_code_of(work) == 6
    assert not (tmp_path / "crash.txt").exists()
