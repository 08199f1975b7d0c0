"""Coroutines, and plain functions, that start at once and become a Task only if they suspend.

::

    from ohwait.eager import eager

    async def main():
        answer = eager(fetch(url))        # the request is sent before eager() returns
        ...
        return await answer

`eager` takes a coroutine or an async function, `eager_call` a plain function that waits with ``ohwait``; both need a
running asyncio (or uvloop) loop once something suspends. `CoroStart` is what they are made of, and works everywhere.
"""

from __future__ import annotations

from ._coroutines import (
    SynchronousAbort,
    SynchronousError,
    await_sync,
    awaitmethod,
    coro_get_frame,
    coro_is_done,
    coro_is_new,
    coro_is_suspended,
    coro_iter,
)
from ._eager_elsewhere import ContinuationError
from ._eager_start import CoroStart, cancelling, coro_await, coro_eager, eager, eager_call, eager_ctx, func_eager
from ._eager_tasks import TaskLikeFuture, create_eager_task_factory, create_task, eager_task_factory

coro_is_finished = coro_is_done
"""Another name of `coro_is_done`."""

__all__ = [
    "ContinuationError",
    "CoroStart",
    "SynchronousAbort",
    "SynchronousError",
    "TaskLikeFuture",
    "await_sync",
    "awaitmethod",
    "cancelling",
    "coro_await",
    "coro_eager",
    "coro_get_frame",
    "coro_is_done",
    "coro_is_finished",
    "coro_is_new",
    "coro_is_suspended",
    "coro_iter",
    "create_eager_task_factory",
    "create_task",
    "eager",
    "eager_call",
    "eager_ctx",
    "eager_task_factory",
    "func_eager",
]
