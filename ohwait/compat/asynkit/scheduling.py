"""asynkit.scheduling: where tasks stand in the ready queue."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Coroutine
from typing import Any

from .loop.extensions import get_scheduling_loop, ready_find, ready_tasks
from .loop.types import TaskAny

__all__ = [
    "blocked_tasks",
    "create_task_descend",
    "create_task_start",
    "runnable_tasks",
    "sleep_insert",
    "task_is_blocked",
    "task_is_runnable",
    "task_reinsert",
    "task_switch",
]


async def sleep_insert(pos: int) -> None:
    """Let `pos` other callbacks run first."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("sleep_insert() must be awaited in a task")
    # The task joins the queue's end when it yields; this runs right then, before anything else.
    get_scheduling_loop().call_pos(0, task_reinsert, task, pos)
    await asyncio.sleep(0)


def task_reinsert(task: TaskAny, pos: int) -> None:
    """Put a runnable task at a position of the ready queue; ValueError if it is not runnable."""
    handle = ready_find(task, remove=True)
    if handle is None:
        raise ValueError(f"task_reinsert(): {task!r} is not runnable")
    get_scheduling_loop().queue_insert_pos(handle, pos)


async def task_switch(task: TaskAny, insert_pos: int | None = None) -> None:
    """Run a runnable task now; the current one goes on at the queue's end, or from the given position."""
    task_reinsert(task, 0)
    if insert_pos is None:
        await asyncio.sleep(0)
    else:
        await sleep_insert(insert_pos)


def task_is_blocked(task: TaskAny) -> bool:
    """Whether the task waits for a future that is not done."""
    waiter = getattr(task, "_fut_waiter", None)
    return not task.done() and waiter is not None and not waiter.done()


def task_is_runnable(task: TaskAny) -> bool:
    """Whether the task is neither done nor blocked."""
    return not task.done() and not task_is_blocked(task)


async def create_task_descend(coro: Coroutine[Any, Any, Any], *, name: str | None = None) -> TaskAny:
    """Create a task and run it until it blocks; the current task goes on right then."""
    task = asyncio.create_task(coro, name=name)
    if ready_find(task) is not None:
        await task_switch(task, insert_pos=1)
    return task


async def create_task_start(coro: Coroutine[Any, Any, Any], *, name: str | None = None) -> TaskAny:
    """Create a task and let every other ready task run once, it included."""
    task = asyncio.create_task(coro, name=name)
    await asyncio.sleep(0)
    return task


def runnable_tasks(loop: AbstractEventLoop | None = None) -> set[TaskAny]:
    """The tasks that are ready to run."""
    return set(ready_tasks(loop))


def blocked_tasks(loop: AbstractEventLoop | None = None) -> set[TaskAny]:
    """The tasks that wait for something."""
    current = asyncio.current_task() if loop is None else asyncio.current_task(loop)
    runnable = runnable_tasks(loop)
    tasks = asyncio.all_tasks(loop)
    return {task for task in tasks if task is not current and (task not in runnable or task_is_blocked(task))}
