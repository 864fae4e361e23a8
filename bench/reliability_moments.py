"""R13: one run belongs to one process, and a group that is stopped at its beginning comes to its end.

Races: two to four processes begin a new run of one name, or go on with one run, at the same moment. Exactly one trains;
the others end at once, with 5 (or, where they were to begin a run of a name that is taken, with 2). The one that
trains is killed; the next start goes on and ends where an undisturbed run does.

Groups: `train --seeds 3` is sent SIGINT, SIGTERM or SIGKILL, in turn, at a random moment of its first two seconds. Then
only what the tool says is typed, `rltrain resume NAME` first where it said nothing, until it says that all is finished.
The metrics of every seed must then be those of a group that nobody stopped, to the byte.
"""

from __future__ import annotations

import random
import re
import shlex
import shutil
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from reliability_common import BASIC, GIVEN_UP_SECONDS, Figure, ended, rltrain, start

SEEDS = 3
FIRST_SECONDS = 2.0
MOST_COMMANDS = 6  # that a person would type before giving up
ENDLESS = "run.budget.episodes=10_000_000"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
COMPARED = ("metrics.jsonl", "metrics.csv", "eval.jsonl", "eval.csv")


def numbers(run: Path) -> dict[str, bytes | None]:
    """What a run learnt and measured, as bytes; None for what is missing."""
    return {name: (run / name).read_bytes() if (run / name).is_file() else None for name in COMPARED}


def differing(run: Path, expected: dict[str, bytes | None]) -> list[str]:
    """The files that are not as they must be."""
    return [f"{run.name}/{name}" for name, data in numbers(run).items() if data != expected[name]]


# Groups


def groups(place: Path, count: int, seed: int = 0) -> Figure:
    """So many groups, each stopped once."""
    (place / "group.yaml").write_text(BASIC)
    train = ["train", "group.yaml", "--seeds", str(SEEDS), "--name"]
    code, said = rltrain(*train, "undisturbed", cwd=place)
    assert code == 0, said
    expected = {f"s{n}": numbers(place / "runs" / "undisturbed" / f"s{n}") for n in range(SEEDS)}
    draws, faults, typed, moments = random.Random(seed), [], Counter[int](), []
    for number in range(count):
        name, kind, moment = f"g{number}", SIGNALS[number % len(SIGNALS)], draws.uniform(0, FIRST_SECONDS)
        process = start([*train, name], place)
        time.sleep(moment)
        process.send_signal(kind)
        said = ended(process)[1]
        commands, wrong = go_on(place, name, [*train, name], said)
        wrong += [file for member, data in expected.items() for file in differing(place / "runs" / name / member, data)]
        typed[commands] += 1
        moments.append(round(moment, 3))
        if wrong:
            faults.append(f"{kind.name} after {moment:.3f} s: {'; '.join(wrong)}")
        shutil.rmtree(place / "runs" / name, ignore_errors=True)
    done = count - len(faults)
    commands = ", ".join(f"{typed[n]} after {n}" for n in sorted(typed))
    return Figure(
        "R13",
        f"groups of {SEEDS} seeds stopped in their first {FIRST_SECONDS:g} s",
        "all finish to the byte",
        f"{done} of {count} (commands typed: {commands})",
        not faults,
        {"groups": count, "equal": done, "commands_typed": dict(sorted(typed.items())), "seed": seed},
        faults,
    )


def go_on(place: Path, name: str, train: Sequence[str], said: str) -> tuple[int, list[str]]:
    """Type what the tool says until it says that all is finished. Returns how many commands that took, and faults."""
    heard = []
    for typed in range(1, MOST_COMMANDS + 1):
        words = next_words(name, train, said)
        code, said = rltrain(*words, cwd=place)
        if code == 0 and ("finished: " in said or "nothing to do: " in said):
            return typed, []
        heard.append(f"`{' '.join(words[:2])} ...` ended with {code}: {' '.join(said.split())[-300:]}")
        if code is None:
            return typed, [f"hangs: {heard[-1]}"]
        if code == 5:
            time.sleep(1)  # it says: wait for it to end
    return MOST_COMMANDS, [f"not finished after {MOST_COMMANDS} commands: {heard[-1]}"]


