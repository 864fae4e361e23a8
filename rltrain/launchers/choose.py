"""Which launcher, by the name that `--launcher` takes: what is asked for is checked before anything is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rltrain.errors import InputError
from rltrain.launchers.slurm_options import SlurmOptions, parsed
from rltrain.spelling import did_you_mean, shown

if TYPE_CHECKING:
    from rltrain.launchers.contract import Launcher

NAMES = ("local",)


@dataclass(frozen=True)
class Needs:
    """What a run takes of the machine that it runs on."""

    cores: int  # that it keeps busy
    memory: int  # bytes
    gpus: int


@dataclass(frozen=True)
class LauncherChoice:
    """Where runs are to run."""

    name: str = "local"
    slurm: SlurmOptions = field(default_factory=SlurmOptions)

    @property
    def elsewhere(self) -> bool:
        """Whether what this machine has says nothing of how many runs find room: they wait until they do."""
        return self.name != "local"

    def launcher(self, folder: Path, needs: Needs) -> Launcher:
        """The launcher itself. `folder`: of the group or of the sweep, which exists; `needs`: of each run.

        MissingError if a package or a program of it is not installed.
        """
        from rltrain.launchers.local import Local  # each brings much along that --help does not need

        return Local()


LOCAL = LauncherChoice()


def choose(name: str | None = None, slurm: str | None = None) -> LauncherChoice:
    """What --launcher and --slurm say; None where they were not given. InputError."""
    if name is not None and name not in NAMES:
        raise InputError(f"--launcher {shown(name[:60])}: no such launcher{did_you_mean(name, NAMES)}")
    if slurm is not None and name != "slurm":
        raise InputError(f"--slurm {shown(slurm[:60])}: is for the jobs of --launcher slurm")
    return LauncherChoice(name or "local", SlurmOptions() if slurm is None else parsed(slurm))
