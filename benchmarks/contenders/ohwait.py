"""Plain functions below a coroutine; the innermost calls `ohwait`."""

from benchmarks.contenders import MakeAwaitable
from ohwait import ohwait


def _once(depth: int, make: MakeAwaitable) -> object:
    if depth:
        return _once(depth - 1, make)
    return ohwait(make())


def _repeatedly(depth: int, make: MakeAwaitable, count: int) -> object:
    if depth:
        return _repeatedly(depth - 1, make, count)
    for _ in range(count):
        ohwait(make())
    return None


async def one_wait(depth: int, make: MakeAwaitable) -> None:
    _once(depth, make)


async def new_chains(depth: int, make: MakeAwaitable, count: int) -> None:
    for _ in range(count):
        _once(depth, make)


async def many_waits(depth: int, make: MakeAwaitable, count: int) -> None:
    _repeatedly(depth, make, count)
