"""`rltrain check`: is this config right, will it fit, how long will it take? Or: is every byte of a run as it was?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rltrain.cli import complete
from rltrain.cli.options import Imports, JsonFlag, Overrides, RunsDir
from rltrain.cli.output import say, say_json
from rltrain.errors import CheckpointError, InputError
from rltrain.spelling import shown

if TYPE_CHECKING:
    from rltrain.verbs.check import ConfigReport, RunReport


def check_command(
    target: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG|RUN",
            help="A config, as a file or its name; or a run or checkpoint folder.",
            autocompletion=complete.configs_and_runs,
        ),
    ],
    overrides: Overrides = None,
    seconds: Annotated[
        float, typer.Option("--probe", metavar="SECONDS", min=0, max=60, help="Of the speed probe; 0: none.")
    ] = 3.0,
    runs_dir: RunsDir = Path("runs"),
    imports: Imports = None,
    json: JsonFlag = False,
) -> None:
    """Check a config and what it will cost before it is paid; or verify all hashes of a run."""
    from rltrain.run import group
    from rltrain.verbs.check import check_config, check_run, is_config

    if is_config(target, runs_dir):
        from rltrain.cli.progress import line as live
        from rltrain.experiment.config import load
        from rltrain.verbs.cost import probe, trial

        experiment = load(target, overrides or [])
        report = check_config(experiment, runs_dir)
        with trial(experiment) as algorithm:
            if not json:
                for line in [f"{experiment.source}: correct", *config_lines(report)]:
                    say(shown(line))
            measured = {}
            if seconds > 0:
                with live.phase("measuring the speed"):
                    measured = {"probe": probe(algorithm, report.budget, seconds, live)}
                if not json:
                    say(probe_line(report, measured["probe"]))
        if json:
            say_json({**report.json(), **measured})
        return
    if overrides:
        raise InputError(f"{target} is a run: its settings cannot be overridden in a check")
    several = group.find(runs_dir, target)
    begun = [several.member(seed) for seed in several.seeds if several.begun(seed)] if several else []
    if several and not begun:
        raise CheckpointError(f"{several.folder}: none of its seeds has begun; rltrain resume {several.folder}")
    runs = [check_run(member.name, member.parent) for member in begun] if several else [check_run(target, runs_dir)]
    ok = all(run.ok for run in runs)
    if json:
        found = [run.json() for run in runs]
        say_json({"group": str(several.folder), "ok": ok, "runs": found} if several else found[0])
    else:
        for line in [line for run in runs for line in run_lines(run)]:
            say(shown(line))
    if not ok:
        raise typer.Exit(CheckpointError.exit_code)


def config_lines(report: ConfigReport) -> list[str]:
    """What a person reads of `check_config`."""
    from rltrain import words

    shape = "x".join(map(str, report.obs_shape))
    budget = " or ".join(f"{words.count(limit)} {words.counter(name)}" for name, limit in report.budget.items())
    games = "1 game at a time" if report.num_envs == 1 else f"{report.num_envs} games side by side"
    seen = f"observations {shape} {report.obs_dtype}"
    if report.num_states is not None:
        seen = f"{words.count(report.num_states)} states"
    actions = report.actions if isinstance(report.actions, str) else f"{len(report.actions)} actions"
    lines = [
        f"  {report.algorithm} on {report.environment}, {games}, seed {report.seed}",
        f"  {seen}, {actions}, budget {budget}",
    ]
    if report.note:
        lines.append(f"  note         {report.note}")
    if report.parameters is not None:
        lines.append(f"  network      {words.count(report.parameters)} parameters")
    if report.replay_bytes is not None:
        lines.append(f"  replay       {words.size(report.replay_bytes)}")
    memory, available = words.size(report.memory_bytes), words.size(report.available_bytes)
    lines.append(f"  memory       about {memory} of {available} available")
    if report.checkpoint_bytes is not None and report.disk_bytes is not None:
        disk, free = words.size(report.disk_bytes), words.size(report.free_disk_bytes)
        lines.append(f"  checkpoint   at most {words.size(report.checkpoint_bytes)}; all of them {disk} of {free} free")
        if report.disk_bytes > report.free_disk_bytes:
            lines.append("  warning: the disk may fill up; lower run.save.keep or choose another --runs-dir")
    return lines + [f"  warning: {warning}" for warning in report.warnings]


def probe_line(report: ConfigReport, probe: Mapping[str, Any]) -> str:
    """What a person reads of `probe`."""
    from rltrain import words

    name = next(iter(report.budget))
    speed = f"  speed        {words.count(probe['per_second'][name])} {words.counter(name)} a second"
    if probe["expected_seconds"] is None:
        return f"{speed}: too slow to tell how long the budget takes"
    expected = words.spell(probe["expected_seconds"])
    return f"{speed}: about {expected} for the budget, evaluations and saves apart"


def run_lines(report: RunReport) -> list[str]:
    """What a person reads of `check_run`."""
    from rltrain import words

    damaged = any(checkpoint.faults for checkpoint in report.checkpoints)
    lines = [f"{report.run}: {'damaged' if damaged else 'every hash holds'}"]
    for checkpoint in report.checkpoints:
        whole = "damaged" if checkpoint.bytes is None else f"whole, {words.size(checkpoint.bytes)}"
        lines.append(f"  {checkpoint.name}  {whole}")
        lines += [f"    {fault}" for fault in checkpoint.faults]
    if not report.checkpoints:
        lines.append("  no checkpoint yet")
    if report.set_aside:
        lines.append(f"  set aside as damaged earlier: {', '.join(report.set_aside)}")
    lines += [f"  {edit}" for edit in report.edits]
    if report.edits and not report.ok and not damaged:
        lines.append("`rltrain resume` refuses that: put it back, or go on with it by --fork NAME.")
    if damaged and any(not checkpoint.faults for checkpoint in report.checkpoints):
        lines.append("`rltrain resume` goes on from the newest whole one.")
    return lines
