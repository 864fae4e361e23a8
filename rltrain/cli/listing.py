"""`rltrain list`: the algorithms, the environments, and the runs with their state, score and age."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rltrain.cli.output import Output, say, say_json
from rltrain.cli.train import RunsDir
from rltrain.plain_files import read_json, read_plain

if TYPE_CHECKING:
    from rich.console import Console


class Section(StrEnum):
    """What can be listed."""

    algorithms = "algorithms"
    environments = "environments"
    runs = "runs"


def list_command(
    section: Annotated[Section | None, typer.Argument(help="Only this section.")] = None,
    runs_dir: RunsDir = Path("runs"),
    json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output, nothing else.")] = False,
) -> None:
    """List algorithms, environments, and runs with their state, score and age."""
    report = listing([section] if section else list(Section), runs_dir)
    if json:
        say_json(report)
    else:
        show(report, runs_dir)


def listing(sections: list[Section], runs_dir: Path) -> dict[str, list[Any]]:
    """What `--json` prints."""
    report: dict[str, list[Any]] = {}
    if Section.algorithms in sections:
        from rltrain import registry

        report["algorithms"] = [{"name": name, "summary": registry.summary(name)} for name in registry.names()]
    if Section.environments in sections:
        from rltrain.envs import known

        report["environments"] = known.ids()
    if Section.runs in sections:
        from rltrain.run import folder

        report["runs"] = [
            {**describe_run(runs_dir / name, time.time()), "name": name} for name in folder.names(runs_dir)
        ]
    return report


def describe_run(run: Path, now: float) -> dict[str, Any]:
    """What a run's own files say of it. A folder that is half written is described as far as it goes."""
    from rltrain import yaml_subset
    from rltrain.run import folder

    try:
        config = yaml_subset.read(read_plain(run / folder.MARKER, yaml_subset.MAX_BYTES).decode()).value
    except (OSError, ValueError):
        config = None
    status = _read_json(run / "status.json")
    state = status.get("state")
    if folder.is_locked(run):
        state = "running"
    elif state in (None, "running"):
        state = "killed"  # it never came to say how it ended
    updated = status.get("updated")
    best = status.get("best")
    return {
        "name": run.name,
        "algorithm": _at(config, "algorithm", "name"),
        "environment": environment_name(_at(config, "environment", "id")),
        "state": state,
        "counters": status.get("counters") or {},
        "budget": _at(config, "run", "budget") or {},
        "score": status.get("score"),
        "scored": status.get("scored"),
        "best": best.get("score") if isinstance(best, dict) else None,
        "age_seconds": max(0.0, now - updated) if isinstance(updated, int | float) else None,
    }


def environment_name(given: Any) -> Any:
    """The id, or of a model's file its name alone."""
    from rltrain.settings import MODEL_SUFFIXES

    return Path(given).stem if isinstance(given, str) and given.endswith(MODEL_SUFFIXES) else given


def show(report: dict[str, list[Any]], runs_dir: Path) -> None:
    """The same for a person."""
    import sys

    from rich.console import Console

    console = Console(file=Output(sys.stdout), highlight=False)  # type: ignore[arg-type]
    if "algorithms" in report:
        say("algorithms")
        _show_algorithms(console, report["algorithms"])
    if "environments" in report:
        atari = [name for name in report["environments"] if name.startswith("ALE/")]
        others = newest([name for name in report["environments"] if not name.startswith("ALE/")])
        if len(report) > 1:
            say()
        say("environments: Gymnasium's (the newest version of each; some need an extra package)")
        _show_words(console, others)
        say(f"and {len(atari)} Atari games, as ALE/NAME-v5")
        _show_words(console, [name.removeprefix("ALE/").removesuffix("-v5") for name in atari])
    if "runs" in report:
        if len(report) > 1:
            say()
        say(f"runs in {runs_dir}" if report["runs"] else f"runs in {runs_dir}: none yet")
        if report["runs"]:
            _show_runs(console, report["runs"])
            if any(run["scored"] == "training" and run["score"] is not None for run in report["runs"]):
                say("  ~ never evaluated: the mean of the last training games")


def newest(ids: list[str]) -> list[str]:
    """Of ids that differ in their version alone, the newest: of Ant-v4 and Ant-v5 only the latter."""
    found: dict[str, tuple[int, str]] = {}
    for name in ids:
        base, _, version = name.rpartition("-v")
        key, number = (base, int(version)) if base and version.isdecimal() else (name, 0)
        found[key] = max(found.get(key, (-1, "")), (number, name))
    return [name for _, name in found.values()]


def _show_algorithms(console: Console, algorithms: list[dict[str, str]]) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2))
    for algorithm in algorithms:
        table.add_row(algorithm["name"], algorithm["summary"])
    console.print(table)


def _show_words(console: Console, words: list[str]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console.print(Padding(Text(" ".join(words)), (0, 2)))


def _show_runs(console: Console, runs: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from rltrain.cli import words

    colours = {"running": "green", "finished": "", "interrupted": "yellow"}
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for heading in ("name", "algorithm", "environment", "state", "done", "score", "best", "age"):
        table.add_column(
            heading, justify="right" if heading in ("done", "score", "best", "age") else "left", no_wrap=True
        )
    table.columns[2].no_wrap = False
    for run in runs:
        shares = [run["counters"].get(name, 0) / limit for name, limit in run["budget"].items() if limit]
        table.add_row(
            run["name"],
            run["algorithm"] or "?",
            run["environment"] or "?",
            Text(run["state"], style=colours.get(run["state"], "red")),
            f"{100 * min(1.0, max(shares)):.0f} %" if shares else "-",
            ("~" if run["scored"] == "training" and run["score"] is not None else "") + words.score(run["score"]),
            words.score(run["best"]),
            words.age(run["age_seconds"]),
        )
    console.print(table)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = read_json(path)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _at(tree: Any, *keys: str) -> Any:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree
