"""For all tests: one thread each, since they run side by side; and no time limit that a busy machine could break."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported, which is after this

from hypothesis import settings

settings.register_profile("rltrain", deadline=None)
settings.load_profile("rltrain")
