"""What a run was trained with that only a person may import: is it here, and is it what it was?

run.json says it, and whoever sends a run folder may write there what he likes. So what it names is compared with what
this person imported or trusts, and never imported because it is named.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from rltrain import imports
from rltrain.errors import NotBroughtError
from rltrain.imports import IN_PYTHON, Facts
from rltrain.run import facts


def of(run: Path) -> dict[str, Facts]:
    """What run.json says: name -> version, or path and hash. Empty where it says nothing, or cannot be read."""
    with suppress(OSError, ValueError):
        return dict(facts.read(run).get("imports", {}))
    return {}


def require(run: Path) -> None:
    """NotBroughtError for a module or file that the run was trained with and nobody has imported; see `imports`."""
    then = of(run)
    names = imports.needed(then)
    files = {name: then[name].get("file", "") for name in names}
    typed = [files[name] if os.path.isabs(files[name]) and os.path.exists(files[name]) else name for name in names]
    imports.require(typed, f"{run.name}: this run was trained with")


def refuse_another_class(run: Path) -> None:
    """NotBroughtError where a program handed over a class of the name that the run's has, and it is not the run's."""
    for name, then in of(run).items():
        now = imports.handed(name)
        if now is not None and now.get("sha256") != then.get("sha256"):
            raise NotBroughtError(
                f"{run.name}: the {name.removeprefix(IN_PYTHON)} that this program handed over is another than the "
                "run's; say environment= with the class that is meant",
                [name],
            )


def changes(run: Path, env_id: str) -> list[str]:
    """What of it is otherwise now, as a warning, if anything is. Its environment is registered."""
    changed = imports.changes(of(run), imports.used_by(env_id))
    return [f"{run.name} was trained with other code: {', '.join(changed)}"] if changed else []
