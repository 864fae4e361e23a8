"""How good a policy is in a known model, by the exact equations rather than by games: its value, and what it loses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rltrain import envs
from rltrain.core import Array, EnvSpec, Policy, Scoring
from rltrain.errors import InputError, UncertifiedError
from rltrain.experiment.config import Experiment
from rltrain.mdp.model import Model
from rltrain.policies.asking import Planning

FEW_STATES = 50  # up to which the whole policy is named
MOST_STATES = 200_000  # up to which its equations are solved


def discounts_apart(experiment: Experiment, spec: EnvSpec) -> str:
    """A line where the config learns for another discount than the model states; else empty."""
    settings = experiment.algorithm.model_dump()
    learned, own = settings.get("gamma"), spec.discount
    if settings.get("gamma_final") is not None:
        learned = settings["gamma_final"]
    if learned is None or own is None or learned == own:
        return ""
    return f"the model's own discount is {own:.12g}, the config learns for {learned:.12g}"


@dataclass(frozen=True)
class ExactScore:
    """What a policy is worth in a known model, by its equations."""

    discount: float
    value: float  # of the start, under the policy
    optimal: float  # of the start, under the best policy
    loss: float  # of the start
    loss_max: float  # of the state where it is greatest
    bound: float  # no number is farther from the truth
    policy: dict[str, str] | None  # state -> action, of a policy that draws none, in a small model


def against_truth(experiment: Experiment, policy: Policy) -> ExactScore | None:
    """What the policy is worth where it was trained. None where no model is known, and where a sum does not exist."""
    if experiment.task == "env" or isinstance(policy, Planning):  # one that plans may do another thing every time
        return None
    from rltrain.mdp.losses import losses  # as long to load as a short run takes
    from rltrain.mdp.solvers import bellman

    model = envs.model_of(experiment.environment)
    discount = experiment.algorithm.model_dump().get("gamma")
    discount = discount if discount is not None else None if model is None else model.discount
    if model is None or discount is None or model.num_states > MOST_STATES:
        return None
    taken = taken_by(model, policy)
    if taken is None:
        return None  # it would take what is impossible
    try:
        result = losses(model, taken, discount)
    except (InputError, UncertifiedError):
        if discount < 1:
            raise
        return None  # at discount 1 a sum of rewards need not exist
    start = model.start_distribution()
    sure = bool((taken[taken > 0] == 1).all())
    few = np.flatnonzero(taken == 1)[:FEW_STATES]
    named = {model.states[int(model.pair_state[i])]: model.actions[int(model.action[i])] for i in few}
    return ExactScore(
        discount=discount,
        value=bellman.mean(start, result.evaluated.value),
        optimal=bellman.mean(start, result.optimal.value),
        loss=bellman.mean(start, result.loss),
        loss_max=float(result.loss.max()),
        bound=result.bound,
        policy=named if sure and model.num_states <= FEW_STATES else None,
    )


def taken_by(model: Model, policy: Policy) -> Array | None:
    """[P] the probability of each pair; None where the policy takes an action that is impossible."""
    from rltrain.mdp import pairs

    states = np.arange(model.num_states)[:, None]
    if isinstance(policy, Scoring) and policy.score_name == "probability":  # it draws: one draw would not be it
        return np.asarray(policy.scores(states)[model.pair_state, model.action])
    action = policy.act(states)
    found = [model.pair_of(s, int(action[s])) for s in range(model.num_states)]
    choice = np.array([-1 if pair is None else pair for pair in found])
    return None if (choice[~model.terminal] < 0).any() else pairs.of_choice(model, choice)
