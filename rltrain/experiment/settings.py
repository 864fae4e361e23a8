"""The settings that every experiment has: the `environment` and the `run` block, typed, bounded and described.

The descriptions and bounds are what `rltrain schema` prints. What Gymnasium or Stable-Baselines3 have too carries the
name used there. An algorithm's own `Config` looks like these: a pydantic model with `model_config = STRICT`.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from rltrain.experiment.wrappers import Wrapper, in_order
from rltrain.spelling import brief, described

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)  # every Config's `model_config`

PROTOCOLS = ("nature", "sticky", "training")  # rules of evaluation; kinds of other packages may have more
_MODELS = (".yaml", ".yml", ".npz", ".csv", ".mdp", ".pomdp")
MODEL_FOLDER_SUFFIX = ".mdpd"
MODEL_SUFFIXES = (*_MODELS, *(f"{suffix}.gz" for suffix in _MODELS), MODEL_FOLDER_SUFFIX)  # of known models
Count = Annotated[int, Field(ge=1, le=10**15)]
Width = Annotated[int, Field(ge=1, le=65536)]  # of a network's layer, a window, a stride
Counts = Annotated[dict[str, Count], Field(min_length=1)]


def _names(value: object) -> object:
    """One name, or a list of them, as the tuple that a list of JSON stands for."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


