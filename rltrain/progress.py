"""How far a long piece of work is, for whoever wants to know."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Progress(Protocol):
    """Is told how far a long piece of work is. What works prints nothing, and does the same if nobody listens."""

    def phase(self, what: str, about: str = "") -> AbstractContextManager[None]:
        """While open, this is what goes on; `about` says more of it, for whoever has room."""
        ...

    def at(self, done: float, total: float, spent: float = math.nan, unit: str = "") -> None:
        """So much of the phase is done, and so many units of work were spent on it, which tell the speed."""
        ...


class Silent:
    """Nobody listens."""

    def phase(self, what: str, about: str = "") -> AbstractContextManager[None]:
        return nullcontext()

    def at(self, done: float, total: float, spent: float = math.nan, unit: str = "") -> None:
        pass
