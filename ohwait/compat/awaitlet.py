"""The names of the package `awaitlet`, over `ohwait`: no greenlets, calls may nest, and any event loop will do.

What is different: greenlet can also leave a C function that calls back (``sorted(key=...)``). Where `ohwait` cannot, an
awaitable that has no need to suspend works all the same; one that suspends is closed, and `ohwait.CFunctionError` names
the C function.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from .. import _core
from .._core import ohwait
from .._errors import OhwaitError
from .._helpers import _without_suspending
from .._host import call_plainly

__all__ = ["NoAwaitOccurred", "NoAwaitletContext", "async_def", "awaitlet"]

T = TypeVar("T")


class NoAwaitletContext(OhwaitError):
    """`awaitlet` was called outside of `async_def`; a coroutine that it was given is closed."""


class NoAwaitOccurred(OhwaitError):
    """`async_def` was told that its function awaits, and it did not."""


class _Call:
    """One call of `async_def`."""

    __slots__ = ("awaited", "outer", "over")

    def __init__(self, outer: _Call | None) -> None:
        self.outer = outer
        self.awaited = self.over = False


_current: ContextVar[_Call | None] = ContextVar("ohwait.compat.awaitlet", default=None)


async def async_def(fn: Callable[..., T], *args: Any, assert_await_occurs: bool = False, **kwargs: Any) -> T:
    """Call a plain function, which may use `awaitlet`; return its result.

    Args:
        fn: the function; also partial objects and instances whose class defines ``__call__`` in Python.
        *args: its positional arguments.
        assert_await_occurs: whether it is an error if `fn` returns without having called `awaitlet`.
        **kwargs: its keyword arguments.

    Raises:
        NoAwaitOccurred: it did, and it was not to.
    """
    call, function, values = call_plainly(functools.partial(fn, *args, **kwargs), ())
    this = _Call(_current.get())
    _current.set(this)
    try:
        result: T = call(function, values)
    finally:
        this.over = True
        if _current.get() is this:
            _current.set(_going_on(this.outer))
    if assert_await_occurs and not this.awaited:
        name = getattr(fn, "__qualname__", repr(fn))
        raise NoAwaitOccurred(f"async_def({name}, assert_await_occurs=True): it returned without calling awaitlet()")
    return result


def _going_on(call: _Call | None) -> _Call | None:
    """Tasks of one context may end in any order."""
    while call is not None and call.over:
        call = call.outer
    return call


def awaitlet(awaitable: Awaitable[T]) -> T:
    """Await in a plain function that `async_def` has called, directly or through others.

    Raises:
        NoAwaitletContext: it has not.
        OhwaitError: `ohwait` cannot suspend here (its subclasses say why).
    """
    call = _current.get()
    if call is None or call.over:
        if inspect.iscoroutine(awaitable):
            awaitable.close()
        raise NoAwaitletContext("awaitlet() was called outside of async_def(): call the function that uses it by that")
    call.awaited = True
    obstacle = _core.obstacle()
    return ohwait(awaitable) if obstacle is None else _without_suspending(awaitable, *obstacle)
