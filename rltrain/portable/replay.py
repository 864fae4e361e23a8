"""Does an exported policy do what its checkpoint does? Both are asked about the same observations.

Rounding differs: a sum of many products depends on their order, and ONNX computes in float32, whose numbers have 24
bits. So scores must agree within ROUNDING of the greatest of them, and where two actions differ, what decides between
them must be that near: then the observation is a tie, which no arithmetic settles. Anything else is a fault.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rltrain.computation import Computation
from rltrain.core import Array
from rltrain.errors import InputError, MissingError
from rltrain.portable import calls
from rltrain.portable.onnx_file import INSTALL
from rltrain.portable.python_file import function_of
from rltrain.spelling import in_one_line

ROUNDING = 1e-5  # of the greatest score: some 100 units of float32; networks of three convolutions came to 1e-6
MOST_TIES = 0.01  # of the observations, where the policy says no scores that could prove the rest
ROWS = 100  # observations at a time

# Carries out a policy.py in a process of its own, which finds no other module of this folder, and no numpy unless it
# may: the observations come as JSON or bytes on standard input, the answers leave as JSON.
RUNNER = """
import json, runpy, sys
header = json.loads(sys.stdin.buffer.readline())
sys.modules["numpy"] = None
if not header["plain"]:
    del sys.modules["numpy"]
    import numpy as np
own = runpy.run_path(header["file"], run_name="policy")
if header["plain"]:
    inputs = json.loads(sys.stdin.buffer.readline())
    masks = inputs.pop("mask", None)
    rows = range(len(inputs["obs"]))
    found = {
        name: [own[function](inputs["obs"][row], *([masks[row]] if masks else ())) for row in rows]
        for name, function in header["functions"].items()
    }
else:
    inputs = {}
    for name, dtype, shape in header["inputs"]:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        inputs[name] = np.frombuffer(sys.stdin.buffer.read(size), dtype).reshape(shape)
    found = {name: [] for name in header["functions"]}
    for at in range(0, header["count"], header["rows"]):
        given = {name: array[at : at + header["rows"]] for name, array in inputs.items()}
        mask = given.pop("mask", None)
        parts = {name.removeprefix("obs."): array for name, array in given.items()}
        obs = given["obs"] if "obs" in given else parts
        for name, function in header["functions"].items():
            found[name] += own[function](obs, mask).tolist()
json.dump({"answers": found, "wrong": own["check"]()}, sys.stdout)
"""


@dataclass(frozen=True)
class CheckpointAnswers:
    """Observations, and what the checkpoint makes of each."""

    inputs: Mapping[str, Array]  # by name, [n, ...]
    action: Array  # [n, *action]; the most probable one of a policy that draws
    scores: Array | None  # [n, A], NaN: no opinion; None: it has none

    def __len__(self) -> int:
        return len(self.action)


class Ran(NamedTuple):
    """What a file gave."""

    outputs: dict[str, Array]  # by name
    by: str  # what ran it: "onnxruntime 1.23.2"
    wrong: int = 0  # of a policy.py, actions of its own test that are others


@dataclass(frozen=True)
class ReplayResult:
    """How an exported policy compares with its checkpoint."""

    equal: int  # observations of the same action
    ties: int  # of another one, which rounding decides
    furthest: float | None  # difference of scores, or of actions that are numbers, of the greatest; None: neither


def onnxruntime_module() -> Any:
    """The module `onnxruntime`. MissingError where it is not installed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingError(f"a .onnx file is held against its checkpoint by onnxruntime: {INSTALL}") from error
    return onnxruntime


def of_onnx(data: bytes, inputs: Mapping[str, Array]) -> Ran:
    """The outputs of an ONNX model in onnxruntime. MissingError."""
    onnxruntime = onnxruntime_module()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    count = len(next(iter(inputs.values())))
    found: list[list[Array]] = []
    for at in range(0, count, ROWS):
        found.append(session.run(names, {name: own[at : at + ROWS] for name, own in inputs.items()}))
    joined = {name: np.concatenate([each[place] for each in found]) for place, name in enumerate(names)}
    return Ran(joined, f"onnxruntime {onnxruntime.__version__}")


