"""What to say when an environment that others wrote fails: the call, what was raised, and the line of its code.

And what MuJoCo says of itself, which it would print past everything and note in a file where the command is typed.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from rltrain.errors import EnvironmentFault, RltrainError, out_of_memory
from rltrain.spelling import described, shown

OURS = (KeyboardInterrupt, GeneratorExit, MemoryError, RltrainError)  # not the environment's doing
MUJOCO = "mujoco"
MACHINERY = ("core.py", "wrappers", "envs/registration.py")  # of Gymnasium: it only passes calls on


@contextmanager
def calling(
    name: str,
    call: str,
    env: gymnasium.Env[Any, Any] | None = None,
    others: tuple[type[BaseException], ...] = (),
) -> Iterator[None]:
    """Around a call into the environment `name`: what it raises becomes an EnvironmentFault, but for `others`."""
    try:
        yield
    except OURS + others:
        raise
    except BaseException as error:
        raise fault(name, call, error, env) from error


def fault(name: str, call: str, error: BaseException, env: gymnasium.Env[Any, Any] | None = None) -> EnvironmentFault:
    """What the environment raised in this call, in a sentence, with the line of its code.

    Memory that runs out is raised on: torch says so in a RuntimeError.
    """
    if out_of_memory(error):
        raise error
    where = place(error, env) or place(error, None)
    at = f" ({where})" if where else ""
    if isinstance(error, SystemExit):
        return EnvironmentFault(f"{name}: {call} wanted to end the process: sys.exit({error.code!r}){at}")
    return EnvironmentFault(f"{name}: {call} failed: {told(error)}{at}")


def said(action: Any) -> str:
    """An action as a person would type it, in one line."""
    return shown(" ".join(str(action.tolist() if isinstance(action, np.ndarray) else action).split()))


def told(error: BaseException) -> str:
    """`RuntimeError: simulator lost its socket`, in a line that any terminal prints."""
    lines = str(error).strip().splitlines()
    return shown(f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__)


def form(value: Any) -> str:
    """What something is, for who expected something else: `None`, `an array of shape (1,)`, `'text'`."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if value is None:
        return "None"
    if isinstance(value, int) and value.bit_length() > 1024:  # beyond floats, and it may be too long to be written
        return f"a whole number of {value.bit_length():,} bits"
    if isinstance(value, bool | int | float | str):
        return described(value)
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, tuple | list | dict) else "")


def place(error: BaseException, env: gymnasium.Env[Any, Any] | None) -> str:
    """`file.py:42`, the innermost line of the environment's code that the error passed; empty where it passed none.

    Without an environment: the innermost line that is neither ours nor the part of Gymnasium that passes calls on.
    """
    home = Path(gymnasium.__file__).parent
    through = (str(Path(__file__).parents[1]), *(str(home / part) for part in MACHINERY))
    own = set() if env is None else _files_of(type(env.unwrapped))
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in own or (env is None and not frame.filename.startswith(through)):
            return shown(f"{frame.filename}:{frame.lineno}")
    return ""


def _files_of(kind: type) -> set[str]:
    """The files in which a class and its parents are written, Gymnasium's own interface apart."""
    files = set()
    for parent in kind.__mro__:
        with suppress(TypeError, OSError):  # built in, or typed at a prompt
            files.add(inspect.getfile(parent))
    return files - {inspect.getfile(gymnasium.Env)}


def hear_mujoco(id: str) -> None:
    """Before an environment is made that MuJoCo moves: what MuJoCo warns of becomes a Python warning.

    What it says of attributes that are deprecated is for authors of models, not for who trains in one.
    """
    spec = gymnasium.registry.get(id)
    if spec is None or not isinstance(spec.entry_point, str):
        return
    if MUJOCO not in sys.modules and MUJOCO not in spec.entry_point:
        return
    with suppress(ImportError):  # `gymnasium.make` says what is missing
        importlib.import_module(MUJOCO).set_mju_user_warning(_warn)


def _warn(message: str) -> None:
    if "is deprecated" not in message:
        warnings.warn(f"MuJoCo: {message}", RuntimeWarning, stacklevel=2)
