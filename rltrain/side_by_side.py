"""Work that frees Python's lock, done side by side: a map over plain threads.

Not `concurrent.futures`: its executors refuse work as soon as the main thread has come to its end, and a program that
trains in a thread of its own still plays and saves then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Thread
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(work: Callable[[Item], Result], items: Sequence[Item], threads: int) -> list[Result]:
    """[work(item) for item in items], in at most so many threads. Of several errors the earliest item's is raised."""
    if min(threads, len(items)) <= 1:
        return [work(item) for item in items]
    waiting = deque(enumerate(items))
    results: dict[int, Result] = {}
    errors: dict[int, BaseException] = {}

    def take() -> None:
        while not errors:
            try:
                index, item = waiting.popleft()
            except IndexError:  # another thread had the last
                return
            try:
                results[index] = work(item)
            except BaseException as error:
                errors[index] = error

    takers = [Thread(target=take, name="rltrain-each", daemon=True) for _ in range(min(threads, len(items)))]
    try:
        for taker in takers:
            taker.start()
        for taker in takers:
            taker.join()
    finally:  # Ctrl-C: nothing is at work when it goes on
        waiting.clear()
        for taker in takers:
            if taker.ident is not None:
                taker.join()
    if errors:
        raise errors[min(errors)]
    return [results[index] for index in range(len(items))]
