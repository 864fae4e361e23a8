"""A walk through a known model, which has no picture, as lines of text: `s0 -a0 (+10)-> s1`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rltrain.cli.output import say
from rltrain.film.caption import Subject
from rltrain.spelling import shown

if TYPE_CHECKING:
    from rltrain.run.play import Moment


class Story:
    """Says each step when it is over."""

    covers = False

    def __init__(self, subject: Subject) -> None:
        self._names = tuple(map(shown, subject.action_names))
        self._before: Moment | None = None

    def show(self, moment: Moment) -> None:
        before = self._before
        self._before = None if moment.last else moment
        if before is None or before.action is None:
            return
        random = ", random" if before.explored else ""
        end = "  cut off by the time limit" if moment.cut else "  the end" if moment.last else ""
        name = self._names[before.action] if isinstance(before.action, int) else shown(str(before.action.tolist()))
        action = f"-{name} ({moment.reward:+g}{random})->"
        say(f"{moment.step:>7}  {shown(before.state)} {action} {shown(moment.state)}{end}")

    def key(self, seconds: float) -> str:
        time.sleep(seconds)
        return ""

    def close(self) -> None:
        """Nothing to give back."""
