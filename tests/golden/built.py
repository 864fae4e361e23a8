"""The command line, built once: Typer builds every verb anew for each call of its application, some 50 ms."""

import functools
from collections.abc import Sequence
from typing import Any

import typer

from rltrain import cli


def app(words: Sequence[str], **options: Any) -> object:
    """`rltrain.cli.app`, called with the words after `rltrain`."""
    return _command()(list(words), **options)


@functools.cache
def _command() -> Any:
    return typer.main.get_command(cli.app)
