"""SplitMix64 (Steele, Lea and Flood 2014): numbers of 64 bits from a counter.

    z <- z + 0x9e3779b97f4a7c15, mixed

`mix` is plain arithmetic of uint64: on numpy's arrays as it stands, compiled where its users compile it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
S11, S27, S30, S31, S32 = (np.uint64(bits) for bits in (11, 27, 30, 31, 32))


def mix(z: Any) -> Any:
    """The number that a stream gives when its counter, uint64, has become z."""
    z = np.uint64(z)
    z = (z ^ (z >> S30)) * MIX_1
    z = (z ^ (z >> S27)) * MIX_2
    return z ^ (z >> S31)
