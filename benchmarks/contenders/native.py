"""Coroutine functions all the way down: the baseline."""

from benchmarks.contenders import MakeAwaitable


async def _once(depth: int, make: MakeAwaitable) -> object:
    if depth:
        return await _once(depth - 1, make)
    return await make()


async def _repeatedly(depth: int, make: MakeAwaitable, count: int) -> object:
    if depth:
        return await _repeatedly(depth - 1, make, count)
    for _ in range(count):
        await make()
    return None


async def one_wait(depth: int, make: MakeAwaitable) -> None:
    await _once(depth, make)


async def new_chains(depth: int, make: MakeAwaitable, count: int) -> None:
    for _ in range(count):
        await _once(depth, make)


async def many_waits(depth: int, make: MakeAwaitable, count: int) -> None:
    await _repeatedly(depth, make, count)
