"""What the handler awaits for an answer, for each contender. Each is made once, when the server starts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Answer = Callable[[int], Awaitable[dict[str, Any]]]


async def ohwait(path: str, connections: int) -> Answer:
    """Plain ORM code, called as it is; the dialect waits by `ohwait`."""
    from benchmarks.service.adapter import engine, wait_by
    from benchmarks.service.models import page
    from ohwait import ohwait

    plain = (await engine(path, connections)).sync_engine
    wait_by(ohwait)

    async def answer(number: int) -> dict[str, Any]:
        return page(plain, number)

    return answer


async def sqlalchemy(path: str, connections: int) -> Answer:
    """Plain ORM code in a greenlet for each request, as SQLAlchemy's asyncio extension does it."""
    from sqlalchemy.util import greenlet_spawn

    from benchmarks.service.adapter import engine
    from benchmarks.service.models import page

    plain = (await engine(path, connections)).sync_engine

    async def answer(number: int) -> dict[str, Any]:
        return await greenlet_spawn(page, plain, number)

    return answer


async def anyio(path: str, connections: int) -> Answer:
    """Plain ORM code on SQLite's own driver, in a thread of anyio's pool."""
    from anyio import CapacityLimiter, to_thread
    from sqlalchemy import create_engine

    from benchmarks.service.models import page

    plain = create_engine(
        f"sqlite:///{path}",
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        pool_reset_on_return=None,
        pool_size=connections,
        max_overflow=0,
    )
    limiter = CapacityLimiter(connections)

    async def answer(number: int) -> dict[str, Any]:
        return await to_thread.run_sync(page, plain, number, limiter=limiter)

    return answer


async def native(path: str, connections: int) -> Answer:
    """No ORM: aiosqlite alone, awaited. What the ORM costs is missing here."""
    import aiosqlite

    pool: asyncio.Queue[Any] = asyncio.Queue()
    for _ in range(connections):
        pool.put_nowait(await aiosqlite.connect(path, isolation_level=None))

    async def answer(number: int) -> dict[str, Any]:
        connection = await pool.get()
        try:
            async with connection.execute("SELECT id, name FROM author WHERE id = ?", (number,)) as cursor:
                ((_, name),) = await cursor.fetchall()
            query = "SELECT id, title, author_id FROM book WHERE author_id = ?"
            async with connection.execute(query, (number,)) as cursor:
                books = [title for _, title, _ in await cursor.fetchall()]
        finally:
            pool.put_nowait(connection)
        return {"name": name, "books": books}

    return answer
