"""QuantEcon's DiscreteDP, in state-action pairs with a sparse matrix: the solve alone, numba's kernels warm.

`max_iter` is out of the way: its default of 250 stops early without a word. Needs .venv-peers (`make bench-peers`).
Prints one JSON line.

    .venv-peers/bin/python bench/peers/quantecon_mdp.py --model MODEL.npz --discount 0.99 --method mpi
"""

from __future__ import annotations

from typing import Any

import mdp_side

METHODS = {
    "mpi": "modified_policy_iteration",
    "pi": "policy_iteration",
    "vi": "value_iteration",
}


def problem(table: mdp_side.Table, discount: float) -> Any:
    import numpy as np
    from quantecon.markov import DiscreteDP
    from scipy.sparse import csr_matrix

    pairs = np.arange(table.states * table.actions)
    matrix = csr_matrix((table.data, table.indices, table.indptr), shape=(len(pairs), table.states))
    return DiscreteDP(table.reward, matrix, discount, pairs // table.actions, pairs % table.actions)


def main() -> None:
    given = mdp_side.arguments("QuantEcon's DiscreteDP on one model", list(METHODS), 1e-6)
    method = METHODS[given.method]

    def build(table: mdp_side.Table) -> Any:
        import numpy as np

        few = 3 * table.actions  # compiles what the solve will call, for the same types
        small = mdp_side.Table(
            3, table.actions, np.arange(few + 1, dtype=np.int32), np.arange(few, dtype=np.int32) % 3, np.ones(few),
            table.reward[:few],
        )  # fmt: skip
        problem(small, given.discount).solve(method, max_iter=3)
        return problem(table, given.discount)

    def solve(ready: Any) -> tuple[Any, int]:
        found = ready.solve(method, epsilon=given.epsilon, max_iter=10**8)
        return found.v, int(found.num_iter)

    mdp_side.measure(given, ("quantecon", "numba", "scipy", "numpy"), build, solve)


if __name__ == "__main__":
    main()
