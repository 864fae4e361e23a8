"""`rltrain mdp simulate`: some episodes, what they all earned and where they were, beside what is expected exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np

from rltrain import words
from rltrain.cli.mdp import text
from rltrain.cli.mdp.answer import Answer, AnswerTable, FactLines, Part
from rltrain.core import Array
from rltrain.mdp.chains.simulate import Spread, Trajectory, spread
from rltrain.mdp.files import json_stream
from rltrain.mdp.model import Model
from rltrain.spelling import shown
from rltrain.verbs.mdp.simulate import Simulation, z_score

LISTED = 1_000  # classes, and states of a class, in the JSON
LINES = 4  # of an episode, at most
MANY = 4  # repeats of a step that are written as one
WIDTH = 80


def of_simulation(found: Simulation, limit: int | None = None) -> Answer:
    """A sample of episodes. visits: acting in a state, or ending in it; expected_visits are of one episode."""
    task, model = found.task, found.task.model
    played, expected, value, long_run = found.played, found.expected, found.value, found.long_run
    visited = max(int(played.state_visits.sum()), 1)
    fields = {
        "model": model.name,
        "policy": task.policy_name,
        "episodes": task.episodes,
        "steps": task.steps,
        "seed": task.seed,
        "discount": task.discount,
        "start": task.start_name,
        "states": json_stream.of_names(model.states),
        "actions": list(model.actions),
        "return": _spread(found.returns, expected.total if expected else None),
        "discounted_return": _spread(found.discounted, expected.discounted if expected else None),
        "length": {
            "mean": float(played.length.mean()),
            "min": int(played.length.min()),
            "max": int(played.length.max()),
            "exact": expected.length if expected else None,
        },
        "ended": {
            "share": float(played.ended.mean()),
            "exact": float(expected.visits[model.terminal].sum()) if expected else None,
        },
        "value": value and {"start": json_stream.finite(value.start_value), "bound": json_stream.finite(value.bound)},
        "visits": json_stream.of_list(model.num_states, lambda first, last: played.state_visits[first:last].tolist()),
        "visit_shares": json_stream.of_numbers(played.state_visits / visited),
        "pair_visits": json_stream.of_pairs(model, played.pair_visits),
        "expected_visits": expected and json_stream.of_numbers(expected.visits),
        "long_run": long_run and json_stream.of_numbers(long_run.value),
        "long_run_bound": long_run and float(long_run.bound),
        "recurrent_classes": [_class(found, number) for number in found.reached_classes()[:LISTED]],
        "transient_states": _transient(found),
        "unreachable_states": int((~found.reachable).sum()),
        "notes": list(found.notes),
        "returns": json_stream.of_numbers(played.total),
        "lengths": json_stream.of_list(task.episodes, lambda first, last: played.length[first:last].tolist()),
        "trajectories": [
            {
                "states": [model.states[state] for state in one.states.tolist()],
                "actions": [model.actions[action] for action in model.action[one.pairs].tolist()],
                "rewards": one.rewards.tolist(),
                "return": float(np.sum(one.rewards)),
                "ended": one.ended,
            }
            for one in played.first
        ],
    }
    return Answer(fields, _text(found, limit))


def _spread(sample: Spread | None, exact: float | None) -> dict[str, Any] | None:
    if sample is None:
        return None
    return {
        "mean": sample.mean,
        "sd": json_stream.finite(sample.sd),
        "standard_error": json_stream.finite(sample.error),
        "ci95": None if json_stream.finite(sample.low) is None else [sample.low, sample.high],
        "exact": exact,
        "standard_errors_apart": None if exact is None else json_stream.finite(z_score(sample, exact)),
    }


def _class(found: Simulation, number: int) -> dict[str, Any]:
    """A recurrent class and its period."""
    members, model = found.classes.members(number), found.task.model
    return {
        "states": [model.states[int(state)] for state in members[:LISTED]],
        "period": int(found.classes.period[number]),
        "terminal": bool(model.terminal[members[0]]),
    }


def _transient(found: Simulation) -> int:
    """States that can be reached, and are left for ever."""
    return int((found.reachable & ~found.classes.recurrent[found.classes.label]).sum())


def _text(found: Simulation, limit: int | None) -> Iterator[Part]:
    task, model = found.task, found.task.model
    yield text.title(model, *([] if task.discount is None else [f"discount {task.discount:.12g}"]))
    many = f"{words.many(task.episodes, 'episode')} of at most {task.steps:,} steps"
    yield f"policy {shown(task.policy_name)} · {many} · seed {task.seed}"
    for number, one in enumerate(found.played.first, start=1):
        yield ""
        yield from _episode(model, number, one)
    yield ""
    yield AnswerTable(_returns(found), ("",))
    yield ""
    yield _visits(found, text.rows_shown(model, limit))
    yield ""
    yield FactLines(_facts(found))


def _episode(model: Model, number: int, one: Trajectory) -> Iterator[str]:
    """s0 -a0(+10)-> s0 -a2-> s1 ×7 …: rewards of 0 are left out, and the action where there is only one."""
    count = len(one.pairs)
    how = "ends" if one.ended else "cut"
    yield f"episode {number}: {how} after {words.many(count, 'step')}, return {float(one.rewards.sum()):.10g}"
    steps = zip(one.states[1:].tolist(), one.pairs.tolist(), one.rewards.tolist(), strict=True)
    line, lines, told = f"  {text.state(model, int(one.states[0]))}", 1, 0
    for (state, pair, reward), run in groupby(steps):
        repeats = sum(1 for _ in run)
        label = text.name(model.actions[int(model.action[pair])]) if len(model.actions) > 1 else ""
        label += f"({reward:+.6g})" if reward else ""
        word = f"{f'-{label}' if label else ''}-> {text.state(model, state)}"
        for said, times in [(f"{word} ×{repeats:,}", repeats)] if repeats >= MANY else [(word, 1)] * repeats:
            if len(line) + 1 + len(said) > WIDTH:
                yield line
                line, lines = f"  {said}", lines + 1
                if lines > LINES:
                    yield f"  … and {count - told:,} more step{'s' * (count - told != 1)}"
                    return
            else:
                line = f"{line} {said}"
            told += times
    yield line


def _returns(found: Simulation) -> list[list[str]]:
    """What an episode earns: the sample beside the exact expectation."""
    expected = found.expected
    rows = [["", "mean", "sd", "95 % interval", "exact", "z score"]]
    rows.append(_row("return", found.returns, expected.total if expected else None))
    if found.discounted is not None and found.task.discount != 1:
        rows.append(_row("discounted", found.discounted, expected.discounted if expected else None))
    rows.append(_row("steps", spread(found.played.length), expected.length if expected else None))
    return rows


def _row(what: str, sample: Spread, exact: float | None) -> list[str]:
    decimals = 2
    if 0 < sample.error < math.inf:
        decimals = min(max(0, 1 - math.floor(math.log10(sample.error))), 8)

    def written(number: float | None) -> str:
        return "-" if number is None or math.isnan(number) else f"{number:,.{decimals}f}"

    far = "-"
    if exact is not None and not math.isnan(sample.error):
        z = z_score(sample, exact)
        far = "∞" if math.isinf(z) else f"{z:+.1f}" if z else "0"
    interval = "-" if math.isnan(sample.error) else f"{written(sample.low)} to {written(sample.high)}"
    return [what, written(sample.mean), written(sample.sd), interval, written(exact), far]


def _visits(found: Simulation, count: int) -> AnswerTable:
    """Where it was: the states that can be reached, or the most visited of them.

    Visits of one episode where it can end, else shares of the time.
    """
    task, model = found.task, found.task.model
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
        label = text.state(model, state) + (" (terminal)" if model.terminal[state] else "")
        rows.append([label, f"{int(seen[state]):,}", *(f"{column[state]:.4f}" for column in columns)])
    rest = f"… and {left_out:,} more states, less visited; --limit shows more, --json has all"
    return AnswerTable(rows, ("state",), rest if left_out > 0 else "")


def _facts(found: Simulation) -> list[tuple[str, str]]:
    task, model = found.task, found.task.model
    exact, value, ended = "", "", ""
    if found.expected is not None:
        exact = f"what is expected of at most {task.steps:,} steps; z score: so many standard errors from it"
    if found.value is not None:
        size = abs(found.value.start_value)
        written = text.form(found.value.bound, size if math.isfinite(size) else 0.0)
        near = f", within {text.upwards(found.value.bound + written.rounding)}" if math.isfinite(size) else ""
        value = f"{written(found.value.start_value)} is the value of the start, without a cut{near}"
    if (found.reachable & model.terminal).any():
        ended = f"{words.percent(float(found.played.ended.mean()))} of the episodes"
        if found.expected is not None:
            ended += f"; exact {words.percent(float(found.expected.visits[model.terminal].sum()))}"
    notes = [("left out", note) for note in found.notes]
    return [("exact", exact), ("value", value), ("ended", ended), ("chain", _structure(found)), *notes]


def _structure(found: Simulation) -> str:
    """1 recurrent class (s0, s1, s2) of period 1; 2 transient states; 1 cannot be reached"""
    model = found.task.model
    ends = int((found.reachable & model.terminal).sum())
    members = [found.classes.members(number) for number in found.reached_classes()]
    kept = [states for states in members if not model.terminal[states[0]]]
    parts = [words.many(ends, "terminal state")] if ends else []
    if kept:
        each = [
            f"({text.some(model, s)}) of period {int(found.classes.period[found.classes.label[s[0]]])}"
            for s in kept[:3]
        ]
        more = f" and {len(kept) - 3:,} more" if len(kept) > 3 else ""
        parts.append(f"{len(kept):,} recurrent class{'es' * (len(kept) != 1)} {', '.join(each)}{more}")
    parts.append(words.many(_transient(found), "transient state"))
    unreached = int((~found.reachable).sum())
    if unreached:
        parts.append(f"{unreached:,} cannot be reached")
    return "; ".join(parts)
