"""What does `CoroStart` cost: to start a coroutine and to await what is left of it, in the same task?

Native: `await` of the coroutine, which starts nothing before.
"""

from types import ModuleType

from benchmarks.cases import Target
from benchmarks.driver import ready, seconds, suspending
from benchmarks.toolkit import SUSPENSIONS, family

TITLE = "toolkit: CoroStart"
AXIS = "the coroutine has"
POINTS = SUSPENSIONS
QUICK = ()
CONTENDERS = ("native", "ohwait", "asynkit")
TARGETS = tuple(Target(point, 1.0, "asynkit") for point in POINTS)
subject = family("eager")


def measure(library: ModuleType, suspensions: str, loops: int) -> float:
    """Seconds for `loops` coroutines."""
    return seconds(library.coro_start(ready if suspensions == SUSPENSIONS[0] else suspending, loops))
