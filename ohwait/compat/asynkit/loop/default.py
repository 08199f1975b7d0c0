"""asynkit.loop.default: the ready queue of asyncio's own loops, a deque."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Handle, Task
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import Context
from typing import Any

from .schedulingloop import AbstractSchedulingLoop
from .types import TaskAny

__all__ = ["PyTask", "SchedulingLoopHelper", "call_pos", "queue_find", "queue_remove", "task_from_handle"]

PyTask: Any = asyncio.tasks._PyTask
"""asyncio's Task written in Python."""
TaskTypes = (Task, PyTask)
_STEPS = frozenset({"__step", "__wakeup", "task_wakeup", "throwing_step"})
"""What the callbacks are called by which a task runs. The C Task's step is of a type of its own."""


def task_from_handle(handle: Handle) -> TaskAny | None:
    """The task that the callback runs or wakes, or None."""
    callback: Any = handle._callback
    task = getattr(callback, "__self__", None)
    if not isinstance(task, TaskTypes):
        return None
    name = getattr(callback, "__name__", None)
    return task if name in _STEPS or (name is None and type(callback).__name__ == "TaskStepMethWrapper") else None


def queue_of(loop: AbstractEventLoop) -> deque[Handle]:
    """The ready queue; NotImplementedError if the loop has none that can be reached."""
    queue: deque[Handle] | None = getattr(loop, "_ready", None)
    if queue is None:
        raise NotImplementedError(f"{loop!r} does not give access to its ready queue: use one of asyncio's own loops")
    return queue


def queue_find(queue: deque[Handle], key: Callable[[Handle], bool], remove: bool = False) -> Handle | None:
    """The first callback for which key(handle) is true, removed if asked; None without one."""
    for index, handle in enumerate(queue):
        if key(handle):
            if remove:
                del queue[index]
            return handle
    return None


def queue_remove(queue: deque[Handle], in_handle: Handle) -> None:
    """Remove a callback; ValueError if it is not there."""
    if queue_find(queue, lambda handle: handle is in_handle, remove=True) is None:
        raise ValueError(f"{in_handle!r} is not in the ready queue")


def call_pos(
    loop: AbstractEventLoop, pos: int, callback: Callable[..., Any], *args: Any, context: Context | None = None
) -> Handle:
    """`call_soon`, at a position."""
    handle = loop.call_soon(callback, *args, context=context)
    queue = queue_of(loop)
    queue_remove(queue, handle)
    queue.insert(pos, handle)
    return handle


class DequeMethods(AbstractSchedulingLoop):
    """The scheduling methods, for whoever has the queue."""

    def get_ready_queue(self) -> deque[Handle]:
        """The queue."""
        raise NotImplementedError

    def queue_len(self) -> int:
        return len(self.get_ready_queue())

    def queue_items(self) -> Iterable[Handle]:
        return self.get_ready_queue()

    def queue_find(self, key: Callable[[Handle], bool], remove: bool = False) -> Handle | None:
        return queue_find(self.get_ready_queue(), key, remove)

    def queue_remove(self, in_handle: Handle) -> None:
        queue_remove(self.get_ready_queue(), in_handle)

    def queue_insert(self, handle: Handle) -> None:
        self.get_ready_queue().append(handle)

    def queue_insert_pos(self, handle: Handle, position: int) -> None:
        self.get_ready_queue().insert(position, handle)

    def task_from_handle(self, handle: Handle) -> TaskAny | None:
        return task_from_handle(handle)


class SchedulingLoopHelper(DequeMethods):
    """The scheduling methods for a loop that does not have them: for the running one if none is given."""

    def __init__(self, loop: AbstractEventLoop | None = None) -> None:
        self._loop = asyncio.get_running_loop() if loop is None else loop

    def get_ready_queue(self) -> deque[Handle]:
        return queue_of(self._loop)

    def call_pos(
        self, position: int, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        return call_pos(self._loop, position, callback, *args, context=context)
