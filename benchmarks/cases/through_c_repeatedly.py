"""What does one more suspension cost inside of one call of a C function, `sorted`, whose key function waits each time?

An operation is one key. Native await cannot do that; its keys are awaited before sorting.
"""

from benchmarks.cases import Target
from benchmarks.contenders import BARE
from benchmarks.driver import seconds, suspending
from benchmarks.shapes import Hosts

TITLE = "repeated suspension through a C function"
AXIS = "what stands between"
POINTS = ("sorted(key=)",)
QUICK = POINTS
CONTENDERS = BARE
TARGETS = (Target(POINTS[0], 1 / 2, "awaitlet"), Target(POINTS[0], 1.0, "greenlet"))


def measure(contender: Hosts, kind: str, loops: int) -> float:
    """Seconds for one call of `sorted` that suspends `loops` times."""
    return seconds(contender.inside(suspending, loops))
