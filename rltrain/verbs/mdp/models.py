"""The MODEL argument of every `rltrain mdp` verb: nothing, a file, or a Gymnasium environment with a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from rltrain.errors import InputError
from rltrain.experiment import catalog
from rltrain.mdp import files
from rltrain.mdp.files import LoadedModel
from rltrain.mdp.model import Model
from rltrain.spelling import described, nearest, shown

Source = Model | Path | str | None  # a model, or what `load` reads
GivenDiscount = Fraction | float | str | None  # 0.95, "0.95" and "19/20" are one; None: the model's own


def model_of(source: Source = None, settings: Mapping[str, Any] | None = None) -> Model:
    """A model that is given, or the one that `load` finds."""
    if isinstance(source, Model):
        return source
    return load(None if source is None else str(source), settings).model


def load(
    argument: str | None,
    settings: Sequence[str] | Mapping[str, Any] | None = None,
    *,
    minimize: bool = False,
    strict: bool = False,
) -> LoadedModel:
    """A model by name, and the warnings that its reader should see.

    None is the book's model, a known suffix a file, here or of those that come with rltrain (mdp/robot.yaml), `-`
    standard input, anything else the id of an environment, whose arguments are the settings: by name, or as KEY=VALUE.
    `minimize` reads rewards as costs, `strict` refuses what a file's rounding explains. InputError for whatever is
    wrong with the file, the id or the settings.
    """
    loaded = _load(argument, settings or {}, strict)
    return files.minimised(loaded) if minimize else loaded


def _load(argument: str | None, settings: Sequence[str] | Mapping[str, Any], strict: bool) -> LoadedModel:
    if argument is None or files.is_model_file(argument):
        for first in settings:
            raise InputError(f"{shown(first)}: arguments are for environments, and the model is a file")
        return files.read(files.BOOK if argument is None else _place(Path(argument)), strict)
    if strict:
        raise InputError("--strict: for files; an environment's table is what it is")
    if "=" in argument:
        raise InputError(f"{shown(argument)}: expected a model before its arguments, such as: FrozenLake-v1 {argument}")
    _check_no_file(argument)
    from rltrain import envs
    from rltrain.envs.gym.tables import left_out

    given = settings if isinstance(settings, Mapping) else keywords(settings)
    model = envs.model_named(argument, given)
    if model is None and (why := left_out(argument, given)):
        raise InputError(f"{shown(argument)}: {why}")
    if model is None:
        raise InputError(
            f"{shown(argument)} has no table of its transitions (env.P), so it cannot be solved exactly; "
            "FrozenLake-v1, CliffWalking-v1 and Taxi-v4 have one"
        )
    return LoadedModel(model)


def _place(path: Path) -> Path:
    """A model's file: this one, or else the one that comes with rltrain."""
    own = catalog.model_file(path)
    return own if not path.exists() and own.is_file() else path


def discount_of(model: Model, given: GivenDiscount = None) -> float:
    """The discount that is given, as 0.95 or "19/20", else the model's. InputError where neither is from 0 to 1."""
    if given is None:
        if model.discount is None:
            what = f"{model.name}: " if model.name else ""
            raise InputError(f"{what}the model states no discount; add, for example: --discount 0.95")
        return model.discount
    return float(as_written(given))


def fraction_of(model: Model, given: GivenDiscount = None) -> Fraction:
    """The discount as it was written: 0.95 is 19/20. InputError as `discount_of`."""
    if given is not None:
        return as_written(given)
    written = None if model.exact is None else model.exact.discount
    return Fraction(repr(discount_of(model))) if written is None else written


def as_written(given: float | str | Fraction) -> Fraction:
    """A discount that is given, as it was written. InputError unless it is from 0 to 1."""
    from rltrain.mdp.files.numerals import fraction

    value = fraction(str(given))
    if value is None or not 0 <= value <= 1:
        raise InputError(f"--discount: expected a number from 0 to 1, such as 0.95 or 19/20, got {described(given)}")
    return value


def keywords(arguments: Sequence[str]) -> dict[str, Any]:
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
