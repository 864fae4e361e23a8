"""A computation as one Python file: readable lines, the functions that they call, the weights, and a test of itself.

A table, a rule, a linear map and a small network take no numpy: they are lists of numbers in float64. Pictures and
larger networks are arrays; with convolutions in float32, in which they were learned.
"""

from __future__ import annotations

import ast
import base64
import re
import textwrap
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pprint import pformat
from typing import Any

import numpy as np

from rltrain.computation import Convolution, Input, Value, in_order
from rltrain.core import Array
from rltrain.portable import calls
from rltrain.portable.frames import NUMPY, PLAIN, Frame

MOST_PLAIN = 20_000  # weights that lists of numbers take in some milliseconds an observation
MOST_LISTED = 2_000  # numbers that are written out; more are base64, a quarter of the size
ROLES = {  # of a call's constants, in their order
    "affine": ("scale", "offset"),
    "standardised": ("mean", "deviation", "clip"),
    "dense": ("weight", "bias"),
    "convolution": ("weight", "bias", "stride", "padding"),
    "layer_normalised": ("weight", "bias", "epsilon"),
    "bounded": ("low", "high"),
    "histogram_means": ("centres",),
    "lookup": ("table",),
    "planes": ("table",),
}
WHAT = {  # each output is
    "action": "the action: {actions}",
    "most_probable_action": "the most probable action: {actions}",
    "scores": "{score} of each action",
    "probabilities": "the probability of each choice, the choices side by side",
    "mean": "the mean of what is drawn",
}
SCORES = {"Q": "the value", "probability": "the probability"}
NO_LITERALS = {"inf": "INFINITY", "nan": "NAN"}  # what numbers are called that Python has no literals for
MODULES = ("base64", "math", "random", "struct", "sys", "zlib")


def _whole(inputs: Sequence[Input], about: Mapping[str, Any]) -> dict[str, int]:
    """Of inputs that are whole numbers the greatest: numbers of states, of colours, and bytes."""
    states, colours = about["observation"].get("states", 0), about["observation"].get("colours", 256)
    last = (states if isinstance(states, int) else len(states)) - 1
    return {
        own.name: last if own.dtype == "int64" else colours - 1 for own in inputs if own.dtype in ("int64", "uint8")
    }


def is_plain(inputs: Sequence[Input], outputs: Mapping[str, Value]) -> bool:
    """Whether they need no numpy."""
    return not calls.needs_numpy(inputs, list(outputs.values()), MOST_PLAIN)


def written(
    inputs: Sequence[Input],
    outputs: Mapping[str, Value],
    title: str,
    about: Mapping[str, Any],
    actions: str,
    examples: Mapping[str, Array],
    answers: Array,
) -> bytes:
    """The file. `examples` are inputs by name, [n, ...], and `answers` the actions that the checkpoint takes there."""
    plain = is_plain(inputs, outputs)
    frame = PLAIN if plain else NUMPY
    writer = _Lines(list(outputs.values()), plain)
    lines = [f"    {line}" for line in writer.lines]
    names = {name: writer.names[value] for name, value in outputs.items()}
    lines.append("    return {" + ", ".join(f'"{name}": {own}' for name, own in names.items()) + "}")
    score = SCORES.get(about["scores"], "the score")
    what = {name: WHAT.get(name, name).format(actions=actions, score=score) for name in outputs}
    whole = _whole(inputs, about)
    draws = bool(about["drawn"]) and about["actions"]["form"] == "discrete"
    body = [
        f"ABOUT = {pformat(dict(about), width=110, sort_dicts=False)}",
        f"INPUTS = {pformat({each.name: (each.dtype, *each.shape) for each in inputs}, sort_dicts=False)}",
        f"WHOLE = {pformat(whole)}  # of inputs that are whole numbers: the greatest",
        *(["FLOAT32_MOST = 3.4028234663852886e38"] if plain else []),
        *(_function(name, said, frame) for name, said in what.items()),
        *([frame.draws] if draws else []),
        frame.rows,
        "\n".join([frame.compute.rstrip(), *lines]),
        *(_source(frame.module, name) for name in sorted(writer.functions)),
        *([frame.unpacked] if writer.is_packed else []),
        *(f"{name} = {text}" for name, text in writer.constants.items()),
        _examples(examples, answers, plain),
        frame.check.replace("FIRST", "act" if "action" in outputs else "most_probable_action"),
    ]
    text = "\n\n\n".join(part.strip("\n") for part in body)
    head = [f"import {module}" for module in MODULES if f"{module}." in text]
    if not plain:
        head += ["", "import numpy as np", "", f"FLOAT = np.{writer.dtype.__name__}"]
    head += [f'{name} = float("{own}")' for own, name in NO_LITERALS.items() if own in writer.no_literals]
    return (
        "\n\n\n".join([_docstring(title, about, what, plain), "\n".join(head), text, ""]).rstrip("\n").encode() + b"\n"
    )


