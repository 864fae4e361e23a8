"""`rltrain mdp verify`: the verdict on a policy, the states that lose, and the first wrong action."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rltrain.cli.mdp import text
from rltrain.cli.mdp.answer import Answer, AnswerTable, Part, framed
from rltrain.cli.mdp.answers.evaluation import NOTHING
from rltrain.cli.mdp.answers.goal import words_of
from rltrain.core import Array
from rltrain.mdp.files import json_stream
from rltrain.mdp.solvers import bellman
from rltrain.verbs.mdp.verify import Verdict

VERDICTS = {True: "passed", False: "failed", None: "cannot tell"}


def of_verdict(verdict: Verdict, limit: int | None = None) -> Answer:
    """A verdict; `passed` is null where the bound cannot tell, and the exit code 9 where it is not true."""
    model, loss = verdict.model, verdict.loss
    worst = int(loss.argmax())
    fields: dict[str, Any] = {
        "model": model.name,
        "policy": verdict.policy,
        **words_of(verdict.goal).fields,
        "tolerance": verdict.tolerance,
        "passed": verdict.passed,
        "worst_loss": json_stream.finite(loss[worst]),
        "worst_state": model.states[worst],
        "first_wrong": _first_fields(verdict),
    }
    if verdict.wrong is not None:
        fields["wrong_states"] = len(verdict.wrong)
    fields["states"] = json_stream.of_names(model.states)
    fields["loss"] = json_stream.of_numbers(loss)
    fields["bound"] = json_stream.finite(verdict.bound)
    if np.isinf(loss).any():  # their loss is null
        fields["infinite_loss"] = json_stream.of_states(model, np.isinf(loss))
    return Answer(fields, _text(verdict, limit), unproven="" if verdict.passed else _failure(verdict))


def _failure(verdict: Verdict) -> str:
    model, loss = verdict.model, verdict.loss
    worst = int(loss.argmax())
    where, each = text.state(model, worst), " a step" * (verdict.goal.discount is None)
    if verdict.passed is None:
        return (
            f"cannot tell: state {where} loses {max(loss[worst], 0.0):.6g}{each}, known to within "
            f"{text.upwards(verdict.bound)}, and {verdict.tolerance:g} is allowed; take a larger --tolerance"
        )
    first = "" if verdict.first is None else f"\nfirst wrong {_first(verdict)}"
    return f"not optimal: state {where} loses {_amount(loss[worst])}{each}, {verdict.tolerance:g} is allowed{first}"


def _amount(loss: float) -> str:
    """1.17982, or infinitely much."""
    return f"{loss:.6g}" if loss < float("inf") else "infinitely much"


def _first(verdict: Verdict) -> str:
    """Where the policy's own action is first the wrong one, and what would be better."""
    assert verdict.first is not None and verdict.taken is not None  # the best is never wrong
    state, to_go, loss, better = verdict.first
    left = f", with {to_go:,} step{'s' * (to_go != 1)} to go" if to_go else ""
    return (
        f"in state {text.state(verdict.model, state)}{left}: {text.taken(verdict.model, verdict.taken, state)} loses "
        f"{_amount(loss)} at once; better: {text.action(verdict.model, better)}"
    )


def _first_fields(verdict: Verdict) -> dict[str, Any] | None:
    if verdict.first is None or verdict.taken is None:
        return None
    model = verdict.model
    state, to_go, loss, better = verdict.first
    does = {
        "action": text.taken(model, verdict.taken, state),
        "better": model.actions[int(model.action[better])],
        "loss_at_once": json_stream.finite(loss),
    }
    if verdict.goal.endless_sum:
        return {"state": model.states[state], **does, "loss": json_stream.finite(verdict.loss[state])}
    return {"state": model.states[state], "to_go": to_go or None, **does}


def _text(verdict: Verdict, limit: int | None) -> Iterator[Part]:
    """The states that lose, in order, and the verdict."""
    model, loss, bound, wrong = verdict.model, verdict.loss, verdict.bound, verdict.wrong
    written = text.form(bound, bellman.size(verdict.best))
    losing = loss > verdict.tolerance
    if wrong is not None:
        losing[wrong] = True
    lose = np.flatnonzero(losing)
    count = min(len(lose), limit if limit is not None else text.PART)
    table = None
    if count:
        rest = ""
        if count < len(lose):
            rest = f"… {count:,} of {len(lose):,} states that lose; --limit shows more, --json has all"
        rows = _by_goal(verdict, written, lose[:count])
        table = AnswerTable(rows, ("state", "policy", "better"), rest)
    worst = int(loss.argmax())
    where, most = text.state(model, worst), f"{NOTHING}, as far as the bound can tell"
    if loss[worst] > bound and verdict.goal.endless_sum:
        most = f"state {where} loses {written(loss[worst])}, the most of all"
    elif loss[worst] > bound:
        most = f"{written(loss[worst])} is lost from state {where}"
    first = "" if verdict.first is None else f"first {_first(verdict)}"
    proven = text.proof(bound, written) if count else ""
    if verdict.goal.endless_sum and not count:
        proven = f"the loss of every state is known to within {text.upwards(bound)}"
    if wrong is not None:
        first = f"the action itself in {len(wrong):,} of {model.num_states:,} states"
    facts = [
        ("verdict", f"{VERDICTS[verdict.passed]} (a state may lose {verdict.tolerance:g})"),
        ("worst", most),
        ("wrong", first),
        ("proven", proven),
    ]
    yield from framed(model, words_of(verdict.goal).titles, table, facts, verdict.policy)


def _by_goal(verdict: Verdict, written: text.NumberForm, states: Array) -> list[list[str]]:
    """What some states lose, what the policy does there, and what is better."""
    model, goal = verdict.model, words_of(verdict.goal)
    wrong = set() if verdict.wrong is None else set(verdict.wrong.tolist())
    rows = [["state", "loss", goal.number, goal.best, "policy", "better"]]
    if verdict.at_once is not None:
        rows = [["state", "loss", "policy", "better", "lost at once"]]
    for state in states.tolist():
        head = [text.state(model, state), written(verdict.loss[state])]
        does = "" if verdict.taken is None else text.taken(model, verdict.taken, state)
        better = text.action(model, int(verdict.choice[state]))
        if verdict.at_once is None:
            rows.append([*head, written(verdict.value[state]), written(verdict.best[state]), does, better])
        elif state in wrong:
            rows.append([*head, does, better, written(verdict.at_once[state])])
        else:
            rows.append([*head, does, "", ""])
    return rows
