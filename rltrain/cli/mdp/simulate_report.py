"""What `rltrain mdp simulate --json` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rltrain.cli.mdp.simulate import apart, reached_classes

if TYPE_CHECKING:
    from rltrain.cli.mdp.simulate import Simulation, Task
    from rltrain.mdp.chains.simulate import Spread
    from rltrain.mdp.model import Model

LISTED = 1_000  # classes, and states of a class


def report(model: Model, task: Task, found: Simulation) -> dict[str, Any]:
    """What --json prints. visits: acting in a state, or ending in it; expected_visits are of one episode."""
    import numpy as np

    from rltrain.mdp.files import json_stream

    played, expected, value = found.played, found.expected, found.value
    visited = max(int(played.state_visits.sum()), 1)
    return {
        "model": model.name,
        "policy": task.called,
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
        "value": None
        if value is None
        else {"start": json_stream.finite(value.start_value), "bound": json_stream.finite(value.bound)},
        "visits": json_stream.of_list(model.num_states, lambda first, last: played.state_visits[first:last].tolist()),
        "visit_shares": json_stream.of_numbers(played.state_visits / visited),
        "pair_visits": json_stream.of_pairs(model, played.pair_visits),
        "expected_visits": None if expected is None else json_stream.of_numbers(expected.visits),
        "long_run": None if found.long_run is None else json_stream.of_numbers(found.long_run.value),
        "long_run_bound": None if found.long_run is None else float(found.long_run.bound),
        "recurrent_classes": _classes(model, found),
        "transient_states": int((found.reachable & ~found.classes.recurrent[found.classes.label]).sum()),
        "unreachable_states": int((~found.reachable).sum()),
        "notes": found.notes,
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


def _spread(sample: Spread | None, exact: float | None) -> dict[str, Any] | None:
    from rltrain.mdp.files.json_stream import finite

    if sample is None:
        return None
    return {
        "mean": sample.mean,
        "sd": finite(sample.sd),
        "standard_error": finite(sample.error),
        "ci95": None if finite(sample.low) is None else [sample.low, sample.high],
        "exact": exact,
        "standard_errors_apart": None if exact is None else finite(apart(sample, exact)),
    }


def _classes(model: Model, found: Simulation) -> list[dict[str, Any]]:
    """The recurrent classes that can be reached, with their periods."""
    return [
        {
            "states": [model.states[int(state)] for state in found.classes.members(number)[:LISTED]],
            "period": int(found.classes.period[number]),
            "terminal": bool(model.terminal[found.classes.members(number)[0]]),
        }
        for number in reached_classes(found)[:LISTED]
    ]
