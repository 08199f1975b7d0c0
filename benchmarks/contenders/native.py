"""Coroutine functions all the way down: the baseline."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from benchmarks.shapes import Failure, Hosts, MakeAwaitable


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


async def _nothing() -> None:
    return None


def _decorator(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    async def wrapper(*args: Any, **options: Any) -> Any:
        return await function(*args, **options)

    return wrapper


@_decorator
async def _decorated(make: MakeAwaitable) -> object:
    return await make()


class _Thing:
    """`__init__` cannot be a coroutine function: a second method is what one writes instead."""

    async def prepare(self, make: MakeAwaitable) -> None:
        self.value = await make()


async def _init(make: MakeAwaitable) -> None:
    await _Thing().prepare(make)


class _Manager:
    def __init__(self, make: MakeAwaitable) -> None:
        self.make = make

    async def __aenter__(self) -> object:
        return await self.make()

    async def __aexit__(self, *details: object) -> None:
        return None


async def _with(make: MakeAwaitable) -> None:
    async with _Manager(make):
        pass


async def _key(make: MakeAwaitable) -> Any:
    return await make() or 0


async def _sorted(make: MakeAwaitable) -> object:
    """A key function cannot be awaited by `sorted`: the keys are awaited first."""
    keys = [await _key(make)]
    return sorted((0,), key=lambda _: keys[0])


_THROUGH = {"decorator with *args": _decorated, "__init__": _init, "with": _with, "sorted(key=)": _sorted}


async def one_wait(depth: int, make: MakeAwaitable) -> None:
    await _once(depth, make)


async def new_chains(depth: int, make: MakeAwaitable, count: int) -> None:
    for _ in range(count):
        await _once(depth, make)


async def many_waits(depth: int, make: MakeAwaitable, count: int) -> None:
    await _repeatedly(depth, make, count)


async def failing(depth: int, make: MakeAwaitable, count: int) -> None:
    for _ in range(count):
        try:
            await _once(depth, make)
        except Failure:
            pass


async def through(kind: str, make: MakeAwaitable, count: int) -> None:
    function = _THROUGH[kind]
    for _ in range(count):
        await function(make)


async def inside(make: MakeAwaitable, count: int) -> None:
    keys = [await _key(make) for _ in range(count)]
    sorted(range(count), key=keys.__getitem__)


async def visit(make: MakeAwaitable, count: int) -> None:
    await _nothing()
    for _ in range(count):
        await make()


HOSTS = Hosts(one_wait, new_chains, many_waits, failing, through, inside, visit)
