"""`rltrain mdp evaluate`: a policy's value, the best and the loss of each state, in floating point or in fractions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rltrain.cli.mdp import text
from rltrain.cli.mdp.answer import Answer, Part, by_state, framed
from rltrain.cli.mdp.answers.goal import words_of
from rltrain.mdp.files import json_stream
from rltrain.mdp.solvers import bellman
from rltrain.verbs.mdp.evaluate import ExactPolicyEvaluation, PolicyEvaluation

LOSING = "this policy may lose for ever from there"
NOTHING = "nothing is lost anywhere"
NO_MORE = "floating point can prove no more; "


def of_evaluation(found: PolicyEvaluation, epsilon: float, limit: int | None = None) -> Answer:
    """In floating point; `bound` is for every number. The best and the loss are null where there is no best."""
    unproven = ""
    if found.bound > epsilon:
        unproven = (
            f"not proven: the numbers are within {text.upwards(found.bound)} of the truth, and {epsilon:g} was asked "
            f"for; {NO_MORE * found.goal.endless_sum}raise --epsilon, or take --exact, which is for small models"
        )
    model, goal = found.model, words_of(found.goal)
    best, loss = found.best, found.loss
    fields: dict[str, Any] = {
        "model": model.name,
        "policy": found.policy,
        **goal.fields,
        "states": json_stream.of_names(model.states),
        goal.key: json_stream.of_numbers(found.value),
        goal.key_best: None if best is None else json_stream.of_numbers(best),
        "loss": None if loss is None else json_stream.of_numbers(loss),
        "start_value": json_stream.finite(found.start_value),
        "start_value_optimal": json_stream.finite(found.start_best),
        "worst_loss": json_stream.finite(found.worst_loss),
        "worst_state": None if loss is None else model.states[int(loss.argmax())],
        "bound": json_stream.finite(found.bound),
    }
    if found.lost is not None and found.lost.any():
        fields["minus_infinity_optimal"] = json_stream.of_states(model, found.lost)
    lost = np.isneginf(found.value)
    if lost.any():  # their V is null, and so is their loss where the best is finite
        fields["minus_infinity"] = json_stream.of_states(model, lost)
    return Answer(fields, _text(found, limit), unproven=unproven)


def _text(found: PolicyEvaluation, limit: int | None) -> Iterator[Part]:
    model, goal = found.model, words_of(found.goal)
    headed = ((goal.number, found.value), (goal.best, found.best), ("loss", found.loss))
    columns = [(heading, column) for heading, column in headed if column is not None]
    written = text.form(found.bound, max(bellman.size(column) for _, column in columns))
    start = f"{written(found.start_value)}, the mean {goal.number} of where it starts"
    best, worst = f"none: {found.why}", ""
    if found.loss is not None:
        start, best, state = f"{start}; best {written(found.start_best)}", "", int(found.loss.argmax())
        worst = f"{NOTHING}, as far as the bound can tell"
        if found.loss[state] > found.bound:
            worst = f"{written(found.loss[state])} is lost from state {text.state(model, state)}"
    facts = [
        ("infinite", text.lost_line(model, np.isneginf(found.value), LOSING)),
        ("start", start),
        ("best", best),
        ("worst", worst),
        ("proven", text.proof(found.bound, written)),
    ]
    table = by_state(model, limit, ((heading, written.each(column)) for heading, column in columns))
    yield from framed(model, goal.titles, table, facts, found.policy)


# In fractions


def of_exact_evaluation(found: ExactPolicyEvaluation, limit: int | None = None) -> Answer:
    """In fractions, in the JSON as "21/2" or "-infinity"; nothing is rounded, so the bound is 0."""
    model, goal = found.model, words_of(found.goal, exact=True)
    worst = None if found.loss is None else max(found.loss)
    fields = {
        "model": model.name,
        "policy": found.policy,
        **goal.fields,
        "states": list(model.states),
        goal.key: text.fractions(found.value),
        goal.key_best: None if found.best is None else text.fractions(found.best),
        "loss": None if found.loss is None else text.fractions(found.loss),
        "worst_loss": None if worst is None else text.fraction(worst),
        "worst_state": None if found.loss is None else model.states[found.loss.index(worst)],
        "bound": 0,
    }
    return Answer(fields, _exact_text(found, limit))


def _exact_text(found: ExactPolicyEvaluation, limit: int | None) -> Iterator[Part]:
    """Fractions where they are short, decimals beside them."""
    model, goal, loss = found.model, words_of(found.goal, exact=True), found.loss
    columns = text.exact_columns(goal.number, found.value)
    best, worst = f"none: {found.why}", ""
    if loss is not None:
        columns += text.exact_columns("loss", loss)
        best, worst = "", NOTHING + ": the policy is optimal" * found.goal.endless_sum
        if most := max(loss):
            worst = f"{text.decimal(most)} is lost from state {text.state(model, loss.index(most))}"
    table = by_state(model, limit, columns)
    exact = "exact: V solves the policy's equations in fractions" if found.goal.endless_sum else "exact, in fractions"
    facts = [
        ("infinite", text.lost_line(model, text.not_finite(found.value), LOSING)),
        ("best", best),
        ("worst", worst),
        ("proven", f"{exact}; decimals are rounded{text.longer(table.rows)}"),
    ]
    yield from framed(model, goal.titles, table, facts, found.policy)
