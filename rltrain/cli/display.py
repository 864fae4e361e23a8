"""What can be shown while something trains, and who shows it: the contracts between displays and views.

What there is to see is a `Display`'s business: `run_display` has that of one run, `seeds.display` that of several
seeds. A view is given the news one by one: the events of a run, or how all seeds stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from rich.console import RenderableType

LINE_SECONDS = 10.0  # between two lines of a log that say how far it is
LOG_WIDTH = 80  # characters of a table in a log


class Warned(Protocol):
    """News that may bring warnings."""

    @property
    def warnings(self) -> Sequence[str]: ...


News = TypeVar("News", bound=Warned)
Taken = TypeVar("Taken", bound=Warned, contravariant=True)


class Display(Protocol[Taken]):
    """What there is to see, as a picture and as lines of a log. `now` is on the view's clock, in seconds."""

    def take(self, news: Taken) -> bool: ...  # remember them for the picture; True: to be seen at once
    def picture(self, width: int, height: int) -> RenderableType | None: ...  # for a window; None: nothing yet
    def opening(self, now: float) -> Sequence[str]: ...  # of a log
    def lines(self, news: Taken, now: float) -> Sequence[str]: ...  # of a log, for these news
    def closing(self, now: float) -> Sequence[str | RenderableType]: ...  # of a log


class View(Protocol[Taken]):
    """Shows all news, until it is closed."""

    def show(self, news: Taken) -> None: ...
    def close(self) -> None: ...
