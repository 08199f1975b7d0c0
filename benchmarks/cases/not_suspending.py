"""What does a chain of functions cost whose awaitable finishes without suspending?

A new chain for each operation, but nothing ever reaches the event loop: a cache hit, a full buffer.
"""

from benchmarks.cases import DEPTHS, QUICK_DEPTHS, Target
from benchmarks.contenders import BARE
from benchmarks.driver import ready, seconds
from benchmarks.shapes import Hosts

TITLE = "not suspending"
AXIS = "depth of the chain"
POINTS = DEPTHS
QUICK = QUICK_DEPTHS
CONTENDERS = (*BARE, "asynkit")
TARGETS = (Target(0, 0.8), Target(20, 0.4))
SLOPE = "frame"
CORE = (0, 1, 5, 20)


def measure(contender: Hosts, depth: int, loops: int) -> float:
    """Seconds for `loops` chains that never suspend."""
    return seconds(contender.new_chains(depth, ready, loops))
