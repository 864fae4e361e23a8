"""The JSON Schema of a config, so that an editor completes keys, shows their meaning and marks mistakes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import models_json_schema

from rltrain import kinds, registry
from rltrain.errors import InputError, MissingError
from rltrain.experiment.settings import EnvironmentConfig, RunConfig
from rltrain.experiment.space import MOST_VALUES, RangeConfig
from rltrain.experiment.sweep_settings import SweepConfig


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of configs: every algorithm that can be loaded, every setting with its bounds."""
    configs: dict[str, type[BaseModel]] = {}
    for name in registry.names():
        try:
            config = registry.plugin(name).config
        except (InputError, MissingError):  # another package's broken algorithm is left out
            continue
        if _has_schema(config):
            configs[name] = config
    of_kinds = dict.fromkeys(kind.settings for kind in kinds.all_kinds() if kind.settings is not EnvironmentConfig)
    own = [settings for settings in of_kinds if _has_schema(settings)]
    models: list[type[BaseModel]] = [EnvironmentConfig, *own, RunConfig, *configs.values()]
    references, joined = models_json_schema([(model, "validation") for model in models], ref_template="#/$defs/{model}")
    definitions = joined["$defs"]
    environment = definitions["EnvironmentConfig"]
    for settings in own:  # a block is of one kind; an editor is told of all its keys
        added = definitions.pop(references[settings, "validation"]["$ref"].rpartition("/")[2])
        environment["properties"] = added["properties"] | environment["properties"]
        if "description" in added:  # of a class that has a docstring
            environment["description"] += f" {added['description']}"
    choices: list[dict[str, Any]] = [{"enum": list(configs), "description": "an algorithm with its defaults"}]
    for name, model in configs.items():
        block = definitions[references[model, "validation"]["$ref"].rpartition("/")[2]]
        named = {"name": {"const": name, "description": registry.summary(name)}}
        required = ["name", *block.get("required", [])]
        properties = named | block.get("properties", {})
        choices.append({**block, "title": name, "properties": properties, "required": required})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "rltrain experiment",
        "type": "object",
        "additionalProperties": False,
        "required": ["algorithm", "environment"],
        "properties": {
            "algorithm": {"description": "what learns", "oneOf": choices},
            "environment": {"oneOf": [{"type": "string"}, references[EnvironmentConfig, "validation"]]},
            "run": references[RunConfig, "validation"],
        },
        "$defs": definitions,
    }


def sweep_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of sweep files. Which settings there are depends on the config that is varied."""
    references, joined = models_json_schema(
        [(model, "validation") for model in (SweepConfig, RangeConfig)], ref_template="#/$defs/{model}"
    )
    values = {"type": "array", "minItems": 1, "maxItems": MOST_VALUES, "description": "values to choose from"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "rltrain sweep",
        "type": "object",
        "additionalProperties": False,
        "required": ["sweep", "space"],
        "properties": {
            "sweep": references[SweepConfig, "validation"],
            "space": {
                "description": "a dotted setting of the config, and what to try of it",
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": r"^(algorithm|environment|run)\..+$"},
                "additionalProperties": {"oneOf": [values, references[RangeConfig, "validation"]]},
            },
        },
        "$defs": joined["$defs"],
    }


def _has_schema(model: type[BaseModel]) -> bool:
    """Whether JSON can hold all that may be set; a function among the settings of another package cannot be written."""
    try:
        model.model_json_schema()
    except PydanticInvalidForJsonSchema:
        return False
    return True
