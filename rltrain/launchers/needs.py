"""What a run takes of the machine that it runs on, for those who choose one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Needs:
    """Of one run."""

    cores: int  # that it keeps busy
    memory: int  # bytes
    gpus: int
