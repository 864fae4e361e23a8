"""A small model and its policy as a picture, or as DOT for Graphviz."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import pairs
from rltrain.mdp.chains import policy as policies
from rltrain.mdp.draw import picture
from rltrain.mdp.files import dot
from rltrain.mdp.model import Model
from rltrain.outputs import check_output
from rltrain.verbs.mdp.models import GivenDiscount, Source, discount_of, model_of
from rltrain.verbs.mdp.policies import OPTIMAL, GivenPolicy, policy_of
from rltrain.verbs.mdp.solve import solve
from rltrain.whole_files import replacing

DOTS = (".dot", ".gv")
MOST_DOT = 200  # states in DOT, unless max_states says otherwise
NONE = "none"
UNKNOWN_DISCOUNT = "no discount is known, so no best policy is drawn; add, for example: --discount 0.95"


@dataclass(frozen=True, eq=False)
class ModelDrawing:
    """A model, and what of a policy its picture shows; None where that is not known."""

    model: Model
    policy: Array | None = None  # [P] probabilities
    value: Array | None = None  # [S]
    tied: Array | None = None  # [P] bool: as good as the best
    note: str = ""  # why something is not known


def drawing_of(model: Source = None, policy: GivenPolicy | None = None, discount: GivenDiscount = None) -> ModelDrawing:
    """The policy [P] that is given or named, else the optimal one, and its values where a discount is known.

    "none" is no policy. InputError for a policy or a discount that is none.
    """
    model = model_of(model)
    named = policy if isinstance(policy, str) else None
    if named == NONE:
        if discount is not None:
            raise InputError("--discount goes without --policy none: without a policy there are no values")
        return ModelDrawing(model)
    known = discount is not None or model.discount is not None
    if policy is not None and named != OPTIMAL:
        given = policy_of(model, policy)
        if not known:
            return ModelDrawing(model, given)
        found = policies.evaluate(model, given, discount_of(model, discount))
        return ModelDrawing(model, given, _without_noise(found.value, found.bound))
    if policy is None and not known:
        return ModelDrawing(model, note=UNKNOWN_DISCOUNT)
    solution = solve(model, discount)
    value = _without_noise(solution.value, solution.bound)
    return ModelDrawing(model, pairs.of_choice(model, solution.choice), value, solution.tied)


def _without_noise(value: Array, bound: float) -> Array:
    """Values [S], of which those that may be 0, as far as the bound can tell, are 0: not 3.72e-15."""
    return value * (abs(value) > bound)


def check_target(output: Path, overwrite: bool) -> None:
    """InputError or DiskError unless `draw` may make this file."""
    check_output(output, "a picture", (*picture.SUFFIXES, *DOTS), overwrite)


def check_size(model: Model, output: Path | None, max_states: int | None) -> None:
    """InputError, which says what to do, for a model that nobody could look at. DOT is meant where output is None."""
    as_text = output is None or output.suffix.lower() in DOTS
    picture.check_size(model, MOST_DOT if as_text and max_states is None else max_states)


def dot_lines(drawing: ModelDrawing) -> list[str]:
    """The picture in Graphviz's language."""
    return list(dot.lines(drawing.model, drawing.policy, drawing.value))


def draw(drawing: ModelDrawing, output: Path) -> None:
    """The picture in a file, whole or not at all. MissingError without matplotlib, DiskError when the disk refuses."""
    with replacing(output) as file:
        if output.suffix.lower() in DOTS:
            file.writelines(line.encode() + b"\n" for line in dot_lines(drawing))
        else:
            picture.draw(drawing.model, drawing.policy, drawing.value, file, output.suffix.lower(), drawing.tied)
