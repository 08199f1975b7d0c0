"""What does one more suspension cost in a chain of functions that suspends again and again?

One chain: its innermost function waits in a loop, and an operation is one turn of that loop.
"""

from benchmarks.cases import DEPTHS as DEPTHS
from benchmarks.cases import QUICK_DEPTHS as QUICK_DEPTHS
from benchmarks.cases import Target
from benchmarks.contenders import Implementation
from benchmarks.driver import seconds, suspending

TITLE = "repeated suspension in one chain"
UNIT = "second"
TARGETS = (Target(0, 1.5), Target(20, 1.2), Target(0, 1 / 3, "awaitlet"))


def measure(contender: Implementation, depth: int, loops: int) -> float:
    """Seconds for one chain that suspends `loops` times."""
    return seconds(contender.many_waits(depth, suspending, loops))
