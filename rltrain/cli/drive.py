"""A run that is at work, for whoever sits before it: shown step by step, stopped by a signal, and what is said last."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from rltrain.cli.diagnosed import diagnosed
from rltrain.cli.errors import keeping_crashes
from rltrain.cli.output import Output, complain, say
from rltrain.errors import DivergedError, EnvironmentFault, RltrainError

if TYPE_CHECKING:
    from rltrain.cli.display import View
    from rltrain.cli.signals import Asked
    from rltrain.run.loop import Event, Run


def command_line() -> str:
    """What was typed, for run.json."""
    return shlex.join(["rltrain", *sys.argv[1:]])


def drive(run: Run, quiet: bool) -> int:
    """Advance a run to its end or to the first signal, show it, and free its folder. Returns the exit code."""
    from rltrain.run.tables import summary_lines

    asked, steps = advance(run, lambda: view_of(run, quiet), run.advance())
    verdict, *advice = ending(run, asked, steps, quiet)
    say(verdict)
    if run.finished and not quiet:
        for line in summary_lines(run.experiment, run.spec, run.algorithm):
            say(line)
    if steps and not quiet:  # the verdict does not wait for the picture
        say(picture(run))
        for line in diagnosed({"": run.folder}):
            say(line)
    for line in advice:
        say(line)
    return asked.exit_code


def advance(run: Run, view: Callable[[], View[Event]], events: Iterable[Event]) -> tuple[Asked, int]:
    """Go through the events of a run, show them, and free its folder. Returns who asked it to stop, and its steps."""
    from rltrain.cli.signals import stopping
    from rltrain.verbs.train import state_after

    state: str | None = "crashed"
    steps = 0
    with keeping_crashes(run.folder):
        try:
            with stopping(run.request_stop) as asked:
                shown = view()
                try:
                    for event in events:
                        steps += event.kind == "step"
                        shown.show(event)
                finally:
                    shown.close()
            state = None
        except RltrainError as error:
            state = state_after(error)
            if not isinstance(error, DivergedError):
                mended = "when the environment is mended, " if isinstance(error, EnvironmentFault) else ""
                complain(f"{mended}go on from the last checkpoint with: rltrain resume {run.folder}")
            raise
        finally:
            run.close(state)
    return asked, steps


def view_of(run: Run, quiet: bool) -> View[Event]:
    """Who shows this run: on a terminal, in a log, or warnings alone, which needs none of what draws."""
    from rltrain.cli.views import QuietView, view

    stream = Output(sys.stdout)
    if quiet:
        return QuietView(stream)
    from rltrain.cli.run_display import RunDisplay, RunFacts
    from rltrain.verbs.history import recall
    from rltrain.verbs.metrics import measure
    from rltrain.verbs.truth import discounts_apart

    facts = RunFacts(
        title=f"{run.experiment.algorithm_name} on {run.experiment.environment.name}",
        folder=str(run.folder),
        budget=run.budget,
        frames_per_step=run.spec.frames_per_step,
        progress=run.progress,
        past=recall(run.folder, run.counters, measure(run.budget)),
        note=discounts_apart(run.experiment, run.spec),
    )
    return view(RunDisplay(facts), stream)


def picture(run: Run) -> str:
    """Play the baselines of a finished run and draw its curve; the line that says where it is, or why it is not."""
    from rltrain.cli.progress import line
    from rltrain.verbs.train import draw

    try:
        with line.over("drawing the curve"):
            return f"curve: {draw(run, line)}"
    except RltrainError as error:
        return f"no curve: {error}"


def ending(run: Run, asked: Asked, steps: int, quiet: bool) -> list[str]:
    """What is said last: what happened in a session of so many steps, and what to type next."""
    from rltrain import words
    from rltrain.imports import typed
    from rltrain.verbs.metrics import measure

    unit = measure(run.budget)
    done = (
        f"{words.count(run.counters[unit])} {words.counter(unit)} in {words.spell(run.progress()['elapsed_seconds'])}"
    )
    if not run.finished:
        why = {"SIGINT": "Ctrl-C", "SIGTERM": "SIGTERM", None: "--max-wall"}[asked.reason]
        return [f"stopped by {why} after {done}, and saved", f"go on with: rltrain resume {run.folder}{typed()}"]
    best = ""
    if run.scores.best is not None:
        found = run.scores.best
        best = f", best evaluation {words.score(found['score'])} at {words.count(found['step'])}"
    if not steps:
        more = f"run.budget.{unit}={2 * run.counters[unit]}"
        if run.scores.solved:
            more = f"run.evaluate.until=null {more}"
        why = "run.evaluate.until" if run.scores.solved else "its budget"
        return [f"nothing to do: {done}, as {why} says", f"train on with: rltrain resume {run.folder}{typed()} {more}"]
    what = "solved" if run.scores.solved else "finished"
    finished = f"{what}: {done}{best}, in {run.folder}"
    return [finished] if quiet else [finished, f"next: rltrain eval --checkpoint {run.folder}{typed()}"]
