"""tracked-NAME.json of a run folder: which run of the tracker it is, and how much was sent to it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rltrain.core import Table
from rltrain.errors import CheckpointError
from rltrain.plain_files import MAX_SMALL, read_plain, reason
from rltrain.run.own_files import write_small
from rltrain.spelling import shown
from rltrain.track.sent import SentState


class Tracked(BaseModel):
    """What is remembered between two calls."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: str
    project: str = Field(max_length=200)
    run: str = Field(max_length=500)  # the tracker's id of it
    where: str = Field(max_length=5_000)  # how to look at it
    tables: dict[Table, SentState] = {}
    files: dict[str, str] = {}  # name -> sha256 of what was sent
    finished: str = ""  # the state that was told last


def path_of(folder: Path, to: str) -> Path:
    """The file that remembers what was sent to this tracker."""
    return folder / f"tracked-{to}.json"


def recall(folder: Path, to: str) -> Tracked | None:
    """What is remembered; None where nothing was sent yet. CheckpointError for a file that rltrain did not write."""
    path = path_of(folder, to)
    try:
        return Tracked.model_validate_json(read_plain(path, MAX_SMALL))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{shown(str(path))}: cannot be read: {shown(reason(error))}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        told = f"{place}: {first['msg']}".removeprefix(": ")
        remedy = "remove it, and the run is sent anew as another run of the tracker"
        raise CheckpointError(f"{shown(str(path))}: {shown(told)}; {remedy}") from error


def remember(folder: Path, tracked: Tracked) -> None:
    """Write it, for good. DiskError."""
    write_small(path_of(folder, tracked.to), tracked.model_dump_json() + "\n")
