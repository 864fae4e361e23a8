"""A policy as what it computes: operations on arrays, which need nothing of rltrain to be carried out.

A value is an operation on others, down to the inputs: an expression is a whole computation; what is used twice is one
object. A row of each, an array [N, ...], belongs to a row of the inputs. `portable` writes files of it, and runs it.

    obs -> Numbers -> Dense -> Pointwise("tanh") -> Dense -> Masked -> ArgMax -> action
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from rltrain.core import Array, EnvSpec

Function = Literal["relu", "tanh", "elu", "arctan"]
Rule = Literal["sum", "product", "quotient"]


@dataclass(frozen=True, eq=False)
class Input:
    """What a program gives: [N, *shape] of a dtype, uint8, float32, int64 or bool."""

    name: str
    shape: tuple[int, ...]  # of one row
    dtype: str


@dataclass(frozen=True, eq=False)
class Numbers:
    """x as numbers with fractions, of whatever precision is computed with."""

    x: Value


# Parts of rows


@dataclass(frozen=True, eq=False)
class Flat:
    """[N, ...] -> [N, F]; of pictures [N, C, H, W] either so, or the channels of each pixel side by side."""

    x: Value
    channels_last: bool = False


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns start <= c < stop of x [N, F]."""

    x: Value
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Joined:
    """Columns side by side: several [N, F_k] as [N, sum of F_k]."""

    each: tuple[Value, ...]


@dataclass(frozen=True, eq=False)
class Stacked:
    """Several [N] as [N, K]."""

    each: tuple[Value, ...]


@dataclass(frozen=True, eq=False)
class Lookup:
    """table [S, ...] at the row that index [N] or [N, 1] is the number of: [N, ...]."""

    index: Value
    table: Array


@dataclass(frozen=True, eq=False)
class Planes:
    """Pictures [N, C, H, W] of numbers below V as [N, C P, H, W]: for each channel the P planes of table [V, P]."""

    x: Value
    table: Array


# Layers


@dataclass(frozen=True, eq=False)
class Affine:
    """x * scale + offset, each a number or one for every column [F]."""

    x: Value
    scale: Array | float
    offset: Array | float = 0.0


@dataclass(frozen=True, eq=False)
class Standardised:
    """(x - mean) / deviation, cut to -clip..clip; mean and deviation [F]."""

    x: Value
    mean: Array
    deviation: Array
    clip: float | None


@dataclass(frozen=True, eq=False)
class Dense:
    """x [N, F] times weight [F, G], plus bias [G]."""

    x: Value
    weight: Array
    bias: Array


@dataclass(frozen=True, eq=False)
class Convolution:
    """Pictures x [N, C, H, W], with so many rows and columns of zeros around, seen through weight [G, C, k, k]."""

    x: Value
    weight: Array
    bias: Array  # [G]
    stride: int
    padding: tuple[int, int]


@dataclass(frozen=True, eq=False)
class LayerNormalised:
    """Each row of x [N, F] with mean 0 and variance 1, times weight [F], plus bias [F] (Ba et al. 2016)."""

    x: Value
    weight: Array
    bias: Array
    epsilon: float


@dataclass(frozen=True, eq=False)
class Pointwise:
    """A function of each number. ELU is that of Clevert et al. 2016 with alpha 1."""

    x: Value
    function: Function


@dataclass(frozen=True, eq=False)
class Pairwise:
    """Two values of one shape, number by number."""

    x: Value
    y: Value
    rule: Rule


@dataclass(frozen=True, eq=False)
class Bounded:
    """x [N, K] between low [K] and high [K]."""

    x: Value
    low: Array
    high: Array


@dataclass(frozen=True, eq=False)
class Above:
    """1 where x is greater than a threshold, or equal if `or_equal`; else 0."""

    x: Value
    threshold: float
    or_equal: bool = False


@dataclass(frozen=True, eq=False)
class Selected:
    """x where condition is 1, y where it is 0; all of one shape."""

    condition: Value
    x: Value
    y: Value


# What is made of one number for each action


@dataclass(frozen=True, eq=False)
class Softmax:
    """Probabilities [N, A] of logits x [N, A]."""

    x: Value


@dataclass(frozen=True, eq=False)
class HistogramMeans:
    """x [N, A * B], logits of B bins for each action; centres [B]: the mean of each histogram, [N, A]."""

    x: Value
    centres: Array


