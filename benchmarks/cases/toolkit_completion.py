"""What does it cost to wait for what another thread completes?

Under asyncio. Native: `asyncio.Future` and `call_soon_threadsafe`.
"""

from types import ModuleType

from benchmarks.cases import Target
from benchmarks.driver import PROCESS_CLOCK, seconds_on
from benchmarks.toolkit import family
from benchmarks.toolkit.threads import completions

TITLE = "toolkit: Completion"
AXIS = "on their way at a time"
POINTS = (1, 10, 100)
QUICK = ()
CONTENDERS = ("native", "ohwait")
TARGETS = tuple(Target(point, 1.0) for point in POINTS)
CLOCK = PROCESS_CLOCK
subject = family("completion")


def measure(library: ModuleType, together: int, loops: int) -> float:
    """Seconds for `loops` completions."""
    batches = max(1, loops // together)
    elapsed = seconds_on("asyncio", completions(library, together, batches * together))
    return elapsed * loops / (batches * together)
