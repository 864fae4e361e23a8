"""Lines: a connection from a process to each of its players, over which calls go out and answers come back in order.

What starts players, ends them and knows that one is lost (Ray) takes a millisecond for a call and its answer; a
connection of one's own takes a tenth of it. Messages are Python objects, as Ray's are: both ends are one run, and only
who proves that he has its key is answered, which Ray brought to the player.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

from rltrain.envs.remote.crew import PlayerLost

Address = tuple[str, int]
PATIENCE = 1.0  # seconds without an answer, after which it is asked whether the player is still there


def serve(listener: Listener, do: Callable[..., Any]) -> None:
    """For the one who connects with the listener's key: do what is called for, until the connection ends."""
    line = _accepted(listener)
    asked = queue.SimpleQueue[tuple[Any, ...] | Exception | None]()

    def listen() -> None:
        # By a thread, so that who asks can always finish, even while an answer waits for him to read it.
        try:
            while True:
                asked.put(line.recv())
        except (EOFError, OSError):
            asked.put(None)
        except Exception as error:  # a call that cannot be read, such as one of a class that is not here
            asked.put(error)

    threading.Thread(target=listen, name="listen", daemon=True).start()
    try:
        while (call := asked.get()) is not None:
            if isinstance(call, Exception):
                raise call
            answer = do(*call)
            with contextlib.suppress(OSError):  # who asked is gone: the thread finds it too
                line.send(answer)
    finally:
        with _socket(line) as end, contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _accepted(listener: Listener) -> Connection:
    while True:
        try:
            line = listener.accept()
        except (AuthenticationError, EOFError, OSError):
            continue  # a stranger
        listener.close()
        return _prompt(line)


def _prompt(line: Any) -> Connection:
    """A connection whose small messages do not wait for others to go with them: this one from now on."""
    with _socket(line) as end:
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line  # type: ignore[no-any-return]  # of which class depends on the system


def _socket(line: Connection) -> socket.socket:
    return socket.socket(fileno=socket.dup(line.fileno()))


class PlayerLine:
    """The end of who asks."""

    def __init__(self, address: Address, key: bytes, check: Callable[[float], None]) -> None:
        """`check`, given seconds, raises PlayerLost once the player is known to be gone, for which it waits so long.

        PlayerLost where nobody answers there.
        """
        self._check = check
        self._asked = self._answered = 0
        self._answers = dict[int, Any]()  # that nobody has taken yet, by number
        try:
            self._line: Connection | None = _prompt(Client(address, authkey=key))
        except (AuthenticationError, EOFError, OSError) as error:
            raise PlayerLost(f"{address[0]}:{address[1]}: {error}") from error

    def ask(self, *call: Any) -> int:
        """Ask for this. Returns the number of the answer."""
        if self._line is not None:
            try:
                self._line.send(call)
            except OSError:
                self.close()
        self._asked += 1
        return self._asked - 1

    def ready(self, number: int) -> bool:
        """Whether `answer` returns, or raises, at once."""
        while number not in self._answers and self._line is not None and self._line.poll(0):
            self._receive()
        return number in self._answers or self._line is None

    def answer(self, number: int) -> Any:
        """What is said to the call of this number, once. PlayerLost, and what `check` raises."""
        while number not in self._answers:
            if self._line is None:
                self._check(10 * PATIENCE)
                raise PlayerLost("its connection ended")
            if self._line.poll(PATIENCE):
                self._receive()
                continue
            try:
                self._check(0)
            except PlayerLost:
                self.close()
                raise
        return self._answers.pop(number)

    def close(self) -> None:
        """What has not arrived never will."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def _receive(self) -> None:
        assert self._line is not None
        try:
            self._answers[self._answered] = self._line.recv()
            self._answered += 1
        except (EOFError, OSError):
            self.close()
        except BaseException:  # Ctrl-C in the middle of a message: the rest of it would be taken for the next one
            self.close()
            raise
