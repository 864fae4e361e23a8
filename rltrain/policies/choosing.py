"""Which policy an algorithm fills in with numbers: the settings that those algorithms share, and what they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Protocol

from pydantic import Field

from rltrain.core import EnvSpec
from rltrain.policies.mlp import Activation
from rltrain.policies.network import Network
from rltrain.policies.parameters import Family, with_ranges
from rltrain.policies.walk_and_turn import FORWARD, WalkAndTurn

Policy = Annotated[
    Literal["linear", "mlp", "walk_and_turn"] | None,
    Field(
        description="the rule that is given numbers: linear in the observation, mlp a small network, walk_and_turn the"
        " chapter's vacuum cleaner; null: walk_and_turn where there are its actions, linear elsewhere"
    ),
]
Hidden = Annotated[
    tuple[Annotated[int, Field(ge=1, le=4096)], ...],
    Field(min_length=1, max_length=8, description="of the policy mlp: units of its hidden layers"),
]
Act = Annotated[Activation, Field(description="of the policy mlp: what its hidden units do to their sums")]
Ranges = Annotated[
    dict[str, tuple[float, float]],
    Field(
        description="where parameters are looked for, such as {p: [0.5, 1], r: [0, 90]}, {w2: [-5, 5]} or {all: [-0.1,"
        " 0.1]} for those without one of their own; weights may leave theirs later on; {}: the policy's own ranges"
    ),
]


class Settings(Protocol):
    """The settings of an algorithm that looks for a policy's parameters."""

    @property
    def policy(self) -> Policy: ...
    @property
    def hidden(self) -> tuple[int, ...]: ...
    @property
    def activation(self) -> Activation: ...
    @property
    def ranges(self) -> Mapping[str, tuple[float, float]]: ...


def rule(settings: Settings, spec: EnvSpec) -> str:
    """What is given numbers, in words: policies of one rule mean the same by the same numbers."""
    policy = _named(settings, spec)
    units = "-".join(map(str, settings.hidden))
    return f"an mlp of {units} {settings.activation}" if policy == "mlp" else f"a {policy} policy"


def make(settings: Settings, spec: EnvSpec) -> Family:
    """The policy that these settings name. InputError if it is not for this environment."""
    policy = _named(settings, spec)
    family: Network | WalkAndTurn
    if policy == "walk_and_turn":
        family = WalkAndTurn(spec)
    else:
        family = Network(spec, settings.hidden if policy == "mlp" else (), settings.activation)
    family.parameters = with_ranges(family.parameters, settings.ranges)
    return family


def _named(settings: Settings, spec: EnvSpec) -> str:
    return settings.policy or ("walk_and_turn" if FORWARD in spec.action_names else "linear")
