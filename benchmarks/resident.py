"""The memory of this process, by the kernel's own accounting."""

import gc
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.driver import drive
from benchmarks.shapes import Host

_ROLLUP = Path("/proc/self/smaps_rollup")
_STATUS = Path("/proc/self/status")


def _kilobytes(path: Path, wanted: str) -> int | None:
    if path.exists():
        for line in path.read_text().splitlines():
            key, _, value = line.partition(":")
            if key == wanted:
                return int(value.split()[0])
    return None


def peak_bytes() -> int:
    """The most memory of any kind that this process has had in use at once, in bytes."""
    kilobytes = _kilobytes(_STATUS, "VmHWM")
    if kilobytes is not None:
        return kilobytes * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def resident_bytes() -> int:
    """Anonymous memory of this process that is in use now, in bytes.

    Where the kernel does not tell (not Linux), the peak so far of all memory:
    differences of it are right while memory only grows.
    """
    kilobytes = _kilobytes(_ROLLUP, "Anonymous")
    return peak_bytes() if kilobytes is None else kilobytes * 1024


def bytes_of_chains(new_chain: Callable[[], Host], chains: int) -> dict[str, float]:
    """What a host that `new_chain()` makes takes, with the chain that it waits for,
    when `chains` of them are suspended.

    "byte" is what the process has grown by, "byte at the peak" by how much more its peak is than what it began with,
    until all of them have ended; both divided by the number of chains.
    """
    for _ in range(100):
        drive(new_chain())
    hosts: list[Host | None] = [None] * chains
    gc.collect()
    before, peak = resident_bytes(), peak_bytes()
    for index in range(chains):
        host = new_chain()
        host.send(None)
        hosts[index] = host
    grown = resident_bytes() - before
    for suspended in hosts:
        if suspended is not None:
            drive(suspended)
    return {"byte": grown / chains, "byte at the peak": (peak_bytes() - peak) / chains}
