"""asynkit.experimental.interrupt: raise an exception in a task, now.

Unlike `Task.cancel`, what the task waits for is left alone, and the task runs before anything else. It works with tasks
that are written in Python (`create_pytask`); with asyncio's C tasks where they wait for a future.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Future, Task
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from ..compat import InterruptCondition, patch_pytask
from ..loop.default import PyTask
from ..loop.extensions import AbstractSchedulingLoop, get_scheduling_loop, ready_find
from ..loop.types import TaskAny
from ..scheduling import task_switch

__all__ = [
    "InterruptCondition",
    "InterruptException",
    "PyTask",
    "TimeoutInterrupt",
    "create_pytask",
    "task_interrupt",
    "task_throw",
    "task_timeout",
]


class InterruptException(asyncio.CancelledError):
    """The base of exceptions for interrupts: asyncio's locks and queues expect none but CancelledError at an await."""


class TimeoutInterrupt(InterruptException):
    """Ends the block of `task_timeout`."""


def create_pytask(coro: Coroutine[Any, Any, Any], *, name: str | None = None, **kwargs: Any) -> TaskAny:
    """`asyncio.create_task`, with a task that is written in Python and can be interrupted anywhere."""
    patch_pytask()
    task: TaskAny = PyTask(coro, loop=asyncio.get_running_loop(), name=name, **kwargs)
    return task


def _is_pytask(task: TaskAny) -> bool:
    return isinstance(task, PyTask)


def task_throw(task: TaskAny, exception: BaseException, *, immediate: bool = False) -> None:
    """Make a task runnable; when it runs, the exception is raised in it, in place of one thrown before.

    Args:
        task: a task that is neither running, done nor cancelled.
        exception: what is raised.
        immediate: whether the task runs next, before what is ready already.

    Raises:
        RuntimeError: if the task cannot be interrupted as it is.
    """
    if not isinstance(exception, BaseException):
        raise TypeError(f"exceptions must be instances deriving from BaseException, not {type(exception).__name__}")
    if task.done():
        raise RuntimeError("cannot interrupt task which is done")
    if task is asyncio.current_task():
        raise RuntimeError("cannot interrupt self")
    waiter: Future[Any] | None = getattr(task, "_fut_waiter", None)
    if getattr(task, "_must_cancel", False) or (waiter is not None and waiter.cancelled()):
        raise RuntimeError("cannot interrupt a cancelled task")
    loop = task.get_loop()
    scheduling = get_scheduling_loop(loop)
    step = _step_of(task, loop, waiter)
    if waiter is not None:
        waiter.remove_done_callback(_callback_of(task, waiter) or _nothing)
    handle = ready_find(task, loop, remove=True)
    if handle is not None:
        handle.cancel()
    _schedule(scheduling, loop, task, step, exception, immediate)


def _nothing(future: Future[Any]) -> None:
    """A callback that no future has."""


def _schedule(
    scheduling: AbstractSchedulingLoop,
    loop: AbstractEventLoop,
    task: TaskAny,
    step: Callable[[BaseException], Callable[[], Any]],
    exception: BaseException,
    immediate: bool,
) -> None:
    context = task.get_context() if hasattr(task, "get_context") else getattr(task, "_context", None)
    call = step(exception)
    if immediate:
        scheduling.call_pos(0, call, context=context)
    else:
        loop.call_soon(call, context=context)


def _callback_of(task: TaskAny, waiter: Future[Any]) -> Any:
    """The callback by which a future wakes the task, or None."""
    for callback, *_ in getattr(waiter, "_callbacks", None) or []:
        if getattr(callback, "__self__", None) is task:
            return callback
    return None


class _Step:
    """A task's next step, which raises an exception in it."""

    def __init__(self, task: TaskAny, run: Callable[[BaseException], Any], exception: BaseException) -> None:
        self.__self__ = task
        self.__name__ = "throwing_step"
        self._run = run
        self._exception = exception

    def __call__(self) -> Any:
        return self._run(self._exception)


def _step_of(
    task: TaskAny, loop: AbstractEventLoop, waiter: Future[Any] | None
) -> Callable[[BaseException], Callable[[], Any]]:
    """What makes a callback that raises an exception in the task."""
    if _is_pytask(task):

        def run_in_python(exception: BaseException) -> Any:
            task._fut_waiter = None  # type: ignore[attr-defined]
            return task._Task__step(exception)  # type: ignore[attr-defined]

        task._fut_waiter = None  # type: ignore[attr-defined]
        return lambda exception: _Step(task, run_in_python, exception)
    handle = ready_find(task, loop)
    wakeup = None if waiter is None else _callback_of(task, waiter)
    found: Any = getattr(handle, "_callback", None)
    if wakeup is None and found is not None and type(found).__name__ != "TaskStepMethWrapper":
        wakeup = found._run_in_c if isinstance(found, _WakeUp) else found
    if wakeup is None:
        raise RuntimeError(
            f"cannot interrupt {task!r}: it is one of asyncio's C tasks and is new or in sleep(0); "
            "use a python task (create_pytask)"
        )
    return lambda exception: _WakeUp(task, wakeup, exception)


class _WakeUp(_Step):
    """A C task's next step: its wakeup, told of a future that has failed."""

    def __init__(self, task: TaskAny, wakeup: Callable[[Future[Any]], Any], exception: BaseException) -> None:
        super().__init__(task, self._wake, exception)
        self._run_in_c = wakeup

    def _wake(self, exception: BaseException) -> Any:
        return self._run_in_c(_Failed(exception))  # type: ignore[arg-type]


class _Failed:
    """As much of a failed future as a task's wakeup looks at."""

    def __init__(self, exception: BaseException) -> None:
        self._exception = exception

    def result(self) -> Any:
        raise self._exception


async def task_interrupt(task: TaskAny, exception: BaseException) -> None:
    """Raise an exception in a task and let it run: it has been raised when this returns."""
    task_throw(task, exception, immediate=True)
    await task_switch(task)


@asynccontextmanager
async def task_timeout(timeout: float | None) -> AsyncGenerator[None, None]:
    """Interrupt the block after so many seconds, in a task made by `create_pytask`; None: never.

    Raises:
        TimeoutError: if it was interrupted.
        TypeError: in a task of another kind.
    """
    task: Task[Any] | None = asyncio.current_task()
    if task is None or not _is_pytask(task):
        raise TypeError("task_timeout() needs a python task: make it with create_pytask()")
    if timeout is None:
        yield
        return
    expired = TimeoutInterrupt()
    active = True
    interrupters: set[Future[None]] = set()

    def interrupt() -> None:
        if active:
            interrupters.add(asyncio.ensure_future(_interrupt_unless_over()))

    async def _interrupt_unless_over() -> None:
        if active and not task.done():
            try:
                await task_interrupt(task, expired)
            except RuntimeError:
                pass  # Cancelled meanwhile: that ends it, too.

    handle = asyncio.get_running_loop().call_later(timeout, interrupt)
    try:
        yield
    except TimeoutInterrupt as raised:
        if raised is not expired:
            raise
        raise TimeoutError from raised
    finally:
        active = False
        handle.cancel()
