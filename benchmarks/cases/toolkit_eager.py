"""What does it cost to start a coroutine at once and to wait for it?

It becomes a task only if it suspends, under asyncio. Native: `asyncio.create_task`.
"""

from types import ModuleType

from benchmarks.cases import Target
from benchmarks.driver import PROCESS_CLOCK, ready, seconds_on, suspending
from benchmarks.toolkit import SUSPENSIONS, family

TITLE = "toolkit: eager"
AXIS = "the coroutine has"
POINTS = SUSPENSIONS
QUICK = ()
CONTENDERS = ("native", "ohwait", "asynkit")
TARGETS = tuple(Target(point, 1.0, "asynkit") for point in POINTS)
CLOCK = PROCESS_CLOCK
subject = family("eager")


def measure(library: ModuleType, suspensions: str, loops: int) -> float:
    """Seconds for `loops` coroutines."""
    return seconds_on("asyncio", library.eager(ready if suspensions == SUSPENSIONS[0] else suspending, loops))
