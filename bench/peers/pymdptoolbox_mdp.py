"""pymdptoolbox, one sparse matrix per action: the solve alone.

4.0b3 is the newest there is, a pre-release. Its check of the model makes a full matrix [S, S] of a sparse one, so from
10^5 states it ends in a MemoryError; its value iteration stops on the span and gives values that are off by a
constant. Needs .venv-peers (`make bench-peers`). Prints one JSON line.

    .venv-peers/bin/python bench/peers/pymdptoolbox_mdp.py --model MODEL.npz --discount 0.99 --method mpi
"""

from __future__ import annotations

from typing import Any

import mdp_side

METHODS = ("mpi", "pi", "vi")


def main() -> None:
    given = mdp_side.arguments("pymdptoolbox on one model", METHODS, 1e-6)

    def build(table: mdp_side.Table) -> Any:
        from mdptoolbox import mdp
        from scipy.sparse import csr_matrix

        pairs = table.states * table.actions
        matrix = csr_matrix((table.data, table.indices, table.indptr), shape=(pairs, table.states))
        of_action = [matrix[action :: table.actions] for action in range(table.actions)]
        reward = table.reward.reshape(table.states, table.actions)
        if given.method == "mpi":
            return mdp.PolicyIterationModified(of_action, reward, given.discount, given.epsilon, max_iter=10**8)
        if given.method == "pi":
            return mdp.PolicyIteration(of_action, reward, given.discount, max_iter=10**8)
        return mdp.ValueIteration(of_action, reward, given.discount, given.epsilon, max_iter=10**8)

    def solve(ready: Any) -> tuple[Any, int]:
        ready.run()
        return ready.V, int(ready.iter)

    mdp_side.measure(given, ("pymdptoolbox", "scipy", "numpy"), build, solve, rebuild=True)


if __name__ == "__main__":
    main()
