"""Jobs that either thread may do: each once, urgent ones first, and never lost."""

import gc
import threading
import time

import pytest

from rltrain.deep.fast.helper import Helper, Job


def nothing() -> None:
    pass


@pytest.fixture
def busy() -> tuple[Helper, threading.Event]:
    """A helper that does nothing else until the event is set."""
    helper, free, begun = Helper("test", nothing), threading.Event(), threading.Event()
    helper.submit(lambda: (begun.set(), free.wait(10)))
    assert begun.wait(10)
    return helper, free


def test_a_job_that_nobody_has_begun_is_done_by_the_thread_that_needs_it(busy: tuple[Helper, threading.Event]) -> None:
    helper, free = busy
    job = helper.submit(threading.current_thread)
    assert job.result() is threading.current_thread()
    free.set()


def test_a_job_that_has_begun_is_waited_for() -> None:
    helper, begun, end = Helper("test", nothing), threading.Event(), threading.Event()
    job = helper.submit(lambda: (begun.set(), end.wait(10), threading.current_thread().name))
    assert begun.wait(10)
    threading.Timer(0.05, end.set).start()
    assert job.result()[2] == "test"


def test_urgent_jobs_go_first_and_each_kind_in_order(busy: tuple[Helper, threading.Event]) -> None:
    helper, free = busy
    done: list[str] = []
    for name, urgent in (("a", False), ("b", True), ("c", False), ("d", True)):
        last = helper.submit(lambda name=name: done.append(name), urgent)
    free.set()
    helper.submit(nothing).wait()
    assert last.result() is None
    assert done == ["b", "d", "a", "c"]


def test_each_job_is_done_once_whoever_hurries() -> None:
    helper, count = Helper("test", nothing), 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal count
        with lock:
            count += 1

    jobs = [helper.submit(work) for _ in range(2000)]
    for job in reversed(jobs):
        job.result()
    assert count == 2000


def test_an_error_reaches_the_thread_that_asks_and_the_helper_goes_on() -> None:
    helper = Helper("test", nothing)
    job = helper.submit(lambda: 1 // 0)
    job.wait()
    with pytest.raises(ZeroDivisionError):
        job.result()
    with pytest.raises(ZeroDivisionError):
        Job(lambda: 1 // 0).result()
    assert helper.submit(lambda: 7).result() == 7


def test_without_a_thread_whoever_needs_a_job_does_it() -> None:
    before = threading.active_count()
    helper = Helper("nobody", None)
    job = helper.submit(threading.current_thread)
    helper.abandon()
    assert threading.active_count() == before
    assert job.result() is threading.current_thread()


def test_after_abandon_nothing_runs(busy: tuple[Helper, threading.Event]) -> None:
    helper, free = busy
    done: list[int] = []
    helper.submit(lambda: done.append(1))
    threading.Timer(0.05, free.set).start()
    helper.abandon()
    assert free.is_set()
    helper.submit(nothing).wait()
    assert done == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_helper_that_could_not_begin_leaves_the_work_to_others() -> None:
    def fail() -> None:
        raise RuntimeError("no thread of its own")

    helper = Helper("stillborn", fail)
    assert helper.submit(lambda: 7).result() == 7
    helper.abandon()
    assert ended("stillborn")


def ended(name: str) -> bool:
    """Whether no thread has this name, soon."""
    for _ in range(500):
        if all(thread.name != name for thread in threading.enumerate()):
            return True
        time.sleep(0.01)
    return False


def test_the_thread_ends_with_its_helper() -> None:
    helper = Helper("short-lived", nothing)
    helper.submit(nothing).wait()
    del helper
    gc.collect()
    assert ended("short-lived")
