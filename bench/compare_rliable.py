"""The statistics of `rltrain compare` beside rliable's, on the same scores; and how often its verdict is wrong.

rliable (Agarwal et al. 2021) takes scores [runs, games]. Its repository carries none, so the cases are drawn here from
fixed seeds: normal and skewed scores, many ties, scores at a ceiling, and few runs. Estimates must agree to 1e-12, and
ends of intervals to the error of two bootstraps: a twentieth of the width, of a profile's band one run.
tests/bench/test_compare_bench.py holds ours against the numbers that --save keeps.

The verdict is tried on drawn runs: of 250 pairs of sides of one distribution so many are told apart, and of 250
whose means are as far apart as the noncentral t says that 80 % would be found.

rliable 1.2.0 comes as source and needs arch < 8. Install it into an environment of its own, of any numpy:

    python -m venv VENV && VENV/bin/pip install rliable==1.2.0 "arch<8" "pandas<3"
    python bench/compare_rliable.py --python VENV/bin/python --save     # two minutes
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measuring import machine

from rltrain.core import Array
from rltrain.report import inference, verdict
from rltrain.run.manifest import versions

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "bench" / "peers" / "rliable_scores.py"
RESULT = ROOT / "bench" / "results" / "compare.json"
RESAMPLES = {"iqm": 10_000, "improvement": 2_000}  # of rliable's bootstraps, of which the second is slow
EQUAL = 1e-12
ESTIMATES = ("mean", "iqm", "improvement", "profile")
CLOSE = 0.05  # of an interval's width
TRIES = 250  # pairs of drawn sides
SIZES = (3, 5, 10)  # runs a side


def cases() -> dict[str, dict[str, Any]]:
    """Scores [runs][games] of x and y, to three decimals, and the thresholds of their profiles."""
    stream = np.random.default_rng(2021)
    drawn = {
        "normal": (stream.normal(0.6, 0.3, (5, 4)), stream.normal(0.5, 0.2, (5, 4))),
        "skewed": (stream.lognormal(0.2, 1.0, (10, 3)), stream.lognormal(0.0, 1.2, (10, 3))),
        "ties": (stream.integers(0, 4, (6, 3)) / 1.0, stream.integers(0, 3, (4, 3)) / 1.0),
        "ceiling": (stream.normal(1.0, 0.2, (5, 3)).clip(max=1.0), stream.normal(0.8, 0.3, (7, 3)).clip(max=1.0)),
        "few": (stream.normal(400, 60, (3, 1)), stream.normal(350, 90, (3, 1))),
    }
    found = {}
    for name, pair in drawn.items():
        x, y = (np.round(scores, 3) for scores in pair)
        every = np.concatenate([x.ravel(), y.ravel()])
        thresholds = np.round(np.linspace(every.min() - 0.1, every.max(), 12), 4)  # none is a score but by chance
        found[name] = {"x": x.tolist(), "y": y.tolist(), "thresholds": thresholds.tolist()}
    return found


def ours(case: dict[str, Any]) -> dict[str, Any]:
    """What rltrain makes of a case, by the names of bench/peers/rliable_scores.py."""
    sides = {name: [np.array(column) for column in np.array(case[name]).T] for name in ("x", "y")}
    thresholds = np.array(case["thresholds"])
    chance = inference.improvement_interval(sides["x"], sides["y"])
    iqm = {name: inference.iqm_interval(side) for name, side in sides.items()}
    bands = {name: inference.profile_band(side, thresholds) for name, side in sides.items()}
    return {
        "mean": {name: inference.mean(side).value for name, side in sides.items()},
        "iqm": {name: found.value for name, found in iqm.items()},
        "iqm_interval": {name: list(found[1:]) for name, found in iqm.items()},
        "improvement": chance.value,
        "improvement_interval": list(chance[1:]),
        "profile": {name: inference.profile(side, thresholds).tolist() for name, side in sides.items()},
        "profile_band": {name: [end.tolist() for end in band] for name, band in bands.items() if band is not None},
    }


def apart(case: dict[str, Any], one: dict[str, Any], other: dict[str, Any]) -> dict[str, float]:
    """The greatest differences of two sides' numbers of a case: of estimates as they are; of the ends of an interval as
    shares of its width; of a profile's band, which moves in steps of a run, as runs."""

    def exactly(name: str) -> float:
        return float(max(np.abs(np.subtract(a, b)).max() for a, b in _pairs(one[name], other[name])))

    def of_width(name: str) -> float:
        found = []
        for a, b in _pairs(one[name], other[name]):
            width = max(b[1] - b[0], 1e-9)
            found.append(float(np.abs(np.subtract(a, b)).max()) / width)
        return max(found)

    bands = (
        (np.subtract(one["profile_band"][name], other["profile_band"][name]), np.size(case[name])) for name in "xy"
    )
    return {
        **{name: exactly(name) for name in ESTIMATES},
        **{name: of_width(name) for name in ("iqm_interval", "improvement_interval")},
        "profile_band": max(float(np.abs(differences).max() * runs) for differences, runs in bands),
    }


