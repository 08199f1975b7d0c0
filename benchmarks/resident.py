"""The memory of this process, by the kernel's own accounting."""

import resource
import sys
from pathlib import Path

_ROLLUP = Path("/proc/self/smaps_rollup")


def resident_bytes() -> int:
    """Anonymous memory of this process that is in use now, in bytes.

    Where the kernel does not tell (not Linux), the peak so far of all memory:
    differences of it are right while memory only grows.
    """
    if _ROLLUP.exists():
        for line in _ROLLUP.read_text().splitlines():
            key, _, value = line.partition(":")
            if key == "Anonymous":
                return int(value.split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
