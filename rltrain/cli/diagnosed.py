"""What is said of faults that the numbers of runs show, when they end."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rltrain.errors import RltrainError

if TYPE_CHECKING:
    from rltrain.verbs.diagnosis import LearningFault


def diagnosed(runs: Mapping[str, Path]) -> list[str]:
    """A line for each fault, with the names of the runs that have it; one run is called "". Nobody asked: no error."""
    from rltrain.verbs.diagnosis import diagnose

    found: dict[str, list[tuple[str, LearningFault]]] = {}
    for name, folder in runs.items():
        with suppress(RltrainError):
            for finding in diagnose(folder):
                found.setdefault(finding.rule, []).append((name, finding))
    lines = []
    for those in found.values():
        names, first = ", ".join(name for name, _ in those), those[0][1]
        whose = f"{names}: " if names else ""
        like = f" ({those[0][0]})" if len(those) > 1 else ""
        lines.append(f"diagnosis: {whose}{first.text}{like}; what may help: {first.advice}")
    return lines
