"""The chain runs in a thread of anyio's pool, its awaitables on the loop that it came from."""

from collections.abc import Awaitable
from typing import Any

from anyio import from_thread, to_thread

from benchmarks.shapes import entered


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _wait(awaitable: Awaitable[Any]) -> Any:
    return from_thread.run(_await, awaitable)


HOSTS = entered(_wait, to_thread.run_sync)
