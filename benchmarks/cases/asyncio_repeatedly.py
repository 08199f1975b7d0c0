"""What does one more suspension cost in an asyncio task, with everything one might use instead?

One chain: its innermost function waits in a loop, and an operation is one turn of that loop and of asyncio's.
"""

from benchmarks.contenders import IN_A_TASK
from benchmarks.driver import PROCESS_CLOCK, seconds_on, suspending
from benchmarks.shapes import Hosts

TITLE = "repeated suspension, under asyncio"
AXIS = "depth of the chain"
POINTS = (0, 1, 5, 20, 100)
QUICK = (5,)
CONTENDERS = IN_A_TASK
CLOCK = PROCESS_CLOCK


def measure(contender: Hosts, depth: int, loops: int) -> float:
    """Seconds for one chain that suspends `loops` times."""
    return seconds_on("asyncio", contender.many_waits(depth, suspending, loops), contender)
