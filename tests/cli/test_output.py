"""Printing that cannot fail."""

import io
import json
import math
import os

from rltrain.cli.output import Output, say_json


def test_a_closed_pipe_ends_the_printing_only():
    reader, writer = os.pipe()
    os.close(reader)
    stream = open(writer, "w")  # noqa: SIM115  closed below
    output = Output(stream)
    output.write("x" * 100_000)
    output.flush()
    assert not output.alive
    assert output.write("more") == 4
    stream.close()  # what is left in its buffer goes to where nobody complains


def test_what_the_terminal_cannot_show_becomes_an_escape():
    raw = io.BytesIO()
    output = Output(io.TextIOWrapper(raw, encoding="ascii"))
    output.write("ε=\ud800")
    output.flush()
    assert raw.getvalue() == b"\\u03b5=\\ud800"


def test_json_has_null_for_what_is_no_number(capsys):
    say_json({"a": [math.nan, 1.5], "b": {"c": math.inf, "d": "é"}, "e": (1, None, True)})
    assert json.loads(capsys.readouterr().out) == {"a": [None, 1.5], "b": {"c": None, "d": "é"}, "e": [1, None, True]}
