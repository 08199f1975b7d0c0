"""What does a chain that suspends once cost under each event loop?

Depth 5; the awaitable lets the event loop go round once. The time is that of the whole process, the loop's included.
"""

from benchmarks.contenders import BARE
from benchmarks.driver import LOOPS as EVENT_LOOPS
from benchmarks.driver import PROCESS_CLOCK, pause, seconds_on
from benchmarks.shapes import Hosts

TITLE = "under each event loop"
AXIS = "event loop"
POINTS = EVENT_LOOPS
QUICK = ("asyncio", "trio")
CONTENDERS = (*BARE, "greenback")
CLOCK = PROCESS_CLOCK
PACKAGES = ("uvloop", "trio", "curio")
DEPTH = 5


def measure(contender: Hosts, loop: str, loops: int) -> float:
    """Seconds for `loops` chains that suspend once each."""
    return seconds_on(loop, contender.new_chains(DEPTH, pause(loop), loops))
