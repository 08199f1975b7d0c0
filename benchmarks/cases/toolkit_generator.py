"""What does an item of a `GeneratorObject` cost?

Native: a task that puts items into an `asyncio.Queue` of one, and another one that takes them.
"""

from types import ModuleType

from benchmarks.cases import Target
from benchmarks.driver import PROCESS_CLOCK, seconds_on
from benchmarks.toolkit import FROM, family

TITLE = "toolkit: GeneratorObject"
AXIS = "an item is yielded"
POINTS = FROM
QUICK = ()
CONTENDERS = ("native", "ohwait", "asynkit")
TARGETS = (Target(FROM[0], 1 / 3), Target(FROM[0], 1.0, "asynkit"))
CLOCK = PROCESS_CLOCK
subject = family("monitor")


def measure(library: ModuleType, whence: str, loops: int) -> float:
    """Seconds for `loops` items."""
    return seconds_on("asyncio", library.items(whence, loops))
