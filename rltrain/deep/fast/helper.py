"""A second thread that shares the work of the first: jobs that either thread may do, each done once.

Whoever needs a job's result does the job, unless the other thread has begun it. So neither waits for what nobody does,
and the work divides itself, whichever of the two is slower, or has its core taken by another process.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


class Job(Generic[Result]):
    """A function without arguments, called once, by the first thread that comes."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work: Callable[[], Result] | None = work
        self._claim = threading.Lock()
        self._ended = threading.Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        """Do it, unless a thread has begun it."""
        if not self._claim.acquire(blocking=False):
            return
        assert self._work is not None
        try:
            self._result = self._work()
        except BaseException as error:  # goes to the thread that asks for the result
            self._error = error
        self._work = None  # what it holds may be large
        self._ended.set()

    def result(self) -> Result:
        """What it gave, or raise what it raised. Done here, if no thread has begun it."""
        self.run()
        self.wait()
        if self._error is not None:
            raise self._error
        return self._result

    def wait(self) -> None:
        """Until another thread has done it."""
        self._ended.wait()


class Helper:
    """One thread, which ends with this object. It does urgent jobs first, each kind in the order given."""

    def __init__(self, name: str, prepare: Callable[[], Any] | None) -> None:
        """`prepare`: what the thread does first. None: no thread; every job is done by the thread that needs it."""
        self._queue = _Queue()
        if prepare is None:
            self._queue.close()
            return
        threading.Thread(target=_serve, args=(self._queue, prepare), name=name, daemon=True).start()
        weakref.finalize(self, self._queue.close)

    def submit(self, work: Callable[[], Result], urgent: bool = False) -> Job[Result]:
        job = Job(work)
        self._queue.put(job, urgent)
        return job

    def abandon(self) -> None:
        """Forget the jobs that wait. When this returns, none is running."""
        self._queue.clear()
        self._queue.wait_until_idle()


class _Queue:
    """What the two threads share."""

    def __init__(self) -> None:
        self._urgent: deque[Job[Any]] = deque()
        self._others: deque[Job[Any]] = deque()
        self._changed = threading.Condition()
        self._closed = self._running = False

    def put(self, job: Job[Any], urgent: bool) -> None:
        with self._changed:
            if self._closed:  # whoever needs it does it
                return
            (self._urgent if urgent else self._others).append(job)
            self._changed.notify_all()

    def get(self) -> Job[Any] | None:
        """The next job, waited for; None: there will be no more."""
        with self._changed:
            while not (self._urgent or self._others or self._closed):
                self._changed.wait()
            if self._closed:
                return None
            self._running = True
            return (self._urgent or self._others).popleft()

    def ended(self) -> None:
        """The job that was got is done."""
        with self._changed:
            self._running = False
            self._changed.notify_all()

    def wait_until_idle(self) -> None:
        with self._changed:
            while self._running:
                self._changed.wait()

    def clear(self) -> None:
        with self._changed:
            self._urgent.clear()
            self._others.clear()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _serve(queue: _Queue, prepare: Callable[[], Any]) -> None:
    try:
        prepare()
    except BaseException:
        queue.close()  # `Helper.abandon` must not wait for a thread that is not there
        raise
    while (job := queue.get()) is not None:
        job.run()
        del job  # while this waits for the next, it keeps nothing of the last
        queue.ended()
