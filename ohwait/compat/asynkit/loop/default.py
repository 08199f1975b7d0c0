"""asynkit.loop.default: the ready queue of asyncio's own loops, a deque."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Handle, Task
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any

from ...._ready import StockLoop
from .types import TaskAny

__all__ = ["PyTask", "SchedulingLoopHelper", "call_pos", "queue_find", "queue_remove", "task_from_handle"]

PyTask: Any = asyncio.tasks._PyTask  # type: ignore[attr-defined]
"""asyncio's Task written in Python."""
TaskTypes = (Task, PyTask)


class SchedulingLoopHelper(StockLoop):
    """The scheduling methods for a loop that does not have them: for the running one if none is given."""

    def __init__(self, loop: AbstractEventLoop | None = None) -> None:
        super().__init__(asyncio.get_running_loop() if loop is None else loop)


def task_from_handle(handle: Handle) -> TaskAny | None:
    """The task that the callback resumes, or None."""
    return StockLoop.task_from_handle(None, handle)  # type: ignore[arg-type]


def queue_find(queue: deque[Handle], key: Callable[[Handle], bool], remove: bool = False) -> Handle | None:
    """The first callback for which key(handle) is true, removed if asked; None without one."""
    for index, handle in enumerate(list(queue)):
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
    return StockLoop(loop).call_pos(pos, callback, *args, context=context)
