"""Solve a model for a discount below 1, and prove how far the answer can be from the truth.

`auto` chooses by what the model shows. Up to 1,000 states: policy iteration with a full matrix, in numpy, for which
nothing is compiled. Above: modified policy iteration, as long as its span falls fast enough; four sweeps tell. Else
news travels slowly through the model, and it is settled from its ends outward (`backward_waves`); where that does not
fit either, policy iteration solves each policy's equations. All of these copy rows into memory; a model that lies on
the disk is solved by value iteration, which copies none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import thresholds
from rltrain.mdp.model import Model
from rltrain.mdp.solution import Solution
from rltrain.mdp.solvers import bellman, methods
from rltrain.mdp.solvers.methods import SolverTask
from rltrain.mdp.solvers.plain import Plain
from rltrain.spelling import did_you_mean

if TYPE_CHECKING:
    from rltrain.mdp.solvers.compiled import Compiled
    from rltrain.mdp.solvers.over_ranks import RankSweeps
    from rltrain.ranks import Ranks

SHARED = ("auto", "vi", "mpi")  # by the ranks of an MPI launch
METHODS = ("auto", "vi", "qvi", "pi", "mpi", "gs", "lp")
WIDTH = 1.0  # spans: actions that much worse than the best may still win
PATIENCE = 120  # sweeps: more than these take longer than to settle the model from its ends


def solve(
    model: Model,
    discount: float,
    method: str = "auto",
    epsilon: float = 1e-6,
    *,
    max_sweeps: int | None = None,
    max_seconds: float | None = None,
    threads: int | None = None,
    progress: Callable[[int, float], None] | None = None,
    ranks: Ranks | None = None,
) -> Solution:
    """V*, Q* and a policy, each number within `Solution.bound` of the truth; `converged` says if that is <= epsilon.

    `progress(sweeps, bound)` is called now and then. `ranks` share the sweeps of the methods in
    SHARED, and rank 0 has the whole answer. InputError for a discount, an epsilon or a method that is none.
    """
    if not 0 <= discount < 1:
        raise InputError(f"discount: {discount} is not from 0 to below 1")
    if not epsilon > 0:
        raise InputError(f"epsilon: {epsilon} is not above 0")
    if method not in METHODS:
        raise InputError(f"method: unknown '{method}'{did_you_mean(method, METHODS)}")
    shared = None if ranks is None else _shared(model, discount, ranks, threads)
    on = shared or sweeps_of(model, discount, threads)
    try:
        task = SolverTask(on, epsilon, max_sweeps, max_seconds, progress, shared)
        return min((_certified(task, value, way) for value, way in _found(task, method)), key=lambda found: found.bound)
    finally:
        on.close()


def is_small(model: Model) -> bool:
    """Nothing is compiled for it."""
    return model.num_next <= thresholds.PLAIN_NEXT and model.num_states <= thresholds.PLAIN_STATES


def sweeps_of(model: Model, discount: float, threads: int | None = None) -> Plain | Compiled:
    """The sweeps over a model, in numpy or compiled. Who takes them closes them."""
    if is_small(model):
        return Plain(model, discount)
    from rltrain.mdp.solvers.compiled import Compiled

    return Compiled(model, discount, threads)


def _shared(model: Model, discount: float, ranks: Ranks, threads: int | None) -> RankSweeps | None:
    """The sweeps that processes share; None for a model so small that each does all of them."""
    if is_small(model):
        ranks.working = False
        return None
    from rltrain.mdp.solvers.over_ranks import RankSweeps

    return RankSweeps(model, discount, ranks, threads)


def _found(task: SolverTask, method: str) -> Iterator[tuple[Array, str]]:
    """V [S] and the way that led there; one more where the first did not come as near as was asked for."""
    if method == "vi":
        yield methods.value_iteration(task), "vi"
    elif method == "qvi":
        yield methods.q_value_iteration(task), "qvi"
    elif method == "mpi":
        yield methods.modified_policy_iteration(task)[0], "mpi"
    elif method == "gs":
        yield methods.gauss_seidel(task), "gs"
    elif method == "lp":
        yield methods.linear_program(task), "lp"
    elif method == "auto" and task.model.mapped is not None and not is_small(task.model):
        yield methods.value_iteration(task), "vi"
    elif task.shared is not None:
        yield methods.modified_policy_iteration(task, WIDTH)[0], "mpi"
    elif method == "pi" or is_small(task.model):
        yield methods.policy_iteration(task), "pi"
    else:
        value, done = methods.modified_policy_iteration(task, WIDTH, PATIENCE)
        if done:
            yield value, "mpi"
            return
        from rltrain.mdp.solvers import backward_waves

        value, done = backward_waves.settle(task)
        yield value, "front"
        if not done:
            yield methods.policy_iteration(task, value.copy()), "pi"


def _certified(task: SolverTask, value: Array, way: str) -> Solution:
    """One more backup, unless the method ended with it: it gives Q, and proves the bound of all that is said."""
    model = task.model
    q = task.q
    if q is None:
        q = task.on.backup(value)
        task.count(1)
    answer, choice = task.on.greedy(q)
    if task.shared is not None:
        q, choice = task.shared.gathered(q, choice)
    change = answer - value
    low, high = float(change.min(initial=np.inf)), float(change.max(initial=-np.inf))
    shift = task.reach * (low + high) / 2 if not task.pinned else 0.0  # where states are pinned, none fits all
    q += shift
    answer[~model.terminal] += shift
    error = task.bound(low, high, value) + 4 * bellman.UNIT * float(np.abs(answer).max(initial=0.0))
    return Solution(
        model=model,
        discount=task.discount,
        value=answer,
        q=q,
        choice=choice,
        bound=error,
        converged=bool(error <= task.epsilon),
        sweeps=round(task.spent),
        seconds=task.seconds,
        method=way,
    )
