"""`rltrain check`: is this config right, will it fit, how long will it take? Or: is every byte of a run as it was?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rltrain.cli import complete
from rltrain.cli.options import Imports, JsonFlag, Overrides, RunsDir
from rltrain.cli.output import say, say_json
from rltrain.cli.overrides import as_overrides, sorted_out
from rltrain.errors import CheckpointError, InputError
from rltrain.spelling import shown

if TYPE_CHECKING:
    from rltrain.verbs.check import ConfigReport, RunReport
    from rltrain.verbs.worlds import EnvironmentReport

ALONE_SECONDS = 0.5  # in which a bare environment is measured


def check_command(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG|RUN",
            help="A config, as a file or its name; or a run or checkpoint folder.",
            autocompletion=complete.configs_and_runs,
        ),
    ] = None,
    overrides: Overrides = None,
    env: Annotated[
        str | None,
        typer.Option("--env", "--env-id", metavar="ID", help="An environment: alone, or in place of the config's."),
    ] = None,
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

    target, overrides = sorted_out([*([] if target is None else [target]), *(overrides or [])], [])
    overrides += as_overrides(None, env, None, None, None)
    if target is None:
        if env is None:
            raise InputError("check what? A config, a run, or --env ID")
        check_environment(overrides, seconds, json)
        return
    if is_config(target, runs_dir):
        from rltrain import registry
        from rltrain.cli.progress import line as live
        from rltrain.experiment.config import load
        from rltrain.verbs.cost import probe, trial
        from rltrain.verbs.worlds import steps_a_second

        experiment = load(target, overrides)
        report = check_config(experiment, runs_dir)
        with trial(experiment) as algorithm:
            chosen = dict(registry.plugin(experiment.algorithm_name).chosen(algorithm))
            if not json:
                for line in [f"{experiment.source}: correct", *config_lines(report)]:
                    say(shown(line))
                for name, why in chosen.items():
                    say(shown(f"  chosen       {name}: {why}"))
            measured: dict[str, Any] = {"chosen": chosen}
            if seconds > 0:
                with live.phase("measuring the speed"):
                    alone = steps_a_second(experiment.environment, min(ALONE_SECONDS, seconds), live)
                    measured |= {
                        "environment_steps_a_second": alone,
                        "probe": probe(algorithm, report.budget, seconds, live),
                    }
                if not json:
                    say(alone_line(alone))
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


def check_environment(overrides: list[str], seconds: float, json: bool) -> None:
    """Say what there is to know of an environment, whatever may learn on it."""
    from rltrain.cli.progress import line as live
    from rltrain.experiment.config import loads
    from rltrain.verbs.worlds import steps_a_second, world_of

    settings = loads("algorithm: basic", "command line", overrides).environment
    found = world_of(settings)
    if not json:
        for line in [f"{found.environment}:", f"  {seen(found)}, {found.actions}", *world_lines(found)]:
            say(shown(line))
    alone = None
    if seconds > 0:
        with live.phase("measuring the speed"):
            alone = steps_a_second(settings, min(ALONE_SECONDS, seconds), live)
        if not json:
            say(alone_line(alone))
    if json:
        say_json({**found.json(), **({} if alone is None else {"environment_steps_a_second": alone})})


def seen(world: EnvironmentReport) -> str:
    """An observation in words."""
    from rltrain import words

    if world.num_states is not None:
        return f"{words.count(world.num_states)} states"
    return f"observations {'x'.join(map(str, world.obs_shape))} {world.obs_dtype}"


def world_lines(world: EnvironmentReport) -> list[str]:
    """What a person reads of an environment beside its spaces."""
    lines = []
    if world.wrappers:
        lines.append(f"  wrappers     {', '.join(map(wrapper_words, world.wrappers))}")
    if world.parts:
        lines.append(f"  parts        {', '.join(f'{name} {form}' for name, form in world.parts.items())}")
    if world.masked:
        lines.append("  masks        it says which actions are possible, and no other is taken")
    if world.differs is None:
        lines.append("  course       repeats itself: the same seed and actions, the same course")
    else:
        lines.append(f"  course       does not repeat itself: {world.differs}; a run with it is not exact")
    return [*lines, f"  learned by   {', '.join(world.learned_by) or 'none'}"]


def wrapper_words(wrapper: Mapping[str, Any]) -> str:
    """A wrapper in words: its name, and in brackets the settings that are not its defaults."""
    from rltrain.yaml_subset import flow

    given = ", ".join(f"{key} {flow(value)}" for key, value in wrapper.items() if key != "name")
    return f"{wrapper['name']} ({given})" if given else str(wrapper["name"])


def alone_line(steps: float) -> str:
    """What a person reads of the speed of a bare environment."""
    from rltrain import words

    return f"  environment  {words.count(round(steps))} steps a second of one alone, with random actions"


def config_lines(report: ConfigReport) -> list[str]:
    """What a person reads of `check_config`."""
    from rltrain import words

    budget = " or ".join(f"{words.count(limit)} {words.counter(name)}" for name, limit in report.budget.items())
    games = "1 game at a time" if report.num_envs == 1 else f"{report.num_envs} games side by side"
    lines = [
        f"  {report.algorithm} on {report.environment}, {games}, seed {report.seed}",
        f"  {seen(report.world)}, {report.world.actions}, budget {budget}",
        *world_lines(report.world),
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
