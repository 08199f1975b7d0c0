"""Coroutines looked at and run by hand: their state, ``__await__`` methods, running without a loop."""

from __future__ import annotations

import dis
import functools
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator
from types import FrameType
from typing import Any, ParamSpec, TypeVar

from ._eager_start import CoroStart
from ._errors import OhwaitError

__all__ = [
    "SynchronousAbort",
    "SynchronousError",
    "await_sync",
    "awaitmethod",
    "coro_get_frame",
    "coro_is_done",
    "coro_is_new",
    "coro_is_suspended",
    "coro_iter",
]

P = ParamSpec("P")
T = TypeVar("T")
Suspendable = Coroutine[Any, Any, Any] | Generator[Any, Any, Any] | AsyncGenerator[Any, Any]
_KINDS = ("cr_", "gi_", "ag_")
_RETURN_GENERATOR = dis.opmap["RETURN_GENERATOR"]
_TRIES = 3
"""How often a coroutine that must not suspend may answer its end by suspending again."""


class SynchronousError(OhwaitError):
    """A coroutine suspended that was to finish without suspending; the text says where."""


class SynchronousAbort(BaseException):
    """Raised in a coroutine where it suspends although it must not, so that it cleans up."""


SynchronousError.__module__ = SynchronousAbort.__module__ = "ohwait.eager"


# ---- state ----


def _prefix(coro: object) -> str:
    for prefix in _KINDS:
        if hasattr(coro, prefix + "frame"):
            return prefix
    raise TypeError(f"a coroutine, a generator-based coroutine or an async generator is required, not {coro!r}")


def coro_get_frame(coro: Suspendable) -> FrameType | None:
    """The frame of a coroutine, a generator-based coroutine or an async generator; None once it has finished.

    Raises:
        TypeError: for anything else (so do the other functions about state).
    """
    frame: FrameType | None = getattr(coro, _prefix(coro) + "frame")
    return frame


def coro_is_suspended(coro: Suspendable) -> bool:
    """Whether it has begun and waits: at an await or a yield, or below plain functions that wait in ``ohwait``."""
    prefix = _prefix(coro)
    suspended = getattr(coro, prefix + "suspended", None)
    if suspended is not None:
        return bool(suspended)
    frame: FrameType | None = getattr(coro, prefix + "frame")  # An async generator before CPython 3.12.
    return frame is not None and not _is_created(frame) and not _is_executing(frame)


def coro_is_new(coro: Suspendable) -> bool:
    """Whether it was made and has not begun."""
    prefix = _prefix(coro)
    frame: FrameType | None = getattr(coro, prefix + "frame")
    if frame is None:
        return False
    suspended = getattr(coro, prefix + "suspended", None)
    if suspended is None:
        return _is_created(frame)
    return not suspended and not getattr(coro, prefix + "running")


def coro_is_done(coro: Suspendable) -> bool:
    """Whether it has finished: returned, raised or been closed."""
    return coro_get_frame(coro) is None


def _is_created(frame: FrameType) -> bool:
    return frame.f_code.co_code[frame.f_lasti] == _RETURN_GENERATOR


def _is_executing(frame: FrameType) -> bool:
    """Whether the frame is on a thread's stack: only there it has a caller, unless it is the outermost one."""
    if frame.f_back is not None:
        return True
    outermost = sys._getframe()
    while outermost.f_back is not None:
        outermost = outermost.f_back
    return frame is outermost


# ---- __await__ methods ----


def coro_iter(coro: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """The iterator of a coroutine, for an ``__await__`` method to return."""
    return coro.__await__()


def awaitmethod(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Iterator[T]]:
    """Let ``__await__`` be written as ``async def``; each `await` of the object calls it anew.

    Goes below @classmethod and @staticmethod.
    """

    @functools.wraps(method)
    def iterate(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return method(*args, **kwargs).__await__()

    for mark in ("_is_coroutine", "_is_coroutine_marker"):
        vars(iterate).pop(mark, None)
    return iterate


# ---- without a loop ----


def await_sync(coro: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends, from anywhere: no event loop is needed, and one that runs is not asked.

    If it suspends all the same, SynchronousAbort is raised in it at that place. It may clean up, without awaiting, and
    it may even return: that is the result then.

    Raises:
        SynchronousError: if it suspended. The text says where.
    """
    start = CoroStart(coro)
    if start.done():
        return start.result()
    error = SynchronousError(
        f"{getattr(coro, '__qualname__', coro)}() failed to complete synchronously: it suspended {_place(coro)}"
    )
    abort = SynchronousAbort("suspended where it must not")
    try:
        return start.throw(abort, tries=_TRIES)
    except SynchronousAbort as raised:
        if raised is not abort:
            raise
        raise error from abort
    except RuntimeError:
        if start.done():
            raise
        start.close()
        raise error from abort


def _place(coro: object) -> str:
    """Where a coroutine waits: its own line, and function, file and line of the innermost frame."""
    frames: list[FrameType] = []
    awaited: object = coro
    while awaited is not None:
        prefix = next((prefix for prefix in _KINDS if hasattr(awaited, prefix + "frame")), None)
        if prefix is None:
            break
        frame = getattr(awaited, prefix + "frame")
        if frame is not None:
            frames.append(frame)
        awaited = getattr(awaited, "gi_yieldfrom" if prefix == "gi_" else prefix + "await", None)
    if not frames:
        return f"in {coro!r}"
    outer, inner = frames[0], frames[-1]
    place = f"at {outer.f_code.co_filename}:{outer.f_lineno}"
    if inner is not outer:
        place += f", in {inner.f_code.co_qualname}() ({inner.f_code.co_filename}:{inner.f_lineno})"
    return place
