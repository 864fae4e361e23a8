"""`rltrain trust`: modules and files that may be imported when they are needed, without `--import` each time."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from rltrain.cli.options import JsonFlag
from rltrain.cli.output import say, say_json
from rltrain.errors import InputError
from rltrain.spelling import shown


def trust_command(
    names: Annotated[list[str] | None, typer.Argument(metavar="MODULE|FILE", help="minigrid, or ./my_env.py.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="What is trusted now.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Trust these no more.")] = False,
    json: JsonFlag = False,
) -> None:
    """Let a package or a file of yours be imported when it is needed, without --import each time."""
    from rltrain import trust
    from rltrain.verbs.trust import add, gone

    if not names and not listed:
        raise InputError("trust what? For example: rltrain trust minigrid, or rltrain trust --list")
    lines = [line for name in names or () for line in (gone(name) if remove else add(name))]
    known = trust.load()
    if json:
        say_json({"settings": str(trust.place()), "modules": list(known.modules), "files": dict(known.files)})
        return
    for line in lines:
        say(shown(line))
    if not listed:
        return
    where = shown(str(trust.place()))
    say(f"trusted, in {where}" if known.all() else f"nothing is trusted, in {where}")
    for module in known.modules:
        say(f"  {shown(module)}")
    for path, sha256 in known.files.items():
        state = "" if os.path.exists(path) else ", which is gone"
        say(f"  {shown(path)}{state}, as of sha256 {sha256[:16]}")