def limit(name: str) -> float:
    """What a difference of `apart` may come to: a bootstrap's end, or one step of a band, is sure to no more."""
    return EQUAL if name in ESTIMATES else 1 + EQUAL if name == "profile_band" else CLOSE


def _pairs(one: Any, other: Any) -> list[tuple[Any, Any]]:
    return [(one[name], other[name]) for name in one] if isinstance(one, dict) else [(one, other)]


Draw = Callable[[np.random.Generator, int], Array]
NULLS: dict[str, Draw] = {  # distributions of a run's score, of standard deviation 1 or so
    "normal": lambda stream, n: stream.normal(size=n),
    "skewed": lambda stream, n: stream.lognormal(0.0, 0.8, n),
    "solved or not": lambda stream, n: np.where(stream.random(n) < 0.7, 5.0, 0.0) + stream.normal(0, 0.3, n),
}


def verdicts(tries: int = TRIES) -> dict[str, dict[str, float]]:
    """By distribution and runs a side the share of pairs of equal sides that are told apart, a wrong verdict.

    `found`: of normal scores whose means are as far apart as the noncentral t says that 80 % would be found.
    """
    stream = np.random.default_rng(7)
    found: dict[str, dict[str, float]] = {}
    for name, draw in NULLS.items():
        found[name] = {}
        for n in SIZES:
            told = [_told(draw(stream, n), draw(stream, n)) for _ in range(tries)]
            found[name][str(n)] = sum(told) / tries
    found["found"] = {}
    for n in SIZES:
        far = _exactly_detectable(n)
        told = [_told(stream.normal(far, 1, n), stream.normal(0, 1, n)) for _ in range(tries)]
        found["found"][str(n)] = sum(told) / tries
    return found


def _told(x: Array, y: Array) -> bool:
    better, other = (x, y) if x.mean() >= y.mean() else (y, x)
    return verdict.duel(("a", [better]), ("b", [other]), paired=False).told


def _exactly_detectable(n: int) -> float:
    """The difference of means, in standard deviations, that Student's test of n a side finds with probability 0.8."""
    from scipy import optimize, stats

    degrees = 2 * n - 2
    reach = stats.t.ppf(0.975, degrees)
    return float(optimize.brentq(lambda d: stats.nct.sf(reach, degrees, d * np.sqrt(n / 2)) - 0.8, 0.1, 20))


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The statistics of rltrain compare beside rliable's")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has rliable")
    parser.add_argument("--save", action="store_true", help=f"write {RESULT.relative_to(ROOT)}")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    given = arguments(argv)
    asked = {"resamples": RESAMPLES, "cases": cases()}
    done = subprocess.run([given.python, str(SCRIPT)], input=json.dumps(asked), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit("rliable gave no numbers: name an interpreter that has it with --python")
    theirs = json.loads(done.stdout)
    differences = {name: apart(case, ours(case), theirs["cases"][name]) for name, case in asked["cases"].items()}
    names = list(next(iter(differences.values())))
    print(f"{'':<8} " + "  ".join(f"{name:>20}" for name in names))
    for case, found in differences.items():
        print(f"{case:<8} " + "  ".join(f"{found[name]:>20.2e}" for name in names))
    tried = verdicts()
    for name, rates in tried.items():
        print(f"{name:<14} told apart: " + ", ".join(f"{n} runs {100 * rate:.1f} %" for n, rate in rates.items()))
    if given.save:
        result = {
            "command": shlex.join(["python", "bench/compare_rliable.py", "--python", "VENV/bin/python", "--save"]),
            "machine": machine(),
            "versions": {"ours": dict(versions()), "theirs": theirs["versions"]},
            "resamples": {"ours": inference.RESAMPLES, "theirs": RESAMPLES, "profile": inference.CURVES},
            "differences": differences,
            "verdicts": {"tries": TRIES, **tried},
            "cases": {name: {**case, "rliable": theirs["cases"][name]} for name, case in asked["cases"].items()},
        }
        RESULT.write_text(json.dumps(result) + "\n", encoding="utf-8")
    wrong = [
        f"{case}: {name} {value:.1e}"
        for case, found in differences.items()
        for name, value in found.items()
        if value > limit(name)
    ]
    if wrong:
        sys.exit("\n".join(["not as rliable has it:", *wrong]))


if __name__ == "__main__":
    main()
