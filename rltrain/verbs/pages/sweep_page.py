"""The parts of a page about a sweep: its best trial, the picture of all of them, and what each tried."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from rltrain import words
from rltrain.errors import InputError
from rltrain.report import sweeps
from rltrain.report.html_page import HtmlTable, PageSection
from rltrain.run import folder, group
from rltrain.verbs.pages.parts import PageParts
from rltrain.verbs.pages.sections import setting
from rltrain.verbs.sweep import best, plot, ranking, study, told
from rltrain.verbs.sweep.ranking import RankedTrial, SweepReport

MOST_TRIALS = 20


def parts(name: str, place: Path, runs_dir: Path) -> PageParts:
    """Of the sweep in this folder. InputError, CheckpointError for damaged files."""
    report = ranking.show(name, runs_dir)
    return PageParts(
        title=f"{report.algorithm or '?'} on {report.environment or '?'}: a sweep",
        subtitle=f"{report.name}, {report.search}: {report.state}, {report.scored} of {report.trials} trials scored",
        verdict=verdict(report),
        mood="",
        figure=figure(place) if report.ranking else None,
        findings=[],
        sections=sections(report, name, runs_dir),
        filmed=star(report, place),
        home=place,
    )


def verdict(report: SweepReport) -> str:
    """The best trial and its score, and what luck adds to it."""
    first = next((row for row in report.ranking if row.rank == 1), None)
    if first is None:
        return f"No trial has a score yet: {report.state}, {report.scored:,} of {report.trials:,} trials."
    interval = "" if first.ci95 is None else f" (95 % interval over seeds {interval_of(first)})"
    keys = list(first.settings)
    tried = ", ".join(f"{study.short(key, keys)} {setting(value)}" for key, value in first.settings.items())
    text = f"The best of {words.many(report.scored, 'trial')}, {first.trial}, has {words.score(first.score)}{interval}"
    state = "" if report.state == "finished" else f" The sweep is {report.state}."
    return f"{text}: {tried}.{state}"


def interval_of(row: RankedTrial) -> str:
    """Student's interval over the seeds of a trial."""
    return "-" if row.ci95 is None else f"{words.score(row.ci95[0])} to {words.score(row.ci95[1])}"


def figure(place: Path) -> Any:
    """The trials over each setting."""
    found = study.read(place)
    halving = found.settings.halving
    rungs = [] if halving is None else plot.rung_names(halving)
    return sweeps.draw(plot.points_of(found), f"{place.name}: {words.many(len(found.rows), 'trial')}", rungs)


def sections(report: SweepReport, name: str, runs_dir: Path) -> list[PageSection]:
    """The ranking, what mattered, and how to take the best config along."""
    keys = list(report.ranking[0].settings) if report.ranking else []
    rows = [
        [
            "-" if row.rank is None else str(row.rank),
            row.trial,
            words.score(row.score),
            interval_of(row),
            row.state,
            *(setting(row.settings[key]) for key in keys),
        ]
        for row in report.ranking[:MOST_TRIALS]
    ]
    head = ("rank", "trial", "score", "95 % interval", "state", *(study.short(key, keys) for key in keys))
    numbers = (True, False, True, True, False, *(True for _ in keys))
    text = [*told.counts(report), *told.mattered(report), *told.believed(report)]
    if len(report.ranking) > MOST_TRIALS:
        text.append(f"the best {MOST_TRIALS} of {len(report.ranking):,}")
    found = [PageSection("Trials", text, HtmlTable(head, rows, numbers) if rows else None)]
    with suppress(InputError):  # no trial has a score yet
        config = best.best(name, runs_dir)
        line = f"rltrain sweep best {report.name} -o best.yaml"
        again = ["rltrain train best.yaml --seeds 10 --seed 1000"]
        found.append(
            PageSection(
                "The best config",
                ["New seeds tell what it is worth: these chose it."],
                code=["\n".join([line, *again])],
                folded=[("The complete config", config.text)],
            )
        )
    return found


def star(report: SweepReport, place: Path) -> Path | None:
    """The run of the best trial whose policy is filmed; None while there is none."""
    first = next((row for row in report.ranking if row.rank == 1), None)
    if first is None:
        return None
    home = place / first.trial
    with suppress(InputError):
        members = group.read(home)
        return next((members.member(seed) for seed in members.seeds if members.begun(seed)), None)
    return home if (home / folder.MARKER).is_file() else None
