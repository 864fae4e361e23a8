"""Reading a saved state that nobody vouches for: each value is held against its type, shape and range where it is read.

A checkpoint's hashes prove that its bytes are those that were written, not who wrote them. A number of a state becomes
an index, a length, an address in compiled code: so `load` functions take nothing from a state but through `Saved`. A
value that does not fit is a CheckpointError that names the file, the key, the value and the rule. Nothing is spread:
one number never fills an array.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np

from rltrain.core import Array, Blob, Env, EnvSpec, Reopening, State, Step
from rltrain.errors import CheckpointError, out_of_memory

MAX_COUNT = 10**12 - 1  # of steps, games, updates: twelve digits, as in a checkpoint's name
MAX_SEED = 2**64 - 1
BLOB_HEADER = 1 << 16  # bytes beside the arrays of a blob: their names, types and shapes
ANY_INTEGER = "iu"  # numpy's letters for dtypes: whole numbers of any size, read as int64
ANY_FLOAT = "f"  # floating point of any size, kept
WHY = "it was changed, or written by another version of rltrain or of the algorithm"
LONGEST = 60  # characters of a value in a message


class Saved(dict[str, Any]):
    """A mapping within a saved state that knows its place in the checkpoint. A `load` begins with `Saved.of(state)`.

    It is the dict that was saved, but that a missing key is a CheckpointError. Its methods give the value of a key,
    or raise a CheckpointError that names the key, the value and the rule.
    """

    def __init__(self, values: Mapping[str, Any], path: str = "", folder: str = "", tree: str = "state.json") -> None:
        """`path`: the keys that lead here, each followed by "/"; `folder`: the checkpoint's; `tree`: its JSON file."""
        self._path, self._folder, self._tree, self._arrays = path, folder, tree, "arrays.safetensors"
        super().__init__(
            (key, self._inside(key, value) if isinstance(value, Mapping) else value) for key, value in values.items()
        )

    @classmethod
    def of(cls, state: State) -> Saved:
        """A state as `Saved`: unchanged if it is one, else as the root of a checkpoint's state. CheckpointError."""
        if isinstance(state, Saved):
            return state
        if not isinstance(state, Mapping):
            raise CheckpointError(f"state.json: {_said(state)}; must be a mapping ({WHY})")
        return cls(state)

    def __missing__(self, key: str) -> NoReturn:
        self.refuse(key, "missing")

    def refuse(self, key: str, rule: str) -> NoReturn:
        """Raise the CheckpointError for a key's value; `rule` says what it is and what it must be."""
        file = self._arrays if isinstance(self.get(key), np.ndarray) else self._tree
        raise CheckpointError(f"{self._folder}{file}: {self._path}{key}: {rule} ({WHY})")

    # Parts

    def part(self, key: str) -> Saved:
        """The mapping of a key. CheckpointError if the value is no mapping."""
        value = self[key]
        if not isinstance(value, Saved):
            self.refuse(key, f"{_said(value)}; must be a mapping")
        return value

    def listed(self, key: str, count: int | None = None) -> Saved:
        """The list of a key as a mapping of "0", "1", …; with `count` it must be so long."""
        value = self[key]
        if not isinstance(value, list):
            self.refuse(key, f"{_said(value)}; must be a list")
        if count is not None and len(value) != count:
            self.refuse(key, f"a list of {len(value)}; must be of {count}")
        return self._inside(key, {str(number): item for number, item in enumerate(value)})

    def given(self, key: str) -> bool:
        """Whether the key has a value that is not None."""
        return self[key] is not None

    def with_values(self, values: Mapping[str, Any]) -> Saved:
        """A mapping of other values, such as a part of these, that errors place where this one is."""
        return Saved(values, self._path, self._folder, self._tree)

    def blob(self, key: str, name: str, most: int) -> Saved:
        """The arrays of a blob, read now. It must have this name; `most` bytes of arrays at most are read."""
        value = self[key]
        if not isinstance(value, Blob) or value.name != name:
            said = f"the blob {value.name!r}" if isinstance(value, Blob) else _said(value)
            self.refuse(key, f"{said}; must be the blob {name!r}")
        if value.size is not None and value.size > most + BLOB_HEADER:
            self.refuse(key, f"a blob of {value.size:,} bytes; must be at most {most:,}")
        inside = Saved(value.read(), f"{self._path}{key}/", self._folder)
        inside._arrays = f"chunks/{name}"
        return inside

    def _inside(self, key: str, values: Mapping[str, Any]) -> Saved:
        return Saved(values, f"{self._path}{key}/", self._folder, self._tree)

    # Single values

    def integer(self, key: str, low: int = 0, high: int = MAX_COUNT) -> int:
        """The int of a key, from low to high; by default a count."""
        value = self[key]
        if type(value) is not int or not low <= value <= high:
            self.refuse(key, f"{_said(value)}; must be a whole number from {low} to {high}")
        return value

    def number(self, key: str, low: float = -math.inf, high: float = math.inf, finite: bool = True) -> float:
        """The number of a key as a float, from low to high.

        Unless it must be `finite` it may be infinite, and NaN if neither low nor high is given.
        """
        value = self[key]
        if type(value) not in (int, float) or (type(value) is int and abs(value) > 2**53):
            self.refuse(key, f"{_said(value)}; must be a number")
        limited = low > -math.inf or high < math.inf
        if (finite and not math.isfinite(value)) or (limited and not low <= value <= high):
            self.refuse(key, f"{_said(value)}; must be a{' finite' * finite} number{_range(low, high)}")
        return float(value)

    def flag(self, key: str) -> bool:
        """The bool of a key."""
        value = self[key]
        if type(value) is not bool:
            self.refuse(key, f"{_said(value)}; must be true or false")
        return value

    def text(self, key: str, among: Sequence[str] = ()) -> str:
        """The string of a key; one of `among` if there are any."""
        value = self[key]
        if type(value) is not str or (among and value not in among):
            wanted = f"one of {', '.join(among)}" if among else "text"
            self.refuse(key, f"{_said(value)}; must be {wanted}")
        return value

    # Arrays

    def array(
        self,
        key: str,
        dtype: str | np.dtype[Any],
        shape: tuple[int | None, ...],
        low: float | None = None,
        high: float | None = None,
        finite: bool = True,
    ) -> Array:
        """A copy of an array of this dtype (or of ANY_INTEGER, ANY_FLOAT) and shape (None: any length), low to high.

        Floats must be `finite`, unless that is turned off.
        """
        value = self[key]
        if not isinstance(value, np.ndarray):
            self.refuse(key, f"{_said(value)}; must be an array")
        if isinstance(dtype, str) and dtype in (ANY_INTEGER, ANY_FLOAT):
            fits, wanted = value.dtype.kind in dtype, "whole numbers" if dtype == ANY_INTEGER else "floating point"
        else:
            fits, wanted = value.dtype == dtype, str(np.dtype(dtype))
        fits &= value.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, value.shape, strict=True))
        if not fits:
            self.refuse(key, f"{value.dtype} {_shape(value.shape)}; must be {wanted} {_shape(shape)}")
        self._check_range(key, value, low, high, finite and value.dtype.kind == "f")
        return value.astype(np.int64) if dtype == ANY_INTEGER else value.copy()

    def like(
        self, key: str, own: Array, low: float | None = None, high: float | None = None, finite: bool = True
    ) -> Array:
        """A copy of an array of the dtype and shape of `own`, with values from low to high."""
        return self.array(key, own.dtype, own.shape, low, high, finite)

    def any_shape(self, key: str, dtype: str) -> Array:
        """A copy of the array of a key, of this dtype and whatever shape, of finite numbers."""
        value = self[key]
        return self.array(key, dtype, value.shape if isinstance(value, np.ndarray) else ())

    def fill(
        self, key: str, own: Array, low: float | None = None, high: float | None = None, finite: bool = True
    ) -> None:
        """Write a saved array over `own`, of whose dtype and shape it must be."""
        own[...] = self.like(key, own, low, high, finite)

    def fill_list(self, key: str, own: Sequence[Array], low: float | None = None) -> None:
        """Write the saved list of a key over the arrays of `own`; each must be of the dtype and shape of its own."""
        listed = self.listed(key, len(own))
        for number, array in enumerate(own):
            listed.fill(str(number), array, low)

    def _check_range(self, key: str, value: Array, low: float | None, high: float | None, finite: bool) -> None:
        if not finite and low is None and high is None:
            return
        bad = ~np.isfinite(value) if finite else np.zeros(value.shape, bool)
        if low is not None:
            bad |= ~(value >= low)
        if high is not None:
            bad |= ~(value <= high)
        if bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            place = f" at {list(at)}" if at else ""
            rule = f"must be{' finite' * finite}{_range(low, high)}"
            self.refuse(key, f"{_said(value[at].item())}{place}; {rule}")


