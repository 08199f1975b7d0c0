"""A plain function that waits in the event loop, works in a thread, and comes back; and an async one that hands over.

python examples/moving.py
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import ohwait
from ohwait.dispatch import Detached, detach, dispatch_to_executor, use_awaiter


async def fetch(number: int) -> bytes:
    """Stands for a request to a server."""
    await asyncio.sleep(0.01)
    return b"page %d " % number * 1000


def thread() -> str:
    return threading.current_thread().name.partition("_")[0]


def report(database: ThreadPoolExecutor, numbers: range) -> list[str]:
    """Never written for async, and blocking in the middle: sqlite3, whose connections stay in their thread."""
    pages = [ohwait.ohwait(fetch(number)) for number in numbers]  # The event loop runs on meanwhile.
    with ohwait.in_executor(database):
        print("  sqlite3 in", thread())
        connection = sqlite3.connect(":memory:")
        connection.execute("create table pages (digest text, size integer)")
        for page in pages:
            row = (hashlib.sha256(page).hexdigest()[:8], len(page))
            connection.execute("insert into pages values (?, ?)", row)
        late = ohwait.ohwait(fetch(99))  # Waiting works there too, and holds no thread.
        connection.execute("insert into pages values (?, ?)", ("late", len(late)))
        rows = connection.execute("select digest from pages order by size, digest").fetchall()
        connection.close()
    print("  back in", thread())
    return [digest for (digest,) in rows]


@use_awaiter
async def digest(pool: ThreadPoolExecutor, number: int) -> str:
    page = await fetch(number)
    await dispatch_to_executor(pool)
    return f"{hashlib.sha256(page).hexdigest()[:8]} in {thread()}"


@use_awaiter
async def order(confirmed: Detached[None], log: list[str]) -> None:
    log.append("accepted")
    await confirmed  # The caller goes on here; what follows is a task of its own.
    await fetch(1)
    log.append("delivered")


async def main() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    ticking = asyncio.create_task(tick())
    with ThreadPoolExecutor(1, "database") as database, ThreadPoolExecutor(2, "pool") as pool:
        print("plain, from", thread())
        print(" ", report(database, range(3)))
        print("async, from", thread())
        print(" ", await asyncio.gather(*(digest(pool, n) for n in range(3))), "and then", thread())
        confirmed, log = detach(), list[str]()
        await order(confirmed, log)
        print("detached:", log, end=" ")
        if confirmed.task is not None:
            await confirmed.task
        print("and then", log)
    ticking.cancel()
    print("the event loop ran meanwhile:", ticks > 10)


if __name__ == "__main__":
    asyncio.run(main())
