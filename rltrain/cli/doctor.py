"""`rltrain doctor`: what is installed and how fast it may run; what is missing, and the command that mends it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from rltrain.cli.options import JsonFlag, RunsDir
from rltrain.cli.output import say, say_json
from rltrain.errors import MissingError


def doctor_command(
    runs_dir: RunsDir = Path("runs"),
    json: JsonFlag = False,
) -> None:
    """Say what is installed, what is missing, and the command that mends it."""
    from rltrain.verbs import extras
    from rltrain.verbs.doctor import examine

    findings = examine(runs_dir)
    healthy = all(finding.state != "missing" for finding in findings)
    if json:
        say_json({"ok": healthy, "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            mark = {"ok": "ok", "hint": "hint", "missing": "MISSING", "optional": "-"}[finding.state]
            say(f"{mark:<8} {finding.name:<13} {finding.value}")
            if finding.mend and finding.state != "optional":
                say(f"{'':<22} -> {finding.mend}")
        absent = [finding.name for finding in findings if finding.state == "optional"]
        if absent:
            say(f"{'':<22} -> what of these you need: {extras.command(','.join(absent))}")
        say("all is well" if healthy else "something is missing; see the arrows above")
    if not healthy:
        raise typer.Exit(MissingError.exit_code)
