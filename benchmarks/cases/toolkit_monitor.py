"""What does a round trip of a `Monitor` cost: the coroutine tells its caller something and is answered?

Native: two tasks and two queues under asyncio, whose loop goes round.
"""

from types import ModuleType

from benchmarks.cases import Target
from benchmarks.driver import PROCESS_CLOCK, seconds_on
from benchmarks.toolkit import FROM, family

TITLE = "toolkit: Monitor"
AXIS = "what is told comes"
POINTS = FROM
QUICK = ()
CONTENDERS = ("native", "ohwait", "asynkit")
TARGETS = (Target(FROM[0], 1.0, "asynkit"),)
CLOCK = PROCESS_CLOCK
subject = family("monitor")


def measure(library: ModuleType, whence: str, loops: int) -> float:
    """Seconds for `loops` round trips."""
    return seconds_on("asyncio", library.round_trips(whence, loops))
