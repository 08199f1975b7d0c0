"""asynkit.compat: eager tasks in asyncio itself, on every version."""

from __future__ import annotations

import asyncio
import inspect
from asyncio import AbstractEventLoop, Condition, Task
from collections.abc import Callable
from typing import Any

from . import coroutine

__all__ = ["InterruptCondition", "disable_eager_tasks", "enable_eager_tasks", "patch_pytask"]

PY_311 = True
"""Whether asyncio is that of CPython 3.11 or newer, which ohwait requires."""

_eager_tasks_enabled = False
_undo: list[Callable[[], None]] = []


def swap_current_task(loop: AbstractEventLoop, task: Task[Any] | None) -> Task[Any] | None:
    """Make `task` the loop's current task, or make it have none; return the one that was."""
    previous = asyncio.current_task(loop)
    if previous is not None:
        asyncio.tasks._leave_task(loop, previous)
    if task is not None:
        asyncio.tasks._enter_task(loop, task)
    return previous


def _detect_eager_start_support() -> bool:
    """Whether `asyncio.create_task` takes ``eager_start``."""
    parameters = inspect.signature(asyncio.create_task).parameters.values()
    return any(p.kind is p.VAR_KEYWORD or p.name == "eager_start" for p in parameters)


def _detect_native_eager_task_factory() -> bool:
    """Whether asyncio brings a factory of eager tasks."""
    factory = getattr(asyncio, "eager_task_factory", None)
    return factory is not None and factory is not coroutine.eager_task_factory


def enable_eager_tasks() -> None:
    """Give asyncio `eager_task_factory`, `create_eager_task_factory`, ``create_task(eager_start=)`` if it lacks them.

    For the whole process, until `disable_eager_tasks`.
    """
    global _eager_tasks_enabled
    if _eager_tasks_enabled:
        return
    _eager_tasks_enabled = True
    if not _detect_native_eager_task_factory():
        _set("eager_task_factory", coroutine.eager_task_factory)
        _set("create_eager_task_factory", coroutine.create_eager_task_factory)
    if not _detect_eager_start_support():
        _set("create_task", _create_task(asyncio.create_task))


def disable_eager_tasks() -> None:
    """Undo `enable_eager_tasks`."""
    global _eager_tasks_enabled
    while _undo:
        _undo.pop()()
    _eager_tasks_enabled = False


def _set(name: str, value: object) -> None:
    missing = object()
    before = getattr(asyncio, name, missing)

    def restore() -> None:
        if before is missing:
            delattr(asyncio, name)
        else:
            setattr(asyncio, name, before)

    _undo.append(restore)
    setattr(asyncio, name, value)


def _create_task(native: Callable[..., Any]) -> Callable[..., Any]:
    def create_task(coro: Any, *, eager_start: Any = None, **kwargs: Any) -> Any:
        if not eager_start:
            return native(coro, **kwargs)
        loop = asyncio.get_running_loop()
        if not _detect_native_eager_task_factory():
            return coroutine.create_task(coro, eager_start=True, **kwargs)
        factory = loop.get_task_factory()
        loop.set_task_factory(getattr(asyncio, "eager_task_factory", None))
        try:
            return native(coro, **kwargs)
        finally:
            loop.set_task_factory(factory)

    return create_task


# ---- for interrupts ----


class _Reacquiring(Condition):
    """A Condition whose wait() gets its lock back whatever kind of CancelledError interrupts that."""

    async def wait(self) -> bool:  # type: ignore[override,unused-ignore]
        if not self.locked():
            raise RuntimeError("cannot wait on un-acquired lock")
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self.release()
        try:
            try:
                await waiter
                return True
            finally:
                self._waiters.remove(waiter)
        finally:
            await self._reacquire()

    async def _reacquire(self) -> None:
        interrupted: BaseException | None = None
        while True:
            try:
                await self.acquire()
                break
            except asyncio.CancelledError as error:
                interrupted = error
        if interrupted is not None:
            try:
                raise interrupted
            finally:
                interrupted = None

    _waiters: Any


InterruptCondition = Condition if hasattr(asyncio, "QueueShutDown") else _Reacquiring
"""A Condition that subclasses of CancelledError may interrupt: asyncio's own where that is right (CPython 3.13)."""


def patch_pytask() -> None:
    """Let asyncio's Task in Python be the current task where its Task in C is (CPython 3.14 keeps them apart).

    For the whole process; further calls do nothing. Where both share one notion of the current task it does nothing.
    """
    tasks: Any = asyncio.tasks
    if "_py_enter_task" in tasks._PyTask._Task__step.__code__.co_names and hasattr(tasks, "_c_enter_task"):
        for name in ("current_task", "enter_task", "leave_task", "swap_current_task"):
            setattr(tasks, f"_py_{name}", getattr(tasks, f"_c_{name}"))
