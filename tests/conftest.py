"""For all tests: one thread each, since they run side by side; no time limit that a busy machine could break; and a
cache folder and settings of their own, which the processes that they start inherit."""

import atexit
import os
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported, which is after this
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command sets it: the bits of a sum depend on it

from hypothesis import settings

settings.register_profile("rltrain", deadline=None)
settings.load_profile("rltrain")

_cache = tempfile.TemporaryDirectory(prefix="rltrain-tests-")
atexit.register(_cache.cleanup)
os.environ["XDG_CACHE_HOME"] = _cache.name
os.environ["XDG_CONFIG_HOME"] = os.path.join(_cache.name, "config")  # what a person trusts is not for tests
