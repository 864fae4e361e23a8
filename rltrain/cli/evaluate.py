"""`rltrain eval`: play whole games with a saved policy and say how good it is, beside the baselines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rltrain.cli import complete
from rltrain.cli.options import Device, Epsilon, GamesSeed, Imports, JsonFlag, Protocol, RunsDir
from rltrain.cli.output import complain, say_json
from rltrain.cli.progress import STOPPED, line
from rltrain.errors import InputError

if TYPE_CHECKING:
    from rltrain.verbs.evaluate import PolicyScore
    from rltrain.verbs.seeds.evaluate import SeedsScore


def eval_command(
    given: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help="The same as --checkpoint RUN.",
            autocompletion=complete.runs,
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "-c",
            "--checkpoint",
            metavar="PATH|RUN",
            help="A checkpoint folder, or a run: its best one.",
            autocompletion=complete.runs,
        ),
    ] = None,
    episodes: Annotated[int, typer.Option("-n", "--episodes", metavar="N", min=1, help="Games to play.")] = 30,
    protocol: Protocol = None,
    epsilon: Epsilon = None,
    seed: GamesSeed = 0,
    last: Annotated[bool, typer.Option("--last", help="Of a run, the newest checkpoint rather than the best.")] = False,
    device: Device = None,
    actors: Annotated[
        int | None,
        typer.Option("--actors", metavar="N", min=1, max=4096, help="Play the games by N processes on Ray."),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    imports: Imports = None,
    json: JsonFlag = False,
) -> None:
    """Measure a trained policy: mean, spread and 95 % interval of raw scores, beside the baselines."""
    # Before torch is imported. Between two products its threads would wait by turning round, on the cores that the
    # emulators need: on a busy machine an evaluation then takes three times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    checkpoint = checkpoint or given
    if checkpoint is None:
        raise InputError("which run or checkpoint? For example: rltrain eval --checkpoint runs/dqn-CartPole-v1-1")
    from rltrain.cli import scores
    from rltrain.run import build, group

    several = group.find(runs_dir, checkpoint)
    result: PolicyScore | SeedsScore
    with build.played_by(actors) as crew:
        if several is not None:
            from rltrain.verbs.seeds.evaluate import SeedsEvaluation

            playing = SeedsEvaluation(
                several, episodes, protocol, epsilon, seed, last=last, device=device, progress=line, crew=crew
            )
            for warning in playing.play():
                complain(f"warning: {warning}")
            result = seeds = playing.result()
        else:
            from rltrain.verbs import saved_policy
            from rltrain.verbs.evaluate import evaluate

            saved = saved_policy.read(checkpoint, runs_dir, last)
            for warning in saved.warnings:
                complain(f"warning: {warning}")
            result = alone = evaluate(saved, episodes, protocol, epsilon, seed, device=device, progress=line, crew=crew)
        for notice in crew.notices if crew else ():
            complain(f"warning: {notice.text}")
    if not json:
        if several is not None:
            scores.show_seeds(seeds)
        else:
            scores.show(alone)
    if json:
        say_json(result.json())
    if result.partial:
        line.said()
        complain(f"{STOPPED}: what was measured is partial")
        raise typer.Exit(130)
