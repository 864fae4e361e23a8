"""Code that a person brings: modules and files that are imported because of `--import`, or because they are trusted.

A config may name, only a person may import. So nothing here is told to import by a config, a checkpoint or a run
folder: their names are compared with what is there, and with what the person trusts (`trust`).

    minigrid                   a module, as Python finds it; what it registers with Gymnasium can then be played
    minatar.gym:register_envs  a function of a module, which is called
    ./my_env.py, ./my_pkg/     a file or a package's folder (`source_files`); where it registers nothing itself, each of
                               its environments is registered as my_env/CLASS
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from rltrain import distributions, registering, source_files, trust
from rltrain.errors import InputError, MissingError, NotBroughtError
from rltrain.guard import running
from rltrain.source_files import is_file
from rltrain.spelling import described, shown
from rltrain.version import installed

MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*)?", re.ASCII)
IN_PYTHON = "python/"  # of the ids of classes that a program hands over

Facts = Mapping[
    str, str
]  # of a module its `version`, of a file where it is (`file`, `beside` another) and its `sha256`


@dataclass(frozen=True)
class Brought:
    """A module or file that was imported for a person."""

    name: str  # as `environment.needs` and run.json have it: "minigrid", "my_env.py"
    given: str  # what --import takes to bring it again: "minigrid", "/home/me/my_env.py"
    module: ModuleType
    facts: Facts
    beside: Mapping[str, str] = field(
        default_factory=dict
    )  # files that it imported from its own folder: name -> sha256


_brought: dict[str, Brought] = {}  # in this process, by name
_handed: dict[str, Facts] = {}  # ids of what a program handed over


def bring(given: str, sha256: str | None = None) -> Brought:
    """Import a module or a file; a second time does nothing. `sha256` is what a trusted file must hold.

    MissingError for what is not installed, InputError for what is no module or no file of environments,
    EnvironmentFault for whatever goes wrong while it runs. What it prints goes to standard error.
    """
    again = str(source_files.place(given)) if is_file(given) else given
    known = _brought.get(name_of(again))
    if known is None:
        found = _file(given, sha256) if is_file(given) else _module(given)
        return _brought.setdefault(found.name, found)
    if known.given != again:
        raise InputError(f"--import {shown(given)}: {shown(known.given)} was imported before, and has the same name")
    return known


def name_of(given: str) -> str:
    """What a module or file is called where it is needed: a module's name, a file's without its folder."""
    return Path(given).name if is_file(given) else given


def flags() -> list[str]:
    """The options that bring the same into another process."""
    return [word for each in _brought.values() for word in ("--import", each.given)]


def typed() -> str:
    """The options that the next command on the same environment needs, after a blank; "" where nothing was brought."""
    words = flags()
    for given in words[1::2]:
        if is_file(given) and (near := Path(given)).is_relative_to(Path.cwd()):
            words[words.index(given)] = f"./{near.relative_to(Path.cwd())}"
    return f" {shlex.join(words)}" if words else ""


def is_here(name: str) -> bool:
    """Whether this module or file was imported, by `--import` or by a program itself; or this class was handed over."""
    if name.startswith(IN_PYTHON):
        return name in _handed
    module = Path(name).stem if is_file(name) else name.partition(":")[0]
    return was_brought(name) or module in sys.modules


def was_brought(name: str) -> bool:
    """Whether this very module or file was imported because of `--import` or trust."""
    return name_of(name) in _brought


def require(names: Sequence[str], whose: str) -> None:
    """Import of these modules and files those that are trusted. NotBroughtError if then one is not here.

    `whose` says who needs them, for messages: "environment.needs: this config needs". Errors as `bring_trusted`.
    """
    for name in names:
        if not is_here(name):
            bring_trusted(name)
    lacking = [name for name in names if not is_here(name)]
    if lacking:
        what = ", ".join(map(shown, lacking))
        one = "it" if len(lacking) == 1 else "them"
        told = " ".join(f"--import {shown(name)}" for name in lacking)
        raise NotBroughtError(f"{whose} {what}, and only you may import {one}; if you trust {one}: {told}", lacking)


def bring_trusted(name: str) -> None:
    """Import what the person trusts of this name, if anything: a file that lies there, or one that is called so.

    InputError for settings that are damaged, NotBroughtError for a file that was changed since it was trusted; else
    errors as `bring`.
    """
    trusted = trust.load()
    here = str(source_files.place(name)) if is_file(name) else name
    found = [here] if here in trusted.all() or os.path.exists(here) else trusted.named(name_of(name))
    for given in [given for given in found if given in trusted.all()][:1]:
        bring(given, trusted.files.get(given))


def brought() -> dict[str, Facts]:
    """All that was brought, and the files that came with it from their own folders: name -> facts."""
    found: dict[str, Facts] = {}
    for each in _brought.values():
        found[each.name] = each.facts
        found |= {name: {"beside": each.name, "sha256": sha256} for name, sha256 in each.beside.items()}
    return found


def used_by(env_id: str) -> dict[str, Facts]:
    """What a run on this environment depends on of all that was imported, for run.json: name -> facts.

    That is all that was brought, and the package that the environment is of, whoever imported it.
    """
    found = brought()
    modules = {each.module.__name__.partition(".")[0] for each in _brought.values()}
    package = registering.package_of(env_id)
    if env_id in _handed:
        found[env_id] = _handed[env_id]
    elif package is not None and package not in modules:
        found[package] = _facts(package)
    return found


def needed(then: Mapping[str, Facts]) -> list[str]:
    """Of what a run depends on, the names that a person must import: not what a file or an entry point brings along."""
    apart = {point.module.partition(".")[0] for point in (registering.entry_points() if then else ())}
    return [
        name
        for name, facts in then.items()
        if "beside" not in facts and name not in apart and not name.startswith(IN_PYTHON)
    ]


def changes(then: Mapping[str, Facts], now: Mapping[str, Facts]) -> list[str]:
    """What differs of that which both have: "minigrid 3.1.0 -> 3.2.0", "my_env.py changed"."""
    found = []
    for name in sorted(then.keys() & now.keys()):
        before, after = then[name], now[name]
        if before.get("version") != after.get("version"):
            found.append(f"{shown(name)} {shown(before.get('version', '-'))} -> {after.get('version', '-')}")
        elif before.get("sha256") != after.get("sha256"):
            found.append(f"{shown(name)} changed")
    return found


def hand_over(environment: object, env_id: str | None = None) -> str:
    """Register a class, or a function that makes environments, as this id or else python/NAME, which is returned."""
    if not callable(environment):
        rule = "expected a class that extends gymnasium.Env, or a function that makes one"
        raise InputError(f"environment: {rule}, got {described(environment)}")
    source: Any = environment if inspect.isclass(environment) or inspect.isroutine(environment) else type(environment)
    if env_id is not None and not env_id.startswith(IN_PYTHON):
        raise InputError(f"environment: the run is on {shown(env_id)}, not on a class that a program handed over")
    name = env_id or IN_PYTHON + source.__name__.strip("<>")  # a lambda is called <lambda>
    registering.register(name, environment)
    try:
        _handed[name] = {"sha256": hashlib.sha256(inspect.getsource(source).encode()).hexdigest()}
    except (OSError, TypeError):  # typed at a prompt, or built in
        _handed[name] = {}
    return name


def handed(env_id: str) -> Facts | None:
    """What is known of the class that a program handed over as this id; None: it did not."""
    return _handed.get(env_id)


def provide(env_id: str) -> None:
    """Register python/NAME, as a program did, where a file that was brought defines the class NAME."""
    for each in _brought.values() if env_id.startswith(IN_PYTHON) else ():
        for kind in registering.classes(each.module):
            if kind.__name__ == env_id.removeprefix(IN_PYTHON):
                hand_over(kind, env_id)


def _module(given: str) -> Brought:
    if not MODULE.fullmatch(given):
        raise InputError(
            f"--import {shown(given)}: expected a module, such as minigrid, or a file, such as ./my_env.py"
        )
    name, _, function = given.partition(":")
    top = name.partition(".")[0]
    if top not in sys.modules and importlib.util.find_spec(top) is None:
        near = next((near for near in (f"./{top}.py", f"./{top}") if os.path.exists(near)), None)
        hint = f"for the one that lies here: --import {near}" if near else f"pip install {top.replace('_', '-')}"
        raise MissingError(f"--import {given}: no module called {top} is installed; {hint}")
    before = registering.known()
    with running(f"--import {given}"):
        module = importlib.import_module(name)
        if function:
            getattr(module, function)()
    registering.register_classes(module, before)
    return Brought(given, given, module, _facts(top))


def _file(given: str, sha256: str | None) -> Brought:
    path, before = source_files.place(given), registering.known()

    def register(module: ModuleType) -> None:
        if not registering.register_classes(module, before):
            rule = "registers no environment with Gymnasium, and defines no class that extends gymnasium.Env"
            raise InputError(f"--import {shown(given)}: it {rule}")

    ran = source_files.run(given, sha256, register)
    return Brought(path.name, str(path), ran.module, {"file": str(path), "sha256": ran.sha256}, ran.beside)


def _facts(package: str) -> dict[str, str]:
    """The version of a top-level module, by its distribution or as it says itself; else the hash of its file."""
    found = installed(package)
    if found is None:
        names = distributions.of_module(package)
        found = next((version for name in names if (version := installed(name)) is not None), None)
    if found is not None:
        return {"version": found}
    with contextlib.suppress(AttributeError, KeyError):
        return {"version": str(sys.modules[package].__version__)}
    with contextlib.suppress(KeyError, InputError):
        file = sys.modules[package].__file__
        return {} if file is None else {"file": file, "sha256": source_files.hash_of(file)}
    return {}
