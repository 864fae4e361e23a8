"""`rltrain export`: a trained policy as an ONNX model or one Python file, held against its checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rltrain.cli import complete
from rltrain.cli.options import Imports, JsonFlag, RunsDir
from rltrain.cli.output import complain, say, say_json
from rltrain.cli.progress import line
from rltrain.spelling import shown

if TYPE_CHECKING:
    from rltrain.verbs.export import Exported

WIDTH = 12  # of the first column


def export_command(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run: its best checkpoint; or a checkpoint folder.", autocompletion=complete.runs
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Where to: policy.onnx, or policy.py.")
    ],
    last: Annotated[bool, typer.Option("--last", help="Of a run, the newest checkpoint rather than the best.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
    runs_dir: RunsDir = Path("runs"),
    imports: Imports = None,
    json: JsonFlag = False,
) -> None:
    """Write a trained policy to a file that needs no rltrain, once 1,000 observations have shown that it acts alike."""
    from rltrain.verbs import export, saved_policy

    export.check(output, overwrite)
    saved = saved_policy.read(run, runs_dir, last)
    for warning in saved.warnings:
        complain(f"warning: {warning}")
    found = export.export(saved, output, overwrite=overwrite, progress=line)
    if json:
        say_json(found.json())
    else:
        show(found)


def show(found: Exported) -> None:
    """Print what was exported, for a person."""
    from rltrain import words

    score = f": {found.scores}" if found.scores else ""
    several = all("[N" in form for form in found.inputs.values())
    taken = (", or one without N" if found.file.endswith(".py") else "") if several else ", one observation at a time"
    outputs = ", ".join(f"{name} {form}" for name, form in found.outputs.items())
    rows = [
        ("checkpoint", found.checkpoint),
        ("", f"({found.chosen})"),
        ("in", ", ".join(f"{name} {form}" for name, form in found.inputs.items()) + taken),
        ("out", f"{outputs}{score}"),
        ("actions", found.actions),
    ]
    if found.drawn:
        rows.append(("drawn", found.drawn))
    rows.append(("replayed", f"{words.many(found.observations, 'observation')} in {found.run_by}"))
    ties = "" if not found.ties else f", {words.many(found.ties, 'tie')} that rounding decides"
    rows.append(("", f"{found.equal:,} equal actions{ties}" + _apart(found)))
    say(f"{found.algorithm} on {shown(found.environment)}")
    for name, text in rows:
        say(f"{name:<{WIDTH}}{shown(text)}")
    say(f"policy: {shown(found.file)}, {words.size(found.bytes)}")


def _apart(found: Exported) -> str:
    if found.furthest is None:
        return ""
    what = "scores" if found.scores else "numbers"
    return f"; {what} within {found.furthest:.1g} of the greatest" if found.furthest else f"; equal {what}"
