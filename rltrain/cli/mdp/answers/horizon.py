"""`rltrain mdp solve --horizon H`: the best H steps, and the policy by the number of steps to go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rltrain import words
from rltrain.cli.mdp import answer, text
from rltrain.cli.mdp.answer import Answer, AnswerTable, Part, framed
from rltrain.mdp.files import json_stream
from rltrain.mdp.solvers.horizon import Horizon

MOST_COLUMNS = 60  # changes of the policy worth trying to fit
BESIDE = 30  # columns of the terminal that state and V may take beside the policy


def of_horizon(solved: Horizon, limit: int | None = None) -> Answer:
    """V, Q and the policy are lists by time to go, 0 to the horizon; `bound` is for gaps too."""
    model, times = solved.model, range(solved.horizon + 1)

    def each(part: Any) -> Any:
        return json_stream.of_list(len(times), lambda first, last: [part(t) for t in times[first:last]])

    fields = {
        "model": model.name,
        "states": json_stream.of_names(model.states),
        "actions": list(model.actions),
        "discount": float(solved.discount),
        "horizon": solved.horizon,
        "V": each(lambda t: json_stream.plain(solved.value[t])),
        "Q": each(lambda t: json_stream.plain(json_stream.dense(model, solved.q[t], 0, model.num_states))),
        "policy": each(lambda t: model.action_names(solved.choice[t])),
        "bound": solved.bound,
        "converged": True,
        "sweeps": solved.horizon,
        "seconds": solved.seconds,
        "method": "backward induction",
    }
    return Answer(fields, _text(solved, limit))


def _text(solved: Horizon, limit: int | None) -> Iterator[Part]:
    """V with all steps to go, and the policy where it changes."""
    model, steps = solved.model, solved.horizon
    written = text.form(solved.bound, float(abs(solved.value[steps]).max(initial=0.0)))
    count, changes = text.rows_shown(model, limit), solved.changes()
    rows = _by_time(solved, changes, written, count)
    if len(changes) > MOST_COLUMNS or answer.width_of(rows) > answer.room():
        rows = _by_state(solved, written, count)
    start, policy = "", ""
    if model.start is not None:
        start = f"{written(float(model.start @ solved.value[steps]))}, the mean V of where it starts"
    if steps:
        last = changes[-1]
        policy = f"the same from {last:,} steps to go on" + (" (so far)" if last == steps else "")
        policy = "the same whatever is to go" if last == 1 else policy
    facts = [
        ("start", start),
        ("policy", policy),
        ("proven", text.proof(solved.bound, written)),
        ("solved", f"by backward induction, {steps:,} sweeps, {text.elapsed(solved.seconds)}"),
    ]
    left = ("state", "policy by steps to go", *rows[0][2:])
    titles = (f"discount {solved.discount:.12g}", words.many(steps, "step"))
    yield from framed(model, titles, AnswerTable(rows, left, text.rest_of_rows(model, count)), facts)


def _spans(changes: list[int], steps: int) -> list[str]:
    """1-5, 6-10 from [1, 6] and 10."""
    ends = [change - 1 for change in changes[1:]] + [steps]
    return [str(a) if a == b else f"{a}-{b}" for a, b in zip(changes, ends, strict=True)]


def _by_time(solved: Horizon, changes: list[int], written: text.NumberForm, count: int) -> list[list[str]]:
    """A column for each span of times to go in which no state changes its action."""
    model, steps = solved.model, solved.horizon
    rows = [["state", "V", *(f"{span} to go" if i == 0 else span for i, span in enumerate(_spans(changes, steps)))]]
    for state in range(count):
        actions = [text.action(model, int(solved.choice[t, state])) for t in changes]
        rows.append([text.state(model, state), written(solved.value[steps, state]), *actions])
    return rows


def _by_state(solved: Horizon, written: text.NumberForm, count: int) -> list[list[str]]:
    """Each state's own changes, where there are too many for columns."""
    model, steps = solved.model, solved.horizon
    rows, room = [["state", "V", "policy by steps to go"]], answer.room() - BESIDE
    for state in range(count):
        head = [text.state(model, state), written(solved.value[steps, state])]
        own = [t for t in range(1, steps + 1) if t == 1 or solved.choice[t, state] != solved.choice[t - 1, state]]
        taken = [
            f"{text.action(model, int(solved.choice[t, state]))} {s}"
            for t, s in zip(own, _spans(own, steps), strict=True)
        ]
        if model.terminal[state]:
            taken = ["(terminal)"]
        line = ""
        for part in taken:
            if line and len(line) + len(part) > room:
                rows.append([*head, line])
                head, line = ["", ""], ""
            line += (", " if line else "") + part
        rows.append([*head, line])
    return rows
