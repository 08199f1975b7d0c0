"""Coroutines driven by plain code, and plain code that only such coroutines may call."""

from __future__ import annotations

import functools
import threading
from collections.abc import AsyncIterable, Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from types import MethodType
from typing import Any, Generic, ParamSpec, TypeVar

from ...eager import SynchronousAbort, SynchronousError

P = ParamSpec("P")
T = TypeVar("T")


class SyncDriveRequiredError(RuntimeError):
    """Awaited by an event loop what only `drive_async`, `await_sync` and their relatives may drive."""


class _Session:
    """One `drive_async`: over when its coroutine has ended, and bound to its thread, whoever copied the context."""

    def __init__(self) -> None:
        self.thread: int | None = threading.get_ident()


_session: ContextVar[_Session | None] = ContextVar("ohwait.compat.asynkit.sync_drive", default=None)


@contextmanager
def session() -> Generator[None, None, None]:
    """Make this a sync-drive context."""
    mine = _Session()
    token = _session.set(mine)
    try:
        yield
    finally:
        _session.reset(token)
        mine.thread = None


def in_sync_drive() -> bool:
    """Whether the current context is that of an active `drive_async` on this thread."""
    current = _session.get()
    return current is not None and current.thread == threading.get_ident()


def require_sync_drive() -> None:
    """Raise SyncDriveRequiredError unless `in_sync_drive`."""
    if not in_sync_drive():
        raise SyncDriveRequiredError(
            "this may be awaited only in a synchronously driven coroutine (drive_async(), await_sync(), enterasync()), "
            "and is awaited in one that an event loop runs"
        )


def coro_drive(coro: Coroutine[Any, Any, T], callback: Callable[[Any], Any]) -> T:
    """Run a coroutine, and send into it what ``callback(yielded)`` returns for each value that it yields.

    What the callback raises is raised in the coroutine; GeneratorExit closes it, and is raised again.
    """
    value: Any = None
    error: BaseException | None = None
    try:
        while True:
            yielded = coro.send(value) if error is None else coro.throw(error)
            try:
                value, error = callback(yielded), None
            except GeneratorExit:
                coro.close()
                raise
            except BaseException as raised:
                value, error = None, raised
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        error = None


def drive_async(coro: Coroutine[Any, Any, T], callback: Callable[[Any], Any]) -> T:
    """`coro_drive` within a sync-drive context: `in_sync_drive` is true in the coroutine and in the callback."""
    with session():
        return coro_drive(coro, callback)


def await_sync(coro: Coroutine[Any, Any, T], *, ignore_nullsleep: bool = True) -> T:
    """Run a coroutine that does not suspend; a bare yield, as of ``asyncio.sleep(0)``, counts as none by default.

    Raises:
        SynchronousError: if it suspended. `SynchronousAbort` was raised in it there; if it returns, that is the result.
    """
    abort = SynchronousAbort("suspended where it must not")
    aborted = False

    def callback(yielded: Any) -> None:
        nonlocal aborted
        if yielded is None and ignore_nullsleep:
            return
        if aborted:
            raise GeneratorExit
        aborted = True
        raise abort

    try:
        return drive_async(coro, callback)
    except (SynchronousAbort, GeneratorExit) as raised:
        if not aborted or (raised is not abort and not isinstance(raised, GeneratorExit)):
            raise
        name = getattr(coro, "__qualname__", repr(coro))
        raise SynchronousError(f"{name}() failed to complete synchronously") from abort


def aiter_sync(async_iterable: AsyncIterable[T]) -> Generator[T, None, None]:
    """Loop over an async iterable that does not suspend."""
    iterator = async_iterable.__aiter__()

    async def step() -> T:
        return await iterator.__anext__()

    while True:
        try:
            item = await_sync(step())
        except StopAsyncIteration:
            return
        yield item


# ---- decorators ----


def enterasync(func: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Make a plain function of an async one, run by `await_sync`."""

    @functools.wraps(func)
    def enter(*args: P.args, **kwargs: P.kwargs) -> T:
        return await_sync(func(*args, **kwargs))

    return enter


def leavesync(func: Callable[P, T]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Make an async function of a plain one that may block: it can be awaited in sync-drive contexts only."""

    @functools.wraps(func)
    async def leave(*args: P.args, **kwargs: P.kwargs) -> T:
        require_sync_drive()
        return func(*args, **kwargs)

    return leave


class _Method(Generic[T]):
    """A function for class bodies, which keeps what it was made of."""

    def __init__(self, func: Callable[..., Any], made: Callable[..., T]) -> None:
        self.__wrapped__ = func
        self._made = made

    def __get__(self, instance: object, owner: type | None = None) -> Callable[..., T]:
        return self._made if instance is None else MethodType(self._made, instance)

    def __call__(self, instance: object, /, *args: Any, **kwargs: Any) -> T:
        return self._made(instance, *args, **kwargs)


class EnterAsyncMethod(_Method[T]):
    """What `enterasyncmethod` makes."""

    def __init__(self, func: Callable[..., Coroutine[Any, Any, T]]) -> None:
        super().__init__(func, enterasync(func))


class LeaveSyncMethod(_Method[Coroutine[Any, Any, T]]):
    """What `leavesyncmethod` makes."""

    def __init__(self, func: Callable[..., T]) -> None:
        super().__init__(func, leavesync(func))


def enterasyncmethod(func: Callable[..., Coroutine[Any, Any, T]]) -> EnterAsyncMethod[T]:
    """`enterasync` for an alias in a class body: ``run = enterasyncmethod(arun)``."""
    return EnterAsyncMethod(func)


def leavesyncmethod(func: Callable[..., T]) -> LeaveSyncMethod[T]:
    """`leavesync` for an alias in a class body."""
    return LeaveSyncMethod(func)
