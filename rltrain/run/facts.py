"""run.json: how a run began, on which machine, and up to where it is exact to the bit.

Nothing that is learned depends on it. A run whose run.json is missing or unreadable goes on, says so, and is marked as
not exact from there: what it began on is unknown.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rltrain import imports
from rltrain.imports import Facts
from rltrain.plain_files import read_object, reason
from rltrain.run import machine
from rltrain.run.disk import REAL, Disk
from rltrain.run.own_files import write_small
from rltrain.spelling import shown

FILE = "run.json"
FORMAT = 1


def begun(
    command: str,
    here: Mapping[str, str],
    chosen: Mapping[str, str],
    imported: Mapping[str, Facts],
    also: Sequence[str] = (),
) -> dict[str, Any]:
    """What run.json says of a run that begins.

    here       `machine.facts` of this machine
    chosen     {setting: choice} for each setting that was left to the machine
    imported   `imports.used_by` its environment
    also       why it cannot be exact, beside what is known of the machine
    """
    facts: dict[str, Any] = {"format": FORMAT, "command": command, "created": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    facts["machine"] = dict(here)
    if chosen:
        facts["chosen"] = dict(chosen)
    if imported:
        facts["imports"] = {name: dict(found) for name, found in imported.items()}
    reasons = ["sums on a GPU are not in a fixed order"] if here["device"] != "cpu" else []
    reasons += also
    return facts | ({"exact": False, "why": "; ".join(reasons)} if reasons else {"exact": True})


def changed(folder: Path, here: Mapping[str, str], imported: Mapping[str, Facts]) -> list[str]:
    """What is otherwise than when the run began, a clause each; one that it is not known if run.json cannot tell."""
    try:
        then = read(folder)
        return machine.changes(then["machine"], here) + imports.changes(then.get("imports", {}), imported)
    except (OSError, ValueError):
        return [f"{FILE}, which would say it, cannot be read"]


def resumed(
    folder: Path,
    here: Mapping[str, str],
    chosen: Mapping[str, str],
    imported: Mapping[str, Facts],
    counters: Mapping[str, int],
    also: Sequence[str] = (),
) -> tuple[dict[str, Any] | None, list[str]]:
    """What run.json says of a run that goes on at these counters, None if it stays as it is; and a line per warning.

    A run that was exact to the bit and goes on elsewhere says from here on: exact false, why, exact_until. It stays so.
    So does one that goes on with what is named in `also`, such as new episodes.
    """
    try:
        facts = read(folder)
    except FileNotFoundError:
        return _lost(folder, "is missing", here, chosen, imported, counters)
    except (OSError, ValueError) as error:
        return _lost(folder, f"cannot be used ({shown(reason(error))})", here, chosen, imported, counters)
    warnings, reasons = [], [*also]
    if changed := machine.changes(facts["machine"], here):
        warnings.append(f"resumed on another machine, so not exact to the bit: {', '.join(changed)}")
        reasons += changed
    if changed := imports.changes(facts.get("imports", {}), imported):
        warnings.append(f"resumed with other code, so not exact to the bit: {', '.join(changed)}")
        reasons += changed
    for name, choice in chosen.items():
        before = str(facts.get("chosen", {}).get(name, ""))
        if before.split(":")[0] != choice.split(":")[0]:
            warnings.append(f"{name} was {before.split(':')[0]}, and is {choice}")
            reasons.append(f"{name} {before.split(':')[0]} -> {choice.split(':')[0]}")
    if not reasons or facts["exact"] is False:
        return None, warnings
    return facts | inexact(f"resumed with {', '.join(reasons)}", counters), warnings


def read(folder: Path) -> dict[str, Any]:
    """The contents of run.json. OSError if it cannot be read, ValueError if it is not of the form that a run writes."""
    return _checked(read_object(folder / FILE))


def write(folder: Path, facts: Mapping[str, Any], disk: Disk = REAL) -> None:
    """Write run.json, whole or not at all. DiskError."""
    write_small(folder / FILE, json.dumps(facts, indent=2) + "\n", disk)


def inexact(why: str, counters: Mapping[str, int]) -> dict[str, Any]:
    """The part of run.json that says up to which counters a run is exact to the bit, and why no further."""
    return {"exact": False, "why": why, "exact_until": dict(counters)}


def _lost(
    folder: Path,
    what: str,
    here: Mapping[str, str],
    chosen: Mapping[str, str],
    imported: Mapping[str, Facts],
    counters: Mapping[str, int],
) -> tuple[dict[str, Any], list[str]]:
    why = f"run.json {what}: on which machine the run began is not known"
    facts = begun("", here, chosen, imported) | inexact(why, counters)
    return facts, [f"{folder / FILE} {what}: the run goes on, marked as not exact from here"]


def _checked(value: dict[str, Any]) -> dict[str, Any]:
    """The facts, if they are of the form that a run writes. ValueError."""
    imported = value.get("imports", {})
    if not isinstance(imported, dict):
        raise ValueError("expected `imports`, an object of objects")
    parts = {name: value.get(name, {}) for name in ("machine", "chosen")} | imported
    for name, part in parts.items():
        if not isinstance(part, dict) or not all(isinstance(item, str) for item in part.values()):
            raise ValueError(f"expected `{name}`, an object of texts")
    if not value.get("machine") or not isinstance(value.get("exact"), bool):
        raise ValueError("expected `machine` and `exact`")
    return value
