"""`rltrain mdp graph`: a small model and its policy as a picture, or as DOT for Graphviz."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from rltrain.cli.mdp.solve import Discount, Minimize, ModelName, Settings, Strict
from rltrain.errors import InputError

if TYPE_CHECKING:
    from rltrain.core import Array
    from rltrain.mdp.model import Model

DOTS = (".dot", ".gv")
MOST_DOT = 200  # states in DOT, unless --max-states says otherwise
OPTIMAL, NONE = "optimal", "none"


class Shown(NamedTuple):
    """What of a policy a picture shows; None where it is not known."""

    policy: Array | None  # [P] probabilities
    value: Array | None  # [S]
    tied: Array | None  # [P] bool: as good as the best


def graph_command(
    model: ModelName = None,
    settings: Settings = None,
    minimize: Minimize = False,
    strict: Strict = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help=".svg, .png or .dot; else DOT on standard output."),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="FILE|optimal|none", help="What is blue: also random, or an action; else optimal."),
    ] = None,
    discount: Discount = None,
    max_states: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Refuse larger models; else 60, 2500 on a grid, 200 for DOT."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE.")] = False,
) -> None:
    """Draw a small model: states, actions, what may follow, and what the policy takes."""
    from rltrain.cli.mdp.solve import loading
    from rltrain.cli.output import say

    if output is not None:
        check_output(output, overwrite)
    elif overwrite:
        raise InputError("--overwrite is for --output FILE")
    loaded = loading(model, settings, minimize, strict)
    check_size(loaded, output, max_states)
    shown = shown_of(loaded, policy, discount)
    if output is None:
        from rltrain.mdp.files import dot

        say("\n".join(dot.lines(loaded, shown.policy, shown.value)))
        return
    draw(loaded, shown, output)
    from rltrain import words

    say(f"{output}: {words.size(output.stat().st_size)}")


def check_output(output: Path, overwrite: bool) -> None:
    """InputError unless `draw` may make this file."""
    from rltrain.mdp.draw import picture
    from rltrain.spelling import did_you_mean, shown

    suffixes = (*picture.SUFFIXES, *DOTS)
    suffix = output.suffix.lower()
    if suffix not in suffixes:
        raise InputError(f"{shown(str(output))}: cannot draw '{shown(suffix)}'{did_you_mean(suffix, suffixes)}")
    if output.is_dir():
        raise InputError(f"{shown(str(output))}: is a folder")
    if not overwrite and (output.exists() or output.is_symlink()):
        raise InputError(f"{shown(str(output))}: exists; --overwrite replaces it")


def check_size(model: Model, output: Path | None, max_states: int | None) -> None:
    """InputError, which says what to do, for a model that nobody could look at."""
    from rltrain.mdp.draw import picture

    as_text = output is None or output.suffix.lower() in DOTS
    picture.check_size(model, MOST_DOT if as_text and max_states is None else max_states)


def shown_of(model: Model, policy: str | None, discount: str | None) -> Shown:
    """The policy that is meant, and its values where a discount is known."""
    from rltrain.cli.output import complain
    from rltrain.mdp import pairs
    from rltrain.mdp.chains import policy as policies
    from rltrain.verbs.mdp import models

    if policy == NONE:
        if discount is not None:
            raise InputError("--discount goes without --policy none: without a policy there are no values")
        return Shown(None, None, None)
    known = discount is not None or model.discount is not None
    if policy not in (None, OPTIMAL):
        from rltrain.cli.mdp.evaluate import policy_of

        given = policy_of(model, policy, 0.0)  # the discount is for "optimal" alone, which is not asked for
        if not known:
            return Shown(given, None, None)
        found = policies.evaluate(model, given, models.discount_of(model, discount))
        return Shown(given, _without_noise(found.value, found.bound), None)
    if policy is None and not known:
        complain("no discount is known, so no best policy is drawn; add, for example: --discount 0.95")
        return Shown(None, None, None)
    from rltrain.cli.mdp.solve import solve_model

    solution = solve_model(model, models.discount_of(model, discount))
    value = _without_noise(solution.value, solution.bound)
    return Shown(pairs.of_choice(model, solution.choice), value, solution.tied)


def _without_noise(value: Array, bound: float) -> Array:
    """What may be 0, as far as the bound can tell, is 0: not 3.72e-15."""
    return value * (abs(value) > bound)


def draw(model: Model, shown: Shown, output: Path) -> None:
    """The picture in a file, whole or not at all. MissingError without matplotlib, DiskError when the disk refuses."""
    from rltrain.mdp.draw import picture
    from rltrain.mdp.files import dot
    from rltrain.whole_files import replacing

    with replacing(output) as file:
        if output.suffix.lower() in DOTS:
            file.writelines(line.encode() + b"\n" for line in dot.lines(model, shown.policy, shown.value))
        else:
            picture.draw(model, shown.policy, shown.value, file, output.suffix.lower(), shown.tied)
