"""MDPSolver (C++, on all cores), given nested lists: the solve alone.

A second solve would start from the first one's answer, so each has a model of its own. Gauss-Seidel sweeps were never
its best. `parIterLim`, the sweeps within a policy, is left at its default of 100. Needs .venv-peers (`make
bench-peers`). Prints one JSON line.

    .venv-peers/bin/python bench/peers/mdpsolver_mdp.py --model MODEL.npz --discount 0.99 --method mpi
"""

from __future__ import annotations

import gc
from itertools import pairwise
from typing import Any

import mdp_side

METHODS = {
    "mpi": {"algorithm": "mpi", "parallel": True},
    "vi": {"algorithm": "vi", "parallel": True},
    "pi": {"algorithm": "pi", "parallel": True},
    "vi-serial": {"algorithm": "vi", "parallel": False},
    "vi-gs": {"algorithm": "vi", "update": "gs", "parallel": False},
}


def nested(table: mdp_side.Table) -> tuple[list[Any], list[Any], list[Any]]:
    """Rewards, probabilities and successors: by state, then by action."""
    gc.disable()  # millions of lists that hold no cycle
    rows = list(pairwise(table.indptr.tolist()))
    chances, columns = table.data.tolist(), table.indices.tolist()
    prob = [chances[first:last] for first, last in rows]
    following = [columns[first:last] for first, last in rows]
    of_state = [slice(s * table.actions, (s + 1) * table.actions) for s in range(table.states)]
    rewards = table.reward.tolist()
    lists = [rewards[own] for own in of_state], [prob[own] for own in of_state], [following[own] for own in of_state]
    gc.enable()
    return lists


def main() -> None:
    given = mdp_side.arguments("MDPSolver on one model", list(METHODS), 1e-6)

    def build(table: mdp_side.Table) -> Any:
        import mdpsolver

        rewards, prob, following = nested(table)
        model = mdpsolver.model()
        model.mdp(discount=given.discount, rewards=rewards, tranMatProbs=prob, tranMatColumns=following)
        gc.freeze()  # the lists are not looked through again
        return model

    def solve(ready: Any) -> tuple[Any, None]:
        ready.solve(tolerance=given.epsilon, **METHODS[given.method])
        return ready.getValueVector(), None

    mdp_side.measure(given, ("mdpsolver", "numpy"), build, solve, rebuild=True)


if __name__ == "__main__":
    main()