class EnvironmentConfig(BaseModel):
    """What is played."""

    model_config = STRICT

    id: str = Field(
        description="Gymnasium id, such as CartPole-v1 or ALE/MsPacman-v5; or the file of a known model, such as"
        " mdp/book.yaml",
        json_schema_extra={"pattern": "^[A-Za-z0-9_/.-]+$"},
    )
    num_envs: int | None = Field(
        default=None, ge=1, le=1024, description="environments side by side; null: the algorithm's default"
    )
    max_episode_steps: int | None = Field(
        default=None,
        ge=1,
        le=10**9,
        description="agent steps after which an episode is cut off; null: the environment's own limit",
    )
    kwargs: dict[str, JsonValue] = Field(
        default={},
        description="arguments of the environment, of any YAML value, such as {is_slippery: false, desc: [SFFF, FHFG]};"
        " not for Atari",
    )
    action_masks: bool = Field(
        default=True,
        description="what is impossible where one stands is never done: info['action_mask'], an observation's"
        " 'action_mask', actions that a known model lacks; false: every action is tried everywhere",
    )
    reseed_every: int = Field(
        default=100_000,
        ge=1,
        le=10**9,
        description="agent steps after which an episode in training is cut off and the next starts from a new seed;"
        " bounds the time to resume; Atari: 4,000, and the episode goes on to its end",
    )
    needs: Annotated[tuple[str, ...], BeforeValidator(_names)] = Field(
        default=(),
        description="modules and files that register the id, such as [minigrid] or [./my_env.py]; they are named here,"
        " and imported only by a person: --import",
    )
    wrappers: tuple[Wrapper, ...] = Field(
        default=(),
        description="Gymnasium's wrappers by name, the innermost first, such as [FlattenObservation, {name:"
        " FrameStackObservation, stack_size: 4}]; for Gymnasium ids, of Atari"
        " NormalizeReward and ClipReward",
    )

    @field_validator("needs")
    @classmethod
    def _are_modules_or_files(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            module = re.fullmatch(r"[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?", name, re.ASCII)
            if not (module or name.endswith(".py")) or len(name) > 200:
                rule = "expected a module, such as minigrid, or a file, such as ./my_env.py"
                raise ValueError(f"{rule}, got {described(name)}")
        return value

    @field_validator("id")
    @classmethod
    def _id_is_a_name(cls, value: str) -> str:
        if ":" in value:
            raise ValueError(colon_refused(value))
        if value.endswith(MODEL_SUFFIXES):  # folders may be called anything
            if len(value) > 4096 or not value.isprintable():
                raise ValueError(f"expected the path of a file, got {described(value)}")
        elif not re.fullmatch(r"[A-Za-z0-9_/.-]{1,200}", value):
            raise ValueError(f"an id has only letters, digits and _ / . -, got {described(value)}")
        return value

    @field_validator("wrappers")
    @classmethod
    def _in_order(cls, value: tuple[Wrapper, ...]) -> tuple[Wrapper, ...]:
        in_order(value)
        return value

    @field_validator("kwargs")
    @classmethod
    def _stand_elsewhere(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if "max_episode_steps" in value:
            raise ValueError("max_episode_steps is no argument of the environment; write environment.max_episode_steps")
        for name in ("id", "disable_env_checker", "render_mode"):
            if name in value:
                raise ValueError(f"{name} is not for a config: rltrain gives it where it is needed")
        return value

    @property
    def is_model(self) -> bool:
        return self.id.endswith(MODEL_SUFFIXES)

    @property
    def name(self) -> str:
        """What people call the environment: see `environment_name`."""
        return environment_name(self.id)


def colon_refused(environment_id: str) -> str:
    """Why an id such as module:Name-v0 is refused, and what to type in place of it."""
    module, _, name = environment_id.partition(":")
    rule = "an id with a colon is refused: it would import and run the module before the colon"
    return f"{rule}; write {brief(name, 60)}, and on the command line --import {brief(module, 60)}"


def environment_name(environment_id: str) -> str:
    """What people call an environment: its id; of a known model's file the name without folder and suffixes."""
    is_model = environment_id.endswith(MODEL_SUFFIXES)
    return PurePath(environment_id.removesuffix(".gz")).stem if is_model else environment_id


def _protocol(value: object) -> object:
    if value is not None and not isinstance(value, str):  # whether a kind has one of this name: `config`
        raise ValueError(f"expected 'nature', 'sticky' or 'training', got {described(value)}")
    return value


class EvaluateConfig(BaseModel):
    """When the learner is measured, and how."""

    model_config = STRICT

    every: Counts | None = Field(
        default=None, description="a counter and its interval, such as {env_steps: 100000}; null: never"
    )
    episodes: int = Field(default=10, ge=1, le=100_000, description="games in one evaluation")
    until: float | None = Field(
        default=None, description="the run ends once the mean of an evaluation reaches this; null: at its budget alone"
    )
    protocol: Annotated[
        str | None,
        BeforeValidator(_protocol),
        WithJsonSchema({"anyOf": [{"enum": list(PROTOCOLS), "type": "string"}, {"type": "null"}]}),
    ] = Field(
        default=None,
        description="rules of the evaluation; null: nature for Atari, training (the config's own environment) else",
    )

    @field_validator("until")
    @classmethod
    def _is_measured(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is not None and info.data.get("every", {}) is None:
            raise ValueError("needs run.evaluate.every, or nothing is ever measured")
        return value


class SaveConfig(BaseModel):
    """When a checkpoint is written, and how many stay."""

    model_config = STRICT

    every: Counts | None = Field(
        default=None,
        description="a counter and its interval, such as {env_steps: 100000}; null: 20 a budget, or 50,000 env_steps",
    )
    keep: int = Field(default=2, ge=1, le=100, description="newest checkpoints that stay, besides the best")


def parse_duration(text: object) -> int:
    """Seconds in `50m`, `5h50m` or `90s`. ValueError for anything else."""
    found = re.fullmatch(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", str(text), re.ASCII)
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    total = 3600 * hours + 60 * minutes + seconds
    if total == 0:
        raise ValueError(f"expected a duration such as 50m, 5h50m or 90s, got {described(text)}")
    return total


def _duration(value: object) -> object:
    if value is not None:
        parse_duration(value)
    return value


def _device(value: object) -> object:
    if not (isinstance(value, str) and re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", value)):
        raise ValueError(f"expected auto, cpu, cuda or cuda:N, got {described(value)}")
    return value


class DistributeConfig(BaseModel):
    """Other processes, here or on other machines, that play the environments for the learner."""

    model_config = STRICT

    actors: int = Field(
        ge=1, le=4096, description="processes on Ray that play the environments, each some of environment.num_envs"
    )
    mode: Literal["exact", "async"] = Field(
        default="exact",
        description="exact: the learner decides for all, and the run is the same as without actors; async: actors "
        "decide by copies of the network, and nobody waits (Ape-X, of dqn), which is not exact",
    )
    refresh: int = Field(
        default=50, ge=1, le=1_000_000, description="async: updates between two times that actors get the weights"
    )


TrackerName = Literal["trackio", "wandb", "mlflow"]
TRACK_PROJECT = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")


class TrackConfig(BaseModel):
    """An experiment tracker that the run is sent to while it trains, by a process of its own."""

    model_config = STRICT

    to: TrackerName = Field(description="which tracker: trackio, wandb or mlflow")
    project: str | None = Field(
        default=None,
        description="where runs lie together at the tracker; null: rltrain",
        json_schema_extra={"pattern": TRACK_PROJECT.pattern},
    )

    @field_validator("project")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value is not None and not TRACK_PROJECT.fullmatch(value):
            raise ValueError(f"a project has letters, digits and _ . -, got {described(value)}")
        return value


def _or_its_name(schema: dict[str, Any]) -> None:
    """A tracker's name alone is as good as the block, for editors too."""
    schema["anyOf"].insert(0, {"enum": list(get_args(TrackerName)), "type": "string"})


def _tracked(value: object) -> object:
    """A tracker's name alone, as the block that it stands for."""
    return {"to": value} if isinstance(value, str) else value


class RunConfig(BaseModel):
    """How long, on what, from which seed; when to measure and to save."""

    model_config = STRICT

    seed: int = Field(default=0, ge=0, lt=2**63, description="all randomness derives from it")
    budget: Counts | None = Field(
        default=None,
        description="a counter and where it ends, such as {env_steps: 1000000}; null: the algorithm's default",
    )
    evaluate: EvaluateConfig = Field(default=EvaluateConfig(), description="when and how the learner is measured")
    save: SaveConfig = Field(default=SaveConfig(), description="when a checkpoint is written")
    sinks: tuple[str, ...] = Field(
        default=(),
        description="sinks of other packages, by the names of their entry points, that take the numbers as well",
    )
    track: Annotated[TrackConfig | None, BeforeValidator(_tracked)] = Field(
        default=None,
        description="a tracker that the run is sent to while it trains, such as trackio, or {to: wandb, project: pole};"
        " null: none",
        json_schema_extra=_or_its_name,
    )
    device: Annotated[str, BeforeValidator(_device)] = Field(default="auto", description="auto, cpu, cuda or cuda:N")
    threads: int | None = Field(default=None, ge=1, le=1024, description="cores to keep busy; null: all")
    distribute: DistributeConfig | None = Field(
        default=None,
        description="who plays the environments beside this process, such as {actors: 8}; null: nobody; needs Ray",
    )
    max_wall: Annotated[str | None, BeforeValidator(_duration)] = Field(
        default=None, description="stop and save after this time of one session, such as 50m or 5h50m; null: no limit"
    )
