"""A complete config as text for a person: every setting with its value, and its description in a comment above it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from rltrain import registry
from rltrain.experiment.config import Experiment
from rltrain.experiment.faults import fields_at
from rltrain.yaml_subset import KeyPath, flow, word

WIDTH = 100  # characters of a line


def written(experiment: Experiment, head: Sequence[str], environment_id: str | None = None) -> str:
    """YAML text that `config.loads` makes this experiment of.

    head            lines for the comment that it begins with
    environment_id  as the file is to say it, where that is shorter than the place in which a model was found
    """
    tree = experiment.to_dict()
    tree["run"] = experiment.run.model_dump(mode="json")
    environment = dict(tree["environment"])
    if environment_id is not None:
        environment["id"] = environment_id
    settings = dict(tree["algorithm"])
    name = settings.pop("name")
    lines = [part for line in head for part in _wrapped(line, "# ", "#     ") or ["#"]]
    lines += ["", "# What learns.", "algorithm:", *_comment(registry.summary(name), "  "), f"  name: {word(name)}"]
    lines += _settings(settings, type(experiment.algorithm), (), "  ")
    lines += ["", "# In what it learns.", "environment:"]
    lines += _settings(environment, type(experiment.environment), (), "  ")
    lines += ["", "# How long, from which seed, when it is measured and saved, and on what.", "run:"]
    lines += _settings(tree["run"], type(experiment.run), (), "  ")
    return "\n".join(lines) + "\n"


def _settings(tree: Mapping[str, Any], model: type[BaseModel], path: KeyPath, indent: str) -> Iterator[str]:
    known = fields_at(model, path)
    for key, value in tree.items():
        yield from _comment(_with_choices(known[key], model, (*path, key)), indent)
        if isinstance(value, Mapping) and fields_at(model, (*path, key)):  # a block, whose keys are known
            yield f"{indent}{word(key)}:"
            yield from _settings(value, model, (*path, key), f"{indent}  ")
        else:
            yield f"{indent}{word(key)}: {flow(value)}"


def _comment(text: str, indent: str) -> list[str]:
    text = re.sub(r"\bNone\b", "null", text)  # as YAML calls it
    return _wrapped(text, f"{indent}# ", f"{indent}# ")


def _wrapped(text: str, first: str, later: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=later,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _with_choices(text: str, model: type[BaseModel], path: KeyPath) -> str:
    """A description that says what may be chosen, where it does not say so itself."""
    fields = {info.alias or name: info for name, info in model.model_fields.items()}
    if len(path) > 1 or path[0] not in fields:
        return text
    choices = list(_choices(fields[str(path[0])].annotation))
    if all(choice in text for choice in choices):
        return text
    return f"{text.rstrip('.')}. One of: {', '.join(choices)}."


def _choices(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from (choice for choice in get_args(annotation) if isinstance(choice, str))
    else:
        for argument in get_args(annotation):
            yield from _choices(argument)
