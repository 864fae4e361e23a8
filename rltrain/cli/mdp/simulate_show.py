"""What `rltrain mdp simulate` prints for a person."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rltrain.cli.mdp.simulate import Simulation, Task
    from rltrain.core import Array
    from rltrain.mdp.chains.simulate import Spread, Trajectory
    from rltrain.mdp.model import Model

LINES = 4  # of an episode, at most
MANY = 4  # repeats of a step that are written as one
WIDTH = 80


def show_simulation(model: Model, task: Task, found: Simulation, limit: int | None, output: Path | None) -> None:
    """Some episodes, what they all earned, where they were, and what the chain is like."""
    from rltrain.cli.mdp import show
    from rltrain.cli.output import say
    from rltrain.spelling import shown

    discount = [] if task.discount is None else [f"discount {task.discount:.12g}"]
    say(show.title(model, *discount))
    many = f"{task.episodes:,} episode{'s' * (task.episodes != 1)} of at most {task.steps:,} steps"
    say(f"policy {shown(task.called)} · {many} · seed {task.seed}")
    for number, one in enumerate(found.played.first, start=1):
        say()
        for line in episode(model, number, one):
            say(line)
    say()
    show.table(returns(task, found), left=("",))
    say()
    rows, left_out = visits(model, task, found, show.rows_shown(model, limit))
    show.table(rows, left=("state",))
    if left_out:
        say(f"… and {left_out:,} more states, less visited; --limit shows more, --json has all")
    say()
    show.facts(facts(model, task, found, output))


def episode(model: Model, number: int, one: Trajectory) -> Iterator[str]:
    """s0 -a0(+10)-> s0 -a2-> s1 ×7 …: rewards of 0 are left out, and the action where there is only one."""
    from itertools import groupby

    from rltrain.cli.mdp.show import name

    count = len(one.pairs)
    how = "ends" if one.ended else "cut"
    yield f"episode {number}: {how} after {count:,} step{'s' * (count != 1)}, return {float(one.rewards.sum()):.10g}"
    steps = zip(one.states[1:].tolist(), one.pairs.tolist(), one.rewards.tolist(), strict=True)
    line, lines, told = f"  {name(model.states[int(one.states[0])])}", 1, 0
    for (state, pair, reward), run in groupby(steps):
        repeats = sum(1 for _ in run)
        label = name(model.actions[int(model.action[pair])]) if len(model.actions) > 1 else ""
        label += f"({reward:+.6g})" if reward else ""
        word = f"{f'-{label}' if label else ''}-> {name(model.states[state])}"
        for text, times in [(f"{word} ×{repeats:,}", repeats)] if repeats >= MANY else [(word, 1)] * repeats:
            if len(line) + 1 + len(text) > WIDTH:
                yield line
                line, lines = f"  {text}", lines + 1
                if lines > LINES:
                    yield f"  … and {count - told:,} more step{'s' * (count - told != 1)}"
                    return
            else:
                line = f"{line} {text}"
            told += times
    yield line


def returns(task: Task, found: Simulation) -> list[list[str]]:
    """What an episode earns: the sample beside the exact expectation."""
    from rltrain.mdp.chains.simulate import spread

    expected = found.expected
    rows = [["", "mean", "sd", "95 % interval", "exact", "apart"]]
    rows.append(_row("return", found.returns, expected.total if expected else None))
    if found.discounted is not None and task.discount != 1:
        rows.append(_row("discounted", found.discounted, expected.discounted if expected else None))
    rows.append(_row("steps", spread(found.played.length), expected.length if expected else None))
    return rows


def _row(what: str, sample: Spread, exact: float | None) -> list[str]:
    from rltrain.cli.mdp.simulate import apart

    decimals = 2
    if 0 < sample.error < math.inf:
        decimals = min(max(0, 1 - math.floor(math.log10(sample.error))), 8)

    def written(number: float | None) -> str:
        return "-" if number is None or math.isnan(number) else f"{number:,.{decimals}f}"

    far = "-"
    if exact is not None and not math.isnan(sample.error):
        differs = apart(sample, exact)
        far = "∞" if math.isinf(differs) else f"{differs:+.1f}" if differs else "0"
    interval = "-" if math.isnan(sample.error) else f"{written(sample.low)} to {written(sample.high)}"
    return [what, written(sample.mean), written(sample.sd), interval, written(exact), far]


def visits(model: Model, task: Task, found: Simulation, count: int) -> tuple[list[list[str]], int]:
    """Where it was: the states that can be reached, or the most visited of them; and how many are left out.

    Visits of one episode where it can end, else shares of the time.
    """
    import numpy as np

    from rltrain.cli.mdp.show import name

    seen = found.played.state_visits
    order = np.flatnonzero(found.reachable)
    left_out = len(order) - count
    if left_out > 0:
        order = order[np.argsort(-seen[order], kind="stable")][:count]
    ends = bool((found.reachable & model.terminal).any())
    scale = 1.0 / task.episodes if ends else 1.0 / max(int(seen.sum()), 1)
    expected = None if found.expected is None else found.expected.visits * (1.0 if ends else 1 / task.steps)
    rows = [["state", "visits", "an episode" if ends else "share"]]
    columns: list[Array] = [seen * scale]
    for heading, values in (("exact", expected), ("long run", found.long_run and found.long_run.value)):
        if values is not None:
            rows[0].append(heading)
            columns.append(values)
    for state in order.tolist():
        label = name(model.states[state]) + (" (terminal)" if model.terminal[state] else "")
        rows.append([label, f"{int(seen[state]):,}", *(f"{column[state]:.4f}" for column in columns)])
    return rows, max(left_out, 0)


def facts(model: Model, task: Task, found: Simulation, output: Path | None) -> list[tuple[str, str]]:
    """The rest, in words."""
    from rltrain import words
    from rltrain.cli.mdp.show import form, upwards

    lines = []
    if found.expected is not None:
        lines.append(
            ("exact", f"what is expected of at most {task.steps:,} steps; apart: so many standard errors from it")
        )
    if found.value is not None:
        size = abs(found.value.start_value)
        written = form(found.value.bound, size if math.isfinite(size) else 0.0)
        near = f", within {upwards(found.value.bound + written.rounding)}" if math.isfinite(size) else ""
        what = f"{written(found.value.start_value)} is the value of the start, without a cut{near}"
        lines.append(("value", what))
    if (found.reachable & model.terminal).any():
        exact = ""
        if found.expected is not None:
            exact = f"; exact {words.percent(float(found.expected.visits[model.terminal].sum()))}"
        lines.append(("ended", f"{words.percent(float(found.played.ended.mean()))} of the episodes{exact}"))
    lines.append(("chain", structure(model, found)))
    lines.extend(("left out", note) for note in found.notes)
    if output is not None:
        lines.append(("saved", str(output)))
    return lines


def structure(model: Model, found: Simulation) -> str:
    """1 recurrent class (s0, s1, s2) of period 1; 2 transient states; 1 cannot be reached"""
    from rltrain.cli.mdp.show import listed
    from rltrain.cli.mdp.simulate import reached_classes

    numbers = reached_classes(found)
    ends = int((found.reachable & model.terminal).sum())
    kept = [number for number in numbers if not model.terminal[found.classes.members(number)[0]]]
    said = []
    if ends:
        said.append(f"{ends:,} terminal state{'s' * (ends != 1)}")
    if kept:
        each = []
        for number in kept[:3]:
            members = found.classes.members(number)
            names = listed([model.states[int(state)] for state in members[:3]], len(members))
            each.append(f"({names}) of period {int(found.classes.period[number])}")
        more = f" and {len(kept) - 3:,} more" if len(kept) > 3 else ""
        said.append(f"{len(kept):,} recurrent class{'es' * (len(kept) != 1)} {', '.join(each)}{more}")
    transient = int((found.reachable & ~found.classes.recurrent[found.classes.label]).sum())
    unreached = int((~found.reachable).sum())
    said.append(f"{transient:,} transient state{'s' * (transient != 1)}")
    if unreached:
        said.append(f"{unreached:,} cannot be reached")
    return "; ".join(said)
