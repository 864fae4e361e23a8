"""`rltrain mdp discounts`: where the best policy of a known model changes as the discount does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rltrain.cli.mdp.solve import Json, Minimize, ModelName, Settings, Strict, loading
from rltrain.errors import InputError

if TYPE_CHECKING:
    from fractions import Fraction

    from rltrain.core import Array
    from rltrain.mdp.exact.discounts import Discounts

PICTURES = (".png", ".svg")


def discounts_command(
    model: ModelName = None,
    settings: Settings = None,
    minimize: Minimize = False,
    strict: Strict = False,
    low: Annotated[str, typer.Option("--from", metavar="G", help="The least discount, as 0.5 or 1/2.")] = "0.5",
    high: Annotated[str, typer.Option("--to", metavar="G", help="The greatest, below 1.")] = "0.999",
    tolerance: Annotated[
        float, typer.Option(metavar="X", help="How well a change is found where fractions are too slow.")
    ] = 1e-6,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="A picture: .png or .svg.")
    ] = None,
    json: Json = False,
) -> None:
    """Find every discount at which the best policy changes."""
    from rltrain.cli.output import complain, say_json
    from rltrain.mdp.exact.discounts import breakpoints

    if output is not None and output.suffix.lower() not in PICTURES:
        raise InputError(f"--output {output}: a picture ends in {' or '.join(PICTURES)}")
    found = breakpoints(
        loading(model, settings, minimize, strict), _discount("--from", low), _discount("--to", high), tolerance
    )
    if json:
        say_json(found.json())
    else:
        show(found)
    if output is not None:
        from rltrain.cli.mdp.discounts_picture import draw

        draw(found, output)
        if not json:
            complain(f"drawn: {output}")


def _discount(option: str, text: str) -> Fraction:
    from rltrain.mdp.files.numerals import fraction

    value = fraction(text)
    if value is None or not 0 <= value < 1:
        raise InputError(f"{option} {text}: expected a discount from 0 to below 1, such as 0.95 or 19/20")
    return value


def show(found: Discounts) -> None:
    """The changes as a table, then what is taken between them."""
    from rltrain.cli.mdp import show as words
    from rltrain.cli.output import say

    model = found.model
    first, last = found.intervals[0].low, found.intervals[-1].high
    say(words.title(model, f"discounts {first:g} to {last:g}"))
    if not found.breakpoints:
        say("one policy is optimal for all of them")
    else:
        rows = [["discount", "state", "from", "to"]]
        digits = 9 if found.rigorous else 6
        for point in found.breakpoints[:MOST_ROWS]:
            rows.append(
                [
                    f"{point.discount:.{digits}f}",
                    words.name(model.states[point.state]),
                    words.action(model, point.before),
                    words.action(model, point.after),
                ]
            )
        words.table(rows, left=("state", "from", "to"))
        if len(found.breakpoints) > MOST_ROWS:
            say(f"… {MOST_ROWS} of {len(found.breakpoints):,} changes; --json has all")
    lines = [("proof", found.note)]
    if model.num_states <= 12 and len(found.intervals) <= 12:
        for piece in reversed(found.intervals):
            lines.insert(0, (f"{piece.low:.6f}", f"to {piece.high:.6f}: {policy_text(found, piece.choice)}"))
    words.facts(lines)


MOST_ROWS = 60


def policy_text(found: Discounts, choice: Array) -> str:
    """s0 a0, s1 a2"""
    from rltrain.cli.mdp import show as words

    model = found.model
    return ", ".join(
        f"{words.name(model.states[state])} {words.action(model, int(pair))}"
        for state, pair in enumerate(choice)
        if pair >= 0
    )
