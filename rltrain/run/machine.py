"""What a run's numbers depend on besides its configuration: versions, processor, threads."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

from rltrain import registry
from rltrain.experiment.config import Experiment
from rltrain.version import installed

PACKAGES = ("rltrain", "numpy", "numba", "torch", "gymnasium", "ale-py")


def facts(threads: int, device: str) -> dict[str, str]:
    """Versions, platform, processor, threads, device by name. Where all are equal, runs on a CPU are, to the bit."""
    return {
        "python": platform.python_version(),
        **{package: installed(package) or "-" for package in PACKAGES},
        "platform": f"{sys.platform} {platform.machine()}",
        "processor": _processor(),
        "threads": str(threads),
        "device": device,
    }


def device(experiment: Experiment) -> str:
    """cpu or cuda: where a run computes, with `run.device: auto` resolved.

    torch is loaded to look for a GPU only if the algorithm can use one.
    """
    name = experiment.run.device
    if name != "auto":
        return name
    if not registry.plugin(experiment.algorithm_name).on_gpu:
        return "cpu"
    from rltrain.deep.device import has_gpu

    return "cuda" if has_gpu() else "cpu"


def changes(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The facts that differ, as "torch 2.12.0 -> 2.13.0"; empty if a run that goes on here stays exact."""
    return [f"{name} {then.get(name, '-')} -> {now[name]}" for name in now if then.get(name) != now[name]]


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _processor() -> str:
    """The model and the widest vector instructions, since torch chooses its kernels by them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "-"
    table = dict(line.split(":", 1) for line in lines if ":" in line)
    fields = {name.strip(): value.strip() for name, value in table.items()}
    flags = fields.get("flags", "").split()
    widest = [flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if flag in flags]
    return " ".join([fields.get("model name", "-"), *widest])
