"""What does it cost that an awaitable fails after a suspension?

A new chain for each operation; its awaitable suspends once and raises, and the exception leaves through all functions
to the host, which catches it.
"""

from benchmarks.contenders import BARE
from benchmarks.driver import failing, seconds
from benchmarks.shapes import Hosts

TITLE = "an exception through the chain"
AXIS = "depth of the chain"
POINTS = (0, 1, 5, 20, 100)
QUICK = (5,)
CONTENDERS = BARE
SLOPE = "frame"


def measure(contender: Hosts, depth: int, loops: int) -> float:
    """Seconds for `loops` chains that suspend once and fail."""
    return seconds(contender.failing(depth, failing, loops))
