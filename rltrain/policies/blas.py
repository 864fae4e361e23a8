"""One thread for numpy's matrix products.

A second one does not pay for matrices of these sizes: it waits in a loop between two of them and takes the core from
whoever could use it. And sums in another order, as another number of threads makes them, would be another result.
"""

from __future__ import annotations

import threadpoolctl


def use_one_thread() -> None:
    """From now on in this process. numpy has no function of its own for it."""
    threadpoolctl.threadpool_limits(limits=1, user_api="blas")
