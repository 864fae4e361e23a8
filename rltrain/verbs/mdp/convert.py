"""A model from one form into another; an environment's table into a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rltrain.mdp import files
from rltrain.mdp.files import LoadedModel
from rltrain.verbs.mdp.models import GivenDiscount, fraction_of, load


def convert(
    source: str,
    target: Path,
    settings: Sequence[str] | Mapping[str, Any] | None = None,
    *,
    minimize: bool = False,
    strict: bool = False,
    discount: GivenDiscount = None,
    overwrite: bool = False,
) -> LoadedModel:
    """Read a model, check it and write it; the suffix of the target says how, the discount what it states.

    Returns the model and what is doubtful about it. Errors as `models.load`; DiskError when the disk refuses.
    """
    files.check_target(target, overwrite)  # before a large model is read
    loaded = load(source, settings, minimize=minimize, strict=strict)
    model = loaded.model
    if discount is not None:
        written = fraction_of(model, discount)
        exact = model.exact and replace(model.exact, discount=written)
        model = replace(model, discount=float(written), exact=exact)
    files.write(model, target, overwrite=overwrite)
    return loaded._replace(model=model)
