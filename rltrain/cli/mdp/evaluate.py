"""`rltrain mdp evaluate`: what a given policy is worth in a known model, exactly, beside the best."""

from __future__ import annotations

from rltrain.cli.mdp import options
from rltrain.cli.progress import line
from rltrain.errors import InputError


def evaluate_command(
    model: options.ModelName = None,
    settings: options.Settings = None,
    imports: options.Imports = None,
    policy: options.PolicyName = "optimal",
    discount: options.Discount = None,
    minimize: options.Minimize = False,
    strict: options.Strict = False,
    average: options.AverageGoal = False,
    horizon: options.HorizonGoal = None,
    epsilon: options.Near = None,
    exact: options.ExactNumbers = False,
    limit: options.Limit = None,
    json: options.Json = False,
) -> None:
    """The value of a given policy in every state, the best value, and the loss."""
    from rltrain.cli.mdp.answer import show
    from rltrain.cli.mdp.answers import evaluation
    from rltrain.verbs.mdp import evaluate as verb

    options.no_limit_with_json(limit, json)
    if exact and epsilon is not None:
        raise InputError("--exact goes without --epsilon: fractions have no error")
    near = options.positive("--epsilon", epsilon, options.EPSILON)
    loaded = options.loading(model, settings, minimize, strict)
    if exact:
        exactly = verb.evaluate_exact(loaded, policy, discount, average=average, horizon=horizon)
        return show(evaluation.of_exact_evaluation(exactly, limit), json)
    found = verb.evaluate(loaded, policy, discount, average=average, horizon=horizon, epsilon=near, progress=line)
    show(evaluation.of_evaluation(found, near, limit), json)
