"""What does a chain of functions cost that suspends once?

A new chain for each operation: call the functions, wait, return through all of them.
"""

from benchmarks.cases import DEPTHS as DEPTHS
from benchmarks.cases import QUICK_DEPTHS as QUICK_DEPTHS
from benchmarks.cases import Target
from benchmarks.contenders import Implementation
from benchmarks.driver import seconds, suspending

TITLE = "one suspension per chain"
UNIT = "second"
TARGETS = (
    Target(1, 1.25),
    Target(5, 0.75),
    Target(20, 0.55),
    Target(0, 1 / 20, "awaitlet"),
    Target(1, 1 / 20, "awaitlet"),
)


def measure(contender: Implementation, depth: int, loops: int) -> float:
    """Seconds for `loops` chains that suspend once each."""
    return seconds(contender.new_chains(depth, suspending, loops))
