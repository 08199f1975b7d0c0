"""The chain runs its own loop again, inside a callback of that loop, until the awaitable is done."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import nest_asyncio2

from benchmarks.shapes import prepared


async def _first() -> None:
    nest_asyncio2.apply(asyncio.get_running_loop())


def _wait(awaitable: Awaitable[Any]) -> Any:
    return asyncio.get_running_loop().run_until_complete(awaitable)


HOSTS = prepared(_wait, _first)
