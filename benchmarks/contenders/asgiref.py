"""The chain runs in a thread, its awaitables on the loop that it came from."""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async

from benchmarks.shapes import entered


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


_to_the_loop = async_to_sync(_await)


async def _enter(function: Callable[..., Any], *arguments: Any) -> Any:
    return await sync_to_async(function)(*arguments)


HOSTS = entered(_to_the_loop, _enter)
