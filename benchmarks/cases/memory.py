"""How much memory does a suspended chain of functions take?

20,000 of them are suspended at the same time;
what the kernel says this process has grown by is divided by their number.
"""

import gc

from benchmarks.cases import DEPTHS as DEPTHS
from benchmarks.cases import QUICK_DEPTHS as QUICK_DEPTHS
from benchmarks.cases import Target
from benchmarks.contenders import Host, Implementation
from benchmarks.driver import drive, suspending
from benchmarks.resident import resident_bytes

TITLE = "memory of a suspended chain"
UNIT = "byte"
LOOPS = 20_000
TARGETS = (Target(1, 1.0), Target(5, 1.0), Target(20, 1.0), Target(1, 1 / 4, "awaitlet"))


def measure(contender: Implementation, depth: int, loops: int) -> float:
    """Bytes by which the process grows when `loops` chains are suspended."""
    for _ in range(100):
        drive(contender.one_wait(depth, suspending))
    hosts: list[Host | None] = [None] * loops
    gc.collect()
    before = resident_bytes()
    for index in range(loops):
        host = contender.one_wait(depth, suspending)
        host.send(None)
        hosts[index] = host
    grown = resident_bytes() - before
    for suspended in hosts:
        if suspended is not None:
            drive(suspended)
    return float(grown)
