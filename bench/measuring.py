"""What measurements share: the machine, how busy others kept it, a median with its range."""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

LOADED = 0.3  # cores kept busy by other processes, above which a run is marked


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    models = [
        line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return {
        "cpu": models[0] if models else platform.machine(),
        "instructions": widest_instructions(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
    }


def widest_instructions() -> str:
    """Of those that matter to a network's speed; "-" for none."""
    lines = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")]
    flags = lines[0].split() if lines else []
    return " ".join(flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if flag in flags) or "-"


def machine_seconds() -> float:
    """Processor seconds since boot, all cores together. Source: man 5 proc."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq = (int(word) for word in words[:7])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """Processor seconds of this process and of the children that it has waited for."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime + children_seconds()


def children_seconds() -> float:
    """Processor seconds of the children that this process has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def seconds_of(pid: int) -> float:
    """Processor seconds of another process so far, its threads together; 0 once it is gone. Source: man 5 proc."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    user, system = int(after_name[11]), int(after_name[12])  # fields 14 and 15 of all
    return (user + system) / os.sysconf("SC_CLK_TCK")


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and range; at least one value."""
    return {"median": median(values), "low": min(values), "high": max(values), "count": len(values)}
