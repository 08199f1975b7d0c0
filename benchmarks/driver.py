"""The smallest event loop there is: whatever a coroutine yields, it is sent None."""

import time
import types
from collections.abc import Coroutine, Generator
from typing import Any

FINE = 1e-6


def _clock() -> str:
    """Name of the clock to measure with: one that stands still while other processes have the processor.

    Where that one ticks too coarsely, the usual one.
    """
    if hasattr(time, "thread_time") and time.get_clock_info("thread_time").resolution <= FINE:
        return "thread_time"
    return "perf_counter"


CLOCK = _clock()
_now = getattr(time, CLOCK)


def drive(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run `coroutine` to its end."""
    send = coroutine.send
    try:
        while True:
            send(None)
    except StopIteration:
        return


def seconds(coroutine: Coroutine[Any, Any, Any]) -> float:
    """The processor time that running `coroutine` to its end takes, in seconds."""
    start: float = _now()
    drive(coroutine)
    elapsed: float = _now() - start
    return elapsed


@types.coroutine
def _to_the_loop() -> Generator[None, None, None]:
    yield


async def suspending() -> None:
    """Suspends once and then finishes, as `asyncio.sleep(0)` does."""
    await _to_the_loop()


async def ready() -> None:
    """Finishes without suspending."""
