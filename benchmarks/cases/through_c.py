"""What does a chain cost that suspends once, with a C function between the waiting function and the coroutine?

Native await cannot do that; its figure is of the nearest that one can write: keys awaited before sorting, a second
method to call after `__init__`, `async with`, a decorator for coroutine functions.
"""

from benchmarks.cases import Target
from benchmarks.contenders import BARE
from benchmarks.driver import seconds, suspending
from benchmarks.shapes import KINDS, Hosts

TITLE = "through C functions"
AXIS = "what stands between"
POINTS = KINDS
QUICK = KINDS[:1]
CONTENDERS = BARE
TARGETS = (Target(KINDS[-1], 1 / 8, "awaitlet"),)


def measure(contender: Hosts, kind: str, loops: int) -> float:
    """Seconds for `loops` chains that suspend once each."""
    return seconds(contender.through(kind, suspending, loops))
