"""What does one more suspension cost in a chain of functions that suspends again and again?

One chain: its innermost function waits in a loop, and an operation is one turn of that loop.
"""

from benchmarks.cases import DEPTHS, QUICK_DEPTHS, Growth, Target
from benchmarks.contenders import BARE
from benchmarks.driver import seconds, suspending
from benchmarks.shapes import Hosts

TITLE = "repeated suspension in one chain"
AXIS = "depth of the chain"
POINTS = DEPTHS
QUICK = QUICK_DEPTHS
CONTENDERS = ("native", "ohwait", "floor", *BARE[2:])
TARGETS = (Target(0, 1.3), Target(20, 1.0), Target(0, 1 / 3, "awaitlet"))
GROWTH = Growth(2)
SLOPE = "frame"
CORE = (0, 1, 5, 20, 100)


def measure(contender: Hosts, depth: int, loops: int) -> float:
    """Seconds for one chain that suspends `loops` times."""
    return seconds(contender.many_waits(depth, suspending, loops))
