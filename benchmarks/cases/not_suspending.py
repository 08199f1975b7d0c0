"""What does a chain of functions cost whose awaitable finishes without suspending?

A new chain for each operation, but nothing ever reaches the event loop: a cache hit, a full buffer.
"""

from benchmarks.cases import DEPTHS as DEPTHS
from benchmarks.cases import QUICK_DEPTHS as QUICK_DEPTHS
from benchmarks.cases import Target
from benchmarks.contenders import Implementation
from benchmarks.driver import ready, seconds

TITLE = "not suspending"
UNIT = "second"
TARGETS = (Target(0, 0.85), Target(20, 0.45))


def measure(contender: Implementation, depth: int, loops: int) -> float:
    """Seconds for `loops` chains that never suspend."""
    return seconds(contender.new_chains(depth, ready, loops))
