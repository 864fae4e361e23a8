"""Model files: `read` and `write` choose the format by the file's suffix.

.yaml .yml   by hand, named, exact      .npz   sparse arrays, for millions of states      .csv   rows
.mdp .pomdp  Cassandra's text             .mdpd     a folder of arrays, for what is larger than memory
.dot .gv     Graphviz, written only     .prism .pm   PRISM, written only

Each may be packed: `model.csv.gz`. `-` reads standard input, whose format is told by its first bytes.
"""

from __future__ import annotations

import gzip
import importlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

from rltrain.errors import InputError, OutOfMemoryError
from rltrain.experiment import catalog
from rltrain.mdp import graph
from rltrain.mdp.files import folder, folder_writer
from rltrain.mdp.files.loaded import LoadedModel as LoadedModel
from rltrain.mdp.files.source import PACKED, STANDARD_INPUT, opened, suffix_of
from rltrain.mdp.files.source import missing as missing
from rltrain.mdp.model import Model
from rltrain.outputs import check_place
from rltrain.spelling import shown
from rltrain.whole_files import replacing

FORMATS = {  # suffix -> the module that knows it
    ".yaml": "yaml_text",
    ".yml": "yaml_text",
    ".npz": "npz",
    ".csv": "csv_rows",
    ".mdp": "cassandra",
    ".pomdp": "cassandra",
    ".dot": "dot",
    ".gv": "dot",
    ".prism": "prism",
    ".pm": "prism",
}
READABLE = (".yaml", ".yml", ".npz", ".csv", ".mdp", ".pomdp")
FOLDER = ".mdpd"  # of a folder, which is neither packed nor read from standard input
BOOK = catalog.model_file(Path("mdp/book.yaml"))  # the chapter's model


def is_model_file(argument: str) -> bool:
    """Whether this argument means a file, or standard input, rather than an environment's id."""
    return argument == STANDARD_INPUT or suffix_of(Path(argument)) in FORMATS or is_folder(Path(argument))


def is_folder(path: Path) -> bool:
    """Whether this is the name of a model's folder."""
    return path.suffix.lower() == FOLDER


def read(path: Path | str, strict: bool = False) -> LoadedModel:
    """The model in a file, checked; `-` is standard input. InputError for everything that is wrong with it.

    `strict` refuses what rounding explains, and repeated transitions, which else are mended with a warning.
    """
    path = Path(path)
    text = "standard input" if str(path) == STANDARD_INPUT else shown(str(path))
    try:
        if is_folder(path):
            if not path.exists():
                raise missing(path, (FOLDER,))
            loaded = folder.read(path)
        else:
            with opened(path, READABLE) as source:
                loaded = _format(source.suffix).read(source, strict)
    except InputError as error:
        if text in str(error):
            raise
        raise InputError(f"{text}: {error}") from error
    except OSError as error:
        raise InputError(f"{text}: {error.strerror or error}") from error
    except MemoryError as error:
        raise OutOfMemoryError(f"{text}: memory ran out while the model was read") from error
    if loaded.model.mapped is not None:
        return loaded
    found = graph.check_reachable(loaded.model)
    return loaded._replace(warnings=(*loaded.warnings, *(f"{text}: {line}" for line in found)))


def stated_discount(path: Path | str) -> float | None:
    """The discount that a model states. InputError as `read`; of a folder nothing is read but what says so."""
    return folder.stated_discount(Path(path)) if is_folder(Path(path)) else read(path).model.discount


def minimised(loaded: LoadedModel) -> LoadedModel:
    """The model whose rewards are costs: each becomes a negative reward. InputError where the file says so itself."""
    if loaded.costs:
        raise InputError("--minimize: the file says itself that it holds costs; leave the option out")
    model = loaded.model
    exact = model.exact and replace(model.exact, reward=tuple(-reward for reward in model.exact.reward))
    model = replace(
        model,
        reward=0.0 - model.reward,
        next_reward=None if model.next_reward is None else 0.0 - model.next_reward,
        exact=exact,
    )
    said = "--minimize: each reward is read as a cost, a negative reward"
    return LoadedModel(model, (*loaded.warnings, said), True)


def write(model: Model, path: Path | str, overwrite: bool = False) -> None:
    """The model in a file, whole or not at all: written aside, synced, renamed. DiskError when the disk refuses."""
    path = Path(path)
    check_target(path, overwrite)
    if is_folder(path):
        folder_writer.write(model, path)
        return
    with replacing(path) as file:
        if path.suffix.lower() != PACKED:
            _format(suffix_of(path)).write(model, file, path)
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:  # the same model, the same bytes
            _format(suffix_of(path)).write(model, cast(IO[bytes], packed), Path(path.stem))


def size_of(path: Path) -> int:
    """The bytes of a model's file, or of all files of its folder."""
    return folder.size_of(path) if is_folder(path) else path.stat().st_size


def check_target(path: Path, overwrite: bool) -> None:
    """InputError unless `write` may make this file."""
    suffix, text = suffix_of(path), shown(str(path))
    if is_folder(path):
        return folder_writer.check_target(path, overwrite)
    if suffix not in FORMATS:
        raise InputError(f"{text}: cannot write '{shown(suffix)}'; a model's file ends in {_list((*FORMATS, FOLDER))}")
    if suffix == ".npz" and path.suffix.lower() == PACKED:
        raise InputError(f"{text}: an .npz file is not packed again; leave {PACKED} out")
    check_place(path, overwrite)


def _format(suffix: str) -> Any:
    """The module of a format, imported when it is needed."""
    return importlib.import_module(f"{__name__}.{FORMATS[suffix]}")


def _list(suffixes: Iterable[str]) -> str:
    return " ".join(suffixes)
