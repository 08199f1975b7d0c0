"""Hosts that call plain functions as they are."""

from types import ModuleType

from benchmarks.shapes import Failure, MakeAwaitable

chain: ModuleType = globals()["chain"]

once, repeatedly, inside_sort, nothing = chain.once, chain.repeatedly, chain.inside, chain.nothing


async def one_wait(depth: int, make: MakeAwaitable) -> None:
    once(depth, make)


async def new_chains(depth: int, make: MakeAwaitable, count: int) -> None:
    for _ in range(count):
        once(depth, make)


async def many_waits(depth: int, make: MakeAwaitable, count: int) -> None:
    repeatedly(depth, make, count)


async def failing(depth: int, make: MakeAwaitable, count: int) -> None:
    for _ in range(count):
        try:
            once(depth, make)
        except Failure:
            pass


async def through(kind: str, make: MakeAwaitable, count: int) -> None:
    function = chain.through[kind]
    for _ in range(count):
        function(make)


async def inside(make: MakeAwaitable, count: int) -> None:
    inside_sort(make, count)


async def visit(make: MakeAwaitable, count: int) -> None:
    nothing()
    for _ in range(count):
        await make()
