"""The parts of a page about a run, or about several: of one config over its seeds, or of several configs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rltrain import words
from rltrain.errors import InputError
from rltrain.experiment.config import Experiment
from rltrain.progress import Progress
from rltrain.report import comparison, curve, measures, reading
from rltrain.report import groups as grouping
from rltrain.report.groups import PlotGroup
from rltrain.report.html_page import HtmlTable, PageSection
from rltrain.report.reading import Record
from rltrain.run import believed
from rltrain.verbs import diagnosis, plot
from rltrain.verbs.pages import comparison_part, sections, verdict
from rltrain.verbs.pages.parts import FaultOfRun, PageParts

MOST_NAMES = 12  # of runs below the title


def parts(names: Sequence[str], runs_dir: Path, progress: Progress) -> PageParts:
    """Of runs that are given by names, folders or patterns. InputError."""
    folders = plot.chosen(names, runs_dir)
    forgiving = len(folders) > len(names)  # of a pattern, those without numbers are left out, with a note
    records, notes = plot.loaded(folders, forgiving)
    records = [plot.with_baselines(records[0], progress), *records[1:]]
    several = len(records) > 1
    groups, repeated = grouping.group(records) if several else ([PlotGroup("", tuple(records))], [])
    compared = comparison_part.compared(names, runs_dir, progress) if len(groups) > 1 else None
    if compared is not None:
        groups = comparison_part.called_alike(groups, compared)
    experiments = {record.folder: believed.experiment(record.folder)[0] for record in records}
    said, mood = verdict.of_groups(groups) if several else verdict.of_run(records[0])
    called = dict(zip(experiments, grouping.folder_names(records) if several else [""], strict=True))
    findings = [
        FaultOfRun(called[record.folder], found.text, found.advice)
        for record in records
        for found in diagnosis.of(record, experiments[record.folder], verdict.state(record) == "finished")
    ]
    return PageParts(
        title=comparison.title(groups) or words.many(len(groups), "group"),
        subtitle=subtitle(records),
        verdict=sentences(
            said if compared is None else compared.verdict, verdict.unfinished(records) if several else ""
        ),
        mood=mood,
        figure=figure(groups),
        findings=findings,
        sections=[*([] if compared is None else [comparison_part.section(compared)]), *below(groups, experiments)],
        filmed=star(groups).folder,
        home=home_of([record.folder for record in records], runs_dir),
        notes=[*notes, *repeated, *reading.notes_of(records)],
    )


def sentences(first: str, second: str) -> str:
    """Two sentences, of which the second may be empty."""
    return f"{first.removesuffix('.')}. {second}" if second else first


def subtitle(records: Sequence[Record]) -> str:
    """Which runs these are."""
    names = grouping.folder_names(records)
    if len(names) > 1:
        return f"{len(names)} runs: {', '.join(names[:MOST_NAMES])}{', …' if len(names) > MOST_NAMES else ''}"
    record = records[0]
    counts = {name: record.training[name][-1] for name in (record.counter, "episodes") if name in record.training}
    far = ", ".join(f"{words.count(count)} {words.counter(name)}" for name, count in counts.items())
    return f"{names[0]}, seed {record.seed}: {verdict.state(record)} after {far}"


def star(groups: Sequence[PlotGroup]) -> Record:
    """The run whose policy is filmed: of the group with the best mean the one in the middle."""
    runs = [run for group in groups for run in group.runs]
    if len(runs) == 1:
        return runs[0]
    with suppress(InputError):
        metric = measures.choose_y(runs, None)
        score = {run.folder: float(measures.values(run, metric)[-1]) for run in runs}
        best = max(groups, key=lambda group: sum(score[run.folder] for run in group.runs) / len(group.runs))
        return sorted(best.runs, key=lambda run: score[run.folder])[len(best.runs) // 2]
    return runs[0]


def figure(groups: Sequence[PlotGroup]) -> Any:
    """The figure of a run, or of several over what they share; None where there is nothing to draw together."""
    runs = [run for group in groups for run in group.runs]
    if len(runs) == 1:
        return curve.figure(runs[0])
    with suppress(InputError):
        x, y = measures.choose_x(runs, None), measures.choose_y(runs, None)
        return comparison.draw(groups, {run.folder: measures.curve(run, x, y) for run in runs}, x, y)
    return None


def below(groups: Sequence[PlotGroup], experiments: Mapping[Path, Experiment]) -> list[PageSection]:
    """What stands below the curve: evaluations or the runs, settings, machine, and how to make it again."""
    runs = [run for group in groups for run in group.runs]
    first = runs[0]
    evaluations = sections.evaluations(first, experiments[first.folder]) if len(runs) == 1 else table_of(groups)
    found = [] if evaluations is None else [evaluations]
    for group in groups:
        section = sections.changed_settings(experiments[group.runs[0].folder])
        title = section.title if len(groups) == 1 else f"{group.label}: {section.title[0].lower()}{section.title[1:]}"
        found.append(PageSection(title, section.text, section.table, section.code, section.folded))
    notes = reading.notes_of(runs)
    found += [PageSection("Not as the run wrote it", notes)] if notes else []
    return [*found, *sections.provenance(first, [run.folder for run in runs])]


def table_of(groups: Sequence[PlotGroup]) -> PageSection:
    """Every run with its last and its best score."""
    runs, rows = [run for group in groups for run in group.runs], []
    names = iter(grouping.folder_names(runs))
    for group in groups:
        for run in group.runs:
            means = [mean for mean in run.evaluations.get("mean", []) if math.isfinite(mean)]
            scores = [words.score(means[-1]), words.score(max(means))] if means else ["-", "-"]
            rows.append([next(names), group.label, str(run.seed), *scores, verdict.state(run)])
    head = ("run", "group", "seed", "last evaluation", "best", "state")
    return PageSection("Runs", table=HtmlTable(head, rows, (False, False, True, True, True, False)))


def home_of(folders: Sequence[Path], runs_dir: Path) -> Path:
    """Where a page goes that nobody gave a place: to the run, or to what is around all of them."""
    if len(folders) == 1:
        return folders[0]
    around = {path.parent for path in folders}
    return around.pop() if len(around) == 1 else runs_dir if runs_dir.is_dir() else Path()
