import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rltrain import side_by_side

ROOT = Path(__file__).resolve().parent.parent


def test_results_come_in_the_order_of_the_items_whoever_is_quicker():
    both = threading.Barrier(2)

    def work(item):
        if item < 2:
            both.wait(timeout=60)  # these two are at work at once
        return item * item

    assert side_by_side.each(work, range(9), 2) == [item * item for item in range(9)]
    assert side_by_side.each(lambda item: -item, [3], 4) == [-3] and side_by_side.each(str, [], 4) == []


def test_the_error_of_the_earliest_item_is_raised_and_no_thread_is_left():
    def work(item):
        raise ValueError(item)

    before = threading.active_count()
    with pytest.raises(ValueError, match="0"):
        side_by_side.each(work, range(50), 3)
    assert threading.active_count() == before


def test_a_thread_that_outlives_the_main_thread_still_works_side_by_side():
    lines = (
        "import threading\nfrom rltrain import side_by_side\n"
        "def late():\n    threading.main_thread().join()\n    print(side_by_side.each(abs, [-1, -2, -3], 2))\n"
        "threading.Thread(target=late).start()"
    )
    done = subprocess.run([sys.executable, "-c", lines], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[1, 2, 3]\n", "")