@dataclass(frozen=True, eq=False)
class Possible:
    """1 where mask [N, A] says that something can be done, else 0; all 1 in a row of which nothing can."""

    mask: Value


@dataclass(frozen=True, eq=False)
class Masked:
    """x [N, A], minus infinity where able [N, A] is 0."""

    x: Value
    able: Value


@dataclass(frozen=True, eq=False)
class Shares:
    """x [N, A] >= 0 in proportion, of what able [N, A] leaves; where that is nothing, all of able alike."""

    x: Value
    able: Value


@dataclass(frozen=True, eq=False)
class ArgMax:
    """The place of the first greatest of x [N, A]: [N] int64."""

    x: Value


PartOfRows = Flat | Columns | Joined | Stacked | Lookup | Planes
Layer = Affine | Standardised | Dense | Convolution | LayerNormalised | Pointwise
Arithmetic = Pairwise | Bounded | Above | Selected
OfActions = Softmax | HistogramMeans | Possible | Masked | Shares | ArgMax
Value = Input | Numbers | PartOfRows | Layer | Arithmetic | OfActions


@dataclass(frozen=True)
class Computation:
    """What a policy computes of what it sees."""

    action: Value  # [N, *spec.actions.shape] as `spaces` says; the most probable one of a policy that draws
    scores: Value | None = None  # [N, A] of a `core.Scoring` policy, masked; None: it has none
    ranked: tuple[Value, ...] = ()  # each [N, A_k]: choice k is the first greatest of it, so that near ones are ties
    drawn: str = ""  # of a policy that draws, how, for whoever reads it; "": it does not
    parameters: Mapping[str, Value] = field(default_factory=dict)  # of what is drawn, by name, beside the scores


@dataclass(frozen=True)
class Seen:
    """What a policy sees, as values."""

    obs: Value | None  # [N, *obs_shape]; None: it has parts
    parts: Mapping[str, Value] = field(default_factory=dict)  # name -> [N, *shape], where a picture is among them
    mask: Value | None = None  # [N, width]; None: nothing is masked

    @property
    def array(self) -> Value:
        """Observations as one array. ValueError where they are parts."""
        if self.obs is None:
            raise ValueError("these observations are parts, each an input of its own")
        return self.obs

    @property
    def inputs(self) -> list[Input]:
        """What a program gives, whether it is looked at or not: all that these values are made of."""
        wanted = [*([self.obs] if self.obs is not None else self.parts.values()), *([self.mask] if self.mask else [])]
        return [value for value in in_order(wanted) if isinstance(value, Input)]


def inputs_of(spec: EnvSpec) -> Seen:
    """The inputs of a program: `obs`, or `obs.NAME` of each part where there are pictures; `mask`, where there is one.

    Parts are packed as bytes in one array within rltrain; outside each has its own dtype.
    """
    mask = Input("mask", (spec.actions.mask_width,), "bool") if spec.masked else None
    if is_packed(spec):
        parts = {part.name: Input(f"obs.{part.name}", part.shape, part.dtype) for part in spec.parts}
        return Seen(None, parts, mask)
    return Seen(Input("obs", spec.obs_shape, spec.obs_dtype), mask=mask)


def is_packed(spec: EnvSpec) -> bool:
    """Whether observations are parts that rltrain packs as bytes in one array."""
    return bool(spec.parts) and spec.obs_dtype == "uint8"


def operands(value: Value) -> tuple[Value, ...]:
    """The values that an operation works on."""
    match value:
        case Input():
            return ()
        case Joined() | Stacked():
            return value.each
        case Lookup():
            return (value.index,)
        case Pairwise():
            return (value.x, value.y)
        case Selected():
            return (value.condition, value.x, value.y)
        case Possible():
            return (value.mask,)
        case Masked() | Shares():
            return (value.x, value.able)
    return (value.x,)


def in_order(wanted: Iterable[Value]) -> list[Value]:
    """All values that these are made of, each once and after those that it is made of."""
    found: dict[Value, None] = {}

    def visit(value: Value) -> None:
        if value not in found:
            for below in operands(value):
                visit(below)
            found[value] = None

    for value in wanted:
        visit(value)
    return list(found)