def next_words(name: str, train: Sequence[str], said: str) -> list[str]:
    """The command that follows from what was said: its own words, the train command where no run began, or resume."""
    told = re.findall(r"(?:go on with(?: it)?: |go on from the last checkpoint with: )rltrain (resume [^\n;]+)", said)
    if told:
        return shlex.split(told[-1])
    if "none ever began" in said or "was removed" in said or f"no run '{name}'" in said:
        return list(train)
    return ["resume", name]


# Races


def races(place: Path, count: int, seed: int = 0) -> Figure:
    """So many races for one run."""
    (place / "race.yaml").write_text(BASIC)
    code, said = rltrain("train", "race.yaml", "--name", "whole", cwd=place)
    assert code == 0, said
    expected = numbers(place / "runs" / "whole")
    code, said = rltrain("train", "race.yaml", "run.budget.episodes=20", "--name", "begun", cwd=place)
    assert code == 0, said
    draws, faults, processes = random.Random(seed), [], 0
    for number in range(count):
        name, racers = f"r{number}", draws.randint(2, 4)
        processes += racers
        if new := number % 2 == 0:
            words = ["train", "race.yaml", ENDLESS, "--name", name, "--quiet"]
        else:
            shutil.copytree(place / "runs" / "begun", place / "runs" / name)
            words = ["resume", name, ENDLESS, "--quiet"]
        wrong = race(place, words, racers, {5, 2} if new else {5})
        code, said = rltrain("resume", name, "run.budget.episodes=60", "--quiet", cwd=place)
        # The killed one may have come past the end of the undisturbed run; its rows must still begin as those do.
        if code != 0:
            wrong.append(f"the next start ended with {code}: {' '.join(said.split())[-300:]}")
        rows, whole = numbers(place / "runs" / name)["metrics.jsonl"], expected["metrics.jsonl"]
        if rows is None or whole is None or not rows.startswith(whole):
            wrong.append("the rows are not those of an undisturbed run")
        if wrong:
            faults.append(f"race {number}, {racers} times `rltrain {words[0]}`: {'; '.join(wrong)}")
        shutil.rmtree(place / "runs" / name, ignore_errors=True)
    done = count - len(faults)
    return Figure(
        "R13",
        "races of 2 to 4 processes for one run",
        "one trains, the others exit 5; the next start succeeds",
        f"{done} of {count} ({processes} processes)",
        not faults,
        {"races": count, "processes": processes, "right": done, "seed": seed},
        faults,
    )


def race(place: Path, words: Sequence[str], racers: int, refused: set[int]) -> list[str]:
    """Start all at once, wait until one is left, kill it. Returns what was wrong."""
    started = [start(words, place) for _ in range(racers)]
    end = time.monotonic() + GIVEN_UP_SECONDS
    while sum(process.poll() is None for process in started) > 1 and time.monotonic() < end:
        time.sleep(0.01)
    left = [process for process in started if process.poll() is None]
    metrics = place / "runs" / words[words.index("--name") + 1 if "--name" in words else 1] / "metrics.jsonl"
    size = metrics.stat().st_size if metrics.exists() else 0
    while left and left[0].poll() is None and time.monotonic() < end:  # until it is seen to train
        if metrics.exists() and metrics.stat().st_size > size:
            break
        time.sleep(0.01)
    wrong = [] if len(left) == 1 else [f"{len(left)} processes train"]
    for process in left:
        if process.poll() is not None:
            wrong.append(f"the last one ended with {process.returncode}")
        process.kill()
    for process in started:
        code, said = ended(process)
        if process not in left and code not in refused:
            wrong.append(f"one ended with {code}: {' '.join(said.split())[-300:]}")
    return wrong
