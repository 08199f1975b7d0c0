"""Plain functions in a greenlet that awaitlet makes for each chain; the innermost switches back to the coroutine."""

from awaitlet import async_def, awaitlet

from benchmarks.contenders import MakeAwaitable


def _once(depth: int, make: MakeAwaitable) -> object:
    if depth:
        return _once(depth - 1, make)
    return awaitlet(make())


def _repeatedly(depth: int, make: MakeAwaitable, count: int) -> object:
    if depth:
        return _repeatedly(depth - 1, make, count)
    for _ in range(count):
        awaitlet(make())
    return None


async def one_wait(depth: int, make: MakeAwaitable) -> None:
    await async_def(_once, depth, make)


async def new_chains(depth: int, make: MakeAwaitable, count: int) -> None:
    for _ in range(count):
        await async_def(_once, depth, make)


async def many_waits(depth: int, make: MakeAwaitable, count: int) -> None:
    await async_def(_repeatedly, depth, make, count)
