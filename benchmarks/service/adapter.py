"""SQLAlchemy's asyncio dialect of aiosqlite, as the service uses it.

Its cursors are made to open when they execute: as they are, they wait inside `__init__`, which CPython calls through
C, so that the frames below could not be taken off. The engine does not roll back what it gives back to the pool, for
the same reason (`Session.close` comes to it through calls with `*arguments`). Greenlets get the same, to compare like
with like.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy.connectors import asyncio as connectors
from sqlalchemy.dialects.sqlite import aiosqlite
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import queue


class LateCursor:
    """A cursor of aiosqlite that is opened when it executes."""

    description: Any = None
    rowcount, lastrowid = -1, None

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.cursor: Any = None

    async def execute(self, *arguments: Any) -> None:
        """Open the cursor and execute."""
        self.cursor = await self.connection.cursor()
        await self.cursor.execute(*arguments)
        self.description = self.cursor.description
        self.rowcount, self.lastrowid = self.cursor.rowcount, self.cursor.lastrowid

    async def fetchall(self) -> Any:
        """All rows."""
        return await self.cursor.fetchall()

    async def close(self) -> None:
        """Close the cursor if it was opened."""
        if self.cursor is not None:
            await self.cursor.close()


def open_late() -> None:
    """Have SQLAlchemy use `LateCursor`."""
    cursor: Any = aiosqlite.AsyncAdapt_aiosqlite_cursor
    cursor._make_new_cursor = lambda self, connection: LateCursor(connection)
    cursor._aenter_cursor = lambda self, opened: opened


def wait_by(wait: Callable[[Any], Any]) -> None:
    """Have SQLAlchemy call `wait` instead of switching greenlets."""
    for module in (connectors, aiosqlite, queue):
        name = "await_" if hasattr(module, "await_") else "await_only"
        setattr(module, name, wait)


async def engine(path: str, connections: int) -> AsyncEngine:
    """An engine for the database in the file `path` whose connections are there already."""
    open_late()
    made = create_async_engine(
        f"sqlite+aiosqlite:///{path}",
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        pool_reset_on_return=None,
        pool_size=connections,
        max_overflow=0,
    )
    opened = [await made.connect() for _ in range(connections)]
    for connection in opened:
        await connection.close()
    return made
