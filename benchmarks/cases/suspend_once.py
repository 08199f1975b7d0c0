"""What does a chain of functions cost that suspends once?

A new chain for each operation: call the functions, wait, return through all of them.
"""

from benchmarks.cases import DEPTHS, QUICK_DEPTHS, Target
from benchmarks.contenders import BARE
from benchmarks.driver import seconds, suspending
from benchmarks.shapes import Hosts

TITLE = "one suspension per chain"
AXIS = "depth of the chain"
POINTS = DEPTHS
QUICK = QUICK_DEPTHS
CONTENDERS = BARE
TARGETS = (Target(1, 1.1), Target(20, 0.5), Target(0, 1 / 20, "awaitlet"), Target(1, 1 / 20, "awaitlet"))
SLOPE = "frame"
CORE = (0, 1, 5, 20)


def measure(contender: Hosts, depth: int, loops: int) -> float:
    """Seconds for `loops` chains that suspend once each."""
    return seconds(contender.new_chains(depth, suspending, loops))
