"""Hosts that await what takes plain functions to where they can wait."""

from types import ModuleType

from benchmarks.shapes import Enter, Failure, MakeAwaitable

chain: ModuleType = globals()["chain"]
enter: Enter = globals()["enter"]

once, repeatedly, inside_sort, nothing = chain.once, chain.repeatedly, chain.inside, chain.nothing


async def one_wait(depth: int, make: MakeAwaitable) -> None:
    await enter(once, depth, make)


async def new_chains(depth: int, make: MakeAwaitable, count: int) -> None:
    for _ in range(count):
        await enter(once, depth, make)


async def many_waits(depth: int, make: MakeAwaitable, count: int) -> None:
    await enter(repeatedly, depth, make, count)


async def failing(depth: int, make: MakeAwaitable, count: int) -> None:
    for _ in range(count):
        try:
            await enter(once, depth, make)
        except Failure:
            pass


async def through(kind: str, make: MakeAwaitable, count: int) -> None:
    function = chain.through[kind]
    for _ in range(count):
        await enter(function, make)


async def inside(make: MakeAwaitable, count: int) -> None:
    await enter(inside_sort, make, count)


async def visit(make: MakeAwaitable, count: int) -> None:
    await enter(nothing)
    for _ in range(count):
        await make()