def of_python(path: str, names: Sequence[str], inputs: Mapping[str, Array], plain: bool) -> Ran:
    """The outputs of a policy.py in a fresh Python. InputError if it fails."""
    header: dict[str, Any] = {
        "file": path,
        "plain": plain,
        "functions": {name: function_of(name) for name in names},
        "rows": ROWS,
        "count": len(next(iter(inputs.values()))),
        "inputs": [(name, own.dtype.str, own.shape) for name, own in inputs.items()],
    }
    lines = [json.dumps(header).encode() + b"\n"]
    if plain:
        lines.append(json.dumps({name: own.tolist() for name, own in inputs.items()}).encode() + b"\n")
    else:
        lines += [np.ascontiguousarray(own).tobytes() for own in inputs.values()]
    done = subprocess.run([sys.executable, "-I", "-B", "-c", RUNNER], input=b"".join(lines), capture_output=True)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise InputError(f"the exported policy cannot be run: {in_one_line(last[0], 200)}")
    answer = json.loads(done.stdout)
    beside = "numpy" if not plain else "nothing else"
    found = {name: np.array(own) for name, own in answer["answers"].items()}
    return Ran(found, f"Python {sys.version.split()[0]} with {beside}", answer["wrong"])


def compared(
    recorded: CheckpointAnswers, ran: Ran, computation: Computation, combined: tuple[int, ...] = ()
) -> ReplayResult:
    """Hold what an exported policy gave against what the checkpoint gave. InputError, which names an observation.

    combined   the sizes of several choices whose combinations are ranked as single actions; (): they are not
    """
    furthest, found = None, ran.outputs
    if recorded.scores is not None:
        furthest = _near(recorded, recorded.scores, found["scores"], "score")
    name = "most_probable_action" if computation.drawn else "action"
    own, wanted = found[name], recorded.action
    if own.shape != wanted.shape:
        raise InputError(f"actions of shape {list(own.shape)}, and the checkpoint's are {list(wanted.shape)}")
    if wanted.dtype.kind == "f":
        furthest = _near(recorded, wanted, own, "action")
        _check_own_test(ran)
        return ReplayResult(len(recorded), 0, furthest)
    other = (own != wanted).reshape(len(wanted), -1)  # [n, K]
    ties = 0
    for row in np.flatnonzero(other.any(axis=1)).tolist():
        if not _is_tie(row, (own[row], wanted[row]), recorded, computation, combined):
            raise InputError(
                f"observation {row} of {len(recorded):,}: the exported policy does {_shown(own[row])}, the checkpoint"
                f" {_shown(wanted[row])}"
            )
        ties += 1
    if recorded.scores is None and ties > MOST_TIES * len(recorded):
        raise InputError(f"{ties:,} of {len(recorded):,} actions are others; so many are no rounding")
    _check_own_test(ran)
    return ReplayResult(len(recorded) - ties, ties, furthest)


def _is_tie(
    row: int,
    actions: tuple[Array, Array],
    recorded: CheckpointAnswers,
    computation: Computation,
    combined: tuple[int, ...],
) -> bool:
    """Whether what decides between both actions is nearer than rounding, of each choice that differs."""
    here, there = (action.reshape(-1) for action in actions)  # [K]
    if combined:
        here, there = (np.atleast_1d(np.ravel_multi_index(tuple(action), combined)) for action in (here, there))
    if len(computation.ranked) != len(here):
        return False
    inputs = {name: given[row : row + 1] for name, given in recorded.inputs.items()}
    for values, a, b in zip(calls.carried_out(computation.ranked, inputs), here, there, strict=True):
        greatest = np.abs(values[np.isfinite(values)]).max(initial=0.0)
        if a != b and not abs(values[0, a] - values[0, b]) <= 2 * ROUNDING * greatest:
            return False
    return True


def _check_own_test(ran: Ran) -> None:
    if ran.wrong:
        raise InputError(f"the exported policy fails its own test: {ran.wrong} recorded actions are others")


def _near(recorded: CheckpointAnswers, wanted: Array, own: Array, what: str) -> float:
    """How far numbers [n, K] are apart, of the greatest. InputError if rounding does not explain it."""
    if own.shape != wanted.shape:
        raise InputError(f"{what}s of shape {list(own.shape)}, and the checkpoint's are {list(wanted.shape)}")
    known = np.isfinite(wanted)
    scale = float(np.abs(wanted[known]).max(initial=0.0)) or 1.0
    apart = np.where(known, np.abs(own - np.where(known, wanted, 0.0)), 0.0) / scale  # [n, K]
    apart = np.where(np.isfinite(apart), apart, np.inf)
    worst = np.unravel_index(int(apart.argmax()), apart.shape) if apart.size else None
    if worst is None:
        return 0.0
    if apart[worst] > ROUNDING:
        raise InputError(
            f"observation {worst[0]} of {len(recorded):,}: {what} {worst[-1]} is {own[worst]:g} in the exported policy,"
            f" {wanted[worst]:g} in the checkpoint; rounding explains {ROUNDING * scale:.1g}"
        )
    return float(apart[worst])


def _shown(action: Array) -> str:
    return str(action.tolist())
