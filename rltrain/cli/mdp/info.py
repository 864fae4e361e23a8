"""`rltrain mdp info`: what a model is, before it is solved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rltrain.cli.mdp.solve import Json, Minimize, ModelName, Settings, Strict

if TYPE_CHECKING:
    from rltrain.mdp.model import Model

NAMED = 5  # names that a line gives


def info_command(
    model: ModelName = None,
    settings: Settings = None,
    minimize: Minimize = False,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Show sizes, terminal states, branching, rewards, what can be reached, and what looks wrong."""
    from rltrain.cli.mdp import show
    from rltrain.cli.output import complain, say, say_json
    from rltrain.mdp import fates
    from rltrain.verbs.mdp import models

    loaded = models.load(model, settings or [], minimize=minimize, strict=strict)
    found = describe(loaded.model)
    found["warnings"] = [*loaded.warnings, *(fates.endings(loaded.model) if loaded.model.discount == 1 else ())]
    if json:
        say_json(found)
        return
    for warning in found["warnings"]:
        complain(f"warning: {warning}")
    say(loaded.model.name or "the model")
    show.facts(_lines(found))


def describe(model: Model) -> dict[str, Any]:
    """What `--json` prints, but the warnings. Lists of names stop after a thousand."""
    import numpy as np

    from rltrain.mdp import graph

    counts, branches = np.diff(model.first_pair), np.diff(model.first_next)
    acting = counts[counts > 0]
    rewards = model.reward if model.next_reward is None else model.next_reward
    start = np.flatnonzero(model.start_distribution())
    reached = graph.reachable(model)
    classes, closed = _classes(model)
    arrays = (model.first_pair, model.action, model.first_next, model.next, model.prob, model.reward, model.next_reward)
    return {
        "name": model.name,
        "states": model.num_states,
        "state_names": _names(model.states, np.arange(min(model.num_states, 1000))),
        "actions": model.num_actions,
        "action_names": _names(model.actions, np.arange(min(model.num_actions, 1000))),
        "pairs": model.num_pairs,
        "transitions": model.num_next,
        "terminal": int(model.terminal.sum()),
        "terminal_names": _names(model.states, np.flatnonzero(model.terminal)[:1000]),
        "actions_per_state": _range(acting),
        "branching": _range(branches),
        "deterministic": bool((branches == 1).all()),
        "certain_pairs": int((branches == 1).sum()),
        "reward": {"min": float(rewards.min(initial=np.inf)), "max": float(rewards.max(initial=-np.inf))}
        if len(rewards)
        else None,
        "reward_depends_on_next": model.next_reward is not None,
        "start": {"stated": model.start is not None, "states": len(start), "names": _names(model.states, start[:1000])},
        "reachable": int(reached.sum()),
        "unreachable": int((~reached).sum()),
        "unreachable_names": _names(model.states, np.flatnonzero(~reached)[:1000]),
        "classes": classes,
        "closed_classes": closed,
        "cannot_end": int(graph.cannot_end(model).sum()),
        "may_not_end": int(graph.may_not_end(model).sum()),
        "discount": model.discount,
        "written_exactly": model.exact is not None,
        "bytes": sum(array.nbytes for array in arrays if array is not None),
    }


def _classes(model: Model) -> tuple[int, int]:
    """Communicating classes, and how many of them no action leaves."""
    import numpy as np

    from rltrain.mdp import checks, graph

    count, label = graph.strong_components(*graph.of_states(model))
    left = np.zeros(count, dtype=bool)
    for first, last in checks.pieces(model):
        begin, end = int(model.first_next[first]), int(model.first_next[last])
        here = np.repeat(label[model.pair_state[first:last]], np.diff(model.first_next[first : last + 1]))
        left[here[label[model.next[begin:end]] != here]] = True
    return count, int((~left).sum())


def _names(names: Any, numbers: Any) -> list[str]:
    return [names[int(number)] for number in numbers]


