"""`rltrain mdp info`: what a model is, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from rltrain import words
from rltrain.cli.mdp import text
from rltrain.cli.mdp.answer import Answer, FactLines, Part
from rltrain.verbs.mdp.info import CountRange, ModelFacts

NAMED = 5  # names that a line gives


def of_model_facts(found: ModelFacts) -> Answer:
    """Sizes, terminal states, branching, rewards, what can be reached, and what looks wrong."""
    return Answer(asdict(found), _text(found), found.warnings)


def _text(found: ModelFacts) -> Iterator[Part]:
    count, start = words.count, found.start
    terminal = "none: no episode ends by itself"
    if found.terminal:
        terminal = _listed(found.terminal_names, found.terminal, "state")
    lines = [
        ("states", _listed(found.state_names, found.states, "state")),
        ("terminal", terminal),
        ("actions", _listed(found.action_names, found.actions, "action")),
    ]
    if found.actions == 1:
        lines.append(("", "with one action it is a Markov chain"))
    lines += [
        ("pairs", f"{count(found.pairs)} possible actions of states, {_range(found.actions_per_state)} a state"),
        ("outcomes", f"{count(found.transitions)} transitions, {_range(found.branching)} a pair"),
        ("chance", _chance(found)),
        ("reward", _reward(found)),
        ("start", _listed(start.names, start.states, "state") + ("" if start.stated else " (not stated)")),
        *_leads_to(found),
        ("discount", "not stated" if found.discount is None else f"{found.discount:g}"),
        ("memory", words.size(found.bytes) + (", and every number as it was written" * found.written_exactly)),
    ]
    yield found.name or "the model"
    yield FactLines(lines)


def _listed(names: list[str], number: int, what: str) -> str:
    """3 states: s0, s1, s2"""
    many = f"{words.count(number)} {what}{'s' * (number != 1)}"
    if number > NAMED and names == [str(place) for place in range(len(names))]:
        return f"{many}, numbered"
    more = f" and {words.count(number - NAMED)} more" if number > NAMED else ""
    return f"{many}: {', '.join(map(text.name, names[:NAMED]))}{more}"


def _range(found: CountRange) -> str:
    """2, or 1 to 3 (mean 2)."""
    if found.min == found.max:
        return f"{found.min:,}"
    return f"{found.min:,} to {found.max:,} (mean {found.mean:.3g})"


def _chance(found: ModelFacts) -> str:
    if found.deterministic:
        return "none: every action has one outcome"
    certain = words.count(found.certain_pairs)
    return f"{certain} of {words.count(found.pairs)} pairs have one outcome, the others are random"


def _reward(found: ModelFacts) -> str:
    if found.reward is None:
        return "none"
    low, high = found.reward.min, found.reward.max
    text = f"always {low:g}" if low == high else f"{low:g} to {high:g}"
    return text + (", depending on the next state" if found.reward_depends_on_next else "")


def _leads_to(found: ModelFacts) -> Iterator[tuple[str, str]]:
    """What is known of which state leads where; nothing where a warning says that it was left out."""
    if found.unreachable is not None and found.unreachable_names is not None:
        rest = _listed(found.unreachable_names, found.unreachable, "state")
        reached = f"{words.count(found.states - found.unreachable)} states; not {rest}"
        yield "reachable", reached if found.unreachable else "every state"
    if found.classes is not None and found.closed_classes is not None:
        yield "classes", _classes(found.classes, found.closed_classes)
    if found.cannot_end is not None and found.may_not_end is not None:
        yield "episodes", _endings(found.states, found.cannot_end, found.may_not_end)


def _classes(classes: int, closed: int) -> str:
    if classes == 1:
        return "1: every state can be reached from every other"
    return (
        f"{words.count(classes)} sets of states that can reach each other, "
        f"{words.count(closed)} of {'which' if closed == 1 else 'them'} without a way out"
    )


def _endings(states: int, cannot_end: int, may_not_end: int) -> str:
    if cannot_end == states:
        return "never end"
    parts = []
    if cannot_end:
        parts.append(f"cannot end from {words.count(cannot_end)} states")
    if may_not_end > cannot_end:
        parts.append(f"may go on for ever, by choice, from {words.count(may_not_end)} states")
    return "; ".join(parts) or "always end, whatever is done"
