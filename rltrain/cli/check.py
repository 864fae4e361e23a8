"""`rltrain check`: is this config right, will it fit, how long will it take? Or: is every byte of a run as it was?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rltrain.cli.output import say, say_json
from rltrain.cli.train import Overrides, RunsDir
from rltrain.errors import CheckpointError, InputError
from rltrain.spelling import shown

if TYPE_CHECKING:
    from rltrain.experiment.config import Experiment


def check_command(
    target: Annotated[str, typer.Argument(metavar="CONFIG|RUN", help="A YAML file, a run or a checkpoint folder.")],
    overrides: Overrides = None,
    seconds: Annotated[
        float, typer.Option("--probe", metavar="SECONDS", min=0, max=60, help="Of the speed probe; 0: none.")
    ] = 3.0,
    runs_dir: RunsDir = Path("runs"),
    json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output, nothing else.")] = False,
) -> None:
    """Check a config and what it will cost before it is paid; or verify all hashes of a run."""
    if is_config(target, runs_dir):
        from rltrain.cli.progress import line as live
        from rltrain.experiment.config import load
        from rltrain.verbs.cost import probe, trial

        experiment = load(target, overrides or [])
        report = check_config(experiment, runs_dir)
        with trial(experiment) as algorithm:
            if not json:
                for line in [f"{target}: correct", *config_lines(report)]:
                    say(shown(line))
            if seconds > 0:
                with live.phase("measuring the speed"):
                    report["probe"] = probe(algorithm, report["budget"], seconds, live)
                if not json:
                    say(probe_line(report))
        if json:
            say_json(report)
        return
    if overrides:
        raise InputError(f"{target} is a run: its settings cannot be overridden in a check")
    from rltrain.run import group

    several = group.find(runs_dir, target)
    begun = [several.member(seed) for seed in several.seeds if several.begun(seed)] if several else []
    if several and not begun:
        raise CheckpointError(f"{several.folder}: none of its seeds has begun; rltrain resume {several.folder}")
    runs = [check_run(member.name, member.parent) for member in begun] if several else [check_run(target, runs_dir)]
    ok = all(run["ok"] for run in runs)
    if json:
        say_json({"group": str(several.folder), "ok": ok, "runs": runs} if several else runs[0])
    else:
        for line in [line for run in runs for line in run_lines(run)]:
            say(shown(line))
    if not ok:
        raise typer.Exit(CheckpointError.exit_code)


def is_config(target: str, runs_dir: Path) -> bool:
    """A file, or what is called like one, is a config; a folder or a run's name is not."""
    path = Path(target)
    return path.is_file() or (
        path.suffix in (".yaml", ".yml") and not path.is_dir() and not (runs_dir / target).is_dir()
    )


def check_config(experiment: Experiment, runs_dir: Path) -> dict[str, Any]:
    """What it is and what it will cost. What will not fit in memory is refused. Trains nothing."""
    from rltrain.run import sinks
    from rltrain.run.build import doubts
    from rltrain.run.reserve import free_bytes
    from rltrain.verbs.cost import available_bytes, memory_bytes, refuse_what_does_not_fit
    from rltrain.verbs.truth import discounts_apart

    sinks.check(experiment.run.sinks)
    spec, cost = refuse_what_does_not_fit(experiment)
    place = next(path for path in (runs_dir, *runs_dir.absolute().parents) if path.is_dir())
    return {
        "config": experiment.source,
        "ok": True,
        "algorithm": experiment.algorithm_name,
        "environment": spec.id,
        "num_envs": spec.num_envs,
        "obs_shape": list(spec.obs_shape),
        "obs_dtype": spec.obs_dtype,
        "num_states": spec.num_states,
        "actions": list(spec.action_names),
        "frames_per_step": spec.frames_per_step,
        "max_episode_steps": spec.max_episode_steps,
        "model_discount": spec.discount,
        "note": discounts_apart(experiment, spec),
        "budget": dict(experiment.run.budget or {}),
        "seed": experiment.run.seed,
        **{key: cost.get(key) for key in ("parameters", "replay_bytes", "checkpoint_bytes")},
        "memory_bytes": memory_bytes(cost),
        "available_bytes": available_bytes(),
        "disk_bytes": cost["checkpoint_bytes"] * (experiment.run.save.keep + 1) if "checkpoint_bytes" in cost else None,
        "free_disk_bytes": free_bytes(place),
        "warnings": doubts(experiment, spec),
    }


