"""What is registered with Gymnasium, and by whom: ids of files and classes that are a person's own, and of packages."""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

from rltrain import distributions
from rltrain.errors import InputError
from rltrain.spelling import described

GROUP = "rltrain.environments"
OLD_GROUP = "gymnasium.envs"  # and gymnasium.envs.NAME: what Gymnasium read before its version 1.0
RULE = "an id has only letters, digits and _ / . -"


def known() -> dict[str, Any]:
    """What Gymnasium knows now: id -> its specification."""
    import gymnasium

    return dict(gymnasium.registry)


def register(env_id: str, environment: Callable[..., Any]) -> None:
    """Register a class, or a function that makes environments, in place of what had this id. InputError for the id."""
    import gymnasium

    if not re.fullmatch(r"[A-Za-z0-9_/.-]{1,200}", env_id):
        raise InputError(f"{described(env_id)} is no id: {RULE}")
    gymnasium.registry.pop(env_id, None)  # of an earlier cell of a notebook
    gymnasium.register(env_id, environment)


def register_classes(module: ModuleType, before: Mapping[str, Any]) -> bool:
    """Register each environment of a module as MODULE/CLASS, unless it has registered ids itself since `before`.

    False for a module that has neither. InputError for a class whose name no id may have.
    """
    if any(before.get(env_id) is not spec for env_id, spec in known().items()):
        return True
    found = classes(module)
    for kind in found:
        register(f"{module.__name__}/{kind.__name__}", kind)
    return bool(found)


def classes(module: ModuleType) -> list[type]:
    """The environments that a module or a package defines, by name; no wrappers, none that is private or abstract.

    Of a package those that its `__init__.py` has, wherever in it they are written.
    """
    import gymnasium

    return [
        kind
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, gymnasium.Env) and not issubclass(kind, gymnasium.Wrapper)
        if f"{kind.__module__}.".startswith(f"{module.__name__}.")
        if not name.startswith("_") and not inspect.isabstract(kind)
    ]


def entry_points() -> list[EntryPoint]:
    """The entry points by which installed packages say that they bring environments."""
    groups = [name for name in distributions.groups() if f"{name}.".startswith((f"{OLD_GROUP}.", f"{GROUP}."))]
    return [point for group in sorted(groups) for point in distributions.entry_points(group)]


def package_of(env_id: str) -> str | None:
    """The top-level module whose code a registered environment is; None for those of Gymnasium, ALE and rltrain."""
    if "gymnasium" not in sys.modules:
        return None
    spec = known().get(env_id)
    entry = "" if spec is None or spec.entry_point is None else spec.entry_point
    top = (entry if isinstance(entry, str) else entry.__module__).partition(":")[0].partition(".")[0]
    return None if top in ("", "gymnasium", "ale_py", "rltrain", "__main__") else top


@contextlib.contextmanager
def namespace(name: str | None) -> Iterator[None]:
    """While open, ids that are registered get this namespace; None: they are registered as they are."""
    from gymnasium.envs import registration

    before, registration.current_namespace = registration.current_namespace, name
    try:
        yield
    finally:  # Gymnasium's own leaves it behind after an exception
        registration.current_namespace = before
