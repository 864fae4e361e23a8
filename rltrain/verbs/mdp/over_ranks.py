"""The model of a solve that several processes share: all must have the same one, and each keeps its own rows of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from rltrain.errors import InputError
from rltrain.mdp.model import Model
from rltrain.ranks import Ranks
from rltrain.verbs.mdp.models import GivenDiscount, discount_of

HASHED = 1 << 24  # numbers at once


def prepared(ranks: Ranks, load: Callable[[], Model], discount: GivenDiscount, method: str) -> Model:
    """What each process needs of the model that `load` finds: rank 0 all, to say the answer, the others their rows.

    InputError, on all of them, for what any of them refuses, for models that differ, and for a solve that goes another
    way than sweeps.
    """
    from rltrain.mdp.solvers.solve import SHARED, is_small

    told = ""

    def prepare() -> Model:
        nonlocal told
        if method not in SHARED:
            raise InputError(
                f"--method {method}: ranks share sweeps over all states, of {', '.join(SHARED)}; leave mpirun out"
            )
        model = load()
        gamma = discount_of(model, discount)
        if gamma == 1:
            raise InputError("--discount 1: ranks share sweeps that contract, below 1; leave mpirun out")
        told = f"{fingerprint(model)} {gamma!r}"
        return model

    model = ranks.all_agree(prepare, lambda _: told)
    if is_small(model) or ranks.rank == 0:
        return model
    from rltrain.mdp.solvers.over_ranks import blocks, own_rows

    edges = blocks(model, ranks.size)
    return own_rows(model, edges[ranks.rank], edges[ranks.rank + 1])


def fingerprint(model: Model) -> str:
    """Equal for models whose numbers and sizes are equal, and for no others; of a folder's, what its hashes say."""
    if model.mapped is not None:
        return model.mapped.digest
    digest = hashlib.sha256(f"{model.num_states} {model.num_actions} {model.num_pairs} {model.num_next}".encode())
    for array in (model.first_pair, model.action, model.first_next, model.next, model.prob, model.reward):
        for begin in range(0, len(array), HASHED):
            digest.update(array[begin : begin + HASHED].data)
    return digest.hexdigest()