def check_run(run: str, runs_dir: Path) -> dict[str, Any]:
    """Every checkpoint of a run, or the one that is given by its folder, with the faults that it has."""
    from rltrain.run import folder
    from rltrain.run.checkpoint import Checkpoints

    path = Path(run)
    if path.is_dir() and (path / "MANIFEST.json").exists():
        home, wanted = path.resolve().parent.parent, [path.resolve().name]
    else:
        home, wanted = folder.find(runs_dir, run), []
    checkpoints = Checkpoints(home)
    found: list[dict[str, Any]] = []
    for name in wanted or checkpoints.names():
        faults = checkpoints.verify(name)
        try:
            size = None if faults else checkpoints.size(name)
        except CheckpointError as error:
            size, faults = None, [str(error)]
        if faults and not wanted and not (home / "checkpoints" / name).exists():
            continue  # a run that trains has removed it meanwhile
        found.append({"name": name, "bytes": size, "faults": faults})
    set_aside = sorted(bad.name for bad in (home / "checkpoints").glob("bad-*"))
    whole = [checkpoint["name"] for checkpoint in found if not checkpoint["faults"]]
    edits, refused = edits_since(home, whole[-1]) if whole else ([], False)
    return {
        "run": str(home),
        "ok": not refused and not any(checkpoint["faults"] for checkpoint in found),
        "checkpoints": found,
        "set_aside": set_aside,
        "edits": edits,
    }


def edits_since(home: Path, name: str) -> tuple[list[str], bool]:
    """What config.yaml says otherwise than a checkpoint of the run was made with, and whether a resume refuses it."""
    from rltrain.experiment.config import load
    from rltrain.run import edits, folder
    from rltrain.run.disk import REAL
    from rltrain.run.reading import read_manifest

    if not (home / folder.MARKER).is_file():  # checkpoints alone
        return [], False
    manifest, _ = read_manifest(REAL, home / "checkpoints" / name)
    try:
        found = edits.since(manifest.meta, load(home / folder.MARKER))
    except InputError as error:
        return str(error).splitlines(), True
    return [f"config.yaml was edited since {name}: {edit}" for edit in found], any(edit.refused for edit in found)


def config_lines(report: dict[str, Any]) -> list[str]:
    """What a person reads of `check_config`."""
    from rltrain import words

    shape = "x".join(map(str, report["obs_shape"]))
    budget = " or ".join(f"{words.count(limit)} {words.counter(name)}" for name, limit in report["budget"].items())
    games = "1 game at a time" if report["num_envs"] == 1 else f"{report['num_envs']} games side by side"
    seen = f"observations {shape} {report['obs_dtype']}"
    if report["num_states"] is not None:
        seen = f"{words.count(report['num_states'])} states"
    lines = [
        f"  {report['algorithm']} on {report['environment']}, {games}, seed {report['seed']}",
        f"  {seen}, {len(report['actions'])} actions, budget {budget}",
    ]
    if report["note"]:
        lines.append(f"  note         {report['note']}")
    if report["parameters"] is not None:
        lines.append(f"  network      {words.count(report['parameters'])} parameters")
    if report["replay_bytes"] is not None:
        lines.append(f"  replay       {words.size(report['replay_bytes'])}")
    memory, available = words.size(report["memory_bytes"]), words.size(report["available_bytes"])
    lines.append(f"  memory       about {memory} of {available} available")
    if report["checkpoint_bytes"] is not None:
        disk, free = words.size(report["disk_bytes"]), words.size(report["free_disk_bytes"])
        lines.append(
            f"  checkpoint   at most {words.size(report['checkpoint_bytes'])}; all of them {disk} of {free} free"
        )
        if report["disk_bytes"] > report["free_disk_bytes"]:
            lines.append("  warning: the disk may fill up; lower run.save.keep or choose another --runs-dir")
    return lines + [f"  warning: {warning}" for warning in report["warnings"]]


def probe_line(report: dict[str, Any]) -> str:
    """What a person reads of `probe`."""
    from rltrain import words

    probe = report["probe"]
    name = next(iter(report["budget"]))
    speed = f"  speed        {words.count(probe['per_second'][name])} {words.counter(name)} a second"
    if probe["expected_seconds"] is None:
        return f"{speed}: too slow to tell how long the budget takes"
    expected = words.spell(probe["expected_seconds"])
    return f"{speed}: about {expected} for the budget, evaluations and saves apart"


def run_lines(report: dict[str, Any]) -> list[str]:
    """What a person reads of `check_run`."""
    from rltrain import words

    damaged = any(checkpoint["faults"] for checkpoint in report["checkpoints"])
    lines = [f"{report['run']}: {'damaged' if damaged else 'every hash holds'}"]
    for checkpoint in report["checkpoints"]:
        if checkpoint["faults"]:
            lines.append(f"  {checkpoint['name']}  damaged")
            lines += [f"    {fault}" for fault in checkpoint["faults"]]
        else:
            lines.append(f"  {checkpoint['name']}  whole, {words.size(checkpoint['bytes'])}")
    if not report["checkpoints"]:
        lines.append("  no checkpoint yet")
    if report["set_aside"]:
        lines.append(f"  set aside as damaged earlier: {', '.join(report['set_aside'])}")
    lines += [f"  {edit}" for edit in report["edits"]]
    if report["edits"] and not report["ok"] and not damaged:
        lines.append("`rltrain resume` refuses that: put it back, or go on with it by --fork NAME.")
    if damaged and any(not checkpoint["faults"] for checkpoint in report["checkpoints"]):
        lines.append("`rltrain resume` goes on from the newest whole one.")
    return lines
