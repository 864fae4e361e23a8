"""A crew of actors on Ray: on the cluster that RAY_ADDRESS names, else on one that is started here for it alone.

Ray keeps nothing that a run needs. Actors are not restarted by Ray: who lost one has its journal, so it starts another.
All end with the process that started them, however it ends. Ray says nothing on our streams.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from rltrain.envs.remote.crew import Notice, PlayerLost
from rltrain.envs.remote.player import Call, Player, Raised, home
from rltrain.errors import InputError, MissingError
from rltrain.spelling import in_one_line

STORE_BYTES = 100_000_000  # of shared memory here, for messages: each is some frames
START_SECONDS = 300  # until an actor must have begun: Python, numpy and an emulator, from a busy disk
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_DEDUP_LOGS": "0"}


def library() -> Any:
    """The module `ray`. MissingError where it is not installed."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise MissingError('run.distribute: actors need Ray: pip install "rltrain[ray]"') from error
    return ray


class _Connection:
    """This process's connection to Ray, which all crews share: the first opens it, and the last closes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users, self._own, self._folder = 0, False, ""
        self.shared = False  # with other machines, or with other programs

    def open(self, actors: int, cores: int) -> None:
        with self._lock:
            if self._users == 0:
                self._connect(actors, cores)
            self._users += 1

    def close(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._own:
                library().shutdown()
                shutil.rmtree(self._folder, ignore_errors=True)

    def _connect(self, actors: int, cores: int) -> None:
        ray, address = library(), os.environ.get("RAY_ADDRESS")
        self._own = not ray.is_initialized()
        self.shared = not self._own or address is not None
        if not self._own:  # a program that uses Ray itself
            return
        # What the machines' own processes have to say is printed on stdout, where `--json` has its answer: there is no
        # setting against that. In a version that has no such function this line does nothing.
        ray._private.worker.print_to_stdstream = _say_nothing
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        with _handlers_kept():
            if address is not None:
                try:
                    ray.init(address=address, **quiet)
                except (ConnectionError, RuntimeError, ValueError) as error:
                    said = (str(error).splitlines() or [""])[0]
                    raise InputError(f"RAY_ADDRESS={address}: cannot be joined: {said}") from error
                return
            # The path of a socket has at most 107 bytes.
            self._folder = tempfile.mkdtemp(prefix="rltrain-", dir="/tmp" if os.path.isdir("/tmp") else None)
            ray.init(
                address="local",
                num_cpus=max(actors, cores),
                num_gpus=0,
                include_dashboard=False,
                object_store_memory=STORE_BYTES,
                _temp_dir=self._folder,
                **quiet,
            )


def _say_nothing(*_: Any, **__: Any) -> None: ...


_connection = _Connection()


@contextlib.contextmanager
def _handlers_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself; whoever has it keeps it.

    What it starts meanwhile never hears SIGTERM nor SIGHUP, as Ray sees to for Ctrl-C: those reach a whole group of
    processes, of which this one alone knows what must be played yet before the run is saved.
    """
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP})  # children inherit it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if main and before is not None:
            signal.signal(signal.SIGTERM, before)


class RayReply:
    """See `crew.Reply`."""

    def __init__(self, ray: Any, reference: Any) -> None:
        self._ray, self._reference = ray, reference

    def get(self) -> Any:
        try:
            return self._ray.get(self._reference)
        except self._ray.exceptions.RayTaskError:
            raise  # a bug: its traceback is that of the actor
        except self._ray.exceptions.RayError as error:
            raise PlayerLost(in_one_line(str(error), 120)) from error

    def ready(self) -> bool:
        return bool(self._ray.wait([self._reference], timeout=0)[0])


class RayCrew:
    """See `crew.Crew`. Whoever holds it closes it."""

    def __init__(self, actors: int, cores: int = 1) -> None:
        """InputError where the cluster has too few processors, or an actor cannot be like this process."""
        self.size, self.notices = actors, list[Notice]()
        self._ray, self._home = library(), home()
        _connection.open(actors, cores)
        self._starts = [0] * actors
        self._actors: list[Any] = []
        try:
            has = int(self._ray.cluster_resources().get("CPU", 0))
            if has < actors:
                raise InputError(f"run.distribute.actors: {actors} actors need a processor each; the cluster has {has}")
            how = {"num_cpus": 1, "max_restarts": 0, "max_task_retries": 0}
            spread = {"scheduling_strategy": "SPREAD"} if _connection.shared else {}
            self._make = self._ray.remote(Player).options(**how, **spread)
            self._actors = [self._make.remote() for _ in range(actors)]
            self._settled(range(actors))
        except BaseException:
            self.close()
            raise

    def start_of(self, number: int) -> int:
        return self._starts[number]

    def ask(self, number: int, key: str, calls: Sequence[Call]) -> RayReply:
        return RayReply(self._ray, self._actors[number].do.remote(key, calls))

    def restart(self, number: int, start: int) -> None:
        if self._starts[number] == start:
            self._end(number)
            self._actors[number] = self._make.remote()
            self._settled([number])

    def close(self) -> None:
        for number in range(len(self._actors)):
            self._end(number)
        self._actors = []
        _connection.close()

    def _end(self, number: int) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError, RuntimeError):  # it is gone, or so is Ray
            self._ray.kill(self._actors[number])

    def _settled(self, numbers: Sequence[int]) -> None:
        """Wait until these stand as this process does. InputError, or what went wrong there.

        One that is lost meanwhile is missed by whoever asks it next.
        """
        asked = [self._actors[number].settle.remote(self._home) for number in numbers]
        for number, reference in zip(numbers, asked, strict=True):
            self._starts[number] += 1
            try:
                said = self._ray.get(reference, timeout=START_SECONDS)
            except self._ray.exceptions.GetTimeoutError as error:
                raise InputError(
                    f"run.distribute.actors: actor {number} has not begun within {START_SECONDS} s; is there room in"
                    " the cluster? See `ray status`"
                ) from error
            except self._ray.exceptions.RayTaskError:
                raise
            except self._ray.exceptions.RayError:
                continue
            if isinstance(said, Raised):
                raise said.kind(said.message)
