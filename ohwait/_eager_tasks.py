"""Tasks that start eagerly: `create_task`, task factories, and the Future that stands for a task that is done."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from itertools import count
from typing import Any, Protocol, TypeVar, cast

from . import _eager
from ._eager import Continuation

__all__ = ["TaskLikeFuture", "create_eager_task_factory", "create_task", "eager_task_factory", "lazy_task_factory"]

T = TypeVar("T")
_NATIVE = hasattr(asyncio, "eager_task_factory")
"""Whether asyncio's Task takes ``eager_start`` (CPython 3.12)."""
_numbers = count(1)


class TaskFactory(Protocol):
    def __call__(self, loop: AbstractEventLoop, coro: Coroutine[Any, Any, T], /, **kwargs: Any) -> Future[T]: ...


class TaskLikeFuture(Future[T]):
    """The outcome of a coroutine that finished eagerly, with a Task's name and context.

    Args:
        future: what has the outcome (``done()``, ``result()``, ``exception()``), or None for a Future to be set later.
        name: as of a Task.
        context: as of a Task.
    """

    def __init__(self, future: Any = None, *, name: str | None = None, context: Context | None = None) -> None:
        super().__init__()
        self._name = f"Task-eager-{next(_numbers)}" if name is None else str(name)
        self._context_of_task = context
        if future is not None:
            self._copy(future)

    def _copy(self, future: Any) -> None:
        try:
            error = future.exception()
        except asyncio.CancelledError as cancelled:
            error = cancelled
        if error is None:
            self.set_result(future.result())
        elif isinstance(error, asyncio.CancelledError):
            self.cancel(*error.args[:1])
        else:
            self.set_exception(error)

    def get_name(self) -> str:
        """The name."""
        return self._name

    def set_name(self, value: object) -> None:
        """Change the name."""
        self._name = str(value)

    def get_context(self) -> Context:
        """The context that the coroutine ran in; the current one, copied, if none was given."""
        if self._context_of_task is None:
            self._context_of_task = copy_context()
        return self._context_of_task

    def set_context(self, context: Context) -> None:
        """Change what `get_context` returns."""
        self._context_of_task = context

    def get_coro(self) -> None:
        """None: the coroutine has finished."""

    def get_stack(self, *, limit: int | None = None) -> list[Any]:
        """Empty: the coroutine has finished."""
        return []

    def cancelling(self) -> int:
        """0: there is nothing left to cancel."""
        return 0

    def uncancel(self) -> int:
        """0: there is nothing left to cancel."""
        return 0


def lazy_task_factory(constructor: Callable[..., Future[Any]]) -> TaskFactory:
    """A task factory that starts each coroutine at once and calls the constructor only if it suspends.

    What finished at once is a `TaskLikeFuture`. A coroutine for a loop that does not run now is not started.

    Args:
        constructor: called as ``constructor(coro, loop=loop, **kwargs)``, for example `asyncio.Task`.
    """

    def factory(loop: AbstractEventLoop, coro: Coroutine[Any, Any, T], /, **kwargs: Any) -> Future[T]:
        if asyncio._get_running_loop() is not loop or isinstance(coro, Continuation):
            return constructor(coro, loop=loop, **kwargs)
        kwargs.pop("eager_start", None)
        context: Context | None = kwargs.get("context")

        def go_on(rest: Coroutine[Any, Any, T]) -> Future[T]:
            if context is not None:
                cast("Continuation[T]", rest).unbound()
            return constructor(rest, loop=loop, **kwargs)

        future = cast("Future[T]", _eager.coro_eager(coro, task_factory=go_on, context=context))
        if type(future) is not asyncio.Future or not future.done():
            return future
        return TaskLikeFuture(future, name=kwargs.get("name"), context=context)

    return factory


def create_eager_task_factory(constructor: Callable[..., Any]) -> TaskFactory:
    """Make a task factory that starts every coroutine at once.

    It is asyncio's own where there is one (CPython 3.12); its tasks are `asyncio.current_task()` from the beginning. On
    3.11 a task is made only if the coroutine suspends, otherwise a `TaskLikeFuture`.

    Args:
        constructor: `asyncio.Task`, or what takes the same arguments.
    """
    make: Callable[[Callable[..., Any]], TaskFactory] | None = getattr(asyncio, "create_eager_task_factory", None)
    if make is None:
        return lazy_task_factory(constructor)
    native = make(constructor)

    def factory(loop: AbstractEventLoop, coro: Coroutine[Any, Any, T], /, **kwargs: Any) -> Future[T]:
        eager_start = kwargs.pop("eager_start", None)  # uvloop passes None where nothing was said.
        if eager_start is None or eager_start:
            return native(loop, coro, **kwargs)
        lazy: Future[T] = constructor(coro, loop=loop, **kwargs)
        return lazy

    return factory


eager_task_factory = create_eager_task_factory(asyncio.Task)
"""For ``loop.set_task_factory``: every task starts at once. See `create_eager_task_factory`."""


def create_task(
    coro: Coroutine[Any, Any, T],
    *,
    name: str | None = None,
    context: Context | None = None,
    eager_start: bool | None = None,
    **kwargs: Any,
) -> Future[T]:
    """`asyncio.create_task` with the ``eager_start`` of CPython 3.14, on all versions.

    Args:
        coro: the coroutine.
        name: the task's name.
        context: the context to run in, by default a copy of the current one.
        eager_start: whether the coroutine starts at once and runs until it suspends.
        kwargs: more for `asyncio.create_task`.

    Returns:
        A Task. On 3.11, and where the loop has a task factory of its own, a coroutine that started eagerly and finished
        at once gives a `TaskLikeFuture`.
    """
    if context is not None:
        kwargs["context"] = context
    if not eager_start:
        return asyncio.create_task(coro, name=name, **kwargs)
    loop = asyncio.get_running_loop()
    if _NATIVE and loop.get_task_factory() is None:
        make: Callable[..., Future[T]] = asyncio.Task
        return make(coro, loop=loop, name=name, eager_start=True, **kwargs)
    future = cast("Future[T]", _eager.coro_eager(coro, context=context))
    if type(future) is asyncio.Future and future.done():
        return TaskLikeFuture(future, name=name, context=context)
    if name is not None and hasattr(future, "set_name"):
        future.set_name(name)
    return future
