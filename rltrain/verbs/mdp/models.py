"""The MODEL argument of every `rltrain mdp` verb: nothing, a file, or a Gymnasium environment with a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rltrain.errors import InputError
from rltrain.mdp import files
from rltrain.mdp.files import LoadedModel
from rltrain.spelling import described, nearest, shown

if TYPE_CHECKING:
    from rltrain.mdp.model import Model


def load(
    argument: str | None, kwargs: list[str] | None = None, *, minimize: bool = False, strict: bool = False
) -> LoadedModel:
    """The model that is meant, and what its reader should be told.

    None is the book's model, a known suffix a file, `-` standard input, anything else the id of an environment.
    `minimize` reads its rewards as costs, `strict` refuses what a file's rounding explains.
    """
    loaded = _load(argument, kwargs or [], strict)
    return files.minimised(loaded) if minimize else loaded


def _load(argument: str | None, kwargs: list[str], strict: bool) -> LoadedModel:
    if argument is None or files.is_model_file(argument):
        if kwargs:
            raise InputError(f"{shown(kwargs[0])}: arguments are for environments, and the model is a file")
        return files.read(files.BOOK if argument is None else argument, strict)
    if strict:
        raise InputError("--strict: for files; an environment's table is what it is")
    if "=" in argument:
        raise InputError(f"{shown(argument)}: expected a model before its arguments, such as: FrozenLake-v1 {argument}")
    _check_no_file(argument)
    from rltrain import envs
    from rltrain.envs.gym.tables import left_out

    given = keywords(kwargs)
    model = envs.model_named(argument, given)
    if model is None and (why := left_out(argument, given)):
        raise InputError(f"{shown(argument)}: {why}")
    if model is None:
        raise InputError(
            f"{shown(argument)} has no table of its transitions (env.P), so it cannot be solved exactly; "
            "FrozenLake-v1, CliffWalking-v1 and Taxi-v4 have one"
        )
    return LoadedModel(model)


def discount_of(model: Model, text: str | float | None = None) -> float:
    """The option's, else the model's. InputError where neither says one."""
    if text is None:
        if model.discount is None:
            what = f"{model.name}: " if model.name else ""
            raise InputError(f"{what}the model states no discount; add, for example: --discount 0.95")
        return model.discount
    from rltrain.mdp.files.numerals import fraction

    value = fraction(str(text))
    if value is None or not 0 <= value <= 1:
        raise InputError(f"--discount: expected a number from 0 to 1, such as 0.95 or 19/20, got {described(text)}")
    return float(value)


def keywords(arguments: list[str]) -> dict[str, Any]:
    """{"is_slippery": False} of ["is_slippery=false"]; the values are YAML."""
    from rltrain import yaml_subset

    found: dict[str, Any] = {}
    for argument in arguments:
        key, equals, written = argument.partition("=")
        if not equals or not key.isidentifier():
            raise InputError(f"{shown(argument)}: expected KEY=VALUE, such as is_slippery=false")
        document = yaml_subset.read(written)
        if document.faults:
            raise InputError(f"{shown(argument)}: {document.faults[0].rule}")
        if key in found:
            raise InputError(f"{shown(argument)}: '{key}' is given twice")
        found[key] = document.value
    return found


def _check_no_file(argument: str) -> None:
    """A path with a slip in it is no environment: say so at once, before Gymnasium is imported."""
    path = Path(argument)
    if path.is_file():
        raise InputError(f"{shown(argument)}: a model's file ends in {' '.join(files.READABLE)}")
    if path.is_dir():
        raise InputError(f"{shown(argument)}: is a folder; which model in it?")
    if path.parent != Path() and path.parent.is_dir():
        raise files.missing(path, files.READABLE)
    if path.suffix and path.suffix[1:].isalpha():
        near = nearest(path.suffix.lower(), files.READABLE)
        raise InputError(
            f"{shown(argument)}: no environment is called so, and a model's file ends in {' '.join(files.READABLE)}"
            + (f"; did you mean '{shown(str(path.with_suffix(near)))}'?" if near else "")
        )
