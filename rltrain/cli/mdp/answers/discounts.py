"""`rltrain mdp discounts`: the changes of the best policy, and what is taken between them."""

from __future__ import annotations

from collections.abc import Iterator

from rltrain.cli.mdp import text
from rltrain.cli.mdp.answer import Answer, AnswerTable, FactLines, Part
from rltrain.mdp.exact.discounts import Discounts
from rltrain.report.discounts import policy_text

MOST_ROWS = 60
FEW = 12  # states and intervals, up to which every policy is written out


def of_discounts(found: Discounts) -> Answer:
    """The changes in ascending order."""
    return Answer(found.json(), _text(found))


def _text(found: Discounts) -> Iterator[Part]:
    model, points = found.model, found.breakpoints
    yield text.title(model, f"discounts {found.intervals[0].low:g} to {found.intervals[-1].high:g}")
    if points:
        digits = 9 if found.rigorous else 6
        rows = [["discount", "state", "from", "to"]]
        for point in points[:MOST_ROWS]:
            turns = (text.action(model, pair) for pair in (point.before, point.after))
            rows.append([f"{point.discount:.{digits}f}", text.state(model, point.state), *turns])
        rest = f"… {MOST_ROWS} of {len(points):,} changes; --json has all" if len(points) > MOST_ROWS else ""
        yield AnswerTable(rows, ("state", "from", "to"), rest)
    else:
        yield "one policy is optimal for all of them"
    facts = []
    if model.num_states <= FEW and len(found.intervals) <= FEW:
        for piece in found.intervals:
            facts.append((f"{piece.low:.6f}", f"to {piece.high:.6f}: {policy_text(found, piece.choice)}"))
    yield FactLines([*facts, ("proof", found.note)])
