"""rltrain: reinforcement-learning experiments from one YAML file, resumed to the bit.

    import rltrain
    run = rltrain.train("dqn_cartpole", seed=3)
    print(rltrain.evaluate(run).mean)

The functions are in `rltrain.api`, which is imported when one of them is first asked for: so is all that is heavy.
"""

from typing import TYPE_CHECKING, Any

from rltrain import errors
from rltrain.version import __version__

if TYPE_CHECKING:
    from rltrain.api import (
        check,
        compare,
        evaluate,
        explain,
        export,
        load,
        model,
        read,
        resume,
        save_model,
        solve,
        stream,
        track_run,
        train,
        write_model,
        write_report,
    )

__all__ = [
    "__version__",
    "check",
    "compare",
    "errors",
    "evaluate",
    "explain",
    "export",
    "load",
    "model",
    "read",
    "resume",
    "save_model",
    "solve",
    "stream",
    "track_run",
    "train",
    "write_model",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """A function of the API, imported now."""
    if name not in __all__:
        raise AttributeError(f"module 'rltrain' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("rltrain.api"), name)


def __dir__() -> list[str]:
    return __all__
