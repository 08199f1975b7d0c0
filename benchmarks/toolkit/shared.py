"""What the toolkit's cases ask of asynkit and ohwait."""

from collections.abc import AsyncIterator, Callable
from types import ModuleType
from typing import Any

from benchmarks.shapes import MakeAwaitable
from benchmarks.toolkit import FROM, NotOffered

library: ModuleType = globals()["library"]


def _plain(owner: Any, name: str) -> Callable[[Any], Any]:
    method: Callable[[Any], Any] | None = getattr(owner, name, None)
    if method is None:
        raise NotOffered(f"{type(owner).__name__} has no method for plain functions")
    return method


async def eager(make: MakeAwaitable, count: int) -> None:
    """Start `count` coroutines at once, each a task only if it suspends, and wait for each."""
    start = library.eager
    for _ in range(count):
        await start(make())


async def coro_start(make: MakeAwaitable, count: int) -> None:
    """Start `count` coroutines at once and await what is left of each."""
    start = library.CoroStart
    for _ in range(count):
        await start(make())


async def _talks(monitor: Any, count: int) -> None:
    for number in range(count):
        await monitor.oob(number)


async def _talks_plainly(monitor: Any, count: int) -> None:
    _talk(_plain(monitor, "oob_now"), count)


def _talk(tell: Callable[[Any], Any], count: int) -> None:
    for number in range(count):
        tell(number)


async def round_trips(whence: str, count: int) -> None:
    """A coroutine, or a plain function that it calls, tells its caller `count` numbers; each is answered."""
    monitor = library.Monitor()
    told = library.OOBData
    talker = (_talks if whence == FROM[0] else _talks_plainly)(monitor, count)
    answer = None
    while True:
        try:
            await monitor.aawait(talker, answer)
            return
        except told as news:
            answer = news.data


async def _yields(generator: Any, count: int) -> None:
    for number in range(count):
        await generator.ayield(number)


async def _yields_plainly(generator: Any, count: int) -> None:
    _talk(_plain(generator, "yield_now"), count)


def _items(whence: str, count: int) -> AsyncIterator[int]:
    generator = library.GeneratorObject()
    made: AsyncIterator[int] = generator((_yields if whence == FROM[0] else _yields_plainly)(generator, count))
    return made


async def items(whence: str, count: int) -> None:
    """Iterate over `count` items that a coroutine, or a plain function that it calls, yields."""
    came = 0
    async for _ in _items(whence, count):
        came += 1
    if came != count:
        raise RuntimeError(f"{came} of {count} items came")


class Completions:
    """Makes Completions and completes them, from any thread."""

    def __init__(self) -> None:
        self.make = library.Completion

    def complete(self, completion: Any) -> None:
        """Let those go on that wait for `completion`."""
        completion.set_result(None)
