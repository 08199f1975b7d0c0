"""A task group of anyio that starts what it is given at once. Imported when first used: anyio need not be installed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextvars import copy_context
from types import TracebackType
from typing import Any

from anyio import CancelScope, create_task_group
from anyio.abc import TaskGroup, TaskStatus

from .eager import CoroStart

__all__ = ["EagerTaskGroup", "TaskStatusForwarder", "create_eager_task_group"]


class TaskStatusForwarder:
    """Takes ``started(value)`` before there is a task, and hands it on to the task's own status once there is one."""

    def __init__(self) -> None:
        self._forward: TaskStatus[Any] | None = None
        self._values: list[object] = []

    def started(self, value: Any = None) -> None:
        """See `anyio.abc.TaskStatus.started`. Raises RuntimeError if it was called before."""
        if self._forward is not None:
            self._forward.started(value)
        elif self._values:
            raise RuntimeError("called 'started' twice on the same task status")
        else:
            self._values.append(value)

    def set_forward(self, forward: TaskStatus[Any]) -> None:
        """From here on `forward` is told, at once if `started` has been called already."""
        self._forward = forward
        if self._values:
            forward.started(self._values[0])

    def get_value(self) -> Any:
        """What `started` was called with so far, None before."""
        return self._values[0] if self._values else None


class EagerTaskGroup:
    """Wraps a task group of anyio: `start_soon` and `start` run the function at once, until it waits.

    For anyio on asyncio. Trio's primitives belong to the task that called them: there, a function that waits fails.
    What else the wrapped group has, this has too. (It is a `TaskGroup` by registration: newer versions of anyio add
    abstract methods.)
    """

    def __init__(self, tg: TaskGroup) -> None:
        self._group = tg

    @property
    def cancel_scope(self) -> CancelScope:
        """The cancel scope of the group that is wrapped."""
        return self._group.cancel_scope

    def __getattr__(self, name: str) -> Any:
        return getattr(self._group, name)

    def start_soon(self, func: Callable[..., Coroutine[Any, Any, Any]], *args: object, name: object = None) -> None:
        """Run ``func(*args)`` until it waits, and the rest in a task of the group.

        What it raises before it waits is raised here.
        """
        start = CoroStart(func(*args), copy_context())
        if start.done():
            start.result()
            return

        async def rest() -> None:
            await start

        self._group.start_soon(rest, name=_name(func, name))

    def start(
        self, func: Callable[..., Coroutine[Any, Any, Any]], *args: object, name: object = None
    ) -> Awaitable[Any]:
        """Run ``func(*args, task_status=...)`` until it waits, and the rest in a task of the group when awaited.

        Returns (when awaited):
            What the function gave to ``task_status.started()``; an exception that it raised before that is raised.
        """
        status = TaskStatusForwarder()
        start = CoroStart(func(*args, task_status=status), copy_context())

        async def rest(*, task_status: TaskStatus[Any]) -> None:
            status.set_forward(task_status)
            await start

        return self._group.start(rest, name=_name(func, name))

    async def __aenter__(self) -> EagerTaskGroup:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> bool | None:
        return await self._group.__aexit__(exc_type, exc_val, exc_tb)


TaskGroup.register(EagerTaskGroup)


def create_eager_task_group() -> EagerTaskGroup:
    """A new task group of anyio, in an `EagerTaskGroup`: for ``async with``."""
    return EagerTaskGroup(create_task_group())


def _name(func: Callable[..., object], name: object) -> object:
    return getattr(func, "__qualname__", None) or repr(func) if name is None else name
