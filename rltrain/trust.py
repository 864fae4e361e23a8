"""What a person trusts for good: modules and files that rltrain may import without being told each time.

They stand in the person's own settings, `settings.yaml` in the platform's folder for them (on Linux
`~/.config/rltrain`), which only `rltrain trust` writes. No file of a project, a config or a run folder is ever asked.
A module is trusted by its name, a file by its absolute path and the hash of what it holds.

    trusted:
      modules: [minigrid]
      files: {/home/me/my_env.py: 9f86d081884c7d65...}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rltrain.errors import DiskError, InputError
from rltrain.plain_files import open_plain, reason
from rltrain.spelling import shown
from rltrain.whole_files import refused, replacing
from rltrain.yaml_subset import MAX_BYTES, read, write

HEAD = "# What rltrain may import by itself. Written by `rltrain trust`; see `rltrain trust --list`.\n"
_SHA256 = re.compile("[0-9a-f]{64}")
RULE = "expected `trusted`, with `modules`, a list of names, and `files`, paths with their hashes"


@dataclass(frozen=True)
class Trusted:
    """What may be imported when it is needed."""

    modules: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)  # absolute path -> sha256 of what was trusted

    def named(self, name: str) -> list[str]:
        """Those whose module is called so, or whose file is: `minigrid`, `my_env.py`; a module before files."""
        modules = [module for module in self.modules if module == name]
        return [*modules, *(path for path in self.files if Path(path).name == name)]

    def all(self) -> list[str]:
        """Everything, modules first."""
        return [*self.modules, *self.files]


def place() -> Path:
    """The file with the person's own settings. It may not exist."""
    import typer  # what takes its time to import is not for a run that trusts nothing

    return Path(typer.get_app_dir("rltrain")) / "settings.yaml"


def load() -> Trusted:
    """What is trusted; nothing where there are no settings. InputError for settings that cannot be used."""
    path = place()
    try:
        with open_plain(path, follow=True) as file:
            text = file.read(MAX_BYTES + 1).decode()
    except FileNotFoundError:
        return Trusted()
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(str(path))}: your settings cannot be read: {shown(reason(error))}") from error
    document = read(text)
    if document.faults:
        fault = document.faults[0]
        raise InputError(f"{shown(str(path))}:{fault.line}: your settings cannot be used: {shown(fault.rule)}")
    found = _trusted(document.value)
    if found is None:
        raise InputError(f"{shown(str(path))}: your settings cannot be used: {RULE}")
    return found


def add(name: str, sha256: str | None) -> None:
    """Trust a module, or with its hash the file or folder of this absolute path, from now on. InputError, DiskError."""
    known = load()
    if sha256 is None:
        save(replace(known, modules=(*(module for module in known.modules if module != name), name)))
    else:
        save(replace(known, files={**known.files, name: sha256}))


def remove(name: str) -> None:
    """Trust this no more: a module's name or a file's path, as `load` has it. InputError, DiskError."""
    known = load()
    modules = tuple(module for module in known.modules if module != name)
    save(Trusted(modules, {path: sha256 for path, sha256 in known.files.items() if path != name}))


def save(trusted: Trusted) -> None:
    """Write the person's settings, whole or not at all. DiskError."""
    path = place().resolve()  # settings that are kept elsewhere, behind a link, stay there
    text = HEAD + write({"trusted": {"modules": list(trusted.modules), "files": dict(trusted.files)}})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(path, error) from error
    if len(text) > MAX_BYTES:
        raise DiskError(f"{shown(str(path))}: more is trusted than {MAX_BYTES:,} bytes hold; rltrain trust --remove")
    with replacing(path) as file:
        file.write(text.encode())


def _trusted(settings: object) -> Trusted | None:
    """What settings say; None if they are of another form, or hold more than this knows, which `save` would lose."""
    if settings is None:
        return Trusted()
    if not isinstance(settings, dict) or set(settings) != {"trusted"}:
        return None
    given = settings["trusted"]
    if not isinstance(given, dict) or set(given) - {"modules", "files"}:
        return None
    modules, files = given.get("modules", []), given.get("files", {})
    if not isinstance(modules, list) or not all(isinstance(name, str) for name in modules):
        return None
    if not isinstance(files, dict) or not all(
        isinstance(each, str) and _SHA256.fullmatch(each) for each in files.values()
    ):
        return None
    return Trusted(tuple(modules), files)
