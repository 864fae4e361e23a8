"""How many bytes a replay memory takes, without allocating it."""

from __future__ import annotations

import numpy as np

from rltrain.core import EnvSpec
from rltrain.deep import replay


def frame_bytes(capacity: int, spec: EnvSpec, n_step: int) -> int:
    """Bytes of the frames that a `Replay` of these settings holds, which lie on the learner's device."""
    chunk_steps = max(spec.frame_stack + n_step, replay.CHUNK_ROWS // spec.num_envs)
    steps = capacity // spec.num_envs + spec.frame_stack + 2 * chunk_steps
    return steps * spec.num_envs * _bytes_of_one(spec)


def replay_bytes(capacity: int, spec: EnvSpec, n_step: int, prioritised: bool) -> int:
    """Bytes of all that a `Replay` of these settings holds."""
    frames = frame_bytes(capacity, spec, n_step)
    row = (8 if spec.num_actions > 256 else 1) + 4 + 3 + (32 if prioritised else 0)
    row += -(-spec.num_actions // 8) if spec.masked else 0
    return frames + frames // _bytes_of_one(spec) * row


def _bytes_of_one(spec: EnvSpec) -> int:
    """Of a frame, or of an observation that is no stack of frames."""
    frame = spec.obs_shape[1:] if spec.frame_stack > 1 else spec.obs_shape
    return int(np.prod(frame)) * (1 if spec.obs_dtype == "uint8" else 4)
