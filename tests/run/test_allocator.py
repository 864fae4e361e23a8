"""Freed memory is kept where the C library can."""

import ctypes

import pytest

from rltrain.deep.fast import allocator


def test_a_c_library_without_the_switch_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    allocator.keep_freed_memory()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    allocator.keep_freed_memory()
