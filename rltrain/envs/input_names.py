"""What the numbers of an observation are called, where an environment or its documentation says."""

from __future__ import annotations

import math

from rltrain.core import EnvSpec

LANDER = ("x", "y", "velocity x", "velocity y", "angle", "angular velocity", "left leg", "right leg")
INPUTS = {  # of Gymnasium's environments, by the id without its version, from their documentation
    "CartPole": ("cart position", "cart velocity", "pole angle", "pole angular velocity"),
    "MountainCar": ("position", "velocity"),
    "MountainCarContinuous": ("position", "velocity"),
    "Acrobot": ("cos angle 1", "sin angle 1", "cos angle 2", "sin angle 2", "angular velocity 1", "angular velocity 2"),
    "Pendulum": ("x = cos angle", "y = sin angle", "angular velocity"),
    "LunarLander": LANDER,
    "LunarLanderContinuous": LANDER,
}


def names_of(spec: EnvSpec) -> tuple[str, ...]:
    """A name for each number of an observation that is a vector, in its order: of its parts, as documented, or [3].

    Of an observation with pictures among its parts, those of the other parts alone.
    """
    if spec.parts:
        return tuple(
            part.name if math.prod(part.shape) == 1 else f"{part.name}[{index}]"
            for part in spec.parts
            if not part.is_image
            for index in range(math.prod(part.shape))
        )
    count = math.prod(spec.obs_shape)
    known = INPUTS.get(spec.id.rsplit("/", 1)[-1].split("-v")[0], ())
    return known if len(known) == count else tuple(f"[{index}]" for index in range(count))
