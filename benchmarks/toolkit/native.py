"""What one writes with the standard library alone."""

import asyncio
from typing import Any

from benchmarks.shapes import MakeAwaitable


async def eager(make: MakeAwaitable, count: int) -> None:
    """`count` tasks, one after the other."""
    for _ in range(count):
        await asyncio.create_task(make())  # type: ignore[arg-type]


async def coro_start(make: MakeAwaitable, count: int) -> None:
    """`count` coroutines awaited: none is started before."""
    for _ in range(count):
        await make()


async def _talks(out: asyncio.Queue[Any], back: asyncio.Queue[Any], count: int) -> None:
    for number in range(count):
        out.put_nowait(number)
        await back.get()


async def round_trips(whence: str, count: int) -> None:
    """A task tells another one `count` numbers through a queue; each is answered through another queue.

    A plain function could not wait for the answer, so `whence` makes no difference: a coroutine does it.
    """
    out: asyncio.Queue[Any] = asyncio.Queue()
    back: asyncio.Queue[Any] = asyncio.Queue()
    talker = asyncio.create_task(_talks(out, back, count))
    for _ in range(count):
        back.put_nowait(await out.get())
    await talker


async def _puts(queue: asyncio.Queue[int], count: int) -> None:
    for number in range(count):
        await queue.put(number)


async def items(whence: str, count: int) -> None:
    """A task puts `count` items into a queue of one; another one takes them. `whence` makes no difference either."""
    queue: asyncio.Queue[int] = asyncio.Queue(1)
    putting = asyncio.create_task(_puts(queue, count))
    for _ in range(count):
        await queue.get()
    await putting


class Completions:
    """Makes futures of the running loop and completes them from another thread."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.make = self.loop.create_future

    def complete(self, future: asyncio.Future[None]) -> None:
        """Have the loop set the result."""
        self.loop.call_soon_threadsafe(future.set_result, None)
