"""`rltrain list`: the algorithms, the configs, the environments, and the runs with their state, score and age."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rltrain.cli.environments import show_environments
from rltrain.cli.options import Imports, JsonFlag, RunsDir
from rltrain.cli.output import Output, console, say, say_json
from rltrain.spelling import brief, shown

if TYPE_CHECKING:
    from rich.console import Console


MOST_OF_A_NAME = 100  # characters in a row
MOST_FAULTS = 3  # of a run that are said


class Section(StrEnum):
    """What can be listed."""

    algorithms = "algorithms"
    configs = "configs"
    environments = "environments"
    runs = "runs"


def list_command(
    section: Annotated[Section | None, typer.Argument(help="Only this section.")] = None,
    runs_dir: RunsDir = Path("runs"),
    imports: Imports = None,
    every: Annotated[
        bool, typer.Option("--all", help="Older versions of environments too, and those that lack something.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """List algorithms, configs, environments, and runs with their state, score and age."""
    report = listing([section] if section else list(Section), runs_dir)
    if json:
        say_json(report)
    else:
        show(report, runs_dir, every)


def listing(sections: list[Section], runs_dir: Path) -> dict[str, list[Any]]:
    """What `--json` prints."""
    from rltrain.experiment import catalog
    from rltrain.verbs import listing as found

    report: dict[str, list[Any]] = {}
    if Section.algorithms in sections:
        report["algorithms"] = found.algorithms()
    if Section.configs in sections:
        report["configs"] = [asdict(entry) for entry in catalog.entries()]
        report["sweeps"] = [asdict(catalog.entry(name)) for name in catalog.sweeps()]
    if Section.environments in sections:
        from rltrain.verbs.environments import environments

        report["environments"] = [asdict(environment) for environment in environments()]
    if Section.runs in sections:
        report["runs"] = [asdict(run) for run in found.runs(runs_dir)]
    return report


def show(report: dict[str, list[Any]], runs_dir: Path, every: bool = False) -> None:
    """Print the sections for a person."""
    import sys

    printer = console(Output(sys.stdout))
    if "algorithms" in report:
        say("algorithms")
        _show_algorithms(printer, report["algorithms"])
    if "configs" in report:
        if "algorithms" in report:
            say()
        say("configs that come with rltrain, for rltrain train NAME; times are those of two cores")
        _show_configs(printer, report["configs"])
        say("\nsweeps that come with rltrain, for rltrain sweep NAME")
        _show_configs(printer, report["sweeps"])
    if "environments" in report:
        if len(report) > 1:
            say()
        show_environments(printer, report["environments"], every)
    if "runs" in report:
        if len(report) > 1:
            say()
        where = shown(str(runs_dir))
        say(f"runs in {where}" if report["runs"] else f"runs in {where}: none yet")
        if report["runs"]:
            _show_runs(printer, report["runs"])
            for line in fault_lines(report["runs"]):
                say(line)
            if any(run["scored"] == "training" and run["score"] is not None for run in report["runs"]):
                say("  ~ never evaluated: the mean of the last training games")


def fault_lines(runs: list[dict[str, Any]]) -> list[str]:
    """What is wrong with the files of runs, below the table: a line a fault, a few of each run."""
    lines = []
    for run in runs:
        name = brief(run["name"], MOST_OF_A_NAME)
        lines += [f"  {name}: {fault}" for fault in run["faults"][:MOST_FAULTS]]
        more = len(run["faults"]) - MOST_FAULTS
        lines += [f"  {name}: and {more} more such faults; --json has all"] if more > 0 else []
    return lines


def _show_algorithms(printer: Console, algorithms: list[dict[str, str]]) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2))
    for algorithm in algorithms:
        table.add_row(algorithm["name"], algorithm["summary"])
    printer.print(table)


def _show_configs(printer: Console, configs: list[dict[str, str]]) -> None:
    from rltrain.cli import columns
    from rltrain.cli.columns import Column
    from rltrain.experiment.settings import environment_name

    cells = {key: [config[key] for config in configs] for key in ("name", "summary", "time", "algorithm")}
    made = [
        Column("name", cells["name"], words=True),
        Column("what it is", cells["summary"], words=True),
        Column("time", [time or "-" for time in cells["time"]], words=True),
        Column("algorithm", cells["algorithm"], 3, words=True),
        Column("environment", [environment_name(config["environment"]) for config in configs], 2, words=True),
    ]
    columns.show(printer, made, indent=1)


def _show_runs(printer: Console, runs: list[dict[str, Any]]) -> None:
    from rich.text import Text

    from rltrain import words
    from rltrain.cli import columns
    from rltrain.cli.columns import Column

    colours = {"running": "green", "finished": "", "interrupted": "yellow"}
    shares = [[run["counters"].get(name, 0) / limit for name, limit in run["budget"].items() if limit] for run in runs]
    marks = ["~" if run["scored"] == "training" and run["score"] is not None else "" for run in runs]
    name, algorithm, environment = (
        [brief(run[key] or "?", MOST_OF_A_NAME) for run in runs] for key in ("name", "algorithm", "environment")
    )
    made = [
        Column("name", name, words=True),
        Column("algorithm", algorithm, 6, words=True),
        Column("environment", environment, 7, words=True),
        Column(
            "state", [Text(brief(run["state"], 20), colours.get(run["state"], "red")) for run in runs], 2, words=True
        ),
        Column("done", [f"{100 * min(1.0, max(each)):.0f} %" if each else "-" for each in shares], 3),
        Column("score", [mark + words.score(run["score"]) for mark, run in zip(marks, runs, strict=True)], 1),
        Column("best", [words.score(run["best"]) for run in runs], 4),
        Column("age", [words.age(run["age_seconds"]) for run in runs], 5),
    ]
    columns.show(printer, made, indent=1)
