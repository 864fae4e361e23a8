"""The figures of reliability, by the command that anyone can run: docs/reliability.md says what each means.

    python bench/reliability.py --save              all of them: about a quarter of an hour
    python bench/reliability.py --only R7 R13       some
    python bench/reliability.py --share 0.1         a tenth of the cases, spread over all kinds: a minute or two

    R4   power loss at every moment of a run, simulated        R15  the share of a run's time that saving takes
    R7   hostile run folders and model files                   R17  runs of earlier versions
    R11  every Atari game resumes exactly                      R18  too little memory
    R13  several processes for one run; groups stopped early

Exit code 1 if a target is missed. What was not as it must be is said case by case.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from measuring import machine, machine_seconds, own_seconds
from reliability_common import ROOT, Figure, environment

RESULT = ROOT / "bench" / "results" / "reliability.json"
PAGE = ROOT / "docs" / "reliability.md"
RACES = GROUPS = 50
LEAST_STATES = 2_000
MOST_SAVING = 0.01  # of a run's time
PACKAGES = ("rltrain", "numpy", "numba", "torch", "gymnasium", "ale-py")


def power_loss(place: Path, share: float) -> list[Figure]:
    """The tests that simulate it: every state of ten checkpoints, and of a run every fiftieth."""
    found = tested("tests/run/test_faults.py", "power_loss", place)
    states = sum(int(value) for case in found for value in case["properties"].get("states", ()))
    faults = [case["name"] for case in found if case["failed"]]
    passed = bool(found) and not faults and states >= LEAST_STATES
    said = f"{states:,} states, {len(faults)} of {len(found)} tests failed"
    target = f"none lost in {LEAST_STATES:,} states"
    return [Figure("R4", "power loss, simulated", target, said, passed, {"states": states}, faults)]


def hostile_inputs(place: Path, share: float) -> list[Figure]:
    from reliability_hostile import hostile

    return [hostile(place, share)]


def atari_games(place: Path, share: float) -> list[Figure]:
    from reliability_atari import atari

    return [atari(share)]


def exclusive_runs(place: Path, share: float) -> list[Figure]:
    from reliability_moments import groups, races

    (place / "races").mkdir()
    (place / "groups").mkdir()
    counts = (max(1, round(share * count)) for count in (RACES, GROUPS))
    return [measure(place / measure.__name__, count) for measure, count in zip((races, groups), counts, strict=True)]


def cost_of_saving(place: Path, share: float) -> list[Figure]:
    """Medians over three runs of each short config, as bench/saving.py measures them. The last save is apart: a run
    that ends is saved, and where it took half a second, that alone is more than a hundredth."""
    import saving

    chosen, last, faults = {}, {}, []
    for case in saving.SHORT:
        runs = [saving.measure(case, ROOT) for _ in range(3 if share >= 0.5 else 1)]
        name = Path(case.split(",")[0]).stem
        chosen[name] = median((run["saving"] - run["last"]) / run["seconds"] for run in runs)
        last[name] = median(1000 * run["last"] for run in runs)
        if chosen[name] >= MOST_SAVING:
            faults.append(f"{name}: {100 * chosen[name]:.1f} %")
    said = ", ".join(f"{name} {100 * chosen[name]:.1f} % and {last[name]:.0f} ms" for name in chosen)
    found = {
        "share_before_the_end": {name: round(own, 4) for name, own in chosen.items()},
        "last_save_ms": {name: round(own) for name, own in last.items()},
    }
    what = "saves that the default cadence chose, of a run's time; and the last"
    return [Figure("R15", what, "under 1 %", said, not faults, found, faults)]


def golden_runs(place: Path, share: float) -> list[Figure]:
    found = tested("tests/run/test_golden.py", "", place)
    faults = [case["name"] for case in found if case["failed"]]
    runs = sum("goes_on" in case["name"] for case in found)
    said = f"{runs} runs, {len(faults)} of {len(found)} tests failed"
    what, target = "runs of version 0.1.0, a run of every algorithm", "all load to the bit, go on, are evaluated"
    return [Figure("R17", what, target, said, bool(found) and not faults, {"runs": runs}, faults)]


def low_memory(place: Path, share: float) -> list[Figure]:
    from reliability_limits import limits

    return [limits(place, share)]


FIGURES: dict[str, Callable[[Path, float], list[Figure]]] = {
    "R4": power_loss,
    "R7": hostile_inputs,
    "R11": atari_games,
    "R13": exclusive_runs,
    "R15": cost_of_saving,
    "R17": golden_runs,
    "R18": low_memory,
}


def tested(file: str, words: str, place: Path) -> list[dict[str, Any]]:
    """Run tests of the project: name, whether it failed, and what each recorded."""
    report = place / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-n0", f"--junitxml={report}", "-k", words, file]
    done = subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode not in (0, 1) or not report.exists():
        raise SystemExit(done.stdout.decode("utf-8", "replace"))
    found = []
    for case in xml.parse(report).iter("testcase"):
        properties: dict[str, list[str]] = {}
        for one in case.iter("property"):
            properties.setdefault(one.get("name", ""), []).append(one.get("value", ""))
        failed = case.find("failure") is not None or case.find("error") is not None
        found.append({"name": case.get("name", ""), "failed": failed, "properties": properties})
    return found


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=list(FIGURES), help="these figures alone")
    parser.add_argument("--share", type=float, default=1.0, help="of the cases; below 1 is only a trial [1]")
    parser.add_argument("--save", nargs="?", const=RESULT, type=Path, help=f"write JSON [{RESULT.relative_to(ROOT)}]")
    given = parser.parse_args(argv)
    if not 0 < given.share <= 1:
        parser.error(f"--share {given.share}: must be above 0 and at most 1")
    if given.save and given.share < 1:
        parser.error(f"--save with --share {given.share}: a result is kept only of all cases")
    return given


def measured(number: str, share: float) -> dict[str, Any]:
    """The rows of one figure, with how long they took and how busy others kept the machine meanwhile."""
    began, cores, own = time.monotonic(), machine_seconds(), own_seconds()
    with tempfile.TemporaryDirectory(prefix="reliability-") as place:
        rows = FIGURES[number](Path(place), share)
    seconds = time.monotonic() - began
    others = max(0.0, (machine_seconds() - cores) - (own_seconds() - own)) / seconds
    return {"rows": rows, "seconds": round(seconds, 1), "cores_kept_busy_by_others": round(others, 2)}


def show(found: dict[str, Any], number: str) -> None:
    for row in found["rows"]:
        print(f"{number:4} {'ok  ' if row.passed else 'MISS'} {row.what}: {row.result}; target: {row.target}")
        for fault in row.faults:
            print(f"       {fault}")
    print(
        f"       {found['seconds']:.0f} s, others kept {found['cores_kept_busy_by_others']:.1f} cores busy", flush=True
    )


def keep(path: Path, found: dict[str, dict[str, Any]], command: str) -> None:
    """Write what was measured; figures that an earlier command measured stay, with that command."""
    known = json.loads(path.read_text())["figures"] if path.exists() else {}
    facts = {
        "command": command,
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }
    for number, own in found.items():
        known[number] = {**facts, **own, "rows": [asdict(row) for row in own["rows"]]}
    ordered = {number: known[number] for number in FIGURES if number in known}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"figures": ordered}, indent=1) + "\n")
    print(f"wrote {path}")


def table(path: Path = RESULT) -> str:
    """What a result says, for docs/reliability.md."""
    lines = ["| Figure | Target | Measured | Seconds |", "| --- | --- | --- | --- |"]
    for number, own in json.loads(path.read_text())["figures"].items():
        for row in own["rows"]:
            verdict = "" if row["passed"] else "missed: "
            lines.append(
                f"| {number} {row['what']} | {row['target']} | {verdict}{row['result']} | {own['seconds']:.0f} |"
            )
    return "\n".join(lines) + "\n"


def write_page() -> None:
    """Put the table of RESULT in its place on the page."""
    before, mark, rest = PAGE.read_text().partition("<!-- figures, written by bench/reliability.py --save -->\n")
    end = "<!-- end of figures -->"
    PAGE.write_text(before + mark + table() + end + rest.partition(end)[2])
    print(f"wrote {PAGE}")


def main(argv: Sequence[str] | None = None) -> None:
    given = arguments(argv)
    os.environ["PYTHONPATH"] = str(ROOT)
    found = {}
    for number in given.only:
        found[number] = measured(number, given.share)
        show(found[number], number)
    if given.save:
        keep(given.save, found, shlex.join(["python", "bench/reliability.py", *(argv or sys.argv[1:])]))
        if given.save == RESULT:
            write_page()
    if not all(row.passed for own in found.values() for row in own["rows"]):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
