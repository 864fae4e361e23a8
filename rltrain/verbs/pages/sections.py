"""What a report says of a run besides its curve: evaluations, settings, machine, and how to make it again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rltrain import envs, words
from rltrain.errors import RltrainError
from rltrain.experiment import config
from rltrain.experiment.config import Experiment
from rltrain.plain_files import read_object
from rltrain.report.html_page import HtmlTable, PageSection
from rltrain.report.reading import Record
from rltrain.run import protocols, unverified
from rltrain.spelling import brief, shown
from rltrain.yaml_subset import flow

MOST_ROWS = 20  # of evaluations
LONGEST = 60  # characters of a setting's value


def evaluations(record: Record, experiment: Experiment) -> PageSection | None:
    """The evaluations of a run as a table, and the rules that they were played by; None if there is none."""
    found = record.evaluations
    means = found.get("mean", [])
    if not means:
        return None
    counts = found.get(record.counter, [math.nan] * len(means))
    picked = sorted({round(place * (len(means) - 1) / (MOST_ROWS - 1)) for place in range(MOST_ROWS)})
    best = max(range(len(means)), key=lambda row: means[row] if math.isfinite(means[row]) else -math.inf)
    rows = [
        [words.count(counts[row]), words.score(means[row]) + (" (best)" if row == best else ""), *_spread(found, row)]
        for row in sorted({*picked, best})
    ]
    unit = words.counter(record.counter)
    head = (unit, "mean", "95 % interval", "median", "least", "greatest")
    text = [_rules(experiment)]
    if len(rows) < len(means):
        text.append(f"{len(rows)} of {len(means)} evaluations")
    return PageSection("Evaluations", text, HtmlTable(head, rows, (True,) * len(head)))


def _spread(found: Mapping[str, Sequence[float]], row: int) -> list[str]:
    low, high, median, least, most = (
        words.score(found[name][row]) if name in found else "-"
        for name in ("ci95/low", "ci95/high", "median", "min", "max")
    )
    return [f"{low} to {high}", median, least, most]


def _rules(experiment: Experiment) -> str:
    """The protocol of a run's evaluations in a sentence."""
    settings = experiment.run.evaluate
    try:
        name, played, epsilon = protocols.conditions(experiment.environment, settings.protocol, None, experiment.task)
        spec = envs.describe(played, task=experiment.task)
        fields = protocols.fields(name, played, spec, epsilon, settings.episodes)
    except RltrainError as error:
        return f"Games apart from training; their rules are not known here: {shown(str(error))}"
    rules = [
        f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in fields.items()
        if key not in ("name", "episodes") and value is not None
    ]
    games = words.many(settings.episodes, "game")
    return f"{games} each time, apart from training, under the protocol {fields['name']}: {', '.join(rules)}"


def changed_settings(experiment: Experiment) -> PageSection:
    """The settings that are not as they would be without the config."""
    here = dict(config.leaves(experiment.to_dict()))
    try:
        plain = config.named(experiment.algorithm_name, experiment.environment.id)
        usual = dict(config.leaves(plain.to_dict()))
    except RltrainError:  # the environment is not here, or needs more than its name
        usual = {}
    rows = [
        [key, setting(value), setting(usual[key]) if key in usual else ""]
        for key, value in here.items()
        if key != "run.seed" and (key not in usual or flow(usual[key]) != flow(value))
    ]
    complete = [("The complete config", experiment.to_yaml())]
    if not rows:
        return PageSection("Settings", ["All settings are the defaults."], folded=complete)
    table = HtmlTable(("setting", "here", "default"), rows, (False, False, False))
    return PageSection("Settings that are not the defaults", table=table, folded=complete)


def setting(value: Any) -> str:
    """A setting's value as a config writes it, numbers with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else brief(flow(value), LONGEST)


def provenance(record: Record, runs: Sequence[Path]) -> Iterator[PageSection]:
    """The machine of a run, whether it is exact, and the command that makes it again; it is the first of `runs`."""
    facts: Mapping[str, Any] = {}
    with suppress(OSError, ValueError):
        facts = read_object(record.folder / "run.json", unverified.MOST_BYTES)
    machine = facts.get("machine")
    rows = [[str(name), str(value)] for name, value in machine.items()] if isinstance(machine, dict) else []
    if facts.get("exact") is True:
        said = "Exact: the same config on the same kind of machine, with these versions, gives the same bytes."
    elif "why" in facts:
        said = f"Not exact to the bit: {facts['why']}"
    else:
        said = "Whether it is exact is not known."
    yield PageSection("Machine and versions", [said], HtmlTable((), rows, (False, False)) if rows else None)
    command, again = facts.get("command"), f"rltrain rerun {record.folder}"
    known = isinstance(command, str) and "--stop-with-input" not in command  # else a seed's, which no person types
    text = [f"It was begun with: {command}"] if known else []
    if len(runs) > 1:
        text = [f"Each run has its config; {record.folder.name} is made again, and held against these bytes, by:"]
    yield PageSection("To make it again", text, code=[again])
