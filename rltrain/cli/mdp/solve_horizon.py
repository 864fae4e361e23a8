"""`rltrain mdp solve --horizon H`: the best H steps, as a table of the policy by time to go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rltrain.cli.mdp.show import Form
    from rltrain.core import Array
    from rltrain.mdp.model import Model
    from rltrain.mdp.solvers.horizon import Horizon

MOST_COLUMNS = 60  # changes of the policy worth trying to fit


def run(model: Model, discount: float, steps: int, limit: int | None, json: bool) -> None:
    """Solve and print."""
    from rltrain.cli.mdp import show
    from rltrain.mdp.files import json_stream
    from rltrain.mdp.solvers import horizon

    solved = horizon.solve(model, discount, steps)
    if json:
        show.say_pieces(json_stream.of_object(report(solved)))
    else:
        show_horizon(solved, limit)


def report(solved: Horizon) -> dict[str, Any]:
    """What --json prints: V, Q and policy are lists by time to go, 0 to the horizon; `bound` is for gaps too."""
    from rltrain.mdp.files import json_stream

    model, times = solved.model, range(solved.horizon + 1)

    def policy(choice: Array) -> list[str | None]:
        return [None if pair < 0 else model.actions[int(model.action[pair])] for pair in choice.tolist()]

    def each(part: Any) -> Any:
        return json_stream.of_list(len(times), lambda first, last: [part(t) for t in times[first:last]])

    return {
        "model": model.name,
        "states": json_stream.of_names(model.states),
        "actions": list(model.actions),
        "discount": float(solved.discount),
        "horizon": solved.horizon,
        "V": each(lambda t: json_stream.plain(solved.value[t])),
        "Q": each(lambda t: json_stream.plain(json_stream.dense(model, solved.q[t], 0, model.num_states))),
        "policy": each(lambda t: policy(solved.choice[t])),
        "bound": solved.bound,
        "converged": True,
        "sweeps": solved.horizon,
        "seconds": solved.seconds,
        "method": "backward induction",
    }


def show_horizon(solved: Horizon, limit: int | None) -> None:
    """Print V with all steps to go, and the policy where it changes."""
    from rltrain.cli.mdp import show
    from rltrain.cli.output import say

    model, steps = solved.model, solved.horizon
    written = show.form(solved.bound, float(abs(solved.value[steps]).max(initial=0.0)))
    count = show.rows_shown(model, limit)
    changes = solved.changes()
    say(show.title(model, f"discount {solved.discount:.12g}", f"{steps:,} step{'s' * (steps != 1)}"))
    say()
    rows = _by_time(solved, changes, written, count)
    if len(changes) > MOST_COLUMNS or show.width_of(rows) > show.room():
        rows = _by_state(solved, written, count)
    show.table(rows, left=("state", "policy by steps to go") + tuple(rows[0][2:]))
    show.rest_of_rows(model, count)
    say()
    lines = []
    if model.start is not None:
        lines.append(("start", f"{written(float(model.start @ solved.value[steps]))}, the mean V of where it starts"))
    if steps:
        last = changes[-1]
        lines.append(
            (
                "policy",
                "the same whatever is to go"
                if last == 1
                else f"the same from {last:,} steps to go on" + (" (so far)" if last == steps else ""),
            )
        )
    lines.append(("proven", show.proof(solved.bound, written)))
    lines.append(("solved", f"by backward induction, {steps:,} sweeps, {show.elapsed(solved.seconds)}"))
    show.facts(lines)


def spans(changes: list[int], steps: int) -> list[str]:
    """1-5, 6-10 from [1, 6] and 10."""
    ends = [change - 1 for change in changes[1:]] + [steps]
    return [str(a) if a == b else f"{a}-{b}" for a, b in zip(changes, ends, strict=True)]


def _by_time(solved: Horizon, changes: list[int], written: Form, count: int) -> list[list[str]]:
    from rltrain.cli.mdp import show

    model, steps = solved.model, solved.horizon
    rows = [["state", "V", *(f"{span} to go" if i == 0 else span for i, span in enumerate(spans(changes, steps)))]]
    for state in range(count):
        actions = [show.action(model, int(solved.choice[t, state])) for t in changes]
        rows.append([show.name(model.states[state]), written(solved.value[steps, state]), *actions])
    return rows


def _by_state(solved: Horizon, written: Form, count: int) -> list[list[str]]:
    """Each state's own changes, where there are too many for columns."""
    from rltrain.cli.mdp import show

    model, steps = solved.model, solved.horizon
    rows = [["state", "V", "policy by steps to go"]]
    for state in range(count):
        head = [show.name(model.states[state]), written(solved.value[steps, state])]
        own = [t for t in range(1, steps + 1) if t == 1 or solved.choice[t, state] != solved.choice[t - 1, state]]
        said = [
            f"{show.action(model, int(solved.choice[t, state]))} {span}"
            for t, span in zip(own, spans(own, steps), strict=True)
        ]
        if model.terminal[state]:
            said = ["(terminal)"]
        line = ""
        room = show.room() - 30
        for part in said:
            if line and len(line) + len(part) > room:
                rows.append([*head, line])
                head, line = ["", ""], ""
            line += (", " if line else "") + part
        rows.append([*head, line])
    return rows
