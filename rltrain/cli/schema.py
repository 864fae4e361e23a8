"""`rltrain schema`: the JSON Schema of a config, with which an editor completes and checks it."""

from __future__ import annotations

from rltrain.cli.output import say


def schema_command() -> None:
    """Print the JSON Schema of a config, for editors: rltrain schema > rltrain.schema.json"""
    say(schema_text())


def schema_text() -> str:
    """The schema as text."""
    import json

    from rltrain.experiment import schema

    return json.dumps(schema.schema(), indent=2)
