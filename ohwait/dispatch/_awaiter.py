"""`use_awaiter`: an async function whose rest can be handed on, at any `await`, to the object that it awaits.

Nothing is rewritten but the beginning of each `await` (`_code`). The decorated function is an ordinary coroutine,
driven by two generators: `_split` sees what it yields and hands its rest to ``x.__awaiter__``; `_claim` drives that
one at home and lets it travel where the function asks for a move.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import CoroutineType, FunctionType, coroutine
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast, overload, runtime_checkable

from ._code import with_hook
from ._errors import DispatchError
from ._journey import Request, undecorated
from ._trace import Trace

__all__ = ["Awaiter", "AwaiterMixin", "Continuation", "use_awaiter"]

P = ParamSpec("P")
R = TypeVar("R")


@runtime_checkable
class Awaiter(Protocol):
    """An object that takes the rest of the async function which awaits it."""

    def __awaiter__(self, continuation: Callable[[], Coroutine[Any, Any, Any]]) -> Awaitable[Any]:
        """Awaited in place of the rest of the function; its result is what the function returns.

        Args:
            continuation: makes the coroutine of the rest, a `Continuation`. To be called once, from any thread; it
                may run in any task of any event loop. If it is dropped, the function ends where it waits, as with
                ``close()``.
        """


class Continuation(Generic[R]):
    """The rest of a function, from an `await` on; it can be started once."""

    def __init__(self, rest: Coroutine[Any, Any, R], trace: Trace) -> None:
        self._rest: Coroutine[Any, Any, R] | None = rest
        self._trace = trace

    def __call__(self, value: object = None) -> Coroutine[Any, Any, R]:
        """The coroutine of the rest. `value` is what the `await` returns.

        Raises:
            DispatchError: the rest has been started already.
        """
        return _resumed(self._take(), self._trace, value, None)

    def throw(self, error: BaseException) -> Coroutine[Any, Any, R]:
        """The coroutine of the rest, in which the `await` raises `error`.

        Raises:
            DispatchError: the rest has been started already.
        """
        return _resumed(self._take(), self._trace, None, error)

    @property
    def started(self) -> bool:
        """Whether it has been called."""
        return self._rest is None

    def _take(self) -> Coroutine[Any, Any, R]:
        rest, self._rest = self._rest, None
        if rest is None:
            raise DispatchError("this continuation was called before: the rest of a function runs once")
        return rest


class Split:
    """Yielded by an `await` whose object takes the rest: to `_split`; to a task it is a future that has failed."""

    def __init__(self, awaiter: Any) -> None:
        self.awaiter = awaiter
        self._asyncio_future_blocking = True

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield self)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def add_done_callback(self, callback: Callable[..., object], **options: Any) -> None:
        self.get_loop().call_soon_threadsafe(callback, self, **options)

    def result(self) -> None:
        raise undecorated(repr(self.awaiter))

    def cancel(self, msg: object = None) -> bool:
        return False


class AwaiterMixin:
    """For classes with ``__awaiter__``: gives the ``__await__`` that `await` asks for outside of decorated functions.

    Such an object may also be awaited in functions that a decorated one awaits; the rest is then theirs and its.
    """

    def __await__(self) -> Generator[Any, Any, Any]:
        return Split(self).__await__()


class _Hook:
    """``hook[x]`` is what a decorated function awaits in place of `x`."""

    def __getitem__(self, awaited: Any) -> Any:
        if type(awaited) is CoroutineType or isinstance(awaited, Mover):
            return awaited
        return awaited if getattr(awaited, "__awaiter__", None) is None else Split(awaited)


_HOOK = _Hook()


class Mover:
    """An awaitable that asks for a move. Its ``__awaiter__`` is for those who call the protocol by hand."""

    def request(self) -> Request | None:
        """None if the function runs there already."""
        raise NotImplementedError

    def __await__(self) -> Generator[Any, Any, None]:
        request = self.request()
        if request is not None:
            yield from request.__await__()

    async def __awaiter__(self, continuation: Callable[[], Coroutine[Any, Any, R]]) -> R:
        request = self.request()
        return cast(R, await _claim(continuation(), request))


@overload
def use_awaiter(function: Callable[P, Coroutine[Any, Any, R]], /) -> Callable[P, Coroutine[Any, Any, R]]: ...
@overload
def use_awaiter(
    function: None = None, /, *, debug: bool = False
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]: ...
def use_awaiter(function: Callable[..., Any] | None = None, /, *, debug: bool = False) -> Callable[..., Any]:
    """Let ``await x`` in this async function hand the rest of it to ``x.__awaiter__(continuation)``.

    Only if `x` has such a method; every other `await` is what it always is. Works at any `await`, in functions,
    methods and closures, with or without source. Also the boundary of what `switch_to_executor` moves: the caller of
    the decorated function gets its result at home.

    Args:
        function: an async function.
        debug: print to stderr, at each split, the line where it was and the thread in which the rest goes on.

    Raises:
        TypeError: it is not an async function.
    """
    if function is None:
        return functools.partial(_decorate, debug=debug)
    return _decorate(function, debug)


def _decorate(function: Callable[..., Any], debug: bool) -> Callable[..., Any]:
    if not inspect.iscoroutinefunction(function):
        name = getattr(function, "__qualname__", type(function).__name__)
        hint = " (put @use_awaiter below it)" if isinstance(function, (classmethod, staticmethod)) else ""
        raise TypeError(f"use_awaiter() takes an async function, which {name} is not{hint}")
    original = with_hook(function, _HOOK) if isinstance(function, FunctionType) else function

    @functools.wraps(function)
    async def awaiting(*args: Any, **kwargs: Any) -> Any:
        rest = original(*args, **kwargs)
        return await _claim(_split(rest, Trace.of(rest, debug)))

    return awaiting


async def _resumed(rest: Any, trace: Trace, value: object, error: BaseException | None) -> Any:
    try:
        return await _claim(_split(rest, trace, value, error))
    finally:
        del error


@coroutine
def _split(
    rest: Any, trace: Trace, value: object = None, error: BaseException | None = None
) -> Generator[Any, Any, Any]:
    """Drive a function until it awaits what takes its rest; then wait for that instead."""
    try:
        while True:
            trace.resumed()
            try:
                yielded = rest.send(value) if error is None else rest.throw(error)
            except StopIteration as stop:
                return stop.value
            value = error = None
            trace.yielded(rest, yielded)
            continuation = None
            try:
                if type(yielded) is Split:
                    continuation = Continuation(rest, trace)
                    return (yield from _iterator(yielded.awaiter.__awaiter__(continuation)))
                value = yield yielded
            except GeneratorExit:
                if continuation is None:
                    rest.close()
                raise
            except BaseException as thrown:
                if continuation is not None and continuation.started:
                    raise
                error = thrown
    finally:
        del error


@coroutine
def _claim(driven: Any, request: Request | None = None) -> Generator[Any, Any, Any]:
    """Drive `driven` here, and let it go on elsewhere when it asks for that, or at once if there is a `request`."""
    value = error = None
    try:
        while True:
            yielded: Any = request
            request = None
            if yielded is None:
                try:
                    yielded = driven.send(value) if error is None else driven.throw(error)
                except StopIteration as stop:
                    return stop.value
            value = error = None
            claimed = isinstance(yielded, Request) and yielded.coroutine is None
            if claimed:
                yielded.coroutine = driven
            try:
                value = yield yielded
            except GeneratorExit:
                driven.close()
                raise
            except BaseException as thrown:
                error = thrown
            if claimed and yielded.outcome is not None:
                if error is None and (error := yielded.outcome.error) is None:
                    return yielded.outcome.value
                raise error
    finally:
        del error


def _iterator(awaitable: Any) -> Any:
    """What `await` drives."""
    return awaitable if inspect.iscoroutine(awaitable) else awaitable.__await__()
