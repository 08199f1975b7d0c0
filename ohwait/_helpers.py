"""What users of `await` expect, for plain functions: a function, a loop and a `with` statement over async things.

Everything here is built on `ohwait` alone and works wherever `ohwait` does.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager
from types import FrameType, TracebackType
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from . import _core
from ._core import ohwait
from ._diagnosis import refusal
from ._direct import direct_exit

__all__ = ["as_sync", "enter", "iterate"]

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
S_contra = TypeVar("S_contra", contravariant=True)

_MARKS_OF_COROUTINE_FUNCTIONS = ("_is_coroutine", "_is_coroutine_marker")
"""Where asyncio and inspect note that a function counts as a coroutine function."""


def as_sync(function: Callable[P, Awaitable[T]], /) -> Callable[P, T]:
    """Make a plain function of an async one: a call waits, with ``ohwait``, and returns what ``await`` would.

    Works as a decorator, on methods too, and for any callable that returns an awaitable.

    Raises:
        TypeError: for what is no function, and for an async generator function (use `iterate` on its result).
    """
    if not callable(function):
        hint = " (put @as_sync below @classmethod)" if isinstance(function, classmethod) else ""
        raise TypeError(f"as_sync() takes an async function, not {type(function).__name__}{hint}")
    if inspect.isasyncgenfunction(function):
        name = getattr(function, "__qualname__", repr(function))
        raise TypeError(f"as_sync() cannot wait for {name}(), an async generator function: loop with ohwait.iterate()")

    @functools.wraps(function)
    def sync(*args: P.args, **kwargs: P.kwargs) -> T:
        return ohwait(function(*args, **kwargs))

    for mark in _MARKS_OF_COROUTINE_FUNCTIONS:
        vars(sync).pop(mark, None)
    return sync


@overload
def iterate(iterable: AsyncGenerator[T, S_contra], /) -> Iteration[T, S_contra]: ...
@overload
def iterate(iterable: AsyncIterable[T], /) -> Iteration[T, None]: ...
def iterate(iterable: AsyncIterable[T], /) -> Iteration[T, Any]:
    """Loop over an async iterable in a plain function: ``for item in iterate(iterable):``, as ``async for`` would.

    Like ``async for``, it leaves the iterator as it is when the loop is left early: nothing is closed.

    Where C frames cannot be set aside, the `for` statement can suspend on CPython 3.12 and newer. On 3.11, and in a
    ``list()`` or another C function everywhere, it cannot then, and the first item that must be waited for raises
    `CFunctionError`; there, call ``__next__()`` in a while loop.

    Raises:
        TypeError: if the object is not an async iterable.
    """
    return Iteration(aiter(iterable))


class Iteration(Generic[T_co, S_contra]):
    """An async iterator for plain functions, made by `iterate`.

    Its methods are those of a generator and wait for their counterparts: ``send`` for ``asend``, ``throw`` for
    ``athrow``, ``close`` for ``aclose`` and ``__next__`` for ``__anext__``. Being plain functions, they can suspend
    where they are called by name.
    """

    def __init__(self, iterator: AsyncIterator[T_co]) -> None:
        self._iterator = iterator

    def __iter__(self) -> Generator[T_co, None, None]:
        """The items from here on, as a generator: the interpreter runs generators in the loop of their caller."""
        _core.inline_next_loop()
        return self._items()

    def _items(self) -> Generator[T_co, None, None]:
        iterator = self._iterator
        step = type(iterator).__anext__
        while True:
            try:
                item = ohwait(step(iterator))
            except StopAsyncIteration:
                return
            yield item

    def __next__(self) -> T_co:
        """The next item; raises StopIteration where the iterator raises StopAsyncIteration."""
        return _until_stop(type(self._iterator).__anext__(self._iterator))

    def send(self, value: S_contra, /) -> T_co:
        """Wait for ``asend(value)``; raises StopIteration at the end."""
        return _until_stop(self._generator("asend").asend(value))

    def throw(
        self,
        kind: BaseException | type[BaseException],
        value: object = None,
        traceback: TracebackType | None = None,
        /,
    ) -> T_co:
        """Wait for ``athrow(...)``, which raises the exception in the generator; raises StopIteration at the end."""
        generator: Any = self._generator("athrow")
        three = value is not None or traceback is not None  # A form that CPython 3.12 deprecated.
        return cast(T_co, _until_stop(generator.athrow(kind, value, traceback) if three else generator.athrow(kind)))

    def close(self) -> None:
        """Wait for ``aclose()``, which runs the generator's `finally` blocks; an iterator without one is left alone."""
        if hasattr(self._iterator, "aclose"):
            ohwait(self._generator("aclose").aclose())

    def _generator(self, method: str) -> AsyncGenerator[T_co, S_contra]:
        if not hasattr(self._iterator, method):
            name = type(self._iterator).__qualname__
            raise TypeError(f"{name!r} object has no {method}(): values and exceptions are for async generators")
        return cast("AsyncGenerator[T_co, S_contra]", self._iterator)


def _until_stop(awaitable: Awaitable[T]) -> T:
    try:
        return ohwait(awaitable)
    except StopAsyncIteration as stop:
        raise StopIteration(*stop.args) from None


def enter(manager: AbstractAsyncContextManager[T], /) -> Entering[T]:
    """Use an async context manager in a plain function: ``with enter(manager) as value:``, as ``async with`` would.

    CPython calls ``__enter__`` through C before 3.14, and ``__exit__`` through C in every version if an exception
    leaves the block. Where C frames cannot be set aside, a manager that does not really suspend works all the same;
    for one that does, its method is closed and `CFunctionError` is raised. The methods, called by name, can suspend
    everywhere.

    Raises:
        TypeError: if the object is not an async context manager.
    """
    kind = type(manager)
    missing = next((name for name in ("__aenter__", "__aexit__") if not hasattr(kind, name)), None)
    if missing is not None:
        raise TypeError(f"{kind.__qualname__!r} object is not an async context manager: it has no {missing}()")
    return Entering(manager)


class Entering(Generic[T_co]):
    """An async context manager for the `with` statement of a plain function, made by `enter`."""

    def __init__(self, manager: AbstractAsyncContextManager[T_co]) -> None:
        self._manager = manager

    def __enter__(self) -> T_co:
        """Wait for ``__aenter__()`` and return its value."""
        obstacle = _core.obstacle()
        awaitable = type(self._manager).__aenter__(self._manager)
        return ohwait(awaitable) if obstacle is None else _without_suspending(awaitable, *obstacle)

    @direct_exit
    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None, /
    ) -> bool | None:
        """Wait for ``__aexit__(...)`` and return its value."""
        obstacle = _core.obstacle()
        awaitable = type(self._manager).__aexit__(self._manager, kind, value, traceback)
        return ohwait(awaitable) if obstacle is None else _without_suspending(awaitable, *obstacle)


async def _awaiting(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _without_suspending(awaitable: Awaitable[T], kind: str, frame: FrameType | None, reason: str | None = None) -> T:
    """Run an awaitable that has no need to suspend, where it could not; if it has, close it and say why it cannot."""
    coroutine = _awaiting(awaitable)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast(T, stop.value)
    error = refusal(kind, frame, reason)
    try:
        coroutine.close()
    finally:
        raise error
