"""A crew of actors on Ray: on the cluster that RAY_ADDRESS names, else on one that is started here for it alone.

Ray keeps nothing that a run needs. Actors are not restarted by Ray: who lost one has its journal, so it starts another.
All end with the process that started them, however it ends. Ray says nothing on our streams.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from typing import Any

from rltrain.envs.remote.crew import Notice, PlayerLost
from rltrain.envs.remote.player import Call, Player, Raised, home
from rltrain.errors import InputError
from rltrain.ray_cluster import RayConnection
from rltrain.spelling import in_one_line

START_SECONDS = 300  # until an actor must have begun: Python, numpy and an emulator, from a busy disk


class _Shared:
    """The connection to Ray, which all crews of this process share: the first opens it, and the last closes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._crews = 0
        self._connection: RayConnection | None = None

    def open(self, actors: int, cores: int) -> RayConnection:
        with self._lock:
            if self._connection is None:
                connection = RayConnection("run.distribute.actors")
                connection.open(max(actors, cores), gpus=0, deaf=True)
                self._connection = connection
            self._crews += 1
            return self._connection

    def close(self) -> None:
        with self._lock:
            self._crews -= 1
            if self._crews == 0 and self._connection is not None:
                self._connection.close()
                self._connection = None


_shared = _Shared()


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
        self._home = home()
        connection = _shared.open(actors, cores)
        self._ray = connection.ray
        self._starts = [0] * actors
        self._actors: list[Any] = []
        try:
            has = int(self._ray.cluster_resources().get("CPU", 0))
            if has < actors:
                raise InputError(f"run.distribute.actors: {actors} actors need a processor each; the cluster has {has}")
            how = {"num_cpus": 1, "max_restarts": 0, "max_task_retries": 0}
            spread = {"scheduling_strategy": "SPREAD"} if connection.shared else {}
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
        _shared.close()

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