def _range(counts: Any) -> dict[str, float]:
    if not len(counts):
        return {"min": 0, "mean": 0.0, "max": 0}
    return {"min": int(counts.min()), "mean": float(counts.mean()), "max": int(counts.max())}


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    """The lines of the report on a model: what, and text about it."""
    from rltrain import words

    count = words.count
    states, start = found["states"], found["start"]
    lines = [("states", _listed(found["state_names"], states, "state"))]
    if found["terminal"]:
        lines.append(("terminal", _listed(found["terminal_names"], found["terminal"], "state")))
    else:
        lines.append(("terminal", "none: no episode ends by itself"))
    lines.append(("actions", _listed(found["action_names"], found["actions"], "action")))
    if found["actions"] == 1:
        lines.append(("", "with one action it is a Markov chain"))
    lines += [
        ("pairs", f"{count(found['pairs'])} possible actions of states, {_spread(found['actions_per_state'])} a state"),
        ("outcomes", f"{count(found['transitions'])} transitions, {_spread(found['branching'])} a pair"),
        ("chance", _chance(found)),
        ("reward", _reward(found)),
        ("start", _listed(start["names"], start["states"], "state") + ("" if start["stated"] else " (not stated)")),
        ("reachable", _reachable(found)),
        ("classes", _structure(found)),
        ("episodes", _endings(found)),
        ("discount", "not stated" if found["discount"] is None else f"{found['discount']:g}"),
        ("memory", words.size(found["bytes"]) + (", and every number as it was written" * found["written_exactly"])),
    ]
    return lines


def _listed(names: list[str], number: int, what: str) -> str:
    """3 states: s0, s1, s2"""
    from rltrain import words
    from rltrain.cli.mdp import show

    many = f"{words.count(number)} {what}{'s' * (number != 1)}"
    if number > NAMED and names == [str(place) for place in range(len(names))]:
        return f"{many}, numbered"
    more = f" and {words.count(number - NAMED)} more" if number > NAMED else ""
    return f"{many}: {', '.join(map(show.name, names[:NAMED]))}{more}"


def _spread(found: dict[str, float]) -> str:
    if found["min"] == found["max"]:
        return f"{found['min']:,}"
    return f"{found['min']:,} to {found['max']:,} (mean {found['mean']:.3g})"


def _chance(found: dict[str, Any]) -> str:
    from rltrain import words

    if found["deterministic"]:
        return "none: every action has one outcome"
    certain = found["certain_pairs"]
    return f"{words.count(certain)} of {words.count(found['pairs'])} pairs have one outcome, the others are random"


def _reward(found: dict[str, Any]) -> str:
    if found["reward"] is None:
        return "none"
    low, high = found["reward"]["min"], found["reward"]["max"]
    text = f"always {low:g}" if low == high else f"{low:g} to {high:g}"
    return text + (", depending on the next state" if found["reward_depends_on_next"] else "")


def _reachable(found: dict[str, Any]) -> str:
    from rltrain import words

    if not found["unreachable"]:
        return "every state"
    return f"{words.count(found['reachable'])} states; not " + _listed(
        found["unreachable_names"], found["unreachable"], "state"
    )


def _structure(found: dict[str, Any]) -> str:
    from rltrain import words

    if found["classes"] == 1:
        return "1: every state can be reached from every other"
    closed = found["closed_classes"]
    return (
        f"{words.count(found['classes'])} sets of states that can reach each other, "
        f"{words.count(closed)} of {'which' if closed == 1 else 'them'} without a way out"
    )


def _endings(found: dict[str, Any]) -> str:
    from rltrain import words

    if found["cannot_end"] == found["states"]:
        return "never end"
    parts = []
    if found["cannot_end"]:
        parts.append(f"cannot end from {words.count(found['cannot_end'])} states")
    if found["may_not_end"] > found["cannot_end"]:
        parts.append(f"may go on for ever, by choice, from {words.count(found['may_not_end'])} states")
    return "; ".join(parts) or "always end, whatever is done"