def step_state(step: Step) -> State:
    """A step as a state; what `step_of` reads."""
    return {name: column for name, column in step._asdict().items() if column is not None}


def step_of(saved: Saved, spec: EnvSpec) -> Step:
    """The last step [N] of N environments of this spec."""
    each = (spec.num_envs,)
    return Step(
        obs=saved.array("obs", spec.obs_dtype, (*each, *spec.obs_shape)),
        reward=saved.array("reward", ANY_FLOAT, each),
        discount=saved.array("discount", ANY_FLOAT, each, 0, 1),
        first=saved.array("first", "bool", each),
        last=saved.array("last", "bool", each),
        mask=saved.array("mask", "bool", (*each, spec.actions.mask_width)) if spec.masked else None,
        scaled=saved.array("scaled", "float32", each) if spec.scaled else None,
    )


def resumed(env: Env, saved: Saved) -> Step:
    """Load environments from the part "env" of a learner's state; what it goes on from is the part "now".

    Where an episode cannot be played again that step is its `last`: what was played of it stays a learner's own, and
    the next step opens another.
    """
    now = step_of(saved.part("now"), env.spec)
    env.load(saved.part("env"))
    return env.go_on_from(now) if isinstance(env, Reopening) else now


def check_num_envs(saved: Saved, key: str, num_envs: int, axis: int = 0) -> None:
    """CheckpointError if an array, whose `axis` counts environments, was saved with another number of them."""
    value = saved[key]
    if isinstance(value, np.ndarray) and value.ndim > axis and value.shape[axis] != num_envs:
        saved.refuse(key, f"saved with {value.shape[axis]} environments, now {num_envs}")


