"""`rltrain schema`: the JSON Schema of a config or of a sweep file, with which an editor completes and checks it."""

from __future__ import annotations

from typing import Annotated

import typer

from rltrain.cli.output import say


def schema_command(
    sweep: Annotated[bool, typer.Option("--sweep", help="Of sweep files, not of configs.")] = False,
) -> None:
    """Print the JSON Schema of a config, for editors: rltrain schema > rltrain.schema.json"""
    say(schema_text(sweep))


def schema_text(sweep: bool = False) -> str:
    """The schema as text, of configs or of sweep files."""
    import json

    from rltrain.experiment import schema

    return json.dumps(schema.sweep_schema() if sweep else schema.schema(), indent=2)
