"""A hyperparameter file of RL Baselines3 Zoo, read: plain values of the block for one environment. Nothing is executed.

Such a file is YAML 1.1 with tags (`!!float 1e5`), anchors and merges (`<<: *defaults`). It has a block for each
environment and one, `atari`, for all games. Values may be Python in quotes, which the Zoo evaluates:
`dict(net_arch=[256, 256])`. Here its syntax tree is read, and only literals in it. Source: `hyperparams/` of
github.com/DLR-RM/rl-baselines3-zoo.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from rltrain.errors import InputError
from rltrain.plain_files import reason
from rltrain.spelling import brief, did_you_mean, shown
from rltrain.yaml_subset import MAX_BYTES, resolve

MOST_VALUES = 10_000  # of a block, merged in
LONGEST_CODE = 2_000  # characters
DEFAULTS = ("default", "defaults")  # what newer files call the block for every other environment
ATARI = "atari"
NO_ARGUMENTS = "it is Python, which is never run, and no dict(...)"

Block = dict[str, Any]


def block_for(path: Path, environment: str, is_atari: bool) -> tuple[str, Block]:
    """The name and the content of the block for an environment; one of another version, or for all games, if need be.

    InputError for what is no such file, and where it has no block for the environment.
    """
    place = shown(str(path))
    root = _composed(path, place)
    if not isinstance(root, yaml.MappingNode):
        raise InputError(f"{place}: expected a block of hyperparameters for each environment")
    blocks = {key.value: value for key, value in root.value if isinstance(key, yaml.ScalarNode)}
    bare = environment.rpartition("-v")[0]
    others = [name for name in blocks if bare and name.rpartition("-v")[0] == bare]
    wanted = [environment, *reversed(others), *([ATARI] if is_atari else []), *DEFAULTS]
    name = next((name for name in wanted if name in blocks), None)
    if name is None:
        raise InputError(f"{place}: no hyperparameters for {shown(environment)}{did_you_mean(environment, blocks)}")
    value = _Plain(place).value(blocks[name])
    if not isinstance(value, dict):
        raise InputError(f"{place}: {shown(name)}: expected a block of hyperparameters")
    return name, value


def arguments(value: object) -> Mapping[str, Any]:
    """The arguments in `dict(net_arch=[64, 64], activation_fn=nn.ReLU)` or `{'norm_obs': False}`, or of a mapping.

    Literals, and lists and dict(...) of them, are values; all else is a `Code`. ValueError for what is no such text.
    """
    if isinstance(value, dict):
        return value
    if not isinstance(value, str) or len(value) > LONGEST_CODE:
        raise ValueError("no dict(...)")
    try:
        tree = ast.parse(value.strip(), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError("no dict(...)") from error
    found = _value(tree)
    if not isinstance(found, dict):
        raise ValueError("no dict(...)")
    return found


class Code(str):
    """Python of a hyperparameter file that is no literal, as it was written; it is never run."""


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            return {keyword.arg: _value(keyword.value) for keyword in keywords if keyword.arg is not None}
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return {str(key.value): _value(item) for key, item in pairs if isinstance(key, ast.Constant)}
        case ast.List(elts=items):
            return [_value(item) for item in items]
    with suppress(ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return ast.literal_eval(node)
    try:
        return Code(brief(ast.unparse(node), 200))
    except RecursionError:
        return Code("...")


def _composed(path: Path, place: str) -> Any:
    if path.suffix == ".py":
        raise InputError(f"{place}: Python is never run here; take the Zoo's YAML file of the same name")
    try:
        if path.exists() and not path.is_file():  # a FIFO would wait for ever
            raise InputError(f"{place}: a folder or device; the Zoo's hyperparameters are a file")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise InputError(f"{place}: larger than {MAX_BYTES:,} bytes")
        return yaml.compose(raw.decode(), Loader=yaml.SafeLoader)
    except (OSError, ValueError) as error:
        raise InputError(f"{place}: cannot be read: {reason(error)}") from error
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{place}{line}: not YAML: {error.problem}") from error
    except (yaml.YAMLError, RecursionError, OverflowError) as error:
        raise InputError(f"{place}: not YAML: {brief(str(error), 200)}") from error


class _Plain:
    """Nodes as plain values, aliases followed; so many at most that no file can fill the memory."""

    def __init__(self, place: str) -> None:
        self._place, self._count = place, 0

    def value(self, node: Any, depth: int = 0) -> Any:
        self._count += 1
        if self._count > MOST_VALUES or depth > 20:
            raise InputError(f"{self._place}: a block of more than {MOST_VALUES:,} values, or nested without end")
        if isinstance(node, yaml.MappingNode):
            merged: Block = {}
            own: Block = {}
            for key, inner in node.value:
                value = self.value(inner, depth + 1)
                if key.value != "<<":
                    own[shown(str(key.value))] = value
                else:
                    for block in reversed(value if isinstance(value, list) else [value]):  # the first goes before
                        merged |= block if isinstance(block, dict) else {}
            return merged | own
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        if node.tag == "tag:yaml.org,2002:float":
            number = resolve(node.value)
            return float(number) if isinstance(number, int | float) else node.value
        return node.value if node.style is not None else resolve(node.value)
