"""asynkit.coroutine: starting coroutines, looking at them, and running them without a loop."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, ParamSpec, TypeVar

from ... import eager as _native
from ..._eager_tasks import TaskLikeFuture, lazy_task_factory
from ...eager import (
    CoroStart,
    SynchronousAbort,
    SynchronousError,
    awaitmethod,
    cancelling,
    coro_await,
    coro_get_frame,
    coro_is_done,
    coro_is_new,
    coro_is_suspended,
)
from ._sync_drive import (
    EnterAsyncMethod,
    LeaveSyncMethod,
    SyncDriveRequiredError,
    aiter_sync,
    await_sync,
    coro_drive,
    drive_async,
    enterasync,
    enterasyncmethod,
    in_sync_drive,
    leavesync,
    leavesyncmethod,
    require_sync_drive,
)

__all__ = [
    "CoroStart",
    "EnterAsyncMethod",
    "LeaveSyncMethod",
    "PyCoroStart",
    "SyncDriveRequiredError",
    "SynchronousAbort",
    "SynchronousError",
    "TaskLikeFuture",
    "aiter_sync",
    "await_sync",
    "awaitmethod",
    "awaitmethod_iter",
    "coro_await",
    "coro_drive",
    "coro_eager",
    "coro_get_frame",
    "coro_is_finished",
    "coro_is_new",
    "coro_is_suspended",
    "coro_iter",
    "coro_start",
    "create_eager_task_factory",
    "create_task",
    "drive_async",
    "eager",
    "eager_ctx",
    "eager_task_factory",
    "enterasync",
    "enterasyncmethod",
    "func_eager",
    "get_current_context",
    "get_implementation_info",
    "in_sync_drive",
    "leavesync",
    "leavesyncmethod",
    "require_sync_drive",
]

P = ParamSpec("P")
T = TypeVar("T")
_CreateTask = Callable[[Coroutine[Any, Any, T]], Any]

PyCoroStart = _PyCoroStart = _CCoroStart = CoroStart
"""There is one implementation, in C."""

coro_iter = _native.coro_iter
awaitmethod_iter = awaitmethod
coro_is_finished = coro_is_done
coro_is_done = coro_is_done  # A name of earlier versions.
_py_coro_drive = coro_drive
_get_c_current_context: Callable[[], Context] | None = None


def get_implementation_info() -> dict[str, Any]:
    """What CoroStart is made of."""
    return {
        "implementation": "C extension",
        "performance_info": "see ohwait's benchmarks",
        "build_info": {"build_type": "ohwait._eager"},
        "c_extension_available": True,
    }


def get_current_context() -> Context:
    """The current context itself, not a copy.

    Raises:
        NotImplementedError: always: CPython has no public API that hands it out.
    """
    if _get_c_current_context is None:
        raise NotImplementedError("CPython does not hand out the current context; use contextvars.copy_context()")
    return _get_c_current_context()


def coro_start(
    corostart_type: Callable[..., CoroStart[T]],
    coro: Coroutine[Any, Any, T],
    context: Context | None = None,
    autostart: bool = True,
    /,
) -> CoroStart[T]:
    """``corostart_type(coro, context, autostart)``."""
    return corostart_type(coro, context, autostart)


def coro_eager(
    coro: Coroutine[Any, Any, T], *, create_task: _CreateTask[T] | None = None, context: Context | None = None
) -> Any:
    """`ohwait.eager.coro_eager`, whose task_factory is called create_task here."""
    return _native.coro_eager(coro, task_factory=create_task, context=context)


def func_eager(
    func: Callable[P, Coroutine[Any, Any, T]], *, create_task: _CreateTask[T] | None = None
) -> Callable[P, Any]:
    """`ohwait.eager.func_eager`, whose task_factory is called create_task here."""
    return _native.func_eager(func, task_factory=create_task)


def eager(arg: Any, *, create_task: _CreateTask[Any] | None = None) -> Any:
    """`ohwait.eager.eager`, whose task_factory is called create_task here."""
    return _native.eager(arg, task_factory=create_task)


def eager_ctx(
    coro: Coroutine[Any, Any, T], *, create_task: _CreateTask[T] | None = None, msg: str | None = None
) -> cancelling[Any]:
    """``cancelling(coro_eager(coro))``."""
    return cancelling(coro_eager(coro, create_task=create_task), msg)


create_eager_task_factory = lazy_task_factory
eager_task_factory = lazy_task_factory(asyncio.Task)


def create_task(
    coro: Coroutine[Any, Any, T],
    *,
    name: str | None = None,
    context: Context | None = None,
    eager_start: bool | None = None,
    **kwargs: Any,
) -> Future[T]:
    """`asyncio.create_task`; with eager_start, what finishes at once is a `TaskLikeFuture` and needs no Task."""
    if context is not None:
        kwargs["context"] = context
    if not eager_start:
        return asyncio.create_task(coro, name=name, **kwargs)
    return eager_task_factory(asyncio.get_running_loop(), coro, name=name, **kwargs)
