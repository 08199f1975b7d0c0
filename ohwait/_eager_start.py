"""`CoroStart` in full, and eager starts of coroutines, async functions and plain functions."""

from __future__ import annotations

import asyncio
import functools
from asyncio import Future
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from types import CoroutineType, GeneratorType, TracebackType
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from . import _eager
from ._eager import coro_eager, eager
from ._eager_elsewhere import elsewhere, foreign, owner, withdraw
from ._eager_stand_in import StartingTask
from ._host import host

__all__ = ["CoroStart", "cancelling", "coro_await", "coro_eager", "eager", "eager_call", "eager_ctx", "func_eager"]

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
_CO_ITERABLE_COROUTINE = 0x100
"""The flag of code that `types.coroutine` has marked."""


class CoroStart(_eager.CoroStart[T_co]):
    """Start a coroutine at once, without a task, and run it until it suspends, returns or raises.

    The rest is awaited, once, anywhere in the same event loop (under trio: in the same task, before the task waits for
    anything else)::

        start = CoroStart(fetch())
        value = start.result() if start.done() else await start

    Args:
        coro: a coroutine that has not been started.
        context: the `contextvars.Context` that all of it runs in; by default the one that is current at each step.
        autostart: False to have it started later, by `start()`, or by awaiting.
    """

    def throw(self, exc: BaseException | type[BaseException], tries: int = 1) -> T_co:
        """Raise an exception in the suspended coroutine, which must end; what it returns.

        Args:
            exc: an exception or its type.
            tries: how often to raise it if the coroutine awaits again instead of ending.

        Raises:
            RuntimeError: if the coroutine has not ended then, or if there is nothing left to continue.
        """
        for _ in range(tries):
            self._throw(exc)
            if self.done():
                return self.result()
        name = exc.__name__ if isinstance(exc, type) else type(exc).__name__
        raise RuntimeError(f"coroutine ignored {name}: {self.coro!r}")

    async def athrow(self, exc: BaseException | type[BaseException]) -> T_co:
        """Raise an exception in the suspended coroutine instead of continuing it, and await what it does then."""
        self._throw(exc)
        return await self

    async def aclose(self) -> None:
        """End the coroutine if it is suspended: raise GeneratorExit in it and await what it does to clean up."""
        if self.pending():
            try:
                await self.athrow(GeneratorExit)
            except GeneratorExit:
                pass

    async def as_coroutine(self, context: Context | None = None) -> T_co:
        """The rest as a coroutine, in the given context or the one that it was started with."""
        return await self._continuation(context)

    def as_future(self) -> Future[T_co]:
        """The outcome as a Future of the running asyncio loop, for `asyncio.gather` and the like.

        Raises:
            RuntimeError: unless `done()`.
        """
        if not self.done():
            raise RuntimeError("CoroStart.as_future(): the coroutine is not done; use as_coroutine() for its rest")
        future: Future[T_co] = asyncio.get_running_loop().create_future()
        error = self.exception()
        if error is None:
            future.set_result(self.result())
        elif isinstance(error, asyncio.CancelledError):
            future.cancel(*error.args[:1])
        else:
            future.set_exception(error)
        return future

    def as_awaitable(self, context: Context | None = None) -> Awaitable[T_co]:
        """`as_future()` if it is done, which needs no Task in `asyncio.gather`; otherwise `as_coroutine()`."""
        return self.as_future() if self.done() else self.as_coroutine(context)


async def coro_await(coro: Coroutine[Any, Any, T], *, context: Context | None = None) -> T:
    """Await a coroutine in another context: what `Context.run` is for functions.

    Args:
        coro: the coroutine.
        context: where it runs, all of it; by default in the current one.
    """
    return await CoroStart(coro, context, False)


