"""What the sides of bench/dqn_throughput.py share: the one JSON line that each prints."""

from __future__ import annotations

import argparse
import json
import platform
import resource
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any


def report(
    side: str, given: argparse.Namespace, figures: Mapping[str, float], packages: Sequence[str], **more: Any
) -> None:
    """figures: steps, updates and seconds of the measured window. `more` goes into the line as it is."""
    import torch

    line = {
        "side": side,
        **more,
        "steps_per_second": round(figures["steps"] / figures["seconds"], 2),
        "steps": figures["steps"],
        "updates": figures["updates"],
        "seconds": round(figures["seconds"], 3),
        "threads": torch.get_num_threads(),
        "device": given.device,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in packages}},
    }
    print(json.dumps(line), flush=True)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "-"  # a checkout that is not installed
