"""What drives the hosts: the smallest event loop there is, or a real one.

The smallest sends None to whatever a coroutine yields, so that the costs of an event loop, the same for all, are not
mixed in. Under real ones the time of the whole process counts: some contenders use threads.
"""

import time
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import Any

from benchmarks.shapes import Failure, MakeAwaitable

FINE = 1e-6
LOOPS = ("asyncio", "uvloop", "trio", "curio")


def _clock(name: str) -> str:
    """`name` if that clock is there, or the usual one where it ticks too coarsely.

    Clocks of processor time stand still while other processes have the processor.
    """
    if hasattr(time, name) and time.get_clock_info(name).resolution <= FINE:  # type: ignore[arg-type]
        return name
    return "perf_counter"


CLOCK, PROCESS_CLOCK = _clock("thread_time"), _clock("process_time")
now: Callable[[], float] = getattr(time, CLOCK)
process_now: Callable[[], float] = getattr(time, PROCESS_CLOCK)


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
    start = now()
    drive(coroutine)
    return now() - start


def _curio() -> Any:
    """curio, which only ohwait's own help gets imported where the standard library has moved on."""
    from ohwait._backends._import_curio import import_curio

    return import_curio()


def run(loop: str, function: Callable[[], Coroutine[Any, Any, float]]) -> float:
    """Run `function()` on the event loop called `loop` and return its result."""
    if loop == "trio":
        import trio

        result: float = trio.run(function)
    elif loop == "curio":
        result = _curio().run(function)
    elif loop == "uvloop":
        import uvloop

        result = uvloop.run(function())
    else:
        import asyncio

        result = asyncio.run(function())
    return result


def seconds_on(loop: str, host: Awaitable[Any] | Callable[[], Any], subject: Any = None) -> float:
    """The processor time of this process that `host` takes on the event loop called `loop`, in seconds.

    A contender (`subject`) that has a loop of its own, as `run`, runs `host` there.
    """

    async def timed() -> float:
        start = process_now()
        await host  # type: ignore[misc]
        return process_now() - start

    def timed_call() -> float:
        start = process_now()
        host()  # type: ignore[operator]
        return process_now() - start

    if hasattr(subject, "run"):
        own: float = subject.run(timed_call)
        return own
    return run(loop, timed)


def pause(loop: str) -> MakeAwaitable:
    """What makes an awaitable that lets the event loop called `loop` go round once."""
    if loop == "trio":
        from trio.lowlevel import checkpoint

        return checkpoint
    if loop == "curio":
        return partial(_curio().sleep, 0)
    return suspending


@types.coroutine
def _to_the_loop() -> Generator[None, None, None]:
    yield


async def suspending() -> None:
    """Suspends once and then finishes, as `asyncio.sleep(0)` does."""
    await _to_the_loop()


async def ready() -> None:
    """Finishes without suspending."""


async def failing() -> None:
    """Suspends once and then raises `Failure`."""
    await _to_the_loop()
    raise Failure
