"""`rltrain schema`: the JSON Schema of a config, with which an editor completes and checks it."""

from __future__ import annotations

from rltrain.cli.output import say


def schema_command() -> None:
    """Print the JSON Schema of a config, for editors: rltrain schema > rltrain.schema.json"""
    say(schema())


def schema() -> str:
    """The schema as text."""
    import json

    from rltrain import config

    return json.dumps(config.schema(), indent=2)
