"""What does a chain that suspends once cost in an asyncio task, with everything one might use instead?

A new chain for each operation; the loop goes round once. The time is that of the whole process, with the loop's.
"""

from benchmarks.contenders import IN_A_TASK
from benchmarks.driver import PROCESS_CLOCK, seconds_on, suspending
from benchmarks.shapes import Hosts

TITLE = "one suspension per chain, under asyncio"
AXIS = "depth of the chain"
POINTS = (0, 1, 5, 20, 100)
QUICK = (5,)
CONTENDERS = IN_A_TASK
CLOCK = PROCESS_CLOCK


def measure(contender: Hosts, depth: int, loops: int) -> float:
    """Seconds for `loops` chains that suspend once each."""
    return seconds_on("asyncio", contender.new_chains(depth, suspending, loops), contender)
