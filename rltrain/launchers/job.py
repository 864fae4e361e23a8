"""A run that is to be brought to its end: one seed of a group, and the words that do it.

A run's folder is all that is needed to go on. So a job is no more than where it lies, and what is typed is decided
where and when it starts: `rltrain train` if the run has not begun, else `rltrain resume` with what has changed since.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rltrain.experiment.config import Experiment
from rltrain.run.group import SeedGroup

RunState = Literal["waiting", "running", "finished", "stopped", "diverged", "failed"]


@dataclass(frozen=True)
class RunJob:
    """The run of one seed of a group."""

    group: SeedGroup
    seed: int
    experiment: Experiment  # what the group's configuration says now

    @property
    def folder(self) -> Path:
        """Of the run. It may not exist yet."""
        return self.group.member(self.seed)

    @property
    def log(self) -> Path:
        """Where what the run says goes, of all sessions."""
        return self.group.log(self.seed)

    @property
    def finished(self) -> bool:
        """Whether the run has come to the end that its configuration sets now."""
        return self.group.finished(self.seed, self.experiment)

    @property
    def queued(self) -> Path:
        """Which job of a queue was given this run, while it is not known how that ended."""
        return self.group.folder / f"{self.folder.name}.job"

    @property
    def ended(self) -> Path:
        """Where the job of a queue writes how it ended."""
        return self.group.folder / f"{self.folder.name}.exit"

    def words(self) -> list[str]:
        """What is typed after `rltrain` now. What a process left that died before it had a run is removed."""
        self.group.clear(self.seed)
        home = ["--runs-dir", str(self.group.folder)]
        if self.group.begun(self.seed):
            return ["resume", self.folder.name, *home, *self.group.changes(self.seed, self.experiment), "--quiet"]
        start = self.group.start
        origin = [] if start is None else ["--from", start.path]
        config = str(self.group.config)
        return ["train", config, "--seed", str(self.seed), *home, "--name", self.folder.name, *origin, "--quiet"]
