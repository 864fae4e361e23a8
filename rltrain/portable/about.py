"""What an exported policy says of itself: what it was made from, what it sees, what it does."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from rltrain.computation import Computation, is_packed
from rltrain.core import EnvSpec
from rltrain.experiment.config import Experiment
from rltrain.policies.normalizing import Normalization
from rltrain.spaces import Continuous, Discrete, MultiDiscrete
from rltrain.version import __version__

MOST_NAMED = 18  # actions that a sentence names: all of Atari


def about(
    experiment: Experiment,
    spec: EnvSpec,
    computation: Computation,
    score_name: str,
    normalization: Normalization | None,
    checkpoint: str,
    sha256: str,
    counters: Mapping[str, int],
    states: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything, as JSON has it; `score_name` "" where there are no scores, `states` the names of numbered ones."""
    return {
        "made_by": f"rltrain {__version__}",
        "algorithm": experiment.algorithm_name,
        "environment": experiment.environment.name,
        "checkpoint": checkpoint,
        "checkpoint_sha256": sha256,  # of its MANIFEST.json, which has those of all the rest
        "trained_for": dict(counters),
        "observation": observation(spec, states),
        "environment_settings": _finite(experiment.environment.model_dump(mode="json", exclude_none=True)),
        "preprocessing": preprocessing(spec, normalization),
        "actions": actions(spec),
        "mask": mask(spec),
        "assumed": assumed(spec),
        "scores": score_name,
        "drawn": computation.drawn,
    }


def _finite(value: Any) -> Any:
    """What JSON can say: null in place of infinite numbers."""
    if isinstance(value, Mapping):
        return {key: _finite(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(own) for own in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_texts(about: Mapping[str, Any]) -> dict[str, str]:
    """For a file whose metadata are texts: what is none becomes JSON; what is empty is left out."""
    return {
        f"rltrain.{key}": value if isinstance(value, str) else json.dumps(value, allow_nan=False)
        for key, value in about.items()
        if value not in ("", None)
    }


def observation(spec: EnvSpec, states: Sequence[str] = ()) -> dict[str, Any]:
    """The form of one observation, or of each of its parts; the names of states that are seen by their numbers."""
    if is_packed(spec):
        return {part.name: {"shape": list(part.shape), "dtype": part.dtype} for part in spec.parts}
    found: dict[str, Any] = {"shape": list(spec.obs_shape), "dtype": spec.obs_dtype}
    if spec.frame_stack > 1:
        found["frames"] = spec.frame_stack
    if spec.planes:
        found["colours"] = len(spec.planes)
    if spec.num_states is not None:
        found["states"] = list(states) or spec.num_states
    if spec.parts:
        found["parts"] = {part.name: [part.start, part.stop] for part in spec.parts}
    return found


def preprocessing(spec: EnvSpec, normalization: Normalization | None) -> list[str]:
    """What happens to an observation before it is given, and what happens within."""
    lines = []
    if spec.num_states is not None:
        lines.append(f"given is the number of a state, 0 to {spec.num_states - 1}")
    elif spec.is_image:
        lines.append("given is a picture, its channels first, of the environment as environment_settings makes it")
    else:
        numbers = "numbers as they are, what is discrete as one-hot, side by side"
        lines.append(f"given is what the environment shows, as environment_settings makes it: {numbers}")
    if spec.frame_stack > 1:
        lines.append(f"{spec.frame_stack} frames, the oldest first, zeros before an episode begins")
    pictures = {part.name: part.high for part in spec.parts if part.is_image and part.dtype == "uint8"}
    if spec.is_image and spec.obs_dtype == "uint8":
        pictures[""] = spec.obs_high
    if spec.planes:
        lines.append(f"within, a pixel becomes {len(spec.planes[0])} numbers, those of its colour")
    for name, high in pictures.items():
        lines.append(f"within, the pixels{' of ' * bool(name)}{name} are divided by {high}")
    if spec.parts and not is_packed(spec):
        lines.append("its parts lie side by side: parts has the columns of each")
    if normalization is not None:
        clip = "" if normalization.clip is None else f", cut to -{normalization.clip:g}..{normalization.clip:g}"
        lines.append(f"within, mean and deviation of training are taken away{clip}")
    return lines


def actions(spec: EnvSpec) -> dict[str, Any]:
    """What an action is: names, the sizes of choices, or bounds (null: none)."""
    match spec.actions:
        case Discrete():
            return {"form": "discrete", "names": list(spec.action_names)}
        case MultiDiscrete():
            return {"form": "multi_discrete", "sizes": list(spec.actions.sizes)}
        case Continuous():
            low, high = (
                [each if math.isfinite(each) else None for each in ends]
                for ends in (spec.actions.low, spec.actions.high)
            )
            return {"form": "continuous", "low": low, "high": high}


def mask(spec: EnvSpec) -> str:
    """What the input `mask` is; "" where there is none."""
    if not spec.masked:
        return ""
    return "true for each action that can be done" + (
        ", the choices side by side" if isinstance(spec.actions, MultiDiscrete) else ""
    )


def assumed(spec: EnvSpec) -> list[str]:
    """What must hold of what is given. Python files check it; a graph of ONNX cannot."""
    rules = []
    if spec.num_states is not None:
        rules.append(f"the number of a state is whole, from 0 to {spec.num_states - 1}")
    else:
        pictures = [part.is_image and part.dtype == "uint8" for part in spec.parts] or [spec.obs_dtype == "uint8"]
        if any(pictures):
            most = len(spec.planes) - 1 if spec.planes else 255
            rules.append(f"pixels are whole numbers from 0 to {most}")
        if not all(pictures):
            rules.append("every number is finite")
    if spec.masked:
        rules.append("of every mask something is true")
    return rules


def actions_in_words(spec: EnvSpec) -> str:
    """What an action is, in a sentence: "0 left, 1 right"."""
    match spec.actions:
        case Discrete():
            names = spec.action_names
            plain = names == tuple(map(str, range(len(names))))
            if plain or len(names) > MOST_NAMED:
                return f"0 to {len(names) - 1}"
            return ", ".join(f"{number} {name}" for number, name in enumerate(names))
    return str(spec.actions)
