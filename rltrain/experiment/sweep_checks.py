"""Whether a sweep and its config fit: what is measured, what may be varied, and which values the config takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rltrain import registry
from rltrain.errors import InputError
from rltrain.experiment.config import COUNTERS, Experiment
from rltrain.experiment.draft import Draft
from rltrain.experiment.settings import MODEL_SUFFIXES
from rltrain.experiment.space import OneOf, Range, Varied
from rltrain.experiment.sweep_settings import SweepConfig
from rltrain.spelling import did_you_mean, shown
from rltrain.yaml_subset import flow

CONFIG_BLOCKS = ("algorithm", "environment", "run")
_NOT_VARIED = {  # setting -> why it cannot be
    "algorithm.name": "each algorithm has settings of its own; make a sweep of each",
    "run.seed": "every trial has the same seeds; say how many with sweep.seeds, of a grid with --seeds",
    "run.evaluate": "the score is what evaluations measure; trials that are measured in different ways have no order",
    "run.sinks": "the same for all trials; write it into the config",
    "run.track": "the same for all trials; write it into the config",
    "run.max_wall": "a trial must not depend on the clock; `rltrain sweep --max-wall` stops a whole sweep",
}


def check_score(draft: Draft, settings: SweepConfig, base: Experiment) -> None:
    """The config must measure what trials are ranked by, at every place where they are."""
    where = ("sweep", "config")
    if base.task == "mdp":
        rule = f"{base.algorithm_name} plays no games, so its runs have no score; try values with `rltrain mdp solve`"
        return draft.fault(where, rule)
    every, budget, halving = base.run.evaluate.every, dict(base.run.budget or {}), settings.halving
    name = shown(settings.config)
    counter = next(iter(budget), "env_steps") if halving is None else halving.counter
    end = budget.get(counter, 1) if halving is None else halving.low
    if halving is not None:
        known = {*COUNTERS, *registry.plugin(base.algorithm_name).budget}
        if counter not in known:
            return draft.fault(("sweep", "halving", "counter"), f"unknown counter{did_you_mean(counter, known)}")
        if halving.low >= halving.high:
            rule = f"must be more than from, {halving.low:,}, got {halving.high:,}"
            return draft.fault(("sweep", "halving", "to"), rule)
    interval = (every or {}).get(counter)
    write_it = f"write run.evaluate.every={{{counter}: {max(1, end if halving else end // 10)}}}"
    if every is None:
        draft.fault(where, f"{name} measures nothing: run.evaluate.every is null; {write_it}")
    elif halving is not None and interval is None:
        draft.fault(("sweep", "halving"), f"{name} is not evaluated by {counter}, which rungs count; {write_it}")
    elif interval is not None and interval > end and (halving is not None or every.keys() <= budget.keys()):
        at = f"is spent at {end:,} {counter}" if halving is None else f"comes to its first rung at {end:,} {counter}"
        at_key = where if halving is None else ("sweep", "halving", "from")
        draft.fault(at_key, f"a trial {at}, before its first evaluation at {interval:,}; {write_it}")
    until = base.run.evaluate.until
    if until is not None and (halving is not None or settings.score == "auc"):
        what = "comes to all rungs" if halving is not None else "has its whole curve"
        draft.fault(where, f"run.evaluate.until={until:g} ends a trial before it {what}; write run.evaluate.until=null")


def check_varied(draft: Draft, settings: SweepConfig, said: Mapping[str, Varied]) -> None:
    """Some settings are the same for all trials."""
    fixed = dict(_NOT_VARIED)
    if settings.halving is not None:
        fixed["run.budget"] = "halving says how long a trial runs; leave out one of them"
    for key in said:
        why = next((why for name, why in fixed.items() if f"{key}.".startswith(f"{name}.")), None)
        if why is not None:
            draft.fault(("space", key), f"cannot be varied: {why}")
        elif key in CONFIG_BLOCKS:
            such = {"algorithm": "algorithm.gamma", "environment": "environment.id"}.get(key, "run.threads")
            draft.fault(("space", key), f"a whole block; name one setting of it, such as {such}")
        elif outer := next(
            (other for other in said if key.startswith(f"{other}.") and other not in CONFIG_BLOCKS), None
        ):
            rule = f"lies within {outer}, which is varied too and would set it anew; vary one of them"
            draft.fault(("space", key), rule)


def check_typed(draft: Draft, typed: Sequence[str]) -> None:
    """What is typed for the config alone would have no effect where the space varies it."""
    block = draft.tree.get("space")
    for override in typed:
        key, _, value = override.partition("=")
        varied = next((name for name in block or () if f"{key}.".startswith(f"{name}.")), None)
        if varied is not None:
            rule = f"has no effect, as space varies {shown(varied)}"
            one = f"; to try this value alone: space.{key}=[{value}]" if varied == key else ""
            raise InputError(f"command line: {shown(override)}: {rule}{shown(one)}")


def check_models(draft: Draft, base: Experiment, said: Mapping[str, Varied]) -> None:
    """A sweep keeps copies of the known models that it tries, side by side by their names."""
    if "environment.id" not in said:
        return
    kept: dict[str, Path] = {}
    tried = [base.replace(f"environment.id={flow(name)}") for name in tried_models(said["environment.id"])]
    for path in (Path(each.environment.id) for each in (base, *tried) if each.environment.is_model):
        if kept.setdefault(path.name, path.resolve()) != path.resolve():
            rule = f"two models are called {path.name}, and a sweep keeps a copy of each; rename one"
            draft.fault(("space", "environment.id"), shown(rule))


def tried_models(varied: Varied) -> list[str]:
    """Which of these ids are files of known models."""
    ids = [value for value in varied.points if isinstance(value, str)] if isinstance(varied, OneOf) else []
    return [name for name in ids if name.endswith(MODEL_SUFFIXES)]


def try_values(draft: Draft, base: Experiment, key: str, varied: Varied) -> None:
    """Note which values the config refuses, each tried alone."""
    tried = (
        {(index,): value for index, value in enumerate(varied.values)}
        if isinstance(varied, OneOf)
        else {("from",): varied.low, ("to",): varied.high}
    )
    rules = {path: _refused(base, (f"{key}={flow(value)}",)) for path, value in tried.items()}
    broken = {path: rule for path, rule in rules.items() if rule}
    if len(broken) == len(tried) and len(set(broken.values())) == 1 and "unknown" in next(iter(broken.values())):
        return draft.fault(("space", key), next(iter(broken.values())))  # the setting, whatever its value
    for path, rule in broken.items():
        whole = "whole number" in rule and isinstance(varied, Range)
        draft.fault(("space", key, *path), f"{rule}; write both ends without a point" if whole else rule)


def try_points(draft: Draft, base: Experiment, points: Iterable[Sequence[str]]) -> None:
    """Note the first point of a grid, as overrides, that the config refuses, though it takes each value alone."""
    for overrides in points:
        if rule := _refused(base, overrides):
            draft.fault(("space",), f"{' '.join(overrides)}: {rule}")
            return


def _refused(base: Experiment, overrides: Sequence[str]) -> str:
    """Why the config does not take these overrides: the rule alone, without where it was written; else empty."""
    try:
        base.replace(*overrides)
    except InputError as error:
        places = [re.escape(f"command line: {shown(override)}") for override in overrides]
        places.append(rf"{re.escape(shown(base.source))}:\d+")
        first = re.sub(rf"^(?:{'|'.join(places)}): ", "", str(error).splitlines()[0])
        keys = [override.partition("=")[0] for override in overrides]
        return first.removeprefix(f"{keys[0]}: ") if len(keys) == 1 else first
    return ""
