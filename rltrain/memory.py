"""How much memory this process may still take: of the machine, of its control groups, of `ulimit -v`."""

from __future__ import annotations

import resource
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int:
    """Memory that this process may take: what the machine has free, what its control group and `ulimit -v` allow."""
    import psutil

    limits = [int(psutil.virtual_memory().available), *cgroup_limits(Path("/proc/self/cgroup"), CGROUP)]
    space = resource.getrlimit(resource.RLIMIT_AS)[0]
    if space != resource.RLIM_INFINITY:  # of addresses, of which libraries take more than they ever use
        here = psutil.Process().memory_info()
        limits.append(max(0, space - here.vms + here.rss))
    return min(limits)


def cgroup_limits(membership: Path, root: Path) -> list[int]:
    """memory.max of this process's control group and of those around it (version 1: memory.limit_in_bytes)."""
    limits = []
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            home, name = root, "memory.max"
        elif "memory" in controllers.split(","):
            home, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        folder = home / path.lstrip("/")
        for place in [folder, *folder.parents]:
            if place == home or home in place.parents:
                try:
                    limits.append(int((place / name).read_text()))
                except (OSError, ValueError):
                    pass  # "max", or no such file: no limit here
    return limits
