"""Which launcher, by the name that `--launcher` takes: what is asked for is checked before anything is made."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rltrain.errors import InputError
from rltrain.launchers.needs import Needs
from rltrain.launchers.slurm_options import SlurmOptions, parsed
from rltrain.spelling import did_you_mean, shown

if TYPE_CHECKING:
    from rltrain.launchers.contract import Launcher

NAMES = ("local", "slurm", "ray")


@dataclass(frozen=True)
class LauncherChoice:
    """Where runs are to run."""

    name: str = "local"
    slurm: SlurmOptions = field(default_factory=SlurmOptions)
    given: str = ""  # the text of --slurm

    @property
    def elsewhere(self) -> bool:
        """Whether what this machine has says nothing of how many runs find room: they wait until they do."""
        return self.name != "local"

    def launcher(self, folder: Path, needs: Needs) -> Launcher:
        """The launcher itself. `folder`: of the group or of the sweep, which exists; `needs`: of each run.

        MissingError if a package or a program of it is not installed.
        """
        if self.name == "slurm":  # imported here: each brings much along that --help does not need
            from rltrain.launchers.slurm import Slurm
            from rltrain.launchers.slurm_queue import SlurmQueue

            return Slurm(folder, SlurmQueue(self.slurm, needs))
        if self.name == "ray":
            from rltrain.launchers.ray_tasks import RayTasks

            return RayTasks(folder, needs)
        from rltrain.launchers.local import Local

        return Local()

    def typed(self) -> str:
        """The options that name this place again, after a blank; "" for this machine."""
        given = f" --slurm {shlex.quote(self.given)}" if self.given else ""
        return f" --launcher {self.name}{given}" if self.elsewhere else ""


LOCAL = LauncherChoice()


def choose(name: str | None = None, slurm: str | None = None) -> LauncherChoice:
    """What --launcher and --slurm say; None where they were not given. InputError."""
    if name is not None and name not in NAMES:
        raise InputError(f"--launcher {shown(name[:60])}: no such launcher{did_you_mean(name, NAMES)}")
    if slurm is not None and name != "slurm":
        raise InputError(f"--slurm {shown(slurm[:60])}: is for the jobs of --launcher slurm")
    return LauncherChoice(name or "local", SlurmOptions() if slurm is None else parsed(slurm), slurm or "")