def seed_of(saved: Saved, begun: bool) -> int | None:
    """An environment's seed; None if it was saved before its first reset, which one that has `begun` refuses."""
    if not saved.given("seed") and not begun:
        return None
    return saved.integer("seed", 0, MAX_SEED)


@contextmanager
def loading(name: str) -> Iterator[None]:
    """Around code that loads the state of checkpoint `name`: what a wrong value raises becomes a CheckpointError."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
        if out_of_memory(error):
            raise
        said = (str(error).splitlines() or [""])[0][:200]
        raise CheckpointError(f"{name}/state.json: cannot be loaded, {type(error).__name__} {said} ({WHY})") from error


def _said(value: Any) -> str:
    """A value in a message."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} {_shape(value.shape)}"
    if isinstance(value, Mapping | list):
        return "a mapping" if isinstance(value, Mapping) else f"a list of {len(value)}"
    if isinstance(value, Blob):
        return "a blob"
    if type(value) is int and abs(value) >= 10**LONGEST:
        return "a huge number"
    text = ascii(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _range(low: float | None, high: float | None) -> str:
    least, most = low is not None and low > -math.inf, high is not None and high < math.inf
    if least and most:
        return f" from {low} to {high}"
    return f" at least {low}" if least else f" at most {high}" if most else ""


def _shape(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("any" if n is None else str(n) for n in shape) + "]"
