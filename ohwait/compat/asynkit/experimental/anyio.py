"""asynkit.experimental.anyio: task groups of anyio, on asyncio, whose tasks start at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any

import anyio
from anyio.abc import CancelScope, TaskGroup, TaskStatus

from ..coroutine import CoroStart

__all__ = ["EagerTaskGroup", "create_eager_task_group"]

_AsyncFunction = Callable[..., Coroutine[Any, Any, Any]]


class TaskStatusForwarder(TaskStatus[Any]):
    """Remembers ``started(value)`` until there is a task whose status it is, then passes it on."""

    def __init__(self) -> None:
        self._forward: TaskStatus[Any] | None = None
        self._values: list[Any] = []

    def started(self, value: object = None) -> None:
        if self._forward is not None:
            self._forward.started(value)
        else:
            self._values.append(value)

    def set_forward(self, forward: TaskStatus[Any]) -> None:
        """The status of the task that the coroutine goes on in."""
        self._forward = forward
        for value in self._values:
            forward.started(value)
        self._values.clear()

    def get_value(self) -> Any:
        """What was said before there was a task; RuntimeError if nothing was."""
        if not self._values:
            raise RuntimeError("child exited without calling task_status.started()")
        return self._values[-1]


class EagerTaskGroup(TaskGroup):
    """A task group whose tasks run up to their first suspension before they are tasks.

    Args:
        tg: the group that takes care of those that suspend.
    """

    def __init__(self, tg: TaskGroup) -> None:
        self._group = tg

    @property
    def cancel_scope(self) -> CancelScope:  # type: ignore[override]
        """The group's."""
        return self._group.cancel_scope

    def start_soon(self, func: _AsyncFunction, *args: object, name: object = None) -> Any:  # type: ignore[override]
        """Start ``func(*args)`` now; what it raises at once is raised here."""
        start = CoroStart(func(*args))
        if start.done():
            return start.result()
        return self._group.start_soon(start.as_coroutine, name=name)

    def start(  # type: ignore[override]
        self, func: _AsyncFunction, *args: object, name: object = None
    ) -> Coroutine[Any, Any, Any]:
        """Start ``func(*args, task_status=...)`` now; awaiting the result waits for ``task_status.started(value)``."""
        status = TaskStatusForwarder()
        start = CoroStart(func(*args, task_status=status))
        return self._finished(start, status) if start.done() else self._go_on(start, status, name)

    async def _finished(self, start: CoroStart[Any], status: TaskStatusForwarder) -> Any:
        error = start.exception()
        if error is None:
            return status.get_value()
        if not status._values:
            raise error

        async def fail() -> None:
            start.result()

        self._group.start_soon(fail)  # It failed after it said that it had started: the group's business.
        return status.get_value()

    async def _go_on(self, start: CoroStart[Any], status: TaskStatusForwarder, name: object) -> Any:
        async def rest(*, task_status: TaskStatus[Any]) -> Any:
            status.set_forward(task_status)
            return await start

        return await self._group.start(rest, name=name)

    async def __aenter__(self) -> TaskGroup:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> bool | None:
        return await self._group.__aexit__(exc_type, exc_val, exc_tb)


@asynccontextmanager
async def create_eager_task_group() -> AsyncGenerator[EagerTaskGroup, None]:
    """``async with create_eager_task_group() as group:``, as `anyio.create_task_group`."""
    async with anyio.create_task_group() as group:
        yield EagerTaskGroup(group)
