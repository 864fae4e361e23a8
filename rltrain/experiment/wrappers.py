"""The wrappers that a config may put around an environment: Gymnasium's, by their own names, with their own settings.

`wrappers: [FlattenObservation, {name: ResizeObservation, shape: [84, 84]}]`: the first stands next to the environment.
The table is closed, so that a config imports and runs nothing. The last of it, `Shared`, are not Gymnasium's objects:
what they do is done by `envs.normalized`, once for all environments side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rltrain.spelling import described, did_you_mean, nearest

_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
_Size = Annotated[int, Field(ge=1, le=10_000)]
_Few = Annotated[int, Field(ge=1, le=1_000)]
_Sizes = Annotated[tuple[_Size, ...], Field(min_length=1, max_length=8)]
_Bins = _Few | Annotated[tuple[_Few, ...], Field(min_length=1, max_length=64)]
_Keys = Annotated[tuple[str, ...], Field(min_length=1)] | Annotated[tuple[int, ...], Field(min_length=1)]
_Numbers = float | Annotated[tuple[float, ...], Field(min_length=1, max_length=10_000)]


class FlattenObservation(BaseModel):
    """Whatever is seen becomes one vector."""

    model_config = _STRICT
    name: Literal["FlattenObservation"]


class FilterObservation(BaseModel):
    """Of a Dict or a Tuple some parts alone."""

    model_config = _STRICT
    name: Literal["FilterObservation"]
    filter_keys: _Keys = Field(description="the parts that stay: names of a Dict, numbers of a Tuple")


class GrayscaleObservation(BaseModel):
    """A picture of three colours becomes one of greys."""

    model_config = _STRICT
    name: Literal["GrayscaleObservation"]
    keep_dim: bool = Field(False, description="[H, W, 1] rather than [H, W]")


class ResizeObservation(BaseModel):
    """A picture of bytes is made larger or smaller, by OpenCV."""

    model_config = _STRICT
    name: Literal["ResizeObservation"]
    shape: tuple[_Size, _Size] = Field(description="[height, width]")


class ReshapeObservation(BaseModel):
    """An array of the same numbers in another shape."""

    model_config = _STRICT
    name: Literal["ReshapeObservation"]
    shape: _Sizes = Field(description="lengths of the new axes")


class RescaleObservation(BaseModel):
    """What lies within the bounds of the space is stretched to others."""

    model_config = _STRICT
    name: Literal["RescaleObservation"]
    min_obs: _Numbers = Field(description="least value, of all or of each number")
    max_obs: _Numbers = Field(description="greatest value, of all or of each number")


class DiscretizeObservation(BaseModel):
    """Numbers within finite bounds become the number of a state, for algorithms that keep tables."""

    model_config = _STRICT
    name: Literal["DiscretizeObservation"]
    bins: _Bins = Field(description="equal intervals, of all or of each number")
    multidiscrete: bool = Field(False, description="several choices rather than one number")


class TimeAwareObservation(BaseModel):
    """The steps of the episode so far are seen too."""

    model_config = _STRICT
    name: Literal["TimeAwareObservation"]
    flatten: bool = Field(True, description="one vector; else a Dict of what was seen and of the time")
    normalize_time: bool = Field(False, description="as a share of the time limit")
    dict_time_key: str = Field("time", min_length=1, description="the time's name, where what was seen is a Dict")


class FrameStackObservation(BaseModel):
    """The newest observations are seen together."""

    model_config = _STRICT
    name: Literal["FrameStackObservation"]
    stack_size: int = Field(ge=1, le=64, description="observations that are seen together")
    padding_type: Literal["reset", "zero"] = Field(
        "reset", description="before the episode: its first observation, or zeros"
    )


class DelayObservation(BaseModel):
    """What is seen is some steps old; before that, zeros."""

    model_config = _STRICT
    name: Literal["DelayObservation"]
    delay: int = Field(ge=0, le=1_000, description="steps")


class MaxAndSkipObservation(BaseModel):
    """An action is repeated; its rewards add up, and of the last two observations the greater numbers are seen."""

    model_config = _STRICT
    name: Literal["MaxAndSkipObservation"]
    skip: int = Field(4, ge=2, le=1_000, description="steps that an action is repeated for")


class RepeatAction(BaseModel):
    """An action is repeated, and its rewards add up."""

    model_config = _STRICT
    name: Literal["RepeatAction"]
    num_repeats: _Few = Field(description="steps that an action is repeated for")


class StickyAction(BaseModel):
    """By chance the last action is played again."""

    model_config = _STRICT
    name: Literal["StickyAction"]
    repeat_action_probability: float = Field(ge=0, lt=1, description="the chance, at each step")
    repeat_action_duration: _Few | tuple[_Few, _Few] = Field(
        1, description="steps that it then lasts; of two numbers, from the one to the other"
    )


class RescaleAction(BaseModel):
    """Actions within other bounds, which are stretched to those of the environment."""

    model_config = _STRICT
    name: Literal["RescaleAction"]
    min_action: _Numbers = Field(description="least value, of all or of each number")
    max_action: _Numbers = Field(description="greatest value, of all or of each number")


class ClipAction(BaseModel):
    """Actions without bounds, which are cut to those of the environment."""

    model_config = _STRICT
    name: Literal["ClipAction"]


class DiscretizeAction(BaseModel):
    """Numbers become one of finitely many actions: the middles of equal intervals."""

    model_config = _STRICT
    name: Literal["DiscretizeAction"]
    bins: _Bins = Field(description="equal intervals, of all or of each number")
    multidiscrete: bool = Field(False, description="several choices rather than one")


class NormalizeObservation(BaseModel):
    """Observations are shifted and scaled to mean 0 and variance 1, by what was seen in training so far."""

    model_config = _STRICT
    name: Literal["NormalizeObservation"]
    epsilon: float = Field(1e-8, gt=0, le=1, description="added to the variance")
    clip: float | None = Field(None, gt=0, description="then cut to -clip..clip; null: not at all")


class NormalizeReward(BaseModel):
    """Rewards are scaled, for the learner alone, so that discounted sums of them have variance 1."""

    model_config = _STRICT
    name: Literal["NormalizeReward"]
    gamma: float = Field(0.99, ge=0, le=1, description="discount of those sums")
    epsilon: float = Field(1e-8, gt=0, le=1, description="added to the variance")
    clip: float | None = Field(None, gt=0, description="then cut to -clip..clip; null: not at all")


class ClipReward(BaseModel):
    """Rewards are cut to bounds, for the learner alone."""

    model_config = _STRICT
    name: Literal["ClipReward"]
    min_reward: float | None = Field(None, description="least value; null: none")
    max_reward: float | None = Field(None, description="greatest value; null: none")


Shared = NormalizeObservation | NormalizeReward | ClipReward
Single = (
    FlattenObservation
    | FilterObservation
    | GrayscaleObservation
    | ResizeObservation
    | ReshapeObservation
    | RescaleObservation
    | DiscretizeObservation
    | TimeAwareObservation
    | FrameStackObservation
    | DelayObservation
    | MaxAndSkipObservation
    | RepeatAction
    | StickyAction
    | RescaleAction
    | ClipAction
    | DiscretizeAction
)
MODELS: dict[str, type[BaseModel]] = {model.__name__: model for model in (*get_args(Single), *get_args(Shared))}
_FUNCTION = "it takes a function, which no config can hold"
_HOUSE = "rltrain does this by itself"
_FILM = "to look at games there are `rltrain watch` and its `--video`"
_OTHER = "nothing here speaks with JAX or torch environments"
REFUSED = {  # Gymnasium's other wrappers: why
    "TimeLimit": "write environment.max_episode_steps",
    "AtariPreprocessing": "ids that start with ALE/ have settings for that",
    "DtypeObservation": "observations are made bytes or float32 in any case",
    "AddRenderObservation": "what is learned from is the environment's own observation",
    **dict.fromkeys(("TransformObservation", "TransformAction", "TransformReward"), _FUNCTION),
    **dict.fromkeys(("OrderEnforcing", "PassiveEnvChecker", "Autoreset", "RecordEpisodeStatistics"), _HOUSE),
    **dict.fromkeys(("RecordVideo", "HumanRendering", "RenderCollection", "AddWhiteNoise", "ObstructView"), _FILM),
    **dict.fromkeys(("ArrayConversion", "JaxToNumpy", "JaxToTorch", "NumpyToTorch"), _OTHER),
}


def _named(value: Any) -> Any:
    """An entry of the list as a block: a bare word is a name. ValueError for a name or a key that there is not."""
    block = {"name": value} if isinstance(value, str) else value
    if not isinstance(block, dict) or not isinstance(block.get("name"), str):
        raise ValueError(f"expected a wrapper's name, or its name and settings in braces, got {described(value)}")
    name = block["name"]
    if name in REFUSED:
        raise ValueError(f"{name} is not for a config: {REFUSED[name]}")
    if name not in MODELS:
        short = {full.removesuffix("Observation").removesuffix("Action").lower(): full for full in MODELS}
        near = nearest(name, MODELS) or short.get(nearest(name, short) or "")
        raise ValueError(f"there is no wrapper {described(name)}{did_you_mean(near or name, MODELS)}")
    fields = MODELS[name].model_fields
    for key in block:
        if key not in fields:
            near = did_you_mean(str(key), [own for own in fields if own != "name"])
            raise ValueError(f"{name} has no setting {described(key)}{near}")
    for key, field in fields.items():
        if field.is_required() and key not in block:
            raise ValueError(f"{name} needs {key}: {field.description}")
    return {key: tuple(given) if isinstance(given, list) else given for key, given in block.items()}


_BARE = [  # names that may stand alone: they need no setting
    name
    for name, model in MODELS.items()
    if not any(field.is_required() for key, field in model.model_fields.items() if key != "name")
]
_Blocks = Annotated[Single | Shared, Field(discriminator="name")]
Wrapper = Annotated[
    _Blocks,
    BeforeValidator(
        _named,
        json_schema_input_type=Annotated[str, Field(json_schema_extra={"enum": _BARE})] | _Blocks,
    ),
]


def single(listed: Sequence[Wrapper]) -> tuple[Single, ...]:
    """Those of a list that stand around each environment by itself, in its order."""
    return tuple(each for each in listed if not isinstance(each, Shared))


def in_order(wrappers: Sequence[Wrapper]) -> None:
    """ValueError unless what is shared by all environments stands last, and each of it at most once."""
    names = [wrapper.name for wrapper in wrappers]
    shared = [isinstance(wrapper, Shared) for wrapper in wrappers]
    for place, name in enumerate(names):
        if shared[place] and not all(shared[place:]):
            after = names[shared.index(False, place)]
            raise ValueError(
                f"{name} stands before {after}: it looks at all environments side by side, as the others leave them;"
                f" write it after {after}"
            )
        if shared[place] and names.count(name) > 1:
            raise ValueError(f"{name} stands there {names.count(name)} times; once is enough")
