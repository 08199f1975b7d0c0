"""Who runs next under asyncio: the ready queue of its event loops, and what tasks do with it.

The functions that look at tasks (`task_is_blocked`, `runnable_tasks` and their relatives) work on every asyncio loop.
Those that change the order need the loop's ready queue: asyncio's own loops have one that can be reached, and so have
those that `scheduling_loop_factory` makes, with methods for it; uvloop's have not (`UnsupportedLoopError`).

Plain functions use all of it through `ohwait`, for example ``ohwait(sleep_insert(0))``.

The names and what they do are those of asynkit by Kristján Valur Jónsson.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Handle, Task
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar

from . import _scheduling_loops
from ._ready import AbstractSchedulingLoop, DequeScheduling, SchedulingError, StockLoop, UnsupportedLoopError
from ._scheduling_loops import (
    DefaultSchedulingEventLoop,
    SchedulingMixin,
    SchedulingSelectorEventLoop,
    scheduling_loop_factory,
)

if TYPE_CHECKING:
    from ._eager_group import EagerTaskGroup as EagerTaskGroup
    from ._eager_group import create_eager_task_group as create_eager_task_group
    from ._scheduling_policy import SchedulingEventLoopPolicy, event_loop_policy

__all__ = [
    "AbstractSchedulingLoop",
    "DefaultSchedulingEventLoop",
    "SchedulingError",
    "SchedulingMixin",
    "SchedulingSelectorEventLoop",
    "UnsupportedLoopError",
    "blocked_tasks",
    "call_pos",
    "create_task_descend",
    "create_task_start",
    "get_ready_queue",
    "get_scheduling_loop",
    "ready_find",
    "ready_insert",
    "ready_len",
    "ready_remove",
    "ready_tasks",
    "runnable_tasks",
    "scheduling_loop_factory",
    "sleep_insert",
    "task_from_handle",
    "task_is_blocked",
    "task_is_runnable",
    "task_reinsert",
    "task_switch",
]

T = TypeVar("T")

_LATER = dict.fromkeys(("EagerTaskGroup", "TaskStatusForwarder", "create_eager_task_group"), "_eager_group")
"""Imported when used, and not by ``import *``: anyio need not be installed, and asyncio may warn of its policies."""
_LATER |= dict.fromkeys(
    ("SchedulingEventLoopPolicy", "event_loop_policy", "ignore_policy_deprecation"), "_scheduling_policy"
)

if "DefaultEventLoopPolicy" in vars(asyncio):
    __all__ += ["SchedulingEventLoopPolicy", "event_loop_policy"]

if hasattr(_scheduling_loops, "SchedulingProactorEventLoop"):
    SchedulingProactorEventLoop = _scheduling_loops.SchedulingProactorEventLoop
    __all__ += ["SchedulingProactorEventLoop"]


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__package__}.{_LATER[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# The ready queue of a loop


def get_scheduling_loop(loop: AbstractEventLoop | None = None) -> AbstractSchedulingLoop:
    """The operations on a loop's ready queue; by default of the running loop.

    Raises:
        UnsupportedLoopError: the loop's queue cannot be reached.
        RuntimeError: no loop was given, and none runs.
    """
    if loop is None:
        loop = asyncio.get_running_loop()
    return loop if isinstance(loop, AbstractSchedulingLoop) else StockLoop(loop)


def get_ready_queue(loop: AbstractEventLoop | None = None) -> deque[Handle]:
    """The queue itself, of handles. To be read; what changes it are the functions beside this one.

    Raises:
        UnsupportedLoopError: the loop has none, or none that can be reached.
    """
    scheduling = get_scheduling_loop(loop)
    if not isinstance(scheduling, DequeScheduling):
        raise UnsupportedLoopError(f"{scheduling!r} keeps no ready queue of handles")
    return scheduling.get_ready_queue()


def ready_len(loop: AbstractEventLoop | None = None) -> int:
    """How many callbacks are ready; some of them resume tasks."""
    return get_scheduling_loop(loop).queue_len()


def ready_find(task: Task[Any], loop: AbstractEventLoop | None = None, remove: bool = False) -> Handle | None:
    """The handle that will resume the task, None if it is not ready; taken out of the queue if `remove` is set."""
    scheduling = get_scheduling_loop(loop)
    return scheduling.queue_find(scheduling.task_key(task), remove)


def ready_remove(handle: Handle, loop: AbstractEventLoop | None = None) -> None:
    """Take a callback out of the ready queue: it will not be called unless it is put in again.

    Raises:
        ValueError: it is not in the queue.
    """
    get_scheduling_loop(loop).queue_remove(handle)


def ready_insert(item: Handle, loop: AbstractEventLoop | None = None) -> None:
    """Put in a callback that was taken out, where the loop puts what gets ready."""
    get_scheduling_loop(loop).queue_insert(item)


def ready_tasks(loop: AbstractEventLoop | None = None) -> list[Task[Any]]:
    """The tasks in the ready queue, in the order in which they will go on."""
    return get_scheduling_loop(loop).queue_tasks()


def call_pos(
    position: int,
    callback: Callable[..., Any],
    *args: Any,
    context: Context | None = None,
    loop: AbstractEventLoop | None = None,
) -> Handle:
    """As ``loop.call_soon(callback, *args, context=context)``, but with only `position` others called before it."""
    return get_scheduling_loop(loop).call_pos(position, callback, *args, context=context)


def task_from_handle(handle: Handle, loop: AbstractEventLoop | None = None) -> Task[Any] | None:
    """The task that a callback resumes, None if it resumes none."""
    return get_scheduling_loop(loop).task_from_handle(handle)


# Tasks in the queue


async def sleep_insert(pos: int) -> None:
    """Suspend the current task until `pos` other callbacks have been called: ``asyncio.sleep(0)``, but sooner.

    Raises:
        ValueError: the position is negative.
        SchedulingError: called outside of a task.
    """
    scheduling = get_scheduling_loop()
    task = asyncio.current_task()
    if task is None:
        raise SchedulingError("sleep_insert() was called outside of a task: only tasks wait in the ready queue")
    if pos < 0:
        raise ValueError(f"a position in the ready queue counts from its head, from 0 on: {pos}")
    # The task gets into the queue when it suspends, at the end of it; this is called directly afterwards.
    mover = scheduling.call_pos(0, _reinsert_if_there, scheduling, task, pos)
    try:
        await asyncio.sleep(0)
    finally:
        mover.cancel()


def _reinsert_if_there(scheduling: AbstractSchedulingLoop, task: Task[Any], pos: int) -> None:
    handle = scheduling.queue_find(scheduling.task_key(task))
    if handle is not None:
        scheduling.queue_move(handle, pos)


def task_reinsert(task: Task[Any], pos: int) -> None:
    """Put a runnable task at a position of the ready queue: `pos` others are called before it.

    Raises:
        ValueError: the task is not in the queue, or the position is negative.
    """
    scheduling = get_scheduling_loop()
    handle = scheduling.queue_find(scheduling.task_key(task))
    if handle is None:
        raise ValueError(f"{task!r} is not in the ready queue: {_why_not_ready(task)}")
    scheduling.queue_move(handle, pos)


def _why_not_ready(task: Task[Any]) -> str:
    if task.done():
        return "it is done"
    if task is asyncio.current_task():
        return "it is the current task"
    return "it is blocked" if task_is_blocked(task) else "it was taken out, or belongs to another loop"


async def task_switch(task: Task[Any], insert_pos: int | None = None) -> None:
    """Let a runnable task go on at once, before all others.

    Args:
        insert_pos: where the current task waits meanwhile, 1 for directly behind that task; None for the end of the
            ready queue.

    Raises:
        ValueError: the task is not in the ready queue, or the position is negative.
    """
    if insert_pos is not None and insert_pos < 0:
        raise ValueError(f"a position in the ready queue counts from its head, from 0 on: {insert_pos}")
    task_reinsert(task, 0)
    if insert_pos is None:
        await asyncio.sleep(0)
    else:
        await sleep_insert(insert_pos)


async def create_task_descend(
    coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
) -> Task[T]:
    """Make a task and run it until it waits for the first time; the current task goes on directly after that.

    Depth first, as `ohwait.eager.eager` is, but by the order of the queue alone: there is a task in any case.
    """
    get_scheduling_loop()
    task = asyncio.create_task(coro, name=name, context=context)
    if ready_find(task) is not None:  # An eager task factory has started it already.
        await task_switch(task, insert_pos=1)
    return task


async def create_task_start(
    coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
) -> Task[T]:
    """Make a task and let all that is ready run once, which the task is then the last of."""
    task = asyncio.create_task(coro, name=name, context=context)
    await asyncio.sleep(0)
    return task


# Tasks and what they are doing


def task_is_blocked(task: Task[Any]) -> bool:
    """Whether the task waits for something that has not happened: a future, or another task."""
    waits_for = getattr(task, "_fut_waiter", None)
    return waits_for is not None and not waits_for.done() and not task.done()


def task_is_runnable(task: Task[Any]) -> bool:
    """Whether the task is neither done nor blocked: it is in the ready queue, or running."""
    return not task.done() and not task_is_blocked(task)


def runnable_tasks(loop: AbstractEventLoop | None = None) -> set[Task[Any]]:
    """The tasks of the loop that can go on, except the current one.

    Always ``asyncio.all_tasks(loop) == runnable_tasks(loop) | blocked_tasks(loop) | {asyncio.current_task(loop)}``,
    called in a task of that loop.
    """
    return {task for task in _others(loop) if not task_is_blocked(task)}


def blocked_tasks(loop: AbstractEventLoop | None = None) -> set[Task[Any]]:
    """The tasks of the loop that wait for something."""
    return {task for task in _others(loop) if task_is_blocked(task)}


def _others(loop: AbstractEventLoop | None) -> set[Task[Any]]:
    tasks = asyncio.all_tasks(loop)
    tasks.discard(asyncio.current_task() if loop is None else asyncio.current_task(loop))
    return tasks
