"""R7: run folders and model files made to harm. Nothing runs, nothing outside changes, and it costs little.

For each command of each case: the exit code is one that is right; it took at most 2 s and 300 MB more than on the good
input (`reliability_guard` says how that is measured); the audit hook saw nothing that it does not see on good inputs;
the folder beside the run is the same to the byte; no file `executed` was made by a pickle, a tag or a module; and no
escape character reached the output.

That the watch sees anything at all is tested first, by cases that do what none may.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import reliability_folders as folders
import reliability_guard as guard
import reliability_models as models
from reliability_common import Figure

MOST_SECONDS, MOST_BYTES = 2.0, 300_000_000
VERBS = ("list", "check", "plot", "eval", "resume")


class Usual(NamedTuple):
    """What a verb costs and does on good inputs."""

    seconds: float
    extra_bytes: int
    events: frozenset[str]


class Watch:
    """Runs the commands of cases, each in a home of its own, and remembers what was wrong and what was most."""

    def __init__(self, place: Path) -> None:
        self.place, self.faults = place, list[str]()
        self.commands, self.codes = 0, Counter[str]()
        self.seconds, self.bytes = (0.0, ""), (0, "")

    def case(
        self,
        name: str,
        build: Callable[[Path], object],
        commands: Iterable[tuple[Sequence[str], frozenset[int] | set[int], Usual]],
    ) -> bool:
        """Whether all is right with it; what is not is in `faults`."""
        home = self.place / f"case-{time.monotonic_ns()}"
        outside = home.parent / f"{home.name}-outside"
        home.mkdir()
        folders.put_outside(outside)
        (home / "outside").symlink_to(outside)
        build(home)
        before, wrong = tree(outside), len(self.faults)
        try:
            for words, right, usual in commands:
                words = [word.replace("HOME", str(home)) for word in words]
                self._judge(f"{name}: {' '.join(words[:2])}"[:120], guard.watched(words, home), right, usual)
                if tree(outside) != before:
                    self.faults.append(f"{name}: {words[0]} changed what lies outside")
                if (home / "executed").exists():
                    self.faults.append(f"{name}: {words[0]} ran what the file says")
                    (home / "executed").unlink()
        finally:
            shutil.rmtree(home, ignore_errors=True)
            shutil.rmtree(outside, ignore_errors=True)
        return len(self.faults) == wrong

    def _judge(self, what: str, found: guard.Outcome, right: Iterable[int], usual: Usual) -> None:
        self.commands += 1
        seconds, taken = found.seconds - usual.seconds, found.extra_bytes - usual.extra_bytes
        self.seconds, self.bytes = max(self.seconds, (seconds, what)), max(self.bytes, (taken, what))
        self.codes[str(found.code)] += 1
        last = " ".join(found.said.split())[-250:]
        if found.code is None:
            self.faults.append(f"{what}: had to be killed after {found.seconds:.0f} s, {found.extra_bytes >> 20} MB")
            return
        if found.code not in right:
            self.faults.append(f"{what}: exit code {found.code}, right are {sorted(right)}: {last}")
        if seconds > MOST_SECONDS:
            self.faults.append(f"{what}: {seconds:.1f} s more than a good one")
        if taken > MOST_BYTES:
            self.faults.append(f"{what}: {taken / 1e6:.0f} MB more than a good one")
        for event in sorted(found.events - usual.events):
            self.faults.append(f"{what}: {event}")
        if "\x1b" in found.said:
            self.faults.append(f"{what}: an escape character in its output: {last!r}")


def tree(folder: Path) -> list[tuple[str, int, int, str]]:
    """Everything in a folder: name, kind and rights, time of the last change, hash."""
    found = []
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found.append((str(path.relative_to(folder)), state.st_mode, state.st_mtime_ns if content else 0, content))
    return found


def hostile(place: Path, share: float = 1.0) -> Figure:
    """The whole corpus, or a share of it that is spread over all kinds."""
    guard.single_threaded()
    good = put_good(place / "good")
    good_model = good / "model.yaml"
    guard.warm([*(words for _, words in good_commands(good)), *good_model_commands(good)])
    usual = usual_of(place)
    seen_through = blind(place)
    watch = Watch(place)
    chosen_folders, chosen_models = (spread(kind.cases(), share) for kind in (folders, models))
    right = 0
    for case in chosen_folders:
        commands = [
            (folders.words(verb, Path("HOME/runs/x"), case.algorithm), case.codes[verb], usual[verb, case.algorithm])
            for verb in VERBS
        ]

        def build(home: Path, case: folders.Case = case) -> None:
            folders.put(case.algorithm, home / "runs" / "x")
            case.spoil(home / "runs" / "x", (home / "outside").resolve())

        right += watch.case(case.name, build, commands)
    for case in chosen_models:
        model = [
            (words, case.codes, usual["mdp", words[1]])
            for words in models.commands(case, good_model, Path("HOME") / case.file)
        ]
        right += watch.case(case.name, lambda home, case=case: case.make(home / case.file), model)
    count = len(chosen_folders) + len(chosen_models)
    most = f"at most {watch.seconds[0]:.1f} s, {watch.bytes[0] / 1e6:.0f} MB"
    return Figure(
        "R7",
        "hostile folders and models",
        "nothing run, nothing outside touched, at most 2 s and 300 MB each, right exit codes",
        f"{right} of {count} ({watch.commands} commands; {most})",
        right == count and seen_through == 0,
        {
            "folders": len(chosen_folders),
            "models": len(chosen_models),
            "commands": watch.commands,
            "right": right,
            "most_seconds": [round(watch.seconds[0], 2), watch.seconds[1]],
            "most_megabytes": [round(watch.bytes[0] / 1e6), watch.bytes[1]],
            "exit_codes": dict(sorted(watch.codes.items())),
        },
        [*watch.faults, *([f"{seen_through} harmful cases of its own were not noticed"] if seen_through else [])],
    )


def spread(cases: list, share: float) -> list:
    """Every so manieth of them."""
    count = max(1, round(share * len(cases)))
    return [cases[number * len(cases) // count] for number in range(count)]


def put_good(home: Path) -> Path:
    """A home with a good run of every algorithm, a model and a policy."""
    for name in folders.NAMES:
        folders.put(name, home / "runs" / name)
    (home / "model.yaml").write_text(models.GOOD)
    return home


def good_commands(home: Path) -> list[tuple[tuple[str, str], list[str]]]:
    """Every verb on every good run."""
    return [((verb, name), folders.words(verb, home / "runs" / name, name)) for name in folders.NAMES for verb in VERBS]


def good_model_commands(home: Path) -> list[list[str]]:
    model = str(home / "model.yaml")
    return [
        ["mdp", "info", model],
        ["mdp", "solve", model],
        ["mdp", "convert", model, str(home / "written.yaml"), "--overwrite"],
        ["mdp", "evaluate", model, "--policy", "random"],
        ["mdp", "verify", model, "--policy", "random"],
    ]


def usual_of(place: Path, rounds: int = 3) -> dict[tuple[str, str], Usual]:
    """What every verb costs and does on good inputs, from forks: medians, and all that was seen."""
    found: dict[tuple[str, str], list[guard.Outcome]] = {}
    for number in range(rounds):
        home = put_good(place / f"usual-{number}")
        for key, words in [*good_commands(home), *((("mdp", w[1]), w) for w in good_model_commands(home))]:
            found.setdefault(key, []).append(guard.watched(words, home))
    events = frozenset(event for own in found.values() for outcome in own for event in outcome.events)
    for key, own in found.items():
        if key != ("mdp", "verify"):
            assert all(outcome.code == 0 for outcome in own), f"{key}: {own[0].code}: {own[0].said[-500:]}"
    return {
        key: Usual(median(one.seconds for one in own), int(median(one.extra_bytes for one in own)), events)
        for key, own in found.items()
    }


def blind(place: Path) -> int:
    """How many things that none may do go unnoticed: a change outside, a pickle, a process, a hang of memory."""
    from rltrain.cli import app

    def harmful(name: str, work: Callable[[Path], object]) -> bool:
        @app.command(name, hidden=True)
        def verb() -> None:
            work(Path.cwd())

        watch = Watch(place)
        return watch.case(name, lambda home: None, [([name], {0}, Usual(0.0, 0, frozenset()))])

    import pickle
    import subprocess

    works: list[Callable[[Path], object]] = [
        lambda home: (home / "outside" / "file").write_text("changed"),
        lambda home: (home / "outside" / "tmp-x").unlink(),
        lambda home: open(os.path.join(os.path.dirname(home), "elsewhere"), "w").close(),
        lambda home: pickle.loads(models.PICKLE),
        lambda home: subprocess.run(["true"], check=True),
        lambda home: (b"x" * (400 << 20)).count(b"y"),
        lambda home: time.sleep(MOST_SECONDS + 0.5),
        lambda home: os.write(1, b"\x1b[31m"),
        lambda home: os.abort(),
    ]
    return sum(harmful(f"harmful-{number}", work) for number, work in enumerate(works))  # True: all is right with it
