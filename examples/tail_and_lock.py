"""Async things in plain functions: an async function, an async generator, an async context manager.

python examples/tail_and_lock.py
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import ohwait


async def tail(lines: list[str]) -> AsyncIterator[str]:
    """An async generator, from some library: lines that arrive now and then."""
    for line in lines:
        await asyncio.sleep(0.01)
        yield line


@asynccontextmanager
async def turn(lock: asyncio.Lock) -> AsyncIterator[str]:
    """An async context manager, from some library."""
    async with lock:
        yield "our turn"


@ohwait.as_sync
async def shout(text: str) -> str:
    """An async function, called like any other thanks to the decorator."""
    await asyncio.sleep(0.01)
    return text.upper()


def read_with_for(lines: list[str]) -> list[str]:
    return [shout(line) for line in ohwait.iterate(tail(lines))]


def read_by_hand(lines: list[str]) -> list[str]:
    """The same where the `for` statement cannot suspend (CPython 3.11)."""
    iteration = ohwait.iterate(tail(lines))
    result: list[str] = []
    while True:
        try:
            line = iteration.__next__()
        except StopIteration:
            return result
        result.append(shout(line))


def main() -> None:
    lines = ["one", "two", "three"]
    print("by hand:", read_by_hand(lines))
    try:
        print("for:    ", read_with_for(lines))
    except ohwait.CFunctionError as error:
        print("for:     not on this CPython:", str(error).partition("\n")[0])
    lock = asyncio.Lock()
    with ohwait.enter(turn(lock)) as whose:
        print("with:   ", whose, "and locked" if lock.locked() else "and open")
    print("after:  ", "locked" if lock.locked() else "open")


if __name__ == "__main__":
    ohwait.use_asyncio()
    ohwait.run(main)
