"""A crew of actors on Ray: on the cluster that RAY_ADDRESS names, else on one that is started here for it alone.

Ray keeps nothing that a run needs. Actors are not restarted by Ray: who lost one has its journal, so it starts another.
All end with the process that started them, however it ends. Ray says nothing on our streams.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Listener
from typing import Any

from rltrain.envs.remote.crew import Notice, PlayerLost
from rltrain.envs.remote.line import Address, PlayerLine, serve
from rltrain.envs.remote.player import Call, Player, Raised, home
from rltrain.errors import InputError
from rltrain.ray_cluster import RayConnection, library
from rltrain.spelling import in_one_line

WHAT = "run.distribute.actors"  # for errors: what needs Ray
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
                connection = RayConnection(WHAT)
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


class RayPlayer(Player):
    """A player, in the process of an actor."""

    def listen(self, key: bytes) -> Address:
        """Where `serve` will answer who has this key."""
        here: str = library(WHAT).util.get_node_ip_address()
        self._listener = Listener((here, 0), authkey=key)
        address: Any = self._listener.address  # a name, of other kinds of listeners
        return here, address[1]

    def serve(self) -> None:
        """Do what is asked, until the connection ends."""
        serve(self._listener, self.do)


class RayReply:
    """See `crew.Reply`."""

    def __init__(self, line: PlayerLine | str, number: int) -> None:
        """The answer of this number; or, in place of a line, why there is none."""
        self._line, self._number = line, number

    def get(self) -> Any:
        if isinstance(self._line, str):
            raise PlayerLost(self._line)
        return self._line.answer(self._number)

    def ready(self) -> bool:
        return isinstance(self._line, str) or self._line.ready(self._number)


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
        self._lines: list[PlayerLine | str] = ["it has not begun"] * actors
        self._key = os.urandom(32)  # who has it may ask
        try:
            has = int(self._ray.cluster_resources().get("CPU", 0))
            if has < actors:
                raise InputError(f"run.distribute.actors: {actors} actors need a processor each; the cluster has {has}")
            how = {"num_cpus": 1, "max_restarts": 0, "max_task_retries": 0}
            spread = {"scheduling_strategy": "SPREAD"} if connection.shared else {}
            self._make = self._ray.remote(RayPlayer).options(**how, **spread)
            self._actors = [self._make.remote() for _ in range(actors)]
            self._settled(range(actors))
        except BaseException:
            self.close()
            raise

    def start_of(self, number: int) -> int:
        return self._starts[number]

    def ask(self, number: int, key: str, calls: Sequence[Call]) -> RayReply:
        line = self._lines[number]
        return RayReply(line, line.ask(key, calls) if isinstance(line, PlayerLine) else 0)

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
        line = self._lines[number]
        if isinstance(line, PlayerLine):
            line.close()
        with contextlib.suppress(self._ray.exceptions.RayError, RuntimeError):  # it is gone, or so is Ray
            self._ray.kill(self._actors[number])

    def _settled(self, numbers: Sequence[int]) -> None:
        """Wait until these stand as this process does, and answer. InputError, or what went wrong there.

        One that is lost meanwhile is missed by whoever asks it next.
        """
        actors = {number: self._actors[number] for number in numbers}
        asked = [
            (number, actor.settle.remote(self._home), actor.listen.remote(self._key), actor.serve.remote())
            for number, actor in actors.items()
        ]
        for number, settled, listens, ends in asked:
            self._starts[number] += 1
            try:
                said = self._ray.get(settled, timeout=START_SECONDS)
                if isinstance(said, Raised):
                    raise said.kind(said.message)
                self._lines[number] = self._line(number, self._ray.get(listens), self._gone(ends))
            except self._ray.exceptions.GetTimeoutError as error:
                raise InputError(
                    f"run.distribute.actors: actor {number} has not begun within {START_SECONDS} s; is there room in"
                    " the cluster? See `ray status`"
                ) from error
            except self._ray.exceptions.RayTaskError:
                raise
            except (PlayerLost, self._ray.exceptions.RayError) as error:
                self._lines[number] = _why(error)

    def _line(self, number: int, address: Address, check: Callable[[float], None]) -> PlayerLine:
        """To this actor. PlayerLost; InputError if it is there and nothing reaches it."""
        try:
            return PlayerLine(address, self._key, check)
        except PlayerLost as error:
            check(START_SECONDS / 10)
            raise InputError(
                f"run.distribute.actors: actor {number} answers Ray, and this process cannot reach it: {error};"
                " machines of a cluster must reach each other on every port"
            ) from error

    def _gone(self, ends: Any) -> Callable[[float], None]:
        """What a `PlayerLine` checks, of the actor whose `serve` this is the end of."""
        ray = self._ray

        def check(seconds: float) -> None:
            try:
                ray.get(ends, timeout=seconds)
            except ray.exceptions.GetTimeoutError:
                pass
            except ray.exceptions.RayTaskError:
                raise  # a bug: its traceback is that of the actor
            except ray.exceptions.RayError as error:
                raise PlayerLost(_why(error)) from error

        return check


def _why(error: Exception) -> str:
    """Why Ray lost an actor, in Ray's first words: ids, and all that a lost process can have died of, are left out."""
    _, found, cause = str(error).partition("The actor is dead because ")
    return in_one_line((cause if found else str(error)).partition("\n")[0].partition(". ")[0].removesuffix("."), 120)