@overload
def func_eager(
    func: Callable[P, Coroutine[Any, Any, T]], /, *, task_factory: None = None
) -> Callable[P, Future[T]]: ...
@overload
def func_eager(
    func: Callable[P, Coroutine[Any, Any, T]],
    /,
    *,
    task_factory: Callable[[Coroutine[Any, Any, T]], _eager.Cancellable[T]] | None,
) -> Callable[P, _eager.Cancellable[T]]: ...
def func_eager(func: Callable[P, Coroutine[Any, Any, T]], /, *, task_factory: Any = None) -> Callable[P, Any]:
    """Make an async function whose calls start at once: each call returns what `coro_eager` returns.

    Raises:
        TypeError: for what cannot be called.
    """
    if not callable(func):
        raise TypeError(f"func_eager() takes an async function, not {type(func).__name__}")

    @functools.wraps(func)
    def start(*args: P.args, **kwargs: P.kwargs) -> Any:
        return coro_eager(func(*args, **kwargs), task_factory=task_factory)

    for mark in ("_is_coroutine", "_is_coroutine_marker"):
        vars(start).pop(mark, None)
    return start


def eager_call(fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
    """Call a plain function that may wait with ``ohwait``; it starts at once, and goes on in a Task if it suspends.

    Args:
        fn: the function.
        args: its arguments.
        kwargs: its keyword arguments.

    Returns:
        What `coro_eager` returns: a Future if the function returned or raised without waiting, otherwise a Task.
    """
    if not callable(fn):
        raise TypeError(f"eager_call() takes a function, not {type(fn).__name__}")
    return coro_eager(host(functools.partial(fn, **kwargs) if kwargs else fn, args))


class _Cancellable(Protocol):
    def cancel(self) -> object: ...


C = TypeVar("C", bound=_Cancellable)


class cancelling(Generic[C]):
    """A context manager that cancels a task or future when its block is left; nothing happens to one that is done.

    Args:
        target: what to cancel; the block's ``as`` value.
        msg: the message of the CancelledError.
    """

    def __init__(self, target: C, msg: str | None = None) -> None:
        self._target = target
        self._msg = msg

    def __enter__(self) -> C:
        return self._target

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        cast(Any, self._target).cancel(*() if self._msg is None else (self._msg,))


def eager_ctx(
    coro: Coroutine[Any, Any, T],
    *,
    task_factory: Callable[[Coroutine[Any, Any, T]], _eager.Cancellable[T]] | None = None,
    msg: str | None = None,
) -> cancelling[_eager.Cancellable[T]]:
    """``cancelling(coro_eager(coro))``: start a coroutine, and cancel it if its block is left before it is done."""
    return cancelling(coro_eager(coro, task_factory=task_factory), msg)


def _is_coroutine(thing: object) -> bool:
    if isinstance(thing, GeneratorType):
        return bool(thing.gi_code.co_flags & _CO_ITERABLE_COROUTINE)
    return isinstance(thing, (CoroutineType, Coroutine))


def _plain_loop(kind: type) -> bool:
    """Whether a loop's ``create_task`` makes a Task and nothing else."""
    owner = next((base for base in kind.__mro__ if "create_task" in vars(base)), kind)
    return owner.__module__ in ("asyncio.base_events", "uvloop.loop")


def _decorate(function: Callable[..., Any], task_factory: Any) -> Callable[..., Any]:
    return func_eager(function, task_factory=task_factory)


_swap = getattr(asyncio.tasks, "_swap_current_task", None)
_eager.configure(
    running_loop=asyncio._get_running_loop,
    swap=_swap,
    current=None if _swap is not None else getattr(asyncio.tasks, "_current_tasks"),  # noqa: B009
    eager_task=asyncio.Task if hasattr(asyncio, "eager_task_factory") else None,
    stand_in=StartingTask,
    cancelled=asyncio.CancelledError,
    invalid_state=asyncio.InvalidStateError,
    plain_loop=_plain_loop,
    owner=owner,
    withdraw=withdraw,
    foreign=foreign,
    elsewhere=elsewhere,
    is_coroutine=_is_coroutine,
    decorate=_decorate,
)
