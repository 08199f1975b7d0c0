"""A greenlet for each chain, as lean as Python code can switch it: the host itself does it, nothing is checked."""

from collections.abc import Awaitable
from typing import Any

from greenlet import getcurrent, greenlet

from benchmarks.shapes import Failure, Hosts, MakeAwaitable, copy_of


def wait(awaitable: Awaitable[Any]) -> Any:
    """Have the host await `awaitable`; return what comes of it."""
    return getcurrent().parent.switch(awaitable)


_chain = copy_of("plain", wait=wait)
_once, _repeatedly = _chain.once, _chain.repeatedly


async def one_wait(depth: int, make: MakeAwaitable) -> None:
    chain = greenlet(_once)
    awaitable = chain.switch(depth, make)
    while chain:
        try:
            awaitable = chain.switch(await awaitable)
        except BaseException as error:
            awaitable = chain.throw(error)


async def new_chains(depth: int, make: MakeAwaitable, count: int) -> None:
    for _ in range(count):
        chain = greenlet(_once)
        awaitable = chain.switch(depth, make)
        while chain:
            awaitable = chain.switch(await awaitable)


async def many_waits(depth: int, make: MakeAwaitable, count: int) -> None:
    chain = greenlet(_repeatedly)
    awaitable = chain.switch(depth, make, count)
    while chain:
        awaitable = chain.switch(await awaitable)


async def failing(depth: int, make: MakeAwaitable, count: int) -> None:
    for _ in range(count):
        chain = greenlet(_once)
        awaitable = chain.switch(depth, make)
        try:
            while chain:
                try:
                    value = await awaitable
                except Failure as error:
                    awaitable = chain.throw(error)
                else:
                    awaitable = chain.switch(value)
        except Failure:
            pass


async def through(kind: str, make: MakeAwaitable, count: int) -> None:
    function = _chain.through[kind]
    for _ in range(count):
        chain = greenlet(function)
        awaitable = chain.switch(make)
        while chain:
            awaitable = chain.switch(await awaitable)


async def inside(make: MakeAwaitable, count: int) -> None:
    chain = greenlet(_chain.inside)
    awaitable = chain.switch(make, count)
    while chain:
        awaitable = chain.switch(await awaitable)


async def visit(make: MakeAwaitable, count: int) -> None:
    greenlet(_chain.nothing).switch()
    for _ in range(count):
        await make()


HOSTS = Hosts(one_wait, new_chains, many_waits, failing, through, inside, visit)
