"""What `--slurm` says of each job: partition=gpu,time=4h,mem=8G, as Slurm's sbatch has them.

Source: sbatch(1). Only `time` is read here, for a run must save before it is over; all else is Slurm's to judge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from rltrain.errors import InputError
from rltrain.spelling import did_you_mean, shown

KEYS = (  # of sbatch, one job on one node
    "account",
    "comment",
    "constraint",
    "cpus",
    "exclude",
    "gpus",
    "gres",
    "mem",
    "nodelist",
    "partition",
    "qos",
    "reservation",
    "time",
)
SAME = {"cpus_per_task": "cpus", "gpus_per_node": "gpus"}  # what sbatch calls them
UNITS = {"d": 1440, "h": 60, "m": 1}  # minutes
MOST_MINUTES = 366 * 1440


@dataclass(frozen=True)
class SlurmOptions:
    """Of each job: its time limit and what else sbatch is told."""

    minutes: int | None = None  # the time limit; None: not said
    others: Mapping[str, str] = field(default_factory=dict)  # as `KEYS` spells them


def parsed(text: str) -> SlurmOptions:
    """The options of a text as `partition=gpu,time=4h`. InputError for whatever is wrong with it.

    >>> parsed("partition=gpu,time=1:30:00,exclude=n1,n2")
    SlurmOptions(minutes=90, others={'partition': 'gpu', 'exclude': 'n1,n2'})
    """
    found: dict[str, str] = {}
    for part in re.split(r",(?=\s*[\w-]+=)", text.strip()):
        key, equals, value = (word.strip() for word in part.partition("="))
        name = key.replace("-", "_")
        name = SAME.get(name, name)
        if not equals or not value:
            raise InputError(f"--slurm: {shown(part[:60])!r} is no key=value; write partition=gpu,time=4h,mem=8G")
        if name not in KEYS:
            raise InputError(f"--slurm: unknown key {shown(key[:60])!r}{did_you_mean(name, [*KEYS, *SAME])}")
        if name in found:
            raise InputError(f"--slurm: {key} stands there twice")
        if not value.isprintable():
            raise InputError(f"--slurm {key}={shown(value[:60])}: not a line of printable text")
        found[name] = value
    for name in ("cpus", "gpus"):
        if name in found and not re.fullmatch(
            r"[0-9]{1,5}" if name == "cpus" else r"([\w.-]+:)?[0-9]{1,5}", found[name]
        ):
            raise InputError(f"--slurm {name}={shown(found[name][:60])}: expected a whole number, such as {name}=2")
    if "mem" in found and not re.fullmatch(r"[0-9]{1,12}[KMGT]?", found["mem"]):
        raise InputError(f"--slurm mem={shown(found['mem'][:60])}: expected a size of memory, such as 8G or 500M")
    time = found.pop("time", None)
    return SlurmOptions(None if time is None else minutes_of(time), found)


def minutes_of(text: str) -> int:
    """Whole minutes of a time limit as a person or sbatch writes it, rounded up. InputError.

    4h, 90m, 1h30m, 2d; of sbatch: 90 (minutes), 45:00 (minutes and seconds), 1:30:00, 2-12, 2-12:30, 2-12:30:00.
    """
    seconds = 0
    if found := re.fullmatch(r"(?:([0-9]{1,4})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?", text):
        seconds = 60 * sum(int(count or 0) * unit for count, unit in zip(found.groups(), UNITS.values(), strict=True))
    elif found := re.fullmatch(r"(?:([0-9]{1,4})-)?([0-9]{1,6})(?::([0-9]{1,2}))?(?::([0-9]{1,2}))?", text):
        days, first, second, third = found.groups()
        if days is not None or third is not None:  # [days-]hours:minutes:seconds
            hours, minutes, rest = int(first), int(second or 0), int(third or 0)
        else:  # minutes:seconds
            hours, minutes, rest = 0, int(first), int(second or 0)
        seconds = 86_400 * int(days or 0) + 3_600 * hours + 60 * minutes + rest
    minutes = -(-seconds // 60)
    if not 1 <= minutes <= MOST_MINUTES:
        raise InputError(f"--slurm time={shown(text[:60])}: expected 4h, 90m or 1:30:00, one minute to a year")
    return minutes
