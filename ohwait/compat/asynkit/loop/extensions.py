"""asynkit.loop.extensions: the scheduling methods of any loop, as functions."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Handle
from collections.abc import Callable, Iterable
from contextvars import Context
from typing import Any

from .default import SchedulingLoopHelper
from .schedulingloop import AbstractSchedulingLoop
from .types import TaskAny

__all__ = [
    "AbstractSchedulingLoop",
    "call_pos",
    "get_ready_queue",
    "get_scheduling_loop",
    "ready_find",
    "ready_insert",
    "ready_len",
    "ready_remove",
    "ready_tasks",
    "task_from_handle",
]


def get_scheduling_loop(loop: AbstractEventLoop | None = None) -> AbstractSchedulingLoop:
    """The scheduling methods of a loop, or of the running one."""
    loop = asyncio.get_running_loop() if loop is None else loop
    return loop if isinstance(loop, AbstractSchedulingLoop) else SchedulingLoopHelper(loop)


def call_pos(
    position: int,
    callback: Callable[..., Any],
    *args: Any,
    context: Context | None = None,
    loop: AbstractEventLoop | None = None,
) -> Handle:
    """`call_soon`, at a position: 0 is next."""
    return get_scheduling_loop(loop).call_pos(position, callback, *args, context=context)


def ready_len(loop: AbstractEventLoop | None = None) -> int:
    """How many callbacks are ready, not all of which need to be tasks."""
    return get_scheduling_loop(loop).queue_len()


def ready_remove(handle: Handle, loop: AbstractEventLoop | None = None) -> Handle | None:
    """Remove a callback; ValueError if it is not there."""
    get_scheduling_loop(loop).queue_remove(handle)
    return handle


def ready_find(task: TaskAny, loop: AbstractEventLoop | None = None, remove: bool = False) -> Handle | None:
    """The callback by which a task will run, removed if asked; None without one."""
    scheduling = get_scheduling_loop(loop)
    return scheduling.queue_find(lambda handle: scheduling.task_from_handle(handle) is task, remove)


def ready_insert(item: Handle, loop: AbstractEventLoop | None = None) -> None:
    """Insert a callback in its ordinary place."""
    get_scheduling_loop(loop).queue_insert(item)


def ready_tasks(loop: AbstractEventLoop | None = None) -> Iterable[TaskAny]:
    """The tasks that are ready, in order."""
    scheduling = get_scheduling_loop(loop)
    tasks = (scheduling.task_from_handle(handle) for handle in list(scheduling.queue_items()))
    return [task for task in tasks if task is not None]


def get_ready_queue(loop: AbstractEventLoop | None = None) -> Iterable[Handle]:
    """The callbacks, in order."""
    return get_scheduling_loop(loop).queue_items()


def task_from_handle(handle: Handle, loop: AbstractEventLoop | None = None) -> TaskAny | None:
    """The task that the callback runs or wakes, or None."""
    return get_scheduling_loop(loop).task_from_handle(handle)
