"""Players by number, wherever they are: the few words in which environments speak to the processes that hold theirs.

A player may be lost at any time: its process was killed, its machine is gone, memory ran out. Then it is started again
by whoever misses it first, and everyone who had something there finds that the number of its start has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from rltrain.envs.remote.player import Call


class PlayerLost(Exception):
    """A player is gone, and with it what it held. It says why, in a clause."""


class Notice(NamedTuple):
    """What happened to a player, for a person."""

    text: str
    exact: bool  # what is played is still what it would have been


class Reply(Protocol):
    """What a player will say."""

    def get(self) -> Any:
        """The answer to the last of the calls, once it is there. PlayerLost; whatever the environments raised."""
        ...

    def ready(self) -> bool:
        """Whether `get` returns, or raises, at once."""
        ...


class Crew(Protocol):
    """Players 0..size - 1, each of which does what it is asked in order."""

    size: int
    notices: list[Notice]  # what happened to players since who holds them looked last

    def start_of(self, number: int) -> int:
        """How often this player was started; what it held before the last time is gone."""
        ...

    def ask(self, number: int, key: str, calls: Sequence[Call]) -> Reply:
        """Have the player make these calls on the environments that it holds as `key`. Returns at once."""
        ...

    def restart(self, number: int, start: int) -> None:
        """Start the player again, unless it has been since it was started so often."""
        ...

    def close(self) -> None:
        """End all players."""
        ...
