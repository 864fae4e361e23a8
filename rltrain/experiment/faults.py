"""What pydantic found wrong, in short sentences: the rule, the value, the nearest right name.

Pydantic reports every branch of a union by itself, with the branch's name inside the path. Here one value gets one
sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rltrain.spelling import described, did_you_mean, nearest, shown
from rltrain.yaml_subset import KeyPath

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "none_required": "null",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a block of settings",
    "model_type": "a block of settings",
    "model_attributes_type": "a block of settings",
}
_BOUNDS = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "finite_number": "must be finite",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "too_short": "needs {min_length} or more entries",
    "too_long": "takes {max_length} entries at most",
    "int_parsing_size": "must be smaller",
}


def sentences(
    error: ValidationError, model: type[BaseModel], data: Mapping[str, Any], elsewhere: Mapping[str, str]
) -> Iterator[tuple[KeyPath, str]]:
    """(path in `data`, rule broken) for every value of `data` that `model` refused with this error.

    elsewhere   {key: dotted key}: where a key belongs that stands in the wrong block
    """
    found: dict[KeyPath, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        found.setdefault(_path(details, data), []).append(details)
    inner = {path[:length] for path in found for length in range(len(path))}
    for path, several in found.items():
        # Where a block fits one branch of a union but for a setting inside it, what the other branches say is noise.
        if not (path in inner and all(_expected(details) for details in several)):
            yield path, _sentence(path, several, model, data, elsewhere)


def fields_at(model: type[BaseModel], path: KeyPath) -> dict[str, str]:
    """The settings that may stand at this place of the model, with their descriptions; empty where any name may."""
    models = [model]
    for key in path:
        fields = [info for m in models for name, info in m.model_fields.items() if key == (info.alias or name)]
        models = [inner for info in fields for inner in _models_in(info.annotation)]
    return {info.alias or name: info.description or "" for m in models for name, info in m.model_fields.items()}


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _path(details: ErrorDetails, data: Any) -> KeyPath:
    """The error's place in the data: pydantic's own, less the names of union branches."""
    path: list[str | int] = []
    for index, key in enumerate(details["loc"]):
        inside = isinstance(data, Mapping) and key in data
        if inside or (isinstance(data, list) and isinstance(key, int) and key < len(data)):
            data = data[key]
            path.append(key)
        elif details["type"] == "missing" and index == len(details["loc"]) - 1:
            path.append(key)
    return tuple(path)


def _sentence(
    path: KeyPath, several: Sequence[ErrorDetails], model: type[BaseModel], data: Any, elsewhere: Mapping[str, str]
) -> str:
    broken = [_broken(path, details, model, elsewhere) for details in several if not _expected(details)]
    if broken:  # a branch that takes this type says more than those that do not
        return broken[0]
    *others, last = dict.fromkeys(_expected(details) for details in several)
    expected = f"{', '.join(others)} or {last}" if others else last
    value = at(data, path)
    return f"expected {expected}, got {described(value)}{_hint(value, several)}"


def _expected(details: ErrorDetails) -> str:
    """What kind of value the error asks for; empty where the kind was right."""
    if details["type"] in ("literal_error", "enum"):
        return str(details["ctx"]["expected"])
    return _EXPECTED.get(details["type"], "")


def _broken(path: KeyPath, details: ErrorDetails, model: type[BaseModel], elsewhere: Mapping[str, str]) -> str:
    kind = details["type"]
    if kind == "extra_forbidden":
        key = str(path[-1])
        if key in elsewhere:
            return f"unknown key; did you mean '{elsewhere[key]}'?"
        return f"unknown key{did_you_mean(key, fields_at(model, path[:-1]))}"
    if kind == "missing":
        description = fields_at(model, path[:-1]).get(str(path[-1]), "")
        return f"missing ({description})" if description else "missing"
    if kind in ("value_error", "assertion_error"):  # a validator's own words
        return shown(str(details["ctx"]["error"]))
    value = described(details["input"])
    if kind in _BOUNDS:
        bounds = {name: described(bound) for name, bound in details.get("ctx", {}).items()}
        return f"{_BOUNDS[kind].format(**bounds)}, got {value}"
    rule = details["msg"].replace("Input should", "must")
    return f"{rule[:1].lower()}{rule[1:]}, got {value}"


def _hint(value: Any, several: Sequence[ErrorDetails]) -> str:
    if not isinstance(value, str):
        return ""
    if any(details["type"] == "bool_type" for details in several) and value.lower() in ("yes", "no", "on", "off"):
        return f"; write {'true' if value.lower() in ('yes', 'on') else 'false'}"
    choices = [name for details in several for name in re.findall(r"'([^']*)'", _expected(details))]
    found = nearest(value, choices)
    return f"; did you mean '{found}'?" if found else ""


def at(data: Any, path: KeyPath) -> Any:
    """The value at this path of nested dicts and lists."""
    for key in path:
        data = data[key]
    return data
