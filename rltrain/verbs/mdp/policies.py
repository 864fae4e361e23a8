"""The policy that a person means: a saved one, a rule, or one action everywhere."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import pairs
from rltrain.mdp.chains.chain import CHAIN_BYTES, POLICY_ROWS
from rltrain.mdp.exact.rational import distribution
from rltrain.mdp.files import policy_files
from rltrain.mdp.mapped import check_room
from rltrain.mdp.model import Model
from rltrain.progress import Progress
from rltrain.spelling import described, did_you_mean
from rltrain.verbs.mdp.solve import solve

OPTIMAL, RANDOM = "optimal", "random"
GivenPolicy = Array | Path | str  # [P] probabilities, a file, or a name


def policy_of(model: Model, policy: GivenPolicy, discount: float = 0.0, progress: Progress | None = None) -> Array:
    """[P] the probability of each pair in its state: of a file, "optimal", "random" or an action's name.

    Probabilities [P] are taken as they are. The discount is for "optimal" alone. InputError for anything else.
    """
    if isinstance(policy, np.ndarray):
        return policy
    text = str(policy)
    if text == RANDOM:
        return pairs.uniform(model)
    if text == OPTIMAL:
        taken = model.num_next / max(1, model.num_pairs) * model.num_states  # known before it takes hours to solve
        check_room(model.mapped, taken, CHAIN_BYTES, POLICY_ROWS)
        return pairs.of_choice(model, solve(model, discount, progress=progress).choice)
    path = Path(text)
    if path.suffix.lower() in policy_files.SUFFIXES:
        return policy_files.read(path, model)
    if text in model.actions:
        return pairs.always(model, text)
    names = [OPTIMAL, RANDOM, *model.actions[:1000]]
    raise InputError(
        f"--policy {described(text)}: neither a file that ends in {', '.join(policy_files.SUFFIXES)}, nor optimal, "
        f"random or an action{did_you_mean(text, names)}"
    )


def shares(model: Model, policy: Array) -> dict[int, dict[int, Fraction]]:
    """State -> pair -> probability of each pair that a policy [P] takes, as fractions of sum 1: 0.1 is 1/10."""
    found = {}
    for state in range(model.num_states):
        taken = [pair for pair in model.pairs(state) if policy[pair] > 0]
        if taken:
            read, _ = distribution([float(policy[pair]) for pair in taken])
            found[state] = dict(zip(taken, read, strict=True))
    return found


def name_of(policy: GivenPolicy) -> str:
    """What a policy is called where it is reported."""
    return "given" if isinstance(policy, np.ndarray) else str(policy)
