"""Calls and answers over connections of one's own, to a thread that does them."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from typing import Any

import numpy as np
import pytest

from rltrain.envs.remote.crew import PlayerLost
from rltrain.envs.remote.line import PlayerLine, serve

KEY = b"known to two"


class Bug(Exception):
    pass


@contextmanager
def served(do: Callable[..., Any]) -> Iterator[tuple[str, int]]:
    """The address where it is done; what it raises ends the connection, as the end of a process does."""
    listener = Listener(("127.0.0.1", 0), authkey=KEY)

    def work() -> None:
        try:
            serve(listener, do)
        except Bug:
            pass

    thread = threading.Thread(target=work)
    thread.start()
    address: Any = listener.address
    yield address
    thread.join()


def unheard_of(_: float) -> None:
    """Nobody knows why the connection ended."""


def test_answers_come_in_order_and_are_taken_in_any() -> None:
    with served(lambda number, by: number * by) as address:
        line = PlayerLine(address, KEY, unheard_of)
        first, second, third = (line.ask(number, 10) for number in (1, 2, 3))
        assert line.answer(second) == 20
        assert line.ready(first) and line.answer(first) == 10
        assert line.answer(third) == 30
        line.close()


def test_both_sides_send_more_than_a_connection_holds() -> None:
    """Two messages are under way while the answer to the first waits to be read."""
    large = np.arange(8_000_000, dtype=np.float32)
    with served(lambda array: array + 1) as address:
        line = PlayerLine(address, KEY, unheard_of)
        numbers = [line.ask(large), line.ask(large + 1)]
        for number, more in zip(numbers, (1, 2), strict=True):
            found = line.answer(number)
            assert np.array_equal(found, large + more) and found.flags.writeable
        line.close()


def test_who_has_not_the_key_is_not_answered() -> None:
    with served(abs) as address:
        with pytest.raises(AuthenticationError):
            Client(address, authkey=b"guessed")
        socket.create_connection(address).close()
        line = PlayerLine(address, KEY, unheard_of)
        assert line.answer(line.ask(-3)) == 3
        line.close()


def test_what_ended_with_the_player_is_lost_and_the_check_says_why() -> None:
    def do(_: int) -> int:
        raise Bug

    def check(_: float) -> None:
        raise PlayerLost("its machine is gone")

    for known, said in ((check, "its machine is gone"), (unheard_of, "its connection ended")):
        with served(do) as address:
            line = PlayerLine(address, KEY, known)
            number = line.ask(1)
            with pytest.raises(PlayerLost, match=said):
                line.answer(number)
        assert line.ready(number)  # it raises at once
        with pytest.raises(PlayerLost):
            line.answer(line.ask(2))


def test_a_player_of_whom_nothing_is_heard_any_more_is_lost_when_the_check_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rltrain.envs.remote.line.PATIENCE", 0.01)
    asked, over = [], threading.Event()

    def check(seconds: float) -> None:
        asked.append(seconds)
        if len(asked) == 3:
            raise PlayerLost("its node is gone")

    with served(lambda: over.wait()) as address:
        line = PlayerLine(address, KEY, check)
        with pytest.raises(PlayerLost, match="its node is gone"):
            line.answer(line.ask())
        assert asked == [0, 0, 0]
        over.set()
        line.close()


def test_a_call_that_cannot_be_read_ends_the_connection() -> None:
    """It does not wait for ever for an answer."""

    class Unreadable:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
            return failing, ("as it was read",)

    with served(abs) as address:
        line = PlayerLine(address, KEY, unheard_of)
        with pytest.raises(PlayerLost, match="its connection ended"):
            line.answer(line.ask(Unreadable()))


def failing(why: str) -> None:
    raise Bug(why)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    with pytest.raises(PlayerLost, match=f"127.0.0.1:{free}: "):
        PlayerLine(("127.0.0.1", free), KEY, unheard_of)


def test_ctrl_c_within_a_message_ends_the_connection() -> None:
    """The rest of the message would be taken for the next answer."""

    class Interrupting:
        """It is read by the one who asked."""

        def __reduce__(self) -> tuple[Callable[..., Any], tuple[int, int]]:
            return os.kill, (os.getpid(), signal.SIGINT)

    with served(lambda: Interrupting()) as address:
        line = PlayerLine(address, KEY, unheard_of)
        with pytest.raises(KeyboardInterrupt):
            line.answer(line.ask())
        with pytest.raises(PlayerLost, match="its connection ended"):
            line.answer(line.ask())