class _Lines:
    """A computation as lines of Python, and the constants and functions that they need."""

    def __init__(self, wanted: Sequence[Value], plain: bool) -> None:
        self._plain = plain
        values = in_order(wanted)
        self.dtype: Any = np.float32 if any(isinstance(value, Convolution) for value in values) else np.float64
        self.names: dict[Value, str] = {}
        self.lines: list[str] = []
        self.constants: dict[str, str] = {}
        self.functions: set[str] = set()
        self.is_packed = False
        self.no_literals: set[str] = set()
        self._kept: dict[int, str] = {}  # of an array, its constant
        for value in values:
            if isinstance(value, Input):
                self.names[value] = f'rows["{value.name}"]'
            else:
                self._add(value)

    def _add(self, value: Value) -> None:
        call = calls.call_of(value)
        self.functions.add(call.function)
        roles = ROLES.get(call.function, ())
        given = [self.names[below] for below in call.operands]
        for place, constant in enumerate(call.constants):
            if isinstance(constant, np.ndarray):
                turned = self._plain and call.function == "dense" and place == 0  # a row for each output
                given.append(self._constant(roles[place], constant.T if turned else constant))
            else:
                given.append(repr(constant))
        name = f"x{len(self.lines) + 1}"
        self.lines.append(f"{name} = {call.function}({', '.join(given)})")
        self.names[value] = name

    def _constant(self, role: str, array: Array) -> str:
        count = 1 + sum(name.startswith(role.upper()) for name in self.constants)
        name = f"{role.upper()}_{count}"
        if self._plain and array.ndim == 0:
            array = array[None]
        self.constants[name] = self._text(array)
        return name

    def _text(self, array: Array) -> str:
        kind = array.dtype.kind
        if kind == "f" and not self._plain:
            array = array.astype(self.dtype)
        if array.size <= MOST_LISTED:
            text = pformat(array.tolist(), width=118, compact=True)
            for own, name in NO_LITERALS.items():
                if own in text:
                    self.no_literals.add(own)
                    text = text.replace(own, name)
            if self._plain:
                return text
            return f"np.array({text}, {'FLOAT' if kind == 'f' else 'np.int64'})"
        self.is_packed = True
        array = array.astype(array.dtype.newbyteorder("<"))
        shape = ", ".join(map(str, array.shape))
        return f'unpacked("{array.dtype.str[1:]}", ({shape},), """\n{_wrapped(array.tobytes())}\n""")'


def _wrapped(data: bytes) -> str:
    text = base64.b64encode(data).decode()
    return "\n".join(text[at : at + 118] for at in range(0, len(text), 118))


@cache
def _functions(module: str) -> dict[str, str]:
    """The source of each function of `with_numpy` or `without_numpy`."""
    text = resources.files("rltrain.portable").joinpath(f"{module}.py").read_text(encoding="utf-8")
    return {
        node.name: ast.get_source_segment(text, node) or ""
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef)
    }


def _source(module: str, name: str) -> str:
    return re.sub(r": (Any|int|float|bool)(?=[,)])| -> Any", "", _functions(module)[name])


def _function(output: str, said: str, frame: Frame) -> str:
    text = frame.function.replace("NAME", function_of(output)).replace("OUTPUT", output)
    return text.replace("SAID", f"{said[0].upper()}{said[1:]}.")


def function_of(output: str) -> str:
    """The name of the function that gives an output."""
    return "act" if output == "action" else output


def _docstring(title: str, about: Mapping[str, Any], what: Mapping[str, str], plain: bool) -> str:
    """What the file is, how it is called, and what an observation is."""
    mask = ", mask" if about["mask"] else ""
    called = {f"{function_of(name)}(obs{mask})": said for name, said in what.items()}
    width = max(map(len, called))
    taken = ", one at a time" if plain else ", or a batch [N, ...] of such"
    lines = [
        f"{title}. It needs {'Python' if plain else 'numpy'} and nothing else.",
        "",
        *(f"    {call:<{width}}   {said}" for call, said in called.items()),
        "",
        *_wrap(f"obs is {_form(about['observation'])}{taken}."),
        *(_wrap(f"mask is {about['mask']}; None: everything.") if mask else ()),
        *(line for own in about["preprocessing"] for line in _wrap(f"{own[0].upper()}{own[1:]}.")),
        *_wrap("What is none of this is a ValueError, and so are NaN, infinity and a mask that is all false."),
        *(_wrap(f"It draws its actions: {about['drawn']}.") if about["drawn"] else ()),
        "",
        "To run this file checks it on observations that were recorded. ABOUT says what it was made from.",
    ]
    text = "\n".join(lines).replace("\\", "\\\\").replace('"""', "'''")
    return f'"""{text}\n"""'


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, 118, break_on_hyphens=False)


def _form(observation: Mapping[str, Any]) -> str:
    if "dtype" in observation:
        return f"{observation['dtype']} {observation['shape']}"
    parts = ", ".join(f"{name!r}: {own['dtype']} {own['shape']}" for name, own in observation.items())
    return f"a dict {{{parts}}}"


def _examples(inputs: Mapping[str, Array], answers: Array, plain: bool) -> str:
    """Observations and the actions that were taken there, as lines that the file's own test reads."""
    if plain:
        each = [
            tuple(own[number].tolist() for own in inputs.values()) + (answers[number].tolist(),)
            for number in range(len(answers))
        ]
        return f"EXAMPLES = {pformat(each, width=118, compact=True)}"
    packed = {
        name: (own.dtype.str[1:], own.shape, _wrapped(zlib.compress(np.ascontiguousarray(own).tobytes(), 9)))
        for name, own in inputs.items()
    }
    lines = [f'    "{name}": ("{dtype}", {shape}, """\n{text}\n"""),' for name, (dtype, shape, text) in packed.items()]
    return "\n".join(["EXAMPLES = {", *lines, "}", f"ANSWERS = {pformat(answers.tolist(), width=110, compact=True)}"])
