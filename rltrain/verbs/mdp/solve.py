"""Solve a known model: for the discounted sum of rewards, for H steps, or for the average reward of a step.

    V(s)     = max_a  r(s, a) + gamma sum_s' P(s' | s, a) V(s')          `solve`, `solve_exact`       (Bellman 1957)
    V_t(s)   = max_a  r(s, a) + gamma sum_s' P(s' | s, a) V_(t-1)(s')    `solve_horizon`
    g + h(s) = max_a  r(s, a) + sum_s' P(s' | s, a) h(s')                `solve_average`, `solve_average_exact`

An answer in floating point states how far from the truth it can be (`bound`); one in fractions is the truth. Each
function loads its own solver when it is called: the others would double the time in which a small model is solved.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from rltrain.errors import InputError
from rltrain.progress import Progress, Silent
from rltrain.verbs.mdp.models import GivenDiscount, Source, discount_of, fraction_of, model_of

if TYPE_CHECKING:
    from rltrain.mdp.exact.average import ExactAverage
    from rltrain.mdp.exact.discounted import ExactSolution
    from rltrain.mdp.solution import Solution
    from rltrain.mdp.solvers.horizon import Horizon
    from rltrain.mdp.undiscounted.average import Average
    from rltrain.ranks import Ranks

    Solved = Solution | ExactSolution | Average | ExactAverage

EPSILON = 1e-6


def solve(
    model: Source = None,
    discount: GivenDiscount = None,
    method: str = "auto",
    epsilon: float = EPSILON,
    max_sweeps: int | None = None,
    max_seconds: float | None = None,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
    ranks: Ranks | None = None,
) -> Solution:
    """V* [S], Q* [P] and the best policy of a model, at a discount from 0 to 1 or else the model's own.

    Solved to half of epsilon: a gap is the difference of two numbers, and must be within epsilon too. `method` is one
    of `solvers.solve.METHODS`. Where max_sweeps or max_seconds ends it early, `converged` is False. `ranks` share a
    model that `over_ranks.prepared` made, below discount 1, and rank 0 has the answer. InputError for arguments that
    make no sense, and at discount 1 where a sum of rewards is infinite or never settles.
    """
    model = model_of(model)
    gamma = discount_of(model, discount)
    if gamma == 1 and method in ("auto", "pi"):
        from rltrain.mdp.undiscounted import total_reward

        if max_sweeps is not None:
            raise InputError("--max-sweeps: at discount 1 for --method vi, qvi, mpi or gs; policy iteration ends")
        return total_reward.solve(model, epsilon / 2, max_seconds)
    sweeps = Sweeps(epsilon / 2, progress or Silent())
    if gamma == 1:
        from rltrain.mdp.undiscounted import sweeps as undiscounted

        return undiscounted.solve(
            model,
            method,
            epsilon / 2,
            max_sweeps=max_sweeps,
            max_seconds=max_seconds,
            threads=threads,
            progress=sweeps,
        )
    from rltrain.mdp.solvers import solve as discounted

    return discounted.solve(
        model, gamma, method, epsilon / 2, max_sweeps=max_sweeps, max_seconds=max_seconds, threads=threads,
        progress=sweeps, ranks=ranks,
    )  # fmt: skip


def solve_exact(model: Source = None, discount: GivenDiscount = None) -> ExactSolution:
    """V*, Q* and every optimal action of a small model, as fractions. A discount of 0.95 is read as 19/20."""
    from rltrain.mdp.exact import discounted

    model = model_of(model)
    return discounted.solve_exact(model, fraction_of(model, discount))


def solve_horizon(model: Source = None, horizon: int = 1, discount: GivenDiscount = None) -> Horizon:
    """The best H steps, by backward induction: V, Q and a policy for each number of steps to go, 0 to `horizon`."""
    from rltrain.mdp.solvers import horizon as backward

    model = model_of(model)
    return backward.solve(model, discount_of(model, discount), horizon)


def solve_average(
    model: Source = None, epsilon: float = EPSILON, max_sweeps: int | None = None, max_seconds: float | None = None
) -> Average:
    """The best gain [S], the average reward of a step without end, its policy and relative values h [S]."""
    from rltrain.mdp.undiscounted import average

    return average.solve(model_of(model), epsilon, max_sweeps, max_seconds)


def solve_average_exact(model: Source = None) -> ExactAverage:
    """The best gain, its policy and relative values h of a small model, as fractions."""
    from rltrain.mdp.undiscounted.average import exactly

    return exactly(model_of(model))


def check_save(path: Path, overwrite: bool = False) -> None:
    """InputError for a file that `save` cannot make, before any work is done."""
    from rltrain.mdp.files.policy_saving import check_target

    check_target(path, overwrite)


def save(path: Path, solved: Solved, overwrite: bool = False) -> None:
    """The policy in a file, whose suffix says how; beside it the values, in floats, where the goal is a discounted sum.

    InputError for a suffix that is none, and where the file exists and may not be overwritten.
    """
    from rltrain.mdp import pairs
    from rltrain.mdp.exact.discounted import ExactSolution, floating
    from rltrain.mdp.files import policy_saving
    from rltrain.mdp.solution import Solution

    match solved:
        case Solution():
            policy_saving.write_solution(path, solved, overwrite=overwrite)
        case ExactSolution():
            policy_saving.write_solution(path, floating(solved), overwrite=overwrite)
        case _:
            policy_saving.write(path, solved.model, pairs.of_choice(solved.model, solved.choice), overwrite=overwrite)


class Sweeps:
    """How far a solve is: the bound falls by about the same factor a sweep, from the first one to the goal."""

    def __init__(self, goal: float, progress: Progress) -> None:
        self._goal = goal
        self._progress = progress
        self._first: float | None = None  # bound

    def __call__(self, sweeps: int, bound: float) -> None:
        if self._first is None and math.isfinite(bound) and bound > self._goal:
            self._first = bound
        if self._first is None or not 0 < bound < math.inf:
            self._progress.at(0.0, math.nan, sweeps, "sweeps")
            return
        whole = math.log(self._first / self._goal)
        self._progress.at(min(max(math.log(self._first / bound), 0.0), whole), whole, sweeps, "sweeps")
