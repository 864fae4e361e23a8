"""Where the best policy of a known model changes as the discount does."""

from __future__ import annotations

from fractions import Fraction

from rltrain.errors import InputError
from rltrain.mdp.exact.discounts import Discounts, breakpoints
from rltrain.mdp.files.numerals import fraction
from rltrain.verbs.mdp.models import Source, model_of

LOW, HIGH = "0.5", "0.999"  # of discounts that are looked at unless others are named


def discounts(
    model: Source = None,
    low: Fraction | float | str = LOW,
    high: Fraction | float | str = HIGH,
    tolerance: float = 1e-6,
) -> Discounts:
    """Every discount from low to high, both below 1, at which the best policy of a model changes.

    The tolerance is how well a change is found where fractions are too slow. InputError for a discount that is none.
    """
    return breakpoints(model_of(model), _discount("--from", low), _discount("--to", high), tolerance)


def _discount(option: str, given: Fraction | float | str) -> Fraction:
    value = fraction(str(given))
    if value is None or not 0 <= value < 1:
        raise InputError(f"{option} {given}: expected a discount from 0 to below 1, such as 0.95 or 19/20")
    return value
