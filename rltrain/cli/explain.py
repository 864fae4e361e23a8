"""`rltrain explain`: one game of a saved policy, step by step, and why it did what it did."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rltrain import words
from rltrain.cli import complete
from rltrain.cli.options import Device, Epsilon, Imports, JsonFlag, Protocol, RunsDir
from rltrain.cli.output import complain, say, say_json
from rltrain.cli.progress import STOPPED, line
from rltrain.errors import InputError
from rltrain.outputs import check_output
from rltrain.spelling import shown

if TYPE_CHECKING:
    from rltrain.verbs.explain.explain import Explanation

FILM, PAGE = (".mp4", ".gif"), (".html", ".htm")
DETAILED = 8  # steps of a page that are shown in full


def explain_command(
    given: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="A run or a checkpoint folder.", autocompletion=complete.runs),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option("-c", "--checkpoint", metavar="PATH|RUN", help="The same as RUN.", autocompletion=complete.runs),
    ] = None,
    seed: Annotated[
        int,
        typer.Option("--game", "--seed", metavar="SEED", min=0, help="Which game: that of an evaluation of this seed."),
    ] = 0,
    step: Annotated[
        int | None, typer.Option("--step", metavar="N", min=0, help="This step in full, counted from 0.")
    ] = None,
    when: Annotated[
        str | None,
        typer.Option(metavar="EXPR", help="Steps where it holds: 'gap < 0.1 and not explored', 'chosen == left'."),
    ] = None,
    worst: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The N steps of the greatest TD errors, up or down.")
    ] = None,
    why: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="What each other action at step N leads to, by playing the game again."),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Of --why: so many steps each; else to the end.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="A page, FILE.html, or a film, FILE.mp4 or FILE.gif."),
    ] = None,
    protocol: Protocol = None,
    epsilon: Epsilon = None,
    last: Annotated[
        bool, typer.Option("--last/--best", help="Of a run, the newest checkpoint or the best (the default).")
    ] = False,
    device: Device = None,
    runs_dir: RunsDir = Path("runs"),
    imports: Imports = None,
    json: JsonFlag = False,
) -> None:
    """Why a policy does what it does: one game, with values, gaps and TD errors of every step.

    Columns of --when are step, chosen, best, explored, gap, value, td, reward, return and total; operators < <= > >= ==
    !=, and, or, not, brackets.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is imported: see `rltrain eval`
    checkpoint = checkpoint or given
    if checkpoint is None:
        raise InputError("which run or checkpoint? For example: rltrain explain runs/dqn-CartPole-v1-1")
    if horizon is not None and why is None:
        raise InputError(f"--horizon {horizon}: says how far --why looks; there is no --why N")
    _check(output)
    paged = output is not None and output.suffix.lower() in PAGE
    from rltrain.verbs.explain.explain import Question, explain

    asked = step is not None or when is not None or worst is not None
    with _said_to_be_missing(output):
        found = explain(
            checkpoint,
            Question(step, when, worst, why, horizon, DETAILED if paged else 0),
            seed=seed,
            protocol=protocol,
            epsilon=epsilon,
            last=last,
            device=device,
            runs_dir=runs_dir,
            pictures=output is not None or (step is not None and not json),
            progress=line,
        )
    for warning in found.warnings:
        complain(f"warning: {warning}")
    if json:
        say_json(found.json())
    else:
        from rltrain.cli.show import explained

        explained.show(found, whole=not asked and why is None, closely=not paged)
    partial = found.partial
    if output is not None:
        with _said_to_be_missing(output):
            partial |= _write(found, output, json)
    if partial:
        line.said()
        complain(f"{STOPPED}: what was found is partial")
        raise typer.Exit(130)


@contextmanager
def _said_to_be_missing(output: Path | None) -> Iterator[None]:
    """While open, Ctrl-C says besides that nothing was written: a file that is not whole has no name."""
    try:
        yield
    except KeyboardInterrupt:
        if output is None:
            raise
        line.said()
        complain(f"{STOPPED}: nothing was written to {shown(str(output))}")
        raise typer.Exit(130) from None


def _check(output: Path | None) -> None:
    """Raise before anything is played: InputError for another kind of file, MissingError, DiskError."""
    if output is None:
        return
    check_output(output, "a page or a film", (*PAGE, *FILM))
    if output.suffix.lower() in FILM:
        from rltrain.film import recording

        recording.check(output)


def _write(found: Explanation, output: Path, quiet: bool) -> bool:
    """Write the page or the film. Returns whether Ctrl-C left it shorter."""
    if output.suffix.lower() in PAGE:
        from rltrain.verbs.explain import page

        with line.phase(f"writing {output}"):
            page.write(found, output, shlex.join(["rltrain", *sys.argv[1:]]))
        said, stopped = f"page: {output}, {words.size(output.stat().st_size)}", False
    else:
        from rltrain.cli.show import explained_film

        said, stopped = explained_film.record(found, output, line)
    (complain if quiet else say)(shown(said))
    return stopped
