"""`rltrain mdp simulate`: random episodes of a known model under a policy, beside what is expected exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rltrain.cli.mdp import options
from rltrain.cli.progress import line
from rltrain.errors import InputError


def simulate_command(
    model: options.ModelName = None,
    settings: options.Settings = None,
    imports: options.Imports = None,
    minimize: options.Minimize = False,
    strict: options.Strict = False,
    policy: Annotated[
        str | None,
        typer.Option(metavar="FILE|optimal|random|ACTION", help="Else optimal; a Markov chain needs none."),
    ] = None,
    episodes: Annotated[int, typer.Option("-n", "--episodes", metavar="N", min=1, help="To play.")] = 1000,
    steps: Annotated[int, typer.Option(metavar="T", min=1, help="Where an episode is cut, if it has not ended.")] = 100,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="The same seed draws the same episodes.")] = 0,
    discount: options.Discount = None,
    start: Annotated[str | None, typer.Option(metavar="STATE", help="Else where the model starts.")] = None,
    show: Annotated[int, typer.Option(metavar="N", min=0, help="Episodes to print, step by step.")] = 3,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.csv", help="Every step of every episode, as a table.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Let -o replace a file.")] = False,
    limit: options.Limit = None,
    json: options.Json = False,
) -> None:
    """Play episodes of a known model: returns and visits, beside their exact expectation."""
    from rltrain.cli.mdp import answer
    from rltrain.cli.mdp.answers.simulation import of_simulation
    from rltrain.verbs.mdp import simulate as verb

    options.no_limit_with_json(limit, json)
    if output is not None:
        verb.check_target(output, overwrite, episodes, steps)
    elif overwrite:
        raise InputError("--overwrite is for -o FILE.csv")
    loaded = options.loading(model, settings, minimize, strict)
    task = verb.task_of(loaded, policy, discount, start, episodes=episodes, steps=steps, seed=seed, progress=line)
    if output is not None:
        verb.write_steps(output, task)
    found = verb.simulate(task, show, line)
    answer.show(of_simulation(found, limit), json, "" if output is None else str(output))
