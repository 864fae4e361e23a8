"""What a sweep varies: for each setting some values to choose from, or a range of numbers.

    algorithm.hidden: [[64, 64], [128, 128]]                      one of these
    algorithm.learning_rate: {from: 1e-5, to: 1e-2, log: true}    a number, uniform in its logarithm
    algorithm.batch_size: {from: 32, to: 256, step: 32}           32, 64, 96, ...

A range whose ends are both written as whole numbers holds whole numbers alone. Both ends belong to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from rltrain.experiment.draft import Draft
from rltrain.experiment.faults import sentences
from rltrain.experiment.settings import STRICT
from rltrain.spelling import described
from rltrain.yaml_subset import KeyPath, flow

MOST_VALUES = 1_000  # to choose from
LARGEST_EXPONENT = 300  # of ten: wider ranges leave the floats on the way
RULE = "expected a list of values, or {from: LOW, to: HIGH}"


class RangeConfig(BaseModel):
    """Numbers between two ends, both of which belong to it."""

    model_config = STRICT

    low: int | float = Field(alias="from", description="the least value")
    high: int | float = Field(alias="to", description="the greatest value")
    log: bool = Field(default=False, description="uniform in the logarithm, so that each factor of ten is as likely")
    step: int | float | None = Field(
        default=None, description="only every so manieth number from the least on; null: all of them"
    )


@dataclass(frozen=True)
class OneOf:
    """Values to choose from, of any YAML type."""

    values: tuple[Any, ...]

    def to_yaml(self) -> list[Any]:
        """The values as a sweep file has them."""
        return list(self.values)

    @property
    def points(self) -> tuple[Any, ...]:
        """All values, in their order."""
        return self.values

    @cached_property
    def index(self) -> Mapping[str, int]:
        """{a value as YAML: which it is}."""
        return {flow(value): index for index, value in enumerate(self.values)}


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones alone where both ends are int."""

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None

    def to_yaml(self) -> dict[str, Any]:
        """The range as a sweep file has it, complete."""
        return {"from": self.low, "to": self.high, "log": self.log, "step": self.step}

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int)

    @cached_property
    def points(self) -> tuple[int | float, ...]:
        """All numbers of a range that has a step, each as its decimal digits say: 0.1, 0.2, 0.3."""
        assert self.step is not None
        low, step = Decimal(repr(self.low)), Decimal(repr(self.step))
        return tuple((int if self.whole else float)(low + index * step) for index in range(self.count))

    @property
    def count(self) -> int:
        """How many numbers a range with a step has."""
        assert self.step is not None
        low, high, step = (Decimal(repr(number)) for number in (self.low, self.high, self.step))
        return int((high - low) / step) + 1


Varied = OneOf | Range


def read(draft: Draft, path: KeyPath, said: object) -> Varied | None:
    """What is to be tried of one setting; None where it cannot be read, which is noted."""
    if isinstance(said, list):
        return _values(draft, path, said)
    if isinstance(said, Mapping):
        return _range(draft, path, said)
    draft.fault(path, f"{RULE}, got {described(said)}")
    return None


def _values(draft: Draft, path: KeyPath, said: list[Any]) -> OneOf | None:
    if not 1 <= len(said) <= MOST_VALUES:
        draft.fault(path, f"expected 1 to {MOST_VALUES:,} values, got {len(said):,}")
        return None
    texts = [flow(value) for value in said]
    for index, text in enumerate(texts):
        first = texts.index(text)
        if first < index:
            draft.fault((*path, index), f"stands there twice; it is value [{first}] too")
            return None
    return OneOf(tuple(said))


def _range(draft: Draft, path: KeyPath, said: Mapping[str, Any]) -> Range | None:
    ends = {info.alias or name for name, info in RangeConfig.model_fields.items()}
    if said and not said.keys() & ends:  # blocks as configs have them
        inner = next(iter(said))
        draft.fault(path, f"{RULE}; the keys of a space are dotted: write '{path[-1]}.{inner}: ...'")
        return None
    try:
        found = RangeConfig.model_validate_json(json.dumps(said), strict=True)
    except ValidationError as error:
        for inner_path, rule in sentences(error, RangeConfig, said, {}):
            draft.fault((*path, *inner_path), rule)
        return None
    low, high, step = found.low, found.high, found.step
    if isinstance(low, float) or isinstance(high, float):
        low, high = float(low), float(high)
    for inner_key, rule in _rules(low, high, found.log, step):
        draft.fault((*path, *([inner_key] if inner_key in said else [])), rule)
        return None
    return Range(low, high, found.log, step if step is None or isinstance(low, int) else float(step))


def _rules(low: float, high: float, log: bool, step: float | None) -> list[tuple[str, str]]:
    """(key, rule) of what a range breaks, the first of which is said."""
    broken = []
    if max(abs(low), abs(high)) >= 10**LARGEST_EXPONENT:
        broken.append(("to", f"must be smaller than 1e{LARGEST_EXPONENT}"))
    if low >= high:
        equal = f"; for the one value write [{flow(low)}]" if low == high else ""
        broken.append(("to", f"must be more than from, {flow(low)}, got {flow(high)}{equal}"))
    if log and low <= 0:
        broken.append(("from", f"must be more than 0 where log is true, got {flow(low)}"))
    if step is None:
        return broken
    if log:
        broken.append(("step", "a range with log has no step; leave out one of them, or list the values"))
    if step <= 0:
        broken.append(("step", f"must be more than 0, got {flow(step)}"))
    elif isinstance(low, int) and not isinstance(step, int):
        broken.append(("step", f"must be a whole number, as both ends are, got {flow(step)}; or write from: {low}.0"))
    elif not broken:
        first, last, every = (Decimal(repr(number)) for number in (low, high, step))
        if (last - first) / every >= 10**9:
            broken.append(("step", f"more than 1e9 values; must be larger, got {flow(step)}"))
        elif (last - first) % every:
            below = last - (last - first) % every
            nearest = flow((int if isinstance(low, int) else float)(below))
            broken.append(("to", f"must lie whole steps above from, got {flow(high)}; the nearest below is {nearest}"))
    return broken
