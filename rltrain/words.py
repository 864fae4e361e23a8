"""How numbers are written for people. A docstring shows what its function gives."""

from __future__ import annotations

import math

WRITTEN_OUT = 1e15  # from here on numbers are written with an exponent, so that a cell stays a cell


def count(value: float) -> str:
    """A count with its thousands apart: 1,234,567; `-` for NaN."""
    if abs(value) >= WRITTEN_OUT:
        return f"{value:.3g}"
    return "-" if math.isnan(value) else f"{value:,.0f}"


def many(number: int, what: str) -> str:
    """A count of things, in the singular or the plural: 1 state, 1,000 states."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def counter(name: str) -> str:
    """A counter's name for people: steps for env_steps, any other as it is."""
    return {"env_steps": "steps"}.get(name, name)


def number(value: float | None) -> str:
    """A metric in at most seven characters and a sign: 4.7e-04, 0.0123, 12.34, 1,234, 1.2e+07; `-` for none."""
    if value is None or math.isnan(value):
        return "-"
    if value == 0:
        return "0"
    if math.isinf(value) or abs(value) >= 1e6 or 0 < abs(value) < 1e-3:
        return f"{value:.1e}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.3f}" if abs(value) >= 1 else f"{value:.4f}"


def share(value: float | None) -> str:
    """A share of one with three decimals: 0.675; `-` for none."""
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


def score(value: float | None) -> str:
    """A game score: whole where it is large, with decimals where they matter."""
    if value is None or math.isnan(value):
        return "-"
    if abs(value) >= WRITTEN_OUT:
        return f"{value:.3g}"
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 1 else f"{value:.3f}"  # a rate of success


def percent(fraction: float) -> str:
    """A fraction of one in percent: 43.2 %; `-` for NaN."""
    return "-" if math.isnan(fraction) else f"{100 * fraction:.1f} %"


def duration(seconds: float) -> str:
    """Seconds as a clock shows them: 8:07, 1:02:03, 3 d 04:05; `-` for what is no time."""
    if not abs(seconds) < WRITTEN_OUT:
        return "-"
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24:02d}:{minutes:02d}"
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def spell(seconds: float) -> str:
    """Seconds within a sentence, where 0:00 would say nothing: 0.4 s, 12 s, 8:07, 1:02:03."""
    return (
        f"{max(seconds, 0.1):.1f} s" if seconds < 9.95 else f"{seconds:.0f} s" if seconds < 59.5 else duration(seconds)
    )


def size(count_of_bytes: float) -> str:
    """Bytes in powers of ten, as disks are sold: 7.1 GB, 383 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count_of_bytes) < 999.5:
            whole = unit == "B" or abs(count_of_bytes) >= 99.95
            return f"{count_of_bytes:.0f} {unit}" if whole else f"{count_of_bytes:.1f} {unit}"
        count_of_bytes /= 1000
    return f"{count_of_bytes:.1f} TB"


def age(seconds: float | None) -> str:
    """How long ago, from seconds, in one unit: 4 s, 12 min, 3 h, 5 d; `-` where it is not known."""
    if seconds is None:
        return "-"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"
