"""What the help of every verb has in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from rltrain.cli import app


def commands(command: Any, name: str = "rltrain") -> Iterator[tuple[str, Any]]:
    if isinstance(command, TyperGroup):
        for verb, inner in command.commands.items():
            yield from commands(inner, f"{name} {verb}")
    else:
        yield name, command


def test_arguments_are_called_in_capitals_and_a_run_is_called_alike_everywhere() -> None:
    found = {
        f"{name} {parameter.name}": parameter.metavar
        for name, command in commands(typer.main.get_command(app))
        for parameter in command.params
        if parameter.param_type_name == "argument" and name != "rltrain list"  # which names its sections
    }
    assert len(found) > 20
    assert {name for name, metavar in found.items() if metavar is None} == set()
    words = {name: str(metavar).strip("[].") for name, metavar in found.items()}
    assert {name for name, word in words.items() if word != word.upper()} == {"rltrain sweep resume overrides"}
    assert {word for word in words.values() if "RUN" in word} == {"RUN", "RUNS", "CONFIG|RUN"}
