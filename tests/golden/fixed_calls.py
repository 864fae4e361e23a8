"""Fixed calls of every verb, and the whole of what they print: standard output, standard error, exit code.

Each group of calls is run in a folder of its own that holds the project's configs and the `FILES` of calls.py. What
depends on the moment or the machine (times, speeds, free memory, versions, places) is replaced by a word in capitals.
"""

import contextlib
import difflib
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import built
import numpy as np
import short_runs
import typer
from calls import FILES, GROUPS
from short_runs import ROOT

from rltrain.cli import app
from rltrain.cli.errors import exit_code_of

RECORDED = Path(__file__).resolve().parent / "output"
WIDTH = 100
SCREEN = ("typer", "rich", "pydantic", "PyYAML")  # packages that decide about words and lines

STEADY = (  # what depends on the moment or the machine, and the word that stands for it
    (r"\x1b\[[0-9;?]*[A-Za-z]", ""),  # colours, where a terminal is said to be there
    (r"[\d:]+ / ([\d:]+|-) left", "TIME / TIME left"),
    (r"([\d,]+|-)/s\b", "SPEED/s"),
    (r"(?<= in )([\d.]+ m?s|\d+(:\d\d)+)(?=,)", "TIME"),
    (r",\s+[\d.]+ m?s\n", ", TIME\n"),  # of a solver; it may stand in a line of its own
    (r'"(seconds|age_seconds|available_bytes|free_disk_bytes)": [\d.e-]+', r'"\1": NUMBER'),
    (r"[\d.,]+ [kMGT]?B (?=available|free)", "SIZE "),
    (r'(?<="name": ")(ckpt-\d+)", "bytes": \d+', r'\1", "bytes": NUMBER'),  # it holds times
    (r"(?<= whole, )[\d.]+ k?B", "SIZE"),
    (r"(?<= pictures, )([\d.]+ s), [\d.]+ k?B", r"\1, SIZE"),
    (r" +\d+ (s|min)$", " AGE"),
    (r" +age$", " age"),
    (r'"value": "[^"]*", "state": "\w+", "mend": (null|"[^"]*")', '"value": VALUE'),  # of the doctor
    (r"^rltrain \d\S*$", "rltrain VERSION"),
    (r"(onnxruntime|Python) \d[\d.]*\d", r"\1 VERSION"),
    (r"(policy: \S+), [\d.]+ k?B", r"\1, SIZE"),
    (r'("bytes": )\d+(?=, "algorithm")', r"\1NUMBER"),
    (r'(sha256"?\'?: )["\'][0-9a-f]{64}["\']', r"\1HASH"),  # of a checkpoint: it holds versions
)


def machine() -> dict[str, str]:
    """What the texts depend on besides the code: what runs depend on, and who lays out a screen."""
    screen = {name: version(name) for name in SCREEN}
    return {**short_runs.machine(), "scipy": version("scipy"), **screen}


def verbs(command: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every verb of the application, hidden ones too, as the words that name it; () is the application itself."""
    command = typer.main.get_command(app) if command is None else command
    yield words
    if isinstance(command, typer.core.TyperGroup):
        for name, inner in command.commands.items():
            yield from verbs(inner, (*words, name))


def groups() -> dict[str, tuple[str, ...]]:
    """Name -> calls: GROUPS, and the help of every verb."""
    asked = {"-".join(("help", *words)): (" ".join((*words, "--help")),) for words in verbs()}
    return {**GROUPS, **asked}  # one file each


def transcript(calls: tuple[str, ...], place: Path) -> str:
    """What these calls print, one after the other, in a folder that is not there yet."""
    place.mkdir()
    shutil.copytree(ROOT / "configs", place / "configs")
    (place / "runs").mkdir()
    for name, text in FILES.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    with contextlib.chdir(place), plain_terminal(place):
        return "\n".join(steady(call(words), place) for words in calls)


@contextlib.contextmanager
def plain_terminal(place: Path) -> Iterator[None]:
    """A terminal of WIDTH columns without colour, whatever this one is, of a person whose settings are in `place`."""
    before = dict(os.environ)
    os.environ.update({"COLUMNS": str(WIDTH), "LINES": "40", "NO_COLOR": "1", "TERM": "dumb"})
    os.environ["XDG_CONFIG_HOME"] = str(place / "settings")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def call(line: str) -> str:
    """One call with all that it prints."""
    words = shlex.split(line)
    if words[:1] == ["cat"]:
        return f"$ {line}\n{contents(Path(words[1]))}"
    if words[:1] == ["ls"]:
        names = sorted(path.name for path in Path(words[1]).iterdir() if not path.name.startswith("."))
        return f"$ {line}\n" + "".join(f"{name}\n" for name in names)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = exit_code_of(lambda: built.app(words, prog_name="rltrain"))
    text = f"$ rltrain {line}\n{out.getvalue()}"
    if err.getvalue():
        text += f"--- standard error\n{err.getvalue()}"
    return text + f"--- exit code {code}\n"


def contents(path: Path) -> str:
    """A file that a call wrote: text as it is, arrays by their types, shapes and digests."""
    if not path.exists():
        return "no such file\n"
    if path.suffix != ".npz":
        return path.read_text(encoding="utf-8")
    with np.load(path, allow_pickle=False) as arrays:
        return "".join(f"{name}: {array_text(arrays[name])}\n" for name in sorted(arrays))


def array_text(array: np.ndarray) -> str:
    """Type, shape and digest."""
    return f"{array.dtype}{list(array.shape)} {hashlib.sha256(array.tobytes()).hexdigest()[:16]}"


def steady(text: str, place: Path) -> str:
    """A text without what depends on the machine and the moment."""
    text = text.replace(str(place), "PLACE")
    for pattern, word in STEADY:
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    return text


def comparable(text: str, elsewhere: list[str]) -> list[str]:
    """A transcript as lines, without what differs where these facts of the machine differ. JSON has a value a line."""
    if not elsewhere:
        lines = text.splitlines()
        return [part for line in lines for part in (line.split(", ") if line.startswith("{") else [line])]
    if set(elsewhere) & set(SCREEN):
        return [line for line in text.splitlines() if line.startswith(("$ ", "--- exit code"))]
    text = re.sub(r"-?\d[\d.,]*(e[-+]?\d+)?", "#", text)
    return re.sub(r"[\s│╭╮╰╯─]+", "\n", text).splitlines()


def difference(name: str, recorded: str, found: str, elsewhere: list[str]) -> str:
    """What a group of calls prints otherwise than before, for a person to read; "" for nothing."""
    before, now = (comparable(text, elsewhere) for text in (recorded, found))
    return "\n".join(difflib.unified_diff(before, now, f"{name}.txt as recorded", "as it is", lineterm=""))


def record(name: str, place: Path) -> None:
    """Write down what a group of calls prints, as it is now, and on which machine."""
    RECORDED.mkdir(exist_ok=True)
    (RECORDED / f"{name}.txt").write_text(transcript(groups()[name], place / name), encoding="utf-8")
    (RECORDED / "machine.json").write_text(json.dumps(machine(), indent=1) + "\n", encoding="utf-8")
