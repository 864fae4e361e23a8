"""For all tests: one thread each, since they run side by side, and none that turns round while it waits; no time limit
that a busy machine could break; files in memory where there is room; a cache folder and settings of their own, which
the processes that they start inherit; what a test registers goes with it; no search for garbage among what was imported
and collected, which takes a third of the time of a collection."""

import atexit
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported, which is after this
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # of a run with two: each would wait for a core that both need
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command sets it: the bits of a sum depend on it

import pytest
from examples import examples, set_share
from hypothesis import settings

# What a run writes it syncs, some 200,000 times in all tests: on a disk they wait for that as long as they compute.
MEMORY, ROOM = "/dev/shm", 4 * 2**30  # bytes; the folders of tests that pass go with them
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ["TMPDIR"] = MEMORY
    tempfile.tempdir = None  # it may have been asked for

# Else each of some hundred processes compiles all that it imports of rltrain: a quarter of its start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
gc.disable()  # until all tests are collected

_cache = tempfile.TemporaryDirectory(prefix="rltrain-tests-")
atexit.register(_cache.cleanup)
os.environ["XDG_CACHE_HOME"] = _cache.name
os.environ["XDG_CONFIG_HOME"] = os.path.join(_cache.name, "config")  # what a person trusts is not for tests


def pytest_configure(config: pytest.Config) -> None:
    set_share(everything=config.option.markexpr != "not slow")
    settings.register_profile("rltrain", deadline=None, max_examples=examples(100))
    settings.load_profile("rltrain")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    found = yield
    gc.freeze()
    gc.enable()
    return found


@pytest.fixture(autouse=True)
def _registers_nothing_for_others() -> Iterator[None]:
    """Take out of Gymnasium's registry what a test made itself: `list environments` in a later test would name it.

    What an imported module registered stays, as the module does: it registers once in a process.
    """
    gymnasium = sys.modules.get("gymnasium")
    before = None if gymnasium is None else set(gymnasium.registry)
    yield
    if before is None or gymnasium is None:
        return
    for id in gymnasium.registry.keys() - before:
        module = getattr(gymnasium.registry[id].entry_point, "__module__", "")
        if module.rpartition(".")[2].startswith("test_"):
            del gymnasium.registry[id]
