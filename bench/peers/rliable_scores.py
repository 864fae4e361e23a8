"""rliable's numbers of pairs of algorithms, for bench/compare_rliable.py: JSON in, JSON out.

In: {case: {"x": [runs][games], "y": [runs][games], "thresholds": [...]}}, and how many resamples.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from typing import Any

import numpy as np
from rliable import library, metrics


def numbers(case: dict[str, Any], resamples: dict[str, int]) -> dict[str, Any]:
    """Means, IQMs, probability of improvement and profiles of one pair, with rliable's intervals."""
    x, y = np.array(case["x"]), np.array(case["y"])
    scores = {"x": x, "y": y}
    iqm, iqm_ends = library.get_interval_estimates(
        scores, lambda s: np.array([metrics.aggregate_iqm(s)]), reps=resamples["iqm"]
    )
    chance, chance_ends = library.get_interval_estimates(
        {"x,y": (x, y)}, metrics.probability_of_improvement, reps=resamples["improvement"]
    )
    profile, band = library.create_performance_profile(scores, np.array(case["thresholds"]))
    return {
        "mean": {name: float(metrics.aggregate_mean(scores[name])) for name in scores},
        "iqm": {name: float(np.ravel(iqm[name])[0]) for name in scores},
        "iqm_interval": {name: np.ravel(iqm_ends[name]).tolist() for name in scores},
        "improvement": float(np.ravel(chance["x,y"])[0]),
        "improvement_interval": np.ravel(chance_ends["x,y"]).tolist(),
        "profile": {name: np.ravel(profile[name]).tolist() for name in scores},
        "profile_band": {name: np.array(band[name]).tolist() for name in scores},
    }


def main() -> None:
    asked = json.load(sys.stdin)
    np.random.seed(0)  # arch draws from the global generator where it is given none
    found = {name: numbers(case, asked["resamples"]) for name, case in asked["cases"].items()}
    versions = {name: importlib.metadata.version(name) for name in ("rliable", "arch", "numpy", "scipy")}
    json.dump({"versions": versions, "cases": found}, sys.stdout)


if __name__ == "__main__":
    main()
