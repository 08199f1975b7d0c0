"""The smallest event loop there is: whatever a coroutine yields, it is sent None."""

import types
from collections.abc import Coroutine, Generator
from time import perf_counter
from typing import Any


def drive(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run `coroutine` to its end."""
    send = coroutine.send
    try:
        while True:
            send(None)
    except StopIteration:
        return


def seconds(coroutine: Coroutine[Any, Any, Any]) -> float:
    """The time that running `coroutine` to its end takes, in seconds."""
    start = perf_counter()
    drive(coroutine)
    return perf_counter() - start


@types.coroutine
def _to_the_loop() -> Generator[None, None, None]:
    yield


async def suspending() -> None:
    """Suspends once and then finishes, as `asyncio.sleep(0)` does."""
    await _to_the_loop()


async def ready() -> None:
    """Finishes without suspending."""
