"""The connection to Ray: to the cluster that RAY_ADDRESS names, else to one that is started here and ends with it.

Of Ray the core alone is used. Tokens are Ray's own business (RAY_AUTH_MODE, RAY_AUTH_TOKEN): nothing here reads them.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rltrain.errors import InputError, MissingError
from rltrain.spelling import in_one_line

STORE_BYTES = 100_000_000  # of shared memory here, for messages: some frames, or an exit code
REACH_SECONDS = 20  # for the head of a cluster to answer
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # no GPU is hidden from a task that asked for none
    "RAY_DEDUP_LOGS": "0",
    "RAY_kill_child_processes_on_worker_exit": "0",  # a run whose task is gone saves first
}

SILENT: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}


def library(what: str) -> Any:
    """The module `ray`. MissingError, which says `what` needs it, where it is not installed."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError as error:
        raise MissingError(f'{what}: needs Ray: pip install "rltrain[ray]"') from error
    return ray


class RayConnection:
    """This process's connection, once it is open; a program that has one of its own keeps that."""

    def __init__(self, what: str) -> None:
        self.ray = library(what)
        self.shared = False  # with other machines, or with other programs
        self._own, self._folder = False, ""

    def open(self, cores: int, gpus: int | None = None, deaf: bool = False) -> None:
        """Connect; a cluster of this machine has so many cores, and its GPUs or as many as are said. InputError.

        deaf   its processes never hear SIGTERM nor SIGHUP, nor do those that they start
        """
        ray, address = self.ray, os.environ.get("RAY_ADDRESS")
        self._own = not ray.is_initialized()
        self.shared = not self._own or bool(address)
        if not self._own:
            return
        # What the machines' own processes have to say is printed on stdout, where `--json` has its answer: there is no
        # setting against that. In a version that has no such function this line does nothing.
        ray._private.worker.print_to_stdstream = _say_nothing
        try:
            with _signals_kept(deaf):
                if address:
                    self._join(address)
                else:
                    self._start(cores, gpus)
        except BaseException:
            self.close()
            raise

    def _join(self, address: str) -> None:
        try:
            reach(address)
            self.ray.init(address=address, **SILENT)
        except (OSError, RuntimeError, ValueError, self.ray.exceptions.RayError) as error:
            raise InputError(f"RAY_ADDRESS={address}: cannot be joined: {in_one_line(str(error))}") from error

    def _start(self, cores: int, gpus: int | None) -> None:
        # The path of a socket has at most 107 bytes.
        self._folder = tempfile.mkdtemp(prefix="rltrain-", dir="/tmp" if os.path.isdir("/tmp") else None)
        self.ray.init(
            address="local",
            num_cpus=cores,
            num_gpus=gpus,
            include_dashboard=False,
            object_store_memory=STORE_BYTES,
            _temp_dir=self._folder,
            **SILENT,
        )

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        if self._own:
            self._own = False
            self.ray.shutdown()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""


def reach(address: str) -> None:
    """OSError if nobody listens at this host:port, for which Ray itself would wait for minutes."""
    found = re.fullmatch(r"([\w.-]+):([0-9]{1,5})", address)
    if found:
        socket.create_connection((found[1], int(found[2])), REACH_SECONDS).close()


def _say_nothing(*_: Any, **__: Any) -> None: ...


@contextmanager
def _signals_kept(deaf: bool) -> Iterator[None]:
    """Ray takes SIGTERM for itself; whoever has it keeps it.

    Who is `deaf` is left out when SIGTERM or SIGHUP reach a whole group of processes, as Ray sees to for Ctrl-C: this
    one alone knows what must be done yet before a run is saved.
    """
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    blocked = {signal.SIGTERM, signal.SIGHUP} if deaf else set()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)  # children inherit it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if main and before is not None:
            signal.signal(signal.SIGTERM, before)
