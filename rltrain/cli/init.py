"""`rltrain init`: write a config to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rltrain.cli import complete
from rltrain.cli.options import Imports
from rltrain.cli.output import say
from rltrain.errors import InputError


def init_command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A config that comes with rltrain, which is copied; else the new file's name.",
            autocompletion=complete.configs,
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="KEY.SUB=VALUE", help="Settings in place of the defaults.")
    ] = None,
    env: Annotated[str | None, typer.Option("--env", "--env-id", metavar="ID", help="The environment.")] = None,
    algo: Annotated[
        str | None,
        typer.Option(
            "--algo",
            metavar="NAME",
            help="What learns; else what suits it.",
            autocompletion=complete.algorithms,
        ),
    ] = None,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="Where to write it; `-`: on the screen.")
    ] = None,
    from_zoo: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Hyperparameters of RL Baselines3 Zoo for --env: its dqn.yml, ppo.yml or a2c.yml."
        ),
    ] = None,
    imports: Imports = None,
) -> None:
    """Write a config to begin with: every setting with its default and what it means. Overwrites nothing."""
    from rltrain.verbs import init

    words = [*([] if name is None else [name]), *(overrides or [])]
    name = words.pop(0) if words and "=" not in words[0] else None
    chosen = any(option is not None for option in (env, algo, from_zoo))
    source = init.source_of(name) if name is not None and not chosen else None
    if from_zoo is not None:
        if env is None:
            raise InputError(f"--from-zoo {from_zoo}: for which environment? --env CartPole-v1")
        made = init.from_zoo(from_zoo, algo, env, [*words, *init.needed(imports or ())])
    elif source is not None:
        if words:
            raise InputError(f"{source} is copied as it is: leave out {words[0]}, and change the copy")
        made, name = init.copy(source, Path(output or ".").parent), None
    else:
        made = init.fresh(algo, env, [*words, *init.needed(imports or ())])
    file = Path(output if output is not None else f"{(name or made.stem).removesuffix('.yaml')}.yaml")
    text = made.text(f"{made.stem}.yaml" if output == "-" else file.name)
    if output == "-":
        say(text.rstrip("\n"))
        return
    init.write_all({file: text, **made.beside})
    say(f"{file}: {made.title}")
    for beside in made.beside:
        say(f"{beside}: what it needs, which only you may import")
    for note in made.notes:
        say(note)
    say(f"next: rltrain train {file}{made.flags}")
